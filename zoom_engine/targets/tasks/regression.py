"""Regression: one number in a unit of its own, such as an age in years."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

import torch
from torch import Tensor
from torch.nn import functional as F

from zoom_engine.common.errors import TargetError
from zoom_engine.common.plurals import with_minus
from zoom_engine.targets.tasks.described import Described, rows_of
from zoom_engine.targets.tasks.task import ResponseAxis, TaskView

SAME, LOWER, HIGHER = range(3)
NARROWEST = 1e-4
"""The narrowest range: a hundred steps of what records keep."""
_FRACTIONS = {
    2: "half",
    3: "a third",
    4: "a quarter",
    5: "a fifth",
    10: "a tenth",
    20: "a twentieth",
    100: "a hundredth",
}


@dataclasses.dataclass(frozen=True, kw_only=True)
class RegressionTask(Described):
    """Outputs are the number itself, `[B, 1]`.

    Attributes:
        range: lowest and highest value that the number takes in use; a change is counted in shares of it.
        threshold: from which difference to the unedited image's number on, in its unit, the output flips; None is a
            tenth of the range.
        unit: such as "years", for captions.
        toward: the value that a gradient search pulls to; None pulls to the end of the range that is further away.
        head: of a network with several outputs, the index of the one; None where it has no other.
    """

    range: tuple[float, float]
    threshold: float | None = None
    unit: str = ""
    toward: float | None = None
    head: int | None = None
    name: ClassVar[str] = "regression"

    def __post_init__(self) -> None:
        """Refuse options out of their ranges by a TargetError."""
        ends: tuple[float, ...] = self.range
        if len(ends) != 2 or not all(map(math.isfinite, ends)) or not ends[0] < ends[1]:
            raise TargetError(f"regression task: range must be two rising numbers, such as [0, 100], not {self.range}")
        if self.width < NARROWEST:
            raise TargetError(
                f"regression task: records keep six decimals of the number, too few for a range of {self.width:g}: let"
                " the model give it in a smaller unit"
            )
        if self.threshold is not None and not 0 < self.threshold < math.inf:
            raise TargetError(f"regression task: threshold must be greater than 0, not {self.threshold}")
        if self.head is not None and self.head < 0:
            raise TargetError("regression task: a head is the index of one output, 0 or more")

    @property
    def width(self) -> float:
        """Return the width of the range."""
        return self.range[1] - self.range[0]

    @property
    def least(self) -> float:
        """Return the difference from which on the output flips, in the number's unit."""
        return self.width / 10 if self.threshold is None else self.threshold

    def outputs(self, raw: Tensor) -> Tensor:
        """Return the number `[B, 1]` of a raw output `[B]` or `[B, C]`.

        Raises:
            TargetError: there are several, and no `head` says which; or it has no such head.
        """
        numbers = rows_of(raw, self.head)
        if numbers.shape[1] != 1:
            raise TargetError(
                f"regression task: the model returns {numbers.shape[1]} numbers per image: say which of them is meant,"
                " counted from 0, by its option head: of a target --task-option head=NUMBER, of a scorer in Python"
                " load_target(MODEL, task={'task': 'regression', 'range': …, 'head': NUMBER})"
            )
        return numbers

    def recorded(self, outputs: Tensor, original: Tensor) -> Tensor:
        """Return the number, `[B, 1]`."""
        return outputs

    def margin(self, outputs: Tensor, original: Tensor) -> Tensor:
        """Return what is left to the threshold, `[B]`, in the number's unit."""
        return self.least - (outputs - original).abs()[:, 0]

    def flipped(self, outputs: Tensor, original: Tensor) -> Tensor:
        """Tell, bool `[B]`, whether the number moved by the threshold or more."""
        return self.margin(outputs, original) <= 0

    def change(self, outputs: Tensor, original: Tensor) -> Tensor:
        """Return |f(x̂) − f(x)| as a share of the range, `[B]` in [0, 1]; 1 where it moves further than that."""
        return ((outputs - original).abs()[:, 0] / self.width).clamp(max=1)

    def loss(self, outputs: Tensor, original: Tensor) -> Tensor:
        """Return the softplus of what is left, `[B]`, in thresholds, toward the goal.

        It has a slope where nothing moved yet.
        """
        goal = self.range[0] + self.width * (original < sum(self.range) / 2) if self.toward is None else self.toward
        signed = (outputs - original) * torch.sign(goal - original)
        return F.softplus((self.least - signed[:, 0]) / self.least)

    @property
    def view(self) -> RegressionView:
        """Return how the number is shown."""
        return RegressionView(self)


class RegressionView(TaskView):
    """The view that shows the number in its unit."""

    task: RegressionTask

    @property
    def negligible_change(self) -> float:
        """Return half of the difference that flips, as a share of the range, at most 1."""
        return min(self.task.least / self.task.width / 2, 1.0)

    @property
    def change_options(self) -> Mapping[str, Any]:
        """Return the range, of which changes are shares."""
        return {"range": self.task.range}

    def caption(self, outputs_row: Tensor, original_row: Tensor) -> str:
        """Return the number with its unit, such as "41.3 years"."""
        return self._with_unit(float(outputs_row[0]))

    @property
    def response_axis(self) -> ResponseAxis:
        """Return the axis of the number, over its range; a tenth of what flips is negligible."""
        unit = self.task.unit
        label = f"the model’s output{f' in {unit}' if unit else ''}"
        return ResponseAxis(label, self.task.range, negligible=self.task.least / 10)

    def response(self, recorded: Sequence[float], original: Sequence[float]) -> float:
        """Return the number."""
        return float(recorded[0])

    def state(self, recorded: Sequence[float], original: Sequence[float]) -> int:
        """Return whether the number is about the original's, lower or higher: `SAME`, `LOWER` or `HIGHER`."""
        if not super().state(recorded, original):  # the task's word: 3.4 − 3 is 0.4 or more in float32 alone
            return SAME
        return LOWER if recorded[0] < original[0] else HIGHER

    def state_name(self, state: int) -> str:
        """Return the state in words; "" where the number is about the same."""
        return ("", "a lower number", "a higher number")[state]

    def change_in_words(self, change: float) -> str:
        """Return a change in [0, 1] in the number's own unit."""
        return self._with_unit(change * self.task.width)

    @property
    def whole(self) -> str:
        """Return that a change of 1 is the whole range."""
        return "the range"

    @property
    def flip_in_words(self) -> str:
        """Return the difference that flips, in the number's own unit and as a share of the range."""
        share = _share_in_words(self.task.least / self.task.width)
        unit = f" {self.task.unit}" if self.task.unit else ""
        return f"the output moves by {self.task.least:g}{unit} or more, {share} of the range"

    def mean_in_words(self, change: float) -> str:
        """Return a mean change in the number's own unit, and as a share of the range."""
        return f"the output moves by {self.change_in_words(change)} on average, {change:.2f} of the range"

    def _with_unit(self, value: float) -> str:
        width, unit = self.task.width, self.task.unit
        digits = max(0, 2 - math.floor(math.log10(width))) if width < 1000 else 0
        number = with_minus(f"{value:z.{digits}f}")  # the minus sign of edit weights beside it
        return f"{number}{f' {unit}' if unit else ''}"


def _share_in_words(share: float) -> str:
    """Return a share in prose: "a tenth", or "13 %" where it is no such fraction."""
    near = (words for parts, words in _FRACTIONS.items() if math.isclose(share * parts, 1, rel_tol=0.01))
    return next(near, f"{100 * share:.3g} %")
