"""PGD: w ← clip(w − η sign(∇L), bounds) (Madry 2018; Luo 2023, supplement C)."""

from __future__ import annotations

import dataclasses

import numpy as np

from zoom_engine.search.gradient_descent import GradientSearch
from zoom_engine.search.iterates import Array


@dataclasses.dataclass(frozen=True, kw_only=True)
class PGD(GradientSearch):
    """Descent by the sign, so that weights stay multiples of η. Options: see `GradientSearch`."""

    @property
    def name(self) -> str:
        return "pgd"

    def direction(self, gradient: Array) -> Array:
        """The gradient's sign, 0 where it is 0."""
        return np.sign(gradient)
