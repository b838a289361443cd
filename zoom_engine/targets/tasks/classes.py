"""What classifiers have in common: recorded outputs are probabilities of classes that have names."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from torch import Tensor

from zoom_engine.errors import TargetError
from zoom_engine.targets.tasks.described import Described

PROBABILITY_EPS = 1e-6


def checked_probabilities(raw: Tensor) -> Tensor:
    """`raw`, or a `TargetError` when an entry is outside [0, 1] by more than rounding."""
    if bool(((raw < -1e-4) | (raw > 1 + 1e-4)).any()):
        raise TargetError(
            f"the target's outputs reach from {raw.min().item():.3g} to {raw.max().item():.3g},"
            " which are no probabilities: declare them as logits"
        )
    return raw


def class_name(classes: Sequence[str], index: int) -> str:
    """The name of a class in quotes, or "class 3" where it has none."""
    named = index < len(classes) and classes[index] != str(index)
    return f"“{classes[index]}”" if named else f"class {index}"


class OfClasses(Described):
    """The parts of a `Task` that all classifiers share."""

    classes: tuple[str, ...]

    small: ClassVar[float] = 0.05
    """The study behind the method counts such true effects as none."""
    hardly: ClassVar[float] = 0.01

    @property
    def axis(self) -> tuple[float, float]:
        """Probabilities."""
        return 0.0, 1.0

    def state_name(self, state: int) -> str:
        """The class."""
        return class_name(self.classes, state)

    def change_in_words(self, change: float) -> str:
        """A change of probability says it all."""
        return ""
