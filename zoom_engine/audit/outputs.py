"""What the outputs in an audit's records mean: read from the manifest's description of the target's task.

Records hold plain numbers: the probability of class 1 of a binary target, one probability per class of another. All
that gallery and report say about such numbers is decided here.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from zoom_engine.audit.records import DECISIVE_CHANGE, Record, is_decisive, is_natural


@dataclass(frozen=True)
class OutputReading:
    """How to read recorded outputs (list of float, probabilities in [0, 1]) of one target.

    classes: their names, () where unknown; `binary`: one number, the probability of class 1, decided at 0.5.
    decisive_change: from which change of the output on, in [0, 1], a flip is decisive.
    """

    classes: tuple[str, ...]
    binary: bool
    decisive_change: float = DECISIVE_CHANGE

    @classmethod
    def of(cls, config: dict[str, Any], records: Sequence[Record]) -> OutputReading:
        """From a manifest's `config`; the records decide where it does not describe the task."""
        task = (config.get("target_details") or {}).get("task") or {}
        binary = len(records[0].original_output) == 1 if records else task.get("task", "binary") == "binary"
        decisive = config.get("decisive_change")
        return cls(
            tuple(str(name) for name in task.get("classes") or ()),
            binary,
            DECISIVE_CHANGE if decisive is None else float(decisive),
        )

    @property
    def corner(self) -> str:
        """What a picture's caption says."""
        if not self.binary:
            return "the class that the model predicts for the picture, with its probability"
        return f"the probability of “{self.classes[-1]}”" if self.classes else "the model’s output"

    @property
    def curve(self) -> str:
        """What `followed` is."""
        return self.corner if self.binary else "the probability of the class that the model predicts before the edit"

    @property
    def boundary(self) -> float | None:
        """The value of `followed` at which a prediction flips, None where that depends on the other classes."""
        return 0.5 if self.binary else None

    def followed(self, output: Sequence[float], original: Sequence[float]) -> float:
        """The one number of `output` to draw over edit weights."""
        return float(output[0] if self.binary else output[_largest(original)])

    def predicted(self, output: Sequence[float]) -> int:
        """The number of the predicted class."""
        return int(output[0] >= 0.5) if self.binary else _largest(output)

    def class_name(self, index: int) -> str:
        return f"“{self.classes[index]}”" if index < len(self.classes) else f"class {index}"

    def direction(self, record: Record) -> tuple[int, int]:
        """The classes predicted for the unedited image and for the record's edited one."""
        return self.predicted(record.original_output), self.predicted(record.output)

    def decisive(self, record: Record) -> bool:
        """The record holds a natural counterfactual that moves the output by at least `decisive_change`."""
        return is_decisive(record, least=self.decisive_change)


@dataclass(frozen=True)
class Counts:
    """Of `units` images: how many move the output by at least `OutputReading.decisive_change`, how many flip, and
    how many of these decisively. Apart from them, how many were edited `beyond` what the generator draws."""

    units: int
    moved: int
    flipped: int
    decisive: int
    beyond: int = 0

    @classmethod
    def of(cls, records: Iterable[Record], reading: OutputReading) -> Counts:
        """Count the images whose records, one or several each, move or flip."""
        images: dict[int, list[Record]] = {}
        for record in records:
            images.setdefault(record.image, []).append(record)
        shown = [found for units in images.values() if (found := evidence(units))]
        return cls(
            len(shown),
            sum(any(record.change >= reading.decisive_change for record in units) for units in shown),
            sum(any(record.flipped for record in units) for units in shown),
            sum(any(reading.decisive(record) for record in units) for units in shown),
            len(images) - len(shown),
        )


def evidence(records: Iterable[Record]) -> list[Record]:
    """The records whose edit does not lead beyond what the generator draws."""
    return [record for record in records if is_natural(record)]


def _largest(output: Sequence[float]) -> int:
    return max(range(len(output)), key=output.__getitem__)
