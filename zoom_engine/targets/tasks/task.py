"""The part of a target that depends on what it predicts."""

from __future__ import annotations

from typing import Any, Protocol, runtime_checkable

from torch import Tensor


@runtime_checkable
class Task(Protocol):
    """How to read, compare and push the outputs of one kind of model. `original` is always the output for
    the unedited image.

    Outputs are `[B, K]` in whatever form `outputs` makes of a network's raw output; every method works row
    by row and never mixes images.
    """

    @property
    def name(self) -> str: ...

    def outputs(self, raw: Tensor) -> Tensor:
        """The network's raw output `[B, …]` → outputs float32 `[B, K]`; `TargetError` when the shape is not
        what this task reads."""

    def probabilities(self, outputs: Tensor) -> Tensor:
        """Probabilities in [0, 1]: binary `[B]` of class 1, multi-class `[B, C]`."""

    def recorded(self, outputs: Tensor) -> Tensor:
        """The numbers `[B, M]` that a record keeps of an output (probabilities, for a classifier)."""

    def margin(self, outputs: Tensor, original: Tensor) -> Tensor:
        """`[B]`, positive while the prediction is the original's, negative once it flipped; continuous in
        the outputs."""

    def flipped(self, outputs: Tensor, original: Tensor) -> Tensor:
        """bool `[B]`: the prediction is no longer the original's."""

    def change(self, outputs: Tensor, original: Tensor) -> Tensor:
        """`[B]` in [0, 1]: |f(x̂) − f(x)|, what sensitivity averages."""

    def loss(self, outputs: Tensor, original: Tensor) -> Tensor:
        """L_target `[B]`, differentiable: falls as the prediction leaves the original's."""

    def caption(self, outputs_row: Tensor) -> str:
        """A few characters for the corner of a picture, from one row `[K]`."""

    def to_json(self, outputs_row: Tensor) -> list[float]:
        """`recorded` of one row `[K]`, as JSON numbers."""

    def to_dict(self) -> dict[str, Any]:
        """A JSON-ready description with a key "task"; `targets.task_from_dict` takes it back."""
