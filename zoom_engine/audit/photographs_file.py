"""photographs.json: what became of each photograph of an audit around one's own."""

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
    """A file of the folder, and how its inversion (what the generator draws of it) compares with it; None is what there
    is not, as of a file that could not be read.

    image: its number in the records; None where it was `refused`, which is the reason in words. seed: that of its
    records. cut: to a square by "landmarks", or in its "middle".
    seen, pixels: distances of photograph and inversion, in units of the median one between two unedited pictures, see
    `photographs.judging`; largest: what they may be.
    output, inverted_output: what the target says of both, in words; change: of the output, in [0, 1]; flipped: its
    decision is another; label_kept: the text encoder sees the same label, None without labels.
    picture, inversion: files of the audit folder.
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
    """What the file holds."""
    return {"photographs": [dataclasses.asdict(photograph) for photograph in photographs]}


def load_photographs(audit: Path) -> tuple[Photograph, ...]:
    """Those of an audit folder, none where it audits generated images. Raises `AuditError` for a damaged file."""
    path = audit / PHOTOGRAPHS
    try:
        found = JsonObject(read_json(path))
        every = found.items("photographs", dict) or ()
        return tuple(JsonObject(entry, "a photograph").read(Photograph) for entry in every)
    except FileNotFoundError:
        return ()
    except (OSError, ValueError, TypeError, OverflowError) as error:
        raise AuditError(f"{path} cannot be read ({one_line(error)}): run the audit again") from error
