"""The pictures of gallery.json as the page shows them: strips of single images, sheets of edit directions."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from zoom_engine.audit.gallery_file import SheetEntry, StripEntry
from zoom_engine.audit.table import signed
from zoom_engine.report.pictures import Budget, Picture, load_picture
from zoom_engine.report.sentences import Standing


@dataclass(frozen=True)
class Frame:
    """One picture of a strip with the model's output (its corner) and the edit weight, if it has one."""

    picture: Picture
    caption: str
    weight: str | None
    alt: str


@dataclass(frozen=True)
class Strip:
    """One unit's way from the original to the edited picture, and what it stands for; ``source`` names the image."""

    name: str
    source: str
    label_kept: bool | None
    ssim: float | None
    standing: Standing
    frames: tuple[Frame, ...]


@dataclass(frozen=True)
class Column:
    """One edit weight of a sheet; `inside` the range that the audit used."""

    weight: str
    inside: bool


@dataclass(frozen=True)
class Sheet:
    """The pictures of one edit direction: `rows` of images over `columns`."""

    name: str
    columns: tuple[Column, ...]
    rows: tuple[tuple[Frame, ...], ...]


def load_frames(
    audit: Path, strip: StripEntry, *, name: str, corner: str, budget: Budget, ends: bool = False
) -> tuple[Frame, ...]:
    """The pictures of a strip of the attribute `name`; of `ends` only the first and the last."""
    frames = []
    for index, frame in enumerate([strip.frames[0], strip.frames[-1]] if ends else strip.frames):
        picture = load_picture(audit, frame.file, side=budget.strip_side, quality=budget.quality)
        what = "Original picture" if index == 0 else f"The same picture, edited: {name}"
        weight = None if frame.weight is None else signed(frame.weight)
        frames.append(Frame(picture, frame.caption, weight, f"{what}. {corner}: {frame.caption}"))
    return tuple(frames)


def load_sheet(audit: Path, sheet: SheetEntry, *, name: str, used: Sequence[float], budget: Budget) -> Sheet:
    """The sheet of the attribute `name`; weights outside `used` (lowest, highest) are marked."""
    columns = tuple(Column(signed(weight), used[0] <= weight <= used[1]) for weight in sheet.weights)
    rows = []
    for number, files in enumerate(sheet.rows, start=1):
        pictures = [load_picture(audit, file, side=budget.sheet_side, quality=budget.quality) for file in files]
        rows.append(
            tuple(
                Frame(picture, "", column.weight, f"Image {number}, {name} at {column.weight}")
                for picture, column in zip(pictures, columns, strict=True)
            )
        )
    return Sheet(name, columns, tuple(rows))
