"""The pictures of gallery.json as the page shows them: strips of single images, sheets of edit directions."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from zoom_engine.audit.gallery_file import SheetEntry, StripEntry
from zoom_engine.audit.manifest import Edit
from zoom_engine.report.pictures import Budget, Picture, load_picture
from zoom_engine.report.sentences import FLIPPED, FLIPS, StripNote, edited, flip_notes, strength
from zoom_engine.statistics.table import signed


@dataclass(frozen=True)
class Frame:
    """One picture of a strip.

    Attributes:
        picture: the picture.
        caption: the model's output.
        weight: the edit weight, if it has one.
        alt: the text in its place.
        note: what is to be noticed there.
        flipped: whether the prediction differs from the original's, and counts.
        counterfactual: whether it is the flip that the strip is shown for.
    """

    picture: Picture
    caption: str
    weight: str | None
    alt: str
    note: str = ""
    flipped: bool = False
    counterfactual: bool = False


@dataclass(frozen=True)
class Strip:
    """The way of one trial from the original to the end of its range, and what it stands for.

    Attributes:
        number: its index in gallery.json.
        attribute: index of its attribute in the histogram; None where all are edited.
        name: of the attribute.
        edit: what the edit makes of the picture, in words.
        image: number of the image; None where no record tells it.
        source: names the image.
        label_kept: whether the label check passes; None without labels.
        ssim: structural similarity to the original; None where it was not measured.
        note: what it stands for.
        kind: why it was chosen.
        way: where the prediction flips, in words.
        flips_at: the fraction of the way where it flips; None where it does not.
        shown: index of the frame that it is shown for.
        frames: all frames, the original first.
        scale: what the frames' weights are called.
        record: the link that opens the record on the page, see `image_grid`; "" where the page has none.
    """

    number: int
    attribute: int | None
    name: str
    edit: str
    image: int | None
    source: str
    label_kept: bool | None
    ssim: float | None
    note: StripNote
    kind: str
    way: str
    flips_at: float | None
    shown: int
    frames: tuple[Frame, ...]
    scale: str = "weight"
    record: str = ""

    @property
    def pair(self) -> tuple[Frame, Frame]:
        """Return before and after: the original and what the strip is shown for."""
        return self.frames[0], self.frames[self.shown]


@dataclass(frozen=True)
class Column:
    """One edit weight of a sheet, and whether it is `inside` the range that the audit used."""

    weight: str
    inside: bool


@dataclass(frozen=True)
class Sheet:
    """The pictures of one edit direction: `rows` of images over `columns`; `attribute` as in `Strip`."""

    attribute: int
    name: str
    columns: tuple[Column, ...]
    rows: tuple[tuple[Frame, ...], ...]


def load_frames(
    audit: Path,
    strip: StripEntry,
    *,
    name: str,
    caption_label: str,
    budget: Budget,
    ends: bool = False,
    edit: Edit | None = None,
) -> tuple[Frame, ...]:
    """Load the pictures of a strip of the attribute `name`.

    With `ends` only the original and the one that the strip is shown for are loaded. `edit` is the attribute's, of an
    audit of edits from elsewhere.
    """
    notes = flip_notes(strip)
    shown = [0, len(strip.way) - 1] if ends else range(len(strip.frames))
    frames = []
    for index in shown:
        frame, note = strip.frames[index], notes[index]
        picture = load_picture(audit, frame.file, side=budget.strip_side, quality=budget.quality)
        what = "Original picture" if index == 0 else f"The same picture {edited(name, frame.weight, edit)}"
        weight = None if frame.weight is None else strength(frame.weight, edit)
        alt = f"{what}. {caption_label}: {frame.caption}{note and f', {note}'}"
        flipped, counterfactual = note in (FLIPS, FLIPPED), strip.flipped and index == len(strip.way) - 1
        frames.append(Frame(picture, frame.caption, weight, alt, note, flipped, counterfactual))
    return tuple(frames)


def load_sheet(
    audit: Path, sheet: SheetEntry, *, attribute: int, name: str, used: Sequence[float], budget: Budget
) -> Sheet:
    """Load the sheet of the attribute `name`; weights outside `used` (lowest, highest) are marked."""
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
    return Sheet(attribute, name, columns, tuple(rows))
