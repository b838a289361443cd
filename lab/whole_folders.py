"""Folders of what a measurement makes once and keeps."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def making(folder: Path) -> Iterator[Path]:
    """A folder beside ``folder`` that takes its place once all is in it: what was interrupted is made anew."""
    beside = folder.with_name(f"{folder.name}-making")
    shutil.rmtree(beside, ignore_errors=True)
    beside.mkdir(parents=True)
    yield beside
    beside.rename(folder)
