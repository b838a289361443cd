"""The photographs of an audit as the page shows them: each beside what the generator draws of it, and what flips it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from zoom_engine.audit.photographs_file import Photograph, load_photographs
from zoom_engine.audit.summary import Summary
from zoom_engine.report.pictures import Budget, Picture, load_picture
from zoom_engine.settings.attributes import Attribute


@dataclass(frozen=True)
class Flip:
    """An attribute that flips the target at one photograph."""

    name: str
    change: float
    decisive: bool


@dataclass(frozen=True)
class Shown:
    """A photograph, with pictures (the photograph, its inversion) as far as the page has room for them."""

    about: Photograph
    pictures: tuple[Picture, ...]
    flips: tuple[Flip, ...]
    searched: bool


@dataclass(frozen=True)
class Photographs:
    """The `audited` photographs by falling number of flips, and those `refused`."""

    audited: tuple[Shown, ...]
    refused: tuple[Shown, ...]


def read_shown(audit: Path, summary: Summary, names: Mapping[Attribute, str], budget: Budget) -> Photographs | None:
    """Read the photographs of an audit folder; None where its images were generated.

    Raises:
        AuditError: a file is damaged.
    """
    short: dict[str | None, str] = {attribute.text: name for attribute, name in names.items()}
    rows = {row.image: row for row in summary.photographs}
    shown = []
    for photograph in load_photographs(audit):
        row = None if photograph.image is None else rows.get(photograph.image)
        flips = tuple(
            Flip(short.get(change.attribute, "all together"), change.change, change.decisive)
            for change in (row.changes if row else ())
            if change.flipped
        )
        shown.append(Shown(photograph, (), flips, row is not None))
    if not shown:
        return None
    shown.sort(key=lambda one: -len(one.flips))  # those of as many in the order of their files
    groups = [[one for one in shown if (one.about.refused is None) == audited] for audited in (True, False)]
    audited, refused = (tuple(_with_pictures(audit, one, budget) for one in group[: budget.strips]) for group in groups)
    rest = [tuple(group[budget.strips :]) for group in groups]
    return Photographs(audited + rest[0], refused + rest[1])


def _with_pictures(audit: Path, one: Shown, budget: Budget) -> Shown:
    files = [file for file in (one.about.picture, one.about.inversion) if file is not None]
    side = budget.sheet_side
    pictures = tuple(load_picture(audit, file, side=side, quality=budget.quality) for file in files)
    return Shown(one.about, pictures, one.flips, one.searched)
