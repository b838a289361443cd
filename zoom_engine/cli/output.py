"""What commands print and write beside their text: JSON on standard output, and files."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator
from datetime import datetime
from io import FileIO
from pathlib import Path
from typing import Annotated, Any, NamedTuple

from cyclopts import Parameter

from zoom_engine.errors import AuditError, ConfigError, ZoomError, system_errors
from zoom_engine.files import atomic
from zoom_engine.notices import Notify, tell, untold
from zoom_engine.progress import ProgressFactory, forced, several, silent, written

AsJson = Annotated[bool, Parameter(help="print JSON in place of text", show_default=False)]


class Voice(NamedTuple):
    """How a long command shows its work, and whom it tells what."""

    progress: ProgressFactory
    notify: Notify


@contextlib.contextmanager
def telling(*, quiet: bool = False, log_file: str | Path | None = None) -> Iterator[Voice]:
    """On stderr unless `quiet`, and into `log_file` if there is one; errors pass through, into the file too.

    Raises ConfigError for a file that cannot be written, or cannot be any more.
    """
    voice = Voice(silent, untold) if quiet else Voice(forced, tell)
    if log_file is None:
        yield voice
        return
    with contextlib.ExitStack() as stack:
        with system_errors(ConfigError, f"cannot write {log_file}"):
            file = stack.enter_context(Path(log_file).open("ab", buffering=0))
        yield from _logged(voice, file, log_file)


def _logged(voice: Voice, file: FileIO, log_file: str | Path) -> Iterator[Voice]:
    def write(line: str) -> None:
        stamped = f"{datetime.now().astimezone().isoformat(timespec='seconds')} {line}\n"
        with system_errors(ConfigError, f"cannot write {log_file}"):
            file.write(stamped.encode("utf-8", "backslashreplace"))

    def notify(text: str) -> None:
        voice.notify(text)
        write(f"note: {text}")

    try:
        yield Voice(several(voice.progress, written(write)), notify)
    except (ZoomError, KeyboardInterrupt) as error:
        write(f"error: {error}" if isinstance(error, ZoomError) else "interrupted")
        raise


def print_json(value: Any) -> None:
    """Strict JSON on standard output."""
    print(json.dumps(value, indent=2, ensure_ascii=False, allow_nan=False))


def write_file(path: Path, content: bytes | dict[str, Any]) -> None:
    """Write a file atomically, an object as JSON. Raises AuditError."""
    with system_errors(AuditError, f"cannot write {path}"):
        if isinstance(content, bytes):
            atomic.write_bytes(path, content)
        else:
            atomic.write_json(path, content)
