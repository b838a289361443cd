"""What depends on what a target predicts: a `Task` says what an output means, its `TaskView` how it is shown."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple, Protocol, runtime_checkable

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

Pixels = NDArray[np.uint8]


@runtime_checkable
class Task(Protocol):
    """How to read, compare and push the outputs of one kind of model.

    Outputs are `[B, K]`, or have the axes of a map `[B, …]`, in whatever form `outputs` makes of a raw output; every
    method on them works row by row and never mixes images. `original` is always the output for the unedited image.
    Records keep `recorded` numbers, `[M]` a row; what reports say of them is said by the `view`.
    """

    @property
    def name(self) -> str:
        """Return the task's name, as in its entry and in manifests."""

    @property
    def differentiable(self) -> bool:
        """Tell whether there is something between one output and the next for a gradient to follow."""

    @property
    def may_be_empty(self) -> bool:
        """Tell whether an output may be the same for all pictures of noise, as there is nothing to find in them."""

    @property
    def view(self) -> TaskView:
        """Return how outputs are shown: a `TaskView` of this task, or of a subclass."""

    def outputs(self, raw: Tensor) -> Tensor:
        """Return the outputs, float32 `[B, K]`, of the network's raw output `[B, …]`.

        They are whole numbers where the network gives nothing between its answers.

        Raises:
            TargetError: the shape is not what this task reads.
        """

    def recorded(self, outputs: Tensor, original: Tensor) -> Tensor:
        """Return the numbers `[B, M]` that a record keeps of an output (probabilities, for a classifier).

        Of an output too large to keep, return how it compares with the original.
        """

    def margin(self, outputs: Tensor, original: Tensor) -> Tensor:
        """Return the margin `[B]`: positive while the prediction is the original's, negative once it flipped.

        Outputs that take a gradient have one: where the margin is a count, that of a soft margin.
        """

    def flipped(self, outputs: Tensor, original: Tensor) -> Tensor:
        """Tell, bool `[B]`, whether the prediction is no longer the original's."""

    def change(self, outputs: Tensor, original: Tensor) -> Tensor:
        """Return |f(x̂) − f(x)|, `[B]` in [0, 1], which sensitivity averages."""

    def loss(self, outputs: Tensor, original: Tensor) -> Tensor:
        """Return L_target `[B]`, differentiable: it falls as the prediction leaves the original's."""

    def to_dict(self) -> dict[str, Any]:
        """Return a description ready for JSON: "task", the task's name, and what `from_dict` takes."""

    @classmethod
    def from_dict(cls, described: dict[str, Any]) -> Task:
        """Make the task that `to_dict` describes, its name left out.

        Raises:
            TypeError, ValueError, KeyError or TargetError: it describes no such task.
        """


class ResponseAxis(NamedTuple):
    """The axis of a chart of `TaskView.response`.

    Attributes:
        label: what the response is, in words.
        ends: its lowest and highest value; None where it is no less than 0 and the axis reaches as far as values do.
        boundary: the response at which a prediction flips; None where that depends on other numbers.
        negligible: a difference of responses below this is negligible.
    """

    label: str
    ends: tuple[float, float] | None = None
    boundary: float | None = None
    negligible: float = 0.0


class Parts(NamedTuple):
    """The parts of an output (labels, classes, points), for a chart of which of them an attribute moves.

    Attributes:
        names: a name for each part; empty where an output has but one part.
        changes: how far each part moved, 0 or more; empty where an output has but one part.
        label: what the changes are, in words.
    """

    names: Sequence[str] = ()
    changes: Sequence[float] = ()
    label: str = ""


class TaskView:
    """How the outputs of a `task` are shown.

    All methods have a default, which is of use where recorded numbers are the outputs themselves; a task's own view
    changes what it knows better. `outputs_row` and `original_row` are one row `[K]` or `[…]` of outputs, and that of
    the unedited image; `recorded` and `original` are the same as records keep them, `[M]`.
    """

    def __init__(self, task: Task) -> None:
        """Show the outputs of `task`."""
        self.task = task

    @property
    def negligible_change(self) -> float:
        """Return the mean change in [0, 1] below which an effect is negligible.

        The study behind the method counts such true effects as none.
        """
        return 0.05

    @property
    def change_options(self) -> Mapping[str, Any]:
        """Return the task's options that scale a change, or select what it is of, such as the range of a number.

        Audits are compared with each other only where these are equal. By default they are all of the task's options.
        """
        return {name: value for name, value in self.task.to_dict().items() if name != "task"}

    def caption(self, outputs_row: Tensor, original_row: Tensor) -> str:
        """Return a caption of a few characters for the corner of a picture: by default the response, such as "0.83"."""
        rows = (self.task.recorded(row[None], original_row[None])[0].tolist() for row in (outputs_row, original_row))
        return f"{self.response(*rows):.2f}"

    @property
    def caption_label(self) -> str:
        """Return what `caption` says, in words: "the probability of “cat”"."""
        return self.response_axis.label

    def overlay(self, pixels: Pixels, outputs_row: Tensor, original_row: Tensor) -> Pixels:
        """Draw the output into a copy of the picture uint8 `[R, R, 3]`, beside that of the unedited image.

        Returns:
            The copy, or the picture as it is where there is nothing to draw.
        """
        return pixels

    @property
    def legend(self) -> Sequence[tuple[str, str]]:
        """Return what the colours of `overlay` mean: (name, "#rrggbb"); () where no colour means anything."""
        return ()

    def response(self, recorded: Sequence[float], original: Sequence[float]) -> float:
        """Return the one number to draw over edit weights: by default the largest difference of a recorded number."""
        return max(abs(now - before) for now, before in zip(recorded, original, strict=True))

    @property
    def response_axis(self) -> ResponseAxis:
        """Return the response in words, and where it ends, flips and is negligible."""
        return ResponseAxis("how far the model’s output moved")

    def state(self, recorded: Sequence[float], original: Sequence[float]) -> int:
        """Return what the recorded output says, as a number: a flip leads from the original's state to another one.

        By default it is 1 where the task says that the recorded numbers flipped, else 0.
        """
        return int(self.task.flipped(torch.tensor([recorded]), torch.tensor([original]))[0])

    def state_name(self, state: int) -> str:
        """Return a state in words: "“cat”"; "" for the unedited image's, where states are counted from it."""
        return "another output" if state else ""

    def parts(self, recorded: Sequence[float], original: Sequence[float]) -> Parts:
        """Return the parts of a recorded output, and how far they moved."""
        return Parts()

    def change_in_words(self, change: float) -> str:
        """Return a change in [0, 1] in a unit that a person understands, such as "4.2 years".

        It begins with a number. It is "" where the change is in such a unit already.
        """
        return ""

    @property
    def whole(self) -> str:
        """Return what a change of 1 is, such as "the range"; "" where `change_in_words` counts in shares already."""
        return ""

    @property
    def flip_in_words(self) -> str:
        """Return from where on a prediction flips, as a clause; "" where nothing says.

        Such as "the output moves by 8 years or more, a tenth of the range".
        """
        return ""

    def mean_in_words(self, change: float) -> str:
        """Return what a mean change in [0, 1] says, as a clause: "the output moves by 4.2 years on average"."""
        return f"the output moves by {self.change_in_words(change) or f'{change:.2f} of at most 1'} on average"

    def extent_in_words(self, pairs: Sequence[tuple[Sequence[float], Sequence[float]]]) -> str:
        """Return what edits do that a change in [0, 1] does not tell, as a clause; "" where that is nothing.

        Such as "1.3 of 8 labels change". `pairs` are (recorded, original), one or more.
        """
        return ""
