"""SGD: w ← clip(w − η ∇L, bounds) (Luo 2023, supplement C)."""

from __future__ import annotations

import dataclasses

from zoom_engine.search.gradient_descent import GradientSearch
from zoom_engine.search.iterates import Array


@dataclasses.dataclass(frozen=True, kw_only=True)
class SGD(GradientSearch):
    """Plain gradient descent, for one attribute or all together. Options: see `GradientSearch`."""

    @property
    def name(self) -> str:
        return "sgd"

    def direction(self, gradient: Array) -> Array:
        """The gradient itself."""
        return gradient
