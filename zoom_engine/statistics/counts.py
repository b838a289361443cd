"""Counts of the images of an audit that move, flip, and flip decisively."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from zoom_engine.audit.records import Record, is_decisive, is_natural


@dataclass(frozen=True)
class Counts:
    """Numbers of images by what the edits of an audit do to them.

    Attributes:
        images: images with at least one edit that was made and stays within what the generator draws; the next three
            count among them.
        moved: images whose output moves by at least the audit's decisive change.
        flipped: images whose prediction flips.
        decisive: images whose prediction flips decisively.
        beyond: further images, all of whose edits lead beyond what the generator draws.
    """

    images: int
    moved: int
    flipped: int
    decisive: int
    beyond: int = 0

    @classmethod
    def of(cls, records: Iterable[Record], *, least: float) -> Counts:
        """Count the images whose records move or flip; a change of `least` or more is decisive."""
        images: dict[int, list[Record]] = {}
        for record in records:
            if not record.was_edited:  # says nothing of the model
                continue
            images.setdefault(record.image, []).append(record)
        natural_images = [natural for trials in images.values() if (natural := natural_records(trials))]
        return cls(
            len(natural_images),
            sum(any(record.change >= least for record in trials) for trials in natural_images),
            sum(any(record.flipped for record in trials) for trials in natural_images),
            sum(any(is_decisive(record, least=least) for record in trials) for trials in natural_images),
            len(images) - len(natural_images),
        )


def natural_records(records: Iterable[Record]) -> list[Record]:
    """Return the records whose edit was made and stays within what the generator draws."""
    return [record for record in records if record.was_edited and is_natural(record)]
