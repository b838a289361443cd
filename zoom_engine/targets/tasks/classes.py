"""What classifiers have in common: recorded outputs are probabilities of classes that have names."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, Literal

from torch import Tensor

from zoom_engine.common.errors import TargetError
from zoom_engine.common.plurals import number_of
from zoom_engine.targets.tasks.described import Described, check_output, rows_of
from zoom_engine.targets.tasks.task import ResponseAxis, TaskView

Output = Literal["logits", "probabilities"]

PROBABILITY_EPS = 1e-6


def checked_probabilities(raw: Tensor) -> Tensor:
    """Return `raw` as it is.

    Raises:
        TargetError: an entry is outside [0, 1] by more than rounding.
    """
    if bool(((raw < -1e-4) | (raw > 1 + 1e-4)).any()):
        raise TargetError(
            f"the target's outputs reach from {raw.min().item():.3g} to {raw.max().item():.3g},"
            " which are no probabilities: declare them as logits"
        )
    return raw


def wrapper_of(count: int, wanted: int) -> str:
    """Return the other way for who wants some of a target's numbers, as the end of a sentence.

    It is "" where there are no more numbers than wanted.
    """
    if count <= wanted:
        return ""
    return f", or give a function or torch module that returns the {wanted} you mean, such as python:FILE.py:NAME"


def class_name(classes: Sequence[str], index: int) -> str:
    """Return the name of a class in quotes, or "class 3" where it has none."""
    named = index < len(classes) and classes[index] != str(index)
    return f"“{classes[index]}”" if named else f"class {index}"


class OfClasses(Described):
    """The parts of a `Task` that all classifiers share."""

    classes: tuple[str, ...]


@dataclasses.dataclass(frozen=True, kw_only=True)
class OfManyClasses(OfClasses):
    """What tasks share whose network returns a number for each of `classes`, "logits" or "probabilities" `[B, C]`."""

    classes: tuple[str, ...]
    output: Output = "logits"

    called: ClassVar[str]
    """The task, in errors; `things`: what its classes are."""
    things: ClassVar[str]

    def __post_init__(self) -> None:
        """Refuse an unknown `output`, and fewer than two classes, by a TargetError."""
        check_output(self.called, self.output, Output)
        if len(self.classes) < 2:
            raise TargetError(f"{self.called} task: needs the names of at least two {self.things}")

    def rows(self, raw: Tensor) -> Tensor:
        """Return what the network returns, float32 `[B, C]`, of a raw output.

        Raises:
            TargetError: there is not one number for each class, or `output` is "probabilities" and they are none.
        """
        rows = rows_of(raw)
        if rows.shape[1] != len(self.classes):
            raise TargetError(
                f"the target returns {rows.shape[1]} numbers per image for {len(self.classes)} {self.things}: name one"
                f" for each (--class){wrapper_of(rows.shape[1], len(self.classes))}"
            )
        return checked_probabilities(rows) if self.output == "probabilities" else rows


class OfProbabilities(TaskView):
    """The part of a view that shows probabilities of classes."""

    @property
    def change_options(self) -> Mapping[str, Any]:
        """Return none: a change of probabilities means the same of any classes."""
        return {}


def axis_of_probability(label: str, *, boundary: float | None = None) -> ResponseAxis:
    """Return the axis of a response that is a probability."""
    return ResponseAxis(label, (0.0, 1.0), boundary, negligible=0.01)


def percentage_points(change: float) -> str:
    """Return a change of a probability in words: "44 percentage points"."""
    points = round(100 * change)
    return number_of(points, "percentage point") if points else "less than 1 percentage point"


def moved(recorded: Sequence[float], original: Sequence[float]) -> list[float]:
    """Return how far each recorded probability is from the original's."""
    return [abs(after - before) for after, before in zip(recorded, original, strict=True)]


def probabilities(logits: Tensor) -> Tensor:
    """Return σ of the logits, in float64: in float32 torch computes the last rows of a batch otherwise, by a digit."""
    return logits.double().sigmoid()
