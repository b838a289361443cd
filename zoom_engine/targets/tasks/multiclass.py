"""Multi-class classification: outputs are C logits `[B, C]`."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import ClassVar

import torch
from torch import Tensor
from torch.nn import functional as F

from zoom_engine.common.errors import TargetError
from zoom_engine.targets.tasks.classes import (
    PROBABILITY_EPS,
    OfManyClasses,
    OfProbabilities,
    axis_of_probability,
    class_name,
    moved,
    percentage_points,
)
from zoom_engine.targets.tasks.task import Parts


@dataclasses.dataclass(frozen=True, kw_only=True)
class MultiClassTask(OfManyClasses):
    """One of `classes`, the one with the largest output.

    Attributes:
        output: "logits" `[B, C]` or "probabilities" `[B, C]` (then the logits are their logarithms).
        toward: index of the class that the loss pulls to; None pulls to the runner-up of the original prediction.
    """

    toward: int | None = None
    name: ClassVar[str] = "multiclass"
    called: ClassVar[str] = "multi-class"
    things: ClassVar[str] = "classes"

    def __post_init__(self) -> None:
        """Refuse options of no class by a TargetError."""
        super().__post_init__()
        if self.toward is not None and not 0 <= self.toward < len(self.classes):
            raise TargetError(
                f"multi-class task: toward is {self.toward}, but classes are numbered 0 to {len(self.classes) - 1}"
            )

    def outputs(self, raw: Tensor) -> Tensor:
        """Return the logits of a raw output, float32 `[B, C]`."""
        rows = self.rows(raw)
        least = PROBABILITY_EPS / len(self.classes)  # all that it adds together moves no probability of a record
        return rows.clamp_min(least).log() if self.output == "probabilities" else rows

    def recorded(self, outputs: Tensor, original: Tensor) -> Tensor:
        """Return the probabilities, `[B, C]`."""
        return outputs.softmax(1)

    def margin(self, outputs: Tensor, original: Tensor) -> Tensor:
        """Return the logit of the original's class minus the largest other one, `[B]`."""
        label = original.argmax(1, keepdim=True)
        predicted = outputs.gather(1, label)[:, 0]
        return predicted - outputs.scatter(1, label, -torch.inf).amax(1)

    def flipped(self, outputs: Tensor, original: Tensor) -> Tensor:
        """Tell, bool `[B]`, whether another class has the largest output."""
        return outputs.argmax(1) != original.argmax(1)

    def change(self, outputs: Tensor, original: Tensor) -> Tensor:
        """Return the total variation distance, `[B]` in [0, 1]: half the sum over classes of |p(x̂) − p(x)|."""
        return (outputs.softmax(1) - original.softmax(1)).abs().sum(1) / 2

    def loss(self, outputs: Tensor, original: Tensor) -> Tensor:
        """Return the cross-entropy to `toward`, or to the original's runner-up, `[B]`.

        It is that to the runner-up also where the original is `toward` already.
        """
        first, second = original.topk(2, dim=1).indices.unbind(1)
        if self.toward is None:
            goal = second
        else:
            goal = torch.where(first == self.toward, second, torch.full_like(first, self.toward))
        return F.cross_entropy(outputs, goal, reduction="none")

    @property
    def view(self) -> MultiClassView:
        """Return how the class is shown."""
        return MultiClassView(self)


class MultiClassView(OfProbabilities):
    """The view that shows the predicted class with its probability."""

    task: MultiClassTask

    caption_label = "the class that the model predicts for the picture, with its probability"
    response_axis = axis_of_probability("the probability of the class that the model predicts before the edit")

    def caption(self, outputs_row: Tensor, original_row: Tensor) -> str:
        """Return the predicted class and its probability, such as "cat 0.83"."""
        probability, index = outputs_row.softmax(0).max(0)
        return f"{self.task.classes[int(index)]} {probability.item():.2f}"

    def response(self, recorded: Sequence[float], original: Sequence[float]) -> float:
        """Return the probability of the class that is predicted before the edit."""
        return float(recorded[_largest(original)])

    def state(self, recorded: Sequence[float], original: Sequence[float]) -> int:
        """Return the index of the predicted class."""
        return _largest(recorded)

    def state_name(self, state: int) -> str:
        """Return the name of the class."""
        return class_name(self.task.classes, state)

    flip_in_words = "another class becomes the most probable"

    def mean_in_words(self, change: float) -> str:
        """Return how much probability goes to other classes, in percentage points."""
        return f"{percentage_points(change)} of probability go from some classes to others on average"

    def parts(self, recorded: Sequence[float], original: Sequence[float]) -> Parts:
        """Return the classes, and how far the probability of each moved."""
        label = "how far the probability of each class moves"
        return Parts(self.task.classes, moved(recorded, original), label)


def _largest(recorded: Sequence[float]) -> int:
    return max(range(len(recorded)), key=recorded.__getitem__)
