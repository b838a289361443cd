"""photographs.json: what became of each photograph of an audit around one's own photographs."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

from zoom_engine.common.errors import AuditError, one_line
from zoom_engine.common.files.json_file import read_json
from zoom_engine.common.json_object import JsonObject

PHOTOGRAPHS = "photographs.json"


@dataclasses.dataclass(frozen=True, kw_only=True, slots=True)
class Photograph:
    """A photograph, and how its inversion (what the generator draws of it) compares with it.

    None stands for what does not exist, as for a file that could not be read.

    Attributes:
        file: its name in the folder.
        image: its number in the records; None where it was refused.
        seed: that of its records.
        refused: the reason in words.
        cut: how it was cropped to a square: by "landmarks", or in its "middle".
        seen: perceptual distance of photograph and inversion, in units of the median distance between two unedited
            pictures, see `photographs.judging`.
        pixels: the distance of their pixels, in the same units.
        largest: the largest distance that is accepted.
        output: what the target says of the photograph, in words.
        inverted_output: what it says of the inversion.
        change: of the output between both, in [0, 1].
        flipped: whether the prediction differs between both.
        label_kept: whether the text encoder sees the same label; None without labels.
        picture: the photograph's file in the audit folder.
        inversion: the inversion's file in the audit folder.
    """

    file: str
    image: int | None = None
    seed: int | None = None
    refused: str | None = None
    cut: str | None = None
    seen: float | None = None
    pixels: float | None = None
    largest: float | None = None
    output: str | None = None
    inverted_output: str | None = None
    change: float | None = None
    flipped: bool | None = None
    label_kept: bool | None = None
    picture: str | None = None
    inversion: str | None = None


def photographs_json(photographs: tuple[Photograph, ...]) -> dict[str, Any]:
    """Return what the file holds."""
    return {"photographs": [dataclasses.asdict(photograph) for photograph in photographs]}


def load_photographs(audit: Path) -> tuple[Photograph, ...]:
    """Read the photographs of an audit folder; none where it audits generated images.

    Raises:
        AuditError: the file is damaged.
    """
    path = audit / PHOTOGRAPHS
    try:
        file = JsonObject(read_json(path))
        entries = file.items("photographs", dict) or ()
        return tuple(JsonObject(entry, "a photograph").read(Photograph) for entry in entries)
    except FileNotFoundError:
        return ()
    except (OSError, ValueError, TypeError, OverflowError) as error:
        raise AuditError(f"{path} cannot be read ({one_line(error)}): run the audit again") from error
