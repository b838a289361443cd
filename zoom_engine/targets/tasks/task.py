"""What depends on what a target predicts: a `Task` says what an output means, its `TaskView` how it is shown."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple, Protocol, runtime_checkable

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

Pixels = NDArray[np.uint8]


@runtime_checkable
class Task(Protocol):
    """How to read, compare and push the outputs of one kind of model. `original` is always the output for the unedited
    image.

    Outputs are `[B, K]`, or have the axes of a map `[B, …]`, in whatever form `outputs` makes of a raw output;
    every method on them works row by row and never mixes images. Records keep `recorded` numbers, `[M]` a row; what
    reports say of them is said by the `view`.
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

    @property
    def view(self) -> TaskView:
        """How outputs are shown: a `TaskView` of this task, or of a subclass."""

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

    def to_dict(self) -> dict[str, Any]:
        """A JSON-ready description: "task", the task's name, and what `from_dict` takes."""

    @classmethod
    def from_dict(cls, described: dict[str, Any]) -> Task:
        """The task of what `to_dict` says beside its name; TypeError, ValueError, KeyError or TargetError for what is
        none."""


class ResponseAxis(NamedTuple):
    """The axis of a chart of `TaskView.response`.

    label: what the response is, in words.
    ends: its lowest and highest value; None where it is no less than 0 and the axis shall reach as far as values do.
    boundary: the response at which a prediction flips; None where that depends on other numbers.
    negligible: a difference of responses below this is called hardly any.
    """

    label: str
    ends: tuple[float, float] | None = None
    boundary: float | None = None
    negligible: float = 0.0


class Parts(NamedTuple):
    """The parts of an output (labels, classes, points), for a chart of which of them an attribute moves.

    names, and changes: how far each of them moved, 0 or more; both empty where an output has but one part.
    label: what the changes are, in words.
    """

    names: Sequence[str] = ()
    changes: Sequence[float] = ()
    label: str = ""


class TaskView:
    """How the outputs of a `task` are shown. All methods have a default, which is of use where recorded numbers are the
    outputs themselves; a task's own view changes what it knows better.

    `outputs_row` and `original_row` are one row `[K]` or `[…]` of outputs, and that of the unedited image; `recorded`
    and `original` the same as records keep them, `[M]`.
    """

    def __init__(self, task: Task) -> None:
        self.task = task

    @property
    def negligible_change(self) -> float:
        """A mean change in [0, 1] below this is called small: the study behind the method counts such true effects as
        none."""
        return 0.05

    def caption(self, outputs_row: Tensor, original_row: Tensor) -> str:
        """Return a few characters for the corner of a picture; the response, such as "0.83"."""
        rows = (self.task.recorded(row[None], original_row[None])[0].tolist() for row in (outputs_row, original_row))
        return f"{self.response(*rows):.2f}"

    @property
    def caption_label(self) -> str:
        """What `caption` says, in words: "the probability of “cat”"."""
        return self.response_axis.label

    def overlay(self, pixels: Pixels, outputs_row: Tensor, original_row: Tensor) -> Pixels:
        """Draw the output into a copy of the picture uint8 `[R, R, 3]`, beside that of the unedited image; return the
        picture as it is where there is nothing to draw."""
        return pixels

    @property
    def legend(self) -> Sequence[tuple[str, str]]:
        """What the colours that `overlay` draws in mean: (name, "#rrggbb"); () where no colour means anything."""
        return ()

    def response(self, recorded: Sequence[float], original: Sequence[float]) -> float:
        """Return the one number to draw over edit weights; the largest difference of a recorded number."""
        return max(abs(now - before) for now, before in zip(recorded, original, strict=True))

    @property
    def response_axis(self) -> ResponseAxis:
        """The response in words, and where it ends, flips and is negligible."""
        return ResponseAxis("how far the model’s output moved")

    def state(self, recorded: Sequence[float], original: Sequence[float]) -> int:
        """Return what the recorded output says, as a number: a flip leads from the original's state to another one.
        1 where the task calls the recorded numbers flipped, else 0."""
        return int(self.task.flipped(torch.tensor([recorded]), torch.tensor([original]))[0])

    def state_name(self, state: int) -> str:
        """Return a state in words: "“cat”"; "" for the unedited image's, where states are counted from it."""
        return "another output" if state else ""

    def parts(self, recorded: Sequence[float], original: Sequence[float]) -> Parts:
        """Return the parts of a recorded output, and how far they moved."""
        return Parts()

    def change_in_words(self, change: float) -> str:
        """Return a change in [0, 1] in a unit that a person understands, such as "4.2 years"; "" where it is one
        already."""
        return ""
