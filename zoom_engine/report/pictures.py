"""Pictures inside the page: scaled down, encoded as WebP and inlined."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from zoom_engine.audit.gallery_file import read_picture
from zoom_engine.common.files.webp import webp_uri


@dataclass(frozen=True)
class Budget:
    """The largest size and number of pictures; the writer takes the first of `BUDGETS` that fits the page."""

    strip_side: int
    sheet_side: int
    quality: int
    strips: int
    sheets: int


BUDGETS = (
    Budget(320, 192, 86, 60, 60),
    Budget(256, 160, 80, 60, 60),
    Budget(192, 128, 74, 48, 48),
    Budget(144, 96, 66, 36, 36),
    Budget(112, 72, 55, 24, 24),
    Budget(96, 64, 45, 8, 8),
)

LEAD_BUDGET = Budget(256, 64, 84, 1, 0)  # of an index: the large picture of a card
LINE_BUDGET = Budget(192, 64, 78, 1, 0)  # and those beside its bars, as wide on a phone


@dataclass(frozen=True)
class Picture:
    """An inlined picture: a data URI, and its size in pixels (for a layout that does not jump)."""

    uri: str
    width: int
    height: int


def load_picture(audit: Path, name: str, *, side: int, quality: int) -> Picture:
    """Load the picture `name` of an audit folder, at most `side` pixels wide and high.

    Raises:
        AuditError: the name leads out of the folder, or the file is no picture.
    """
    picture = read_picture(audit, name)
    uri = webp_uri(picture, side=side, quality=quality)
    return Picture(uri, picture.width, picture.height)
