"""What counts as a crash of a reader: anything but a value, or a `ZoomError` whose message one line says."""

from __future__ import annotations

import hashlib
import time
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from zoom_engine.common.errors import ZoomError

LONGEST_MESSAGE = 400
SECONDS = 10.0
"""Of the processor, for one input: others may use this machine."""
PACKAGE = f"{Path('zoom_engine')}/"


class Finding(NamedTuple):
    """A crash: where it was raised, by which crashes are told apart, and its traceback or message."""

    place: str
    what: str

    @property
    def name(self) -> str:
        """A short name for files."""
        return hashlib.sha256(self.place.encode()).hexdigest()[:12]


def judged(read: Callable[[bytes], None], data: bytes) -> Finding | None:
    """What is wrong with how ``data`` was read; None where it was read, or refused as a user can be told."""
    begin = time.process_time()
    try:
        read(data)
    except ZoomError as error:
        fault = fault_of(str(error))
        if fault is not None:
            return Finding(f"{fault}: {_place(error)}", str(error))
    except Exception as error:
        return Finding(f"{type(error).__name__}: {_place(error)}", "".join(traceback.format_exception(error)))
    taken = time.process_time() - begin
    return Finding("slow", f"{taken:.0f} s of the processor") if taken > SECONDS else None


def fault_of(message: str) -> str | None:
    """What keeps a message from being one line for a terminal."""
    if not message.isprintable():
        return "not printable"
    return "too long" if len(message) > LONGEST_MESSAGE else None


def _place(error: BaseException) -> str:
    """The innermost function of the engine that it went through."""
    frames = [frame for frame in traceback.extract_tb(error.__traceback__) if PACKAGE in frame.filename]
    if not frames:
        return "the harness"
    return f"{frames[-1].filename.rpartition(PACKAGE)[2]}:{frames[-1].name}"
