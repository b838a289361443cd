"""Checks of zip archives from others before anybody unpacks them."""

from __future__ import annotations

import struct
import zipfile
from pathlib import Path

DAMAGED = (zipfile.BadZipFile, ValueError, NotImplementedError, struct.error, OSError)
"""What ``zipfile`` raises for an archive whose directory it cannot read."""


def grows(path: Path) -> bool:
    """Return whether the file is a zip archive that unpacks to more than its own size.

    Such an archive is compressed, or has entries that overlap. `torch.save` writes none, but `torch.load` would unpack
    one whole before it looks at anything in it. A damaged archive raises what `zipfile` raises, see `DAMAGED`.
    """
    if not zipfile.is_zipfile(path):
        return False
    with zipfile.ZipFile(path) as archive:
        entries = archive.infolist()
    stored = all(entry.compress_type == zipfile.ZIP_STORED for entry in entries)
    return not stored or sum(entry.file_size for entry in entries) > path.stat().st_size
