"""gallery.json: which pictures an audit folder holds, and what they show."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from msgspec import Meta

from zoom_engine.audit.folder import inside
from zoom_engine.common.errors import AuditError, ConfigError, one_line
from zoom_engine.common.files.json_file import opened, read_json
from zoom_engine.common.json_object import Count, JsonObject, read_as
from zoom_engine.settings.attributes import Attribute

if TYPE_CHECKING:
    from PIL import Image

GALLERY = "gallery.json"


@dataclasses.dataclass(frozen=True, kw_only=True, slots=True)
class FrameEntry:
    """A picture of a strip.

    Attributes:
        file: its path inside the audit folder.
        weight: the edit weight; None where all attributes are edited.
        caption: the target's output in words.
        followed: the number of the output that response curves draw.
        flipped: whether the prediction differs from that of the unedited image.
        label_kept: whether the label check passes; None without labels.

    The last three are None in galleries of older versions.
    """

    file: str
    weight: float | None
    caption: str
    followed: float | None = None
    flipped: bool | None = None
    label_kept: bool | None = None

    @property
    def counts_as_flip(self) -> bool:
        """Tell whether the prediction flips here while the label does not."""
        return self.flipped is True and self.label_kept is not False


@dataclasses.dataclass(frozen=True, kw_only=True, slots=True)
class StripEntry:
    """The way of one trial from the original to the end of its range; `gallery.Pick` says what it stands for.

    Attributes:
        kind: why the strip was chosen: "typical", "flip", "extreme" or "clearest".
        attribute: None where all are edited.
        image: number of the image in the records.
        seed: the generator's, of the image.
        direction: the task's states before and after the edit.
        flipped: whether the two states of `direction` differ.
        decisive: whether the flip is decisive.
        extreme: whether no other trial changed more, and the median one far less.
        label_kept: whether the label check passes; None without labels.
        ssim: structural similarity to the original; None where it was not measured.
        shown: index of the frame that the trial is shown for; None in galleries of older versions, where it is the
            last.
        flip_weight: the weight at which the prediction flips and keeps its label; None where it does not, and where all
            attributes are edited.
        original_caption: the output of the first frame, in words.
        caption: the output of the frame that is shown, in words.
        frames: all frames, the original first.

    Galleries of older versions do not say why a strip was chosen: `kind`, `direction` and `decisive` are None there.
    """

    kind: str | None = None
    attribute: Attribute | None
    image: Count | None = None
    seed: Count
    direction: Annotated[tuple[int, int], Meta(description="[before, after]")] | None = None
    flipped: bool
    decisive: bool | None = None
    extreme: bool = False
    label_kept: bool | None
    ssim: float | None
    shown: Count | None = None
    flip_weight: float | None = None
    original_caption: str
    caption: str
    frames: tuple[FrameEntry, ...]

    @property
    def way(self) -> tuple[FrameEntry, ...]:
        """Return the frames from the original to the one that the trial is shown for."""
        return self.frames if self.shown is None else self.frames[: self.shown + 1]


@dataclasses.dataclass(frozen=True, kw_only=True, slots=True)
class SheetEntry:
    """The pictures of one edit direction: a file for each image (`rows`) and edit weight (`weights`, the columns)."""

    attribute: Attribute
    weights: tuple[float, ...]
    rows: tuple[tuple[str, ...], ...]


@dataclasses.dataclass(frozen=True, kw_only=True, slots=True)
class PictureEntry:
    """The picture of one trial at the edit weights of its record.

    Attributes:
        image: number of the image in the records.
        attribute: None where all are edited.
        file: path of the edited picture inside the audit folder.
        original: that of the unedited picture.
    """

    image: Count
    attribute: Attribute | None
    file: str
    original: str


@dataclasses.dataclass(frozen=True, slots=True)
class Gallery:
    """All pictures of an audit folder; an unfinished one has none, and those of older versions have no `pictures`."""

    strips: tuple[StripEntry, ...] = ()
    sheets: tuple[SheetEntry, ...] = ()
    pictures: tuple[PictureEntry, ...] = ()

    @property
    def files(self) -> Iterator[str]:
        """Yield the paths of all pictures inside the audit folder."""
        yield from (frame.file for strip in self.strips for frame in strip.frames)
        yield from (file for sheet in self.sheets for row in sheet.rows for file in row)
        yield from (file for picture in self.pictures for file in (picture.original, picture.file))

    def to_json(self) -> dict[str, Any]:
        """Return the gallery as its file holds it."""
        return {
            name: [_plain(entry) for entry in entries]
            for name, entries in (("strips", self.strips), ("sheets", self.sheets), ("pictures", self.pictures))
        }

    @classmethod
    def load(cls, audit: Path) -> Gallery:
        """Read the gallery of an audit folder.

        Raises:
            AuditError: the file cannot be read, or is damaged.
        """
        path = audit / GALLERY
        try:
            gallery = JsonObject(read_json(path))
            strips, sheets, pictures = (
                gallery.get(key, tuple[dict[str, Any], ...]) or () for key in ("strips", "sheets", "pictures")
            )
            return cls(tuple(map(_strip, strips)), tuple(map(_sheet, sheets)), tuple(map(_picture, pictures)))
        except FileNotFoundError:
            return cls()
        except (OSError, ValueError, TypeError, OverflowError, ConfigError) as error:
            raise AuditError(f"{path} cannot be read ({one_line(error)}): run the audit again") from error


def is_drawn(audit: Path) -> bool:
    """Tell whether an audit folder has a gallery that can be read, and all pictures that it names."""
    try:
        # That of the system's module: a name that is too long for a file is none.
        return (audit / GALLERY).is_file() and all(os.path.isfile(audit / file) for file in Gallery.load(audit).files)
    except AuditError:
        return False


def read_picture(audit: Path, name: str) -> Image.Image:
    """Return the RGB picture `name` of an audit folder, which may be somebody else's.

    Raises:
        AuditError: the name leads out of the folder, or the file is no picture.
    """
    from PIL import Image  # late: who reads figures alone does not wait for it

    path = inside(audit, name)
    try:
        opened(path).close()  # a pipe would be waited for
        with Image.open(path, formats=("PNG", "JPEG", "WEBP")) as picture:
            return picture.convert("RGB")
    except (OSError, ValueError, Image.DecompressionBombError) as error:
        raise AuditError(f"{path} cannot be read as a picture ({one_line(error)}): run the audit again") from error


def _plain(entry: StripEntry | SheetEntry | PictureEntry) -> dict[str, Any]:
    return {**dataclasses.asdict(entry), "attribute": entry.attribute and entry.attribute.text}


def _attribute(values: JsonObject) -> Attribute | None:
    text = values.get("attribute", str)
    return None if text is None else Attribute.parse(text)


def _strip(entry: dict[str, Any]) -> StripEntry:
    values = JsonObject(entry, "a strip")
    strip = read_as(StripEntry, {**entry, "attribute": _attribute(values)}, "a strip")
    values.check("frames", len(strip.frames) > 0, "hold a picture")
    values.check("shown", strip.shown is None or strip.shown < len(strip.frames), "be one of the frames")
    return strip


def _sheet(entry: dict[str, Any]) -> SheetEntry:
    values = JsonObject(entry, "a sheet")
    attribute = Attribute.parse(values.need("attribute", str))
    sheet = read_as(SheetEntry, {**entry, "attribute": attribute}, "a sheet")
    values.check("rows", all(len(row) == len(sheet.weights) for row in sheet.rows), "have a picture for each weight")
    return sheet


def _picture(entry: dict[str, Any]) -> PictureEntry:
    return read_as(PictureEntry, {**entry, "attribute": _attribute(JsonObject(entry, "a picture"))}, "a picture")
