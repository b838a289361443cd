"""How many images of an audit move, flip, and flip decisively."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from zoom_engine.audit.records import Record, is_decisive, is_natural


@dataclass(frozen=True)
class Counts:
    """Of `units` images: how many move the output by at least the audit's decisive change, how many flip, and
    how many of these decisively. Apart from them, how many were edited `beyond` what the generator draws."""

    units: int
    moved: int
    flipped: int
    decisive: int
    beyond: int = 0

    @classmethod
    def of(cls, records: Iterable[Record], *, least: float) -> Counts:
        """Count the images whose records, one or several each, move or flip; by `least` or more is decisive."""
        images: dict[int, list[Record]] = {}
        for record in records:
            images.setdefault(record.image, []).append(record)
        shown = [found for units in images.values() if (found := evidence(units))]
        return cls(
            len(shown),
            sum(any(record.change >= least for record in units) for units in shown),
            sum(any(record.flipped for record in units) for units in shown),
            sum(any(is_decisive(record, least=least) for record in units) for units in shown),
            len(images) - len(shown),
        )


def evidence(records: Iterable[Record]) -> list[Record]:
    """The records whose edit does not lead beyond what the generator draws."""
    return [record for record in records if is_natural(record)]
