"""The part of a target that depends on what it predicts: a task answers for all that is done with an output."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

Pixels = NDArray[np.uint8]


@runtime_checkable
class Task(Protocol):
    """How to read, compare, push and show the outputs of one kind of model. `original` is always the output for
    the unedited image.

    Outputs are `[B, K]`, or have the axes of a map `[B, …]`, in whatever form `outputs` makes of a raw output;
    every method on them works row by row and never mixes images. Records keep `recorded` numbers, `[M]` a row; what
    reports say of them is said by the methods that take such a row.
    """

    @property
    def name(self) -> str:
        """Of the task, as in its entry and in manifests."""

    @property
    def differentiable(self) -> bool:
        """Whether there is something between one output and the next for a gradient to follow."""

    @property
    def may_find_nothing(self) -> bool:
        """Whether an output may be the same for all pictures of noise, as there is nothing to find in them."""

    def outputs(self, raw: Tensor) -> Tensor:
        """The network's raw output `[B, …]` → outputs float32 `[B, K]` (whole numbers where it gives nothing between
        its answers); `TargetError` when the shape is not what this task reads."""

    def recorded(self, outputs: Tensor, original: Tensor) -> Tensor:
        """The numbers `[B, M]` that a record keeps of an output (probabilities, for a classifier); of what is too large
        to keep, how it compares with the original."""

    def margin(self, outputs: Tensor, original: Tensor) -> Tensor:
        """`[B]`, positive while the prediction is the original's, negative once it flipped. Outputs that take a
        gradient have one: of a soft margin, where this one is a count."""

    def flipped(self, outputs: Tensor, original: Tensor) -> Tensor:
        """bool `[B]`: the prediction is no longer the original's."""

    def change(self, outputs: Tensor, original: Tensor) -> Tensor:
        """`[B]` in [0, 1]: |f(x̂) − f(x)|, what sensitivity averages."""

    def loss(self, outputs: Tensor, original: Tensor) -> Tensor:
        """L_target `[B]`, differentiable: falls as the prediction leaves the original's."""

    def caption(self, outputs_row: Tensor, original_row: Tensor) -> str:
        """A few characters for the corner of a picture, from one row `[K]` and that of the unedited image."""

    def overlay(self, pixels: Pixels, outputs_row: Tensor, original_row: Tensor) -> Pixels:
        """The picture uint8 `[R, R, 3]` with the output, one row `[K]`, drawn into it beside that of the unedited
        image; as it is where there is nothing to draw."""

    @property
    def legend(self) -> Sequence[tuple[str, str]]:
        """What the colours that `overlay` draws in mean: (name, "#rrggbb"); () where no colour means anything."""

    @property
    def small(self) -> float:
        """A mean change in [0, 1] below this is called small."""

    @property
    def hardly(self) -> float:
        """A difference of `followed` below this is called hardly any."""

    @property
    def corner(self) -> str:
        """What `caption` says, in words: "the probability of “cat”"."""

    @property
    def axis(self) -> tuple[float, float] | None:
        """Lowest and highest of what `followed` returns, for the axis of a chart; None where it is no less than 0 and
        the axis shall reach as far as the values do."""

    @property
    def boundary(self) -> float | None:
        """The value of `followed` at which a prediction flips; None where that depends on other numbers."""

    @property
    def curve(self) -> str:
        """What `followed` is, in words."""

    def followed(self, recorded: Sequence[float], original: Sequence[float]) -> float:
        """The one number of a recorded output to draw over edit weights."""

    def state(self, recorded: Sequence[float], original: Sequence[float]) -> int:
        """What the recorded output says, as a number: a flip leads from the original's state to another one."""

    def state_name(self, state: int) -> str:
        """A state in words: "“cat”"; "" for the unedited image's, where states are counted from it."""

    def parts(self, recorded: Sequence[float]) -> Sequence[str]:
        """Names of the parts of a recorded output (labels, classes, points), for a chart of which of them an attribute
        moves; () where it has but one."""

    def part_changes(self, recorded: Sequence[float], original: Sequence[float]) -> Sequence[float]:
        """How far each of the `parts` moved, 0 or more."""

    @property
    def part_change(self) -> str:
        """What `part_changes` are, in words; "" without parts."""

    def change_in_words(self, change: float) -> str:
        """A change in [0, 1] in a unit that a person understands, such as "4.2 years"; "" where it is one already."""

    def to_dict(self) -> dict[str, Any]:
        """A JSON-ready description: "task", the task's name, and what `from_dict` takes."""

    @classmethod
    def from_dict(cls, described: dict[str, Any]) -> Task:
        """The task of what `to_dict` says beside its name; TypeError, ValueError, KeyError or TargetError for what is
        none."""
