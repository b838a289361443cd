"""Binary classification: outputs are one logit `[B, 1]`, of class 1."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import ClassVar, Literal

import torch
from torch import Tensor
from torch.nn import functional as F

from zoom_engine.common.errors import TargetError
from zoom_engine.targets.tasks.classes import (
    PROBABILITY_EPS,
    OfClasses,
    OfProbabilities,
    axis_of_probability,
    checked_probabilities,
    class_name,
    percentage_points,
    probabilities,
    wrapper_of,
)
from zoom_engine.targets.tasks.described import check_output, rows_of
from zoom_engine.targets.tasks.task import ResponseAxis

BinaryOutput = Literal["logit", "two-logits", "probability", "two-probabilities"]


@dataclasses.dataclass(frozen=True, kw_only=True)
class BinaryTask(OfClasses):
    """One decision between `classes[0]` and `classes[1]`, taken at probability 0.5.

    Attributes:
        classes: the names of class 0 and class 1.
        output: what the network returns: "logit" `[B]` or `[B, 1]` of class 1, "two-logits" `[B, 2]` (their difference
            is the logit), "probability" `[B]` or `[B, 1]` of class 1, "two-probabilities" `[B, 2]`.
        head: of a multi-label network `[B, C]`, the index of the one output that decides; None where it has no other.
    """

    classes: tuple[str, str] = ("0", "1")
    output: BinaryOutput = "logit"
    head: int | None = None
    name: ClassVar[str] = "binary"

    def __post_init__(self) -> None:
        """Refuse options that do not go together by a TargetError."""
        check_output("binary", self.output, BinaryOutput)
        if len(self.classes) != 2:
            raise TargetError(f"binary task: needs the names of two classes, not {len(self.classes)}")
        if self.head is not None and (self.head < 0 or self.output.startswith("two")):
            raise TargetError("binary task: a head is the index of one logit or one probability")

    def outputs(self, raw: Tensor) -> Tensor:
        """Return the logit of class 1, float32 `[B, 1]`, of a raw output.

        Raises:
            TargetError: the network returns another number of outputs, or no probabilities where it should.
        """
        width = 2 if self.output.startswith("two") else 1
        flat = rows_of(raw, self.head)
        if flat.shape[1] != width:
            raise TargetError(
                f"the target returns {flat.shape[1]} numbers per image where output {self.output!r}"
                f" means {width}: declare another output, or a multi-class task{wrapper_of(flat.shape[1], width)}"
            )
        if self.output == "two-logits":
            return flat[:, 1:] - flat[:, :1]
        if self.output == "logit":
            return flat
        probability = checked_probabilities(flat)
        if self.output == "two-probabilities":
            probability = probability[:, 1:] / probability.sum(1, keepdim=True).clamp_min(PROBABILITY_EPS)
        return torch.logit(probability, eps=PROBABILITY_EPS)

    def recorded(self, outputs: Tensor, original: Tensor) -> Tensor:
        """Return the probability of class 1, `[B, 1]`."""
        return probabilities(outputs)

    def margin(self, outputs: Tensor, original: Tensor) -> Tensor:
        """Return the logit of the original's class, `[B]`."""
        return torch.where(original[:, 0] >= 0, outputs[:, 0], -outputs[:, 0])

    def flipped(self, outputs: Tensor, original: Tensor) -> Tensor:
        """Tell, bool `[B]`, whether the probability crossed 0.5."""
        return (outputs[:, 0] >= 0) != (original[:, 0] >= 0)

    def change(self, outputs: Tensor, original: Tensor) -> Tensor:
        """Return |p(x̂) − p(x)|, `[B]` in [0, 1]."""
        return (probabilities(outputs) - probabilities(original)).abs()[:, 0]

    def loss(self, outputs: Tensor, original: Tensor) -> Tensor:
        """Return the binary cross-entropy to the opposite of the original prediction, `[B]` (Luo 2023).

        It is the softplus of the margin.
        """
        return F.softplus(self.margin(outputs, original))

    @property
    def view(self) -> BinaryView:
        """Return how the probability is shown."""
        return BinaryView(self)


class BinaryView(OfProbabilities):
    """The view that shows the probability of class 1."""

    task: BinaryTask

    def caption(self, outputs_row: Tensor, original_row: Tensor) -> str:
        """Return the probability of class 1, such as "0.83"."""
        return f"{outputs_row[0].sigmoid().item():.2f}"

    @property
    def response_axis(self) -> ResponseAxis:
        """Return the axis of the probability of class 1."""
        classes = self.task.classes
        label = "the model’s output" if classes == ("0", "1") else f"the probability of “{classes[1]}”"
        return axis_of_probability(label, boundary=0.5)

    def response(self, recorded: Sequence[float], original: Sequence[float]) -> float:
        """Return the probability of class 1."""
        return float(recorded[0])

    def state(self, recorded: Sequence[float], original: Sequence[float]) -> int:
        """Return the index of the predicted class."""
        return int(recorded[0] >= 0.5)

    def state_name(self, state: int) -> str:
        """Return the name of the class."""
        return class_name(self.task.classes, state)

    flip_in_words = "the probability crosses 0.5"

    def mean_in_words(self, change: float) -> str:
        """Return a mean change of the probability in percentage points."""
        return f"{self.response_axis.label} moves by {percentage_points(change)} on average"
