"""What commands print and write beside their text: JSON on standard output, and files.

All of it is written also where the terminal knows fewer characters, or where nobody reads.
"""

from __future__ import annotations

import codecs
import contextlib
import json
import os
import select
import sys
from collections.abc import Callable, Iterator, Mapping
from datetime import datetime
from io import FileIO
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NamedTuple

from cyclopts import Parameter

from zoom_engine.common.errors import AuditError, ConfigError, ZoomError, one_line, system_errors
from zoom_engine.common.files import atomic
from zoom_engine.common.notices import LONGEST, Notify, null_notifier, tell
from zoom_engine.common.progress import ProgressFactory, forced, several, silent, written
from zoom_engine.common.terminal import BOLD, WIDTH, tinted, wrapped
from zoom_engine.settings.target_names import without_password

if TYPE_CHECKING:
    from zoom_engine.statistics.diagnosis import Diagnosis

LEAST_WIDTH = 40
"""Columns of a terminal, below which its lines are broken by itself."""
AsJson = Annotated[bool, Parameter(help="print JSON in place of text", show_default=False)]


PLAIN = str.maketrans(
    {**dict.fromkeys("─–—−", "-"), **dict.fromkeys("“”", '"'), "’": "'", "…": "...", "→": "->", "×": "x", "·": "."}
    | {**dict.fromkeys("█▉▊▋▌", "#"), **dict.fromkeys("▍▎▏", "|"), "±": "+-", "≤": "<="}
)
"""What replaces the characters of tables and sentences that the terminal does not have."""


def _plainly(error: UnicodeError) -> tuple[str | bytes, int]:
    """Handle an error of an encoding: by `PLAIN`, and for the rest by Python's escape."""
    if not isinstance(error, UnicodeEncodeError):
        raise error
    plain = error.object[error.start : error.end].translate(PLAIN)
    return plain.encode(error.encoding, "backslashreplace"), error.end


codecs.register_error("zoom-engine-plain", _plainly)


@contextlib.contextmanager
def any_text() -> Iterator[None]:
    """Let standard output and error take any text: what their encoding lacks is written as plainly as possible.

    Where one of them is closed, what is written to it goes nowhere, and no file that is opened later takes its place.
    """
    for descriptor in range(3):
        try:
            os.fstat(descriptor)
        except OSError:
            os.open(os.devnull, os.O_RDWR)  # the lowest that is free: this one
    with contextlib.ExitStack() as stack:
        for name in ("stdout", "stderr"):
            stream = getattr(sys, name)
            if stream is None:
                nowhere = stack.enter_context(open(os.devnull, "w", encoding="utf-8"))
                stack.callback(setattr, sys, name, None)
                setattr(sys, name, nowhere)
            elif (reconfigure := getattr(stream, "reconfigure", None)) is not None:
                stack.callback(_with_errors, reconfigure, stream.errors)
                _with_errors(reconfigure, "zoom-engine-plain")
        yield


def _with_errors(reconfigure: Callable[..., None], errors: str) -> None:
    with contextlib.suppress(OSError, ValueError):  # of a stream that cannot be flushed: it can be written no more
        reconfigure(errors=errors)


def say(text: str) -> None:
    """Print a line on standard error, which others may have closed."""
    with contextlib.suppress(OSError, ValueError):
        print(text, file=sys.stderr, flush=True)


def drop_unread() -> bool:
    """Drop what waits for a reader who is gone, or for a full disk, and tell whether there was a pipe without a reader.

    Otherwise Python would try again at its end, and end with another exit code.
    """
    unread = False
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(OSError, ValueError, AttributeError):
            descriptor = stream.fileno()
            pipe = select.poll()
            pipe.register(descriptor, 0)
            gone = any(event & select.POLLERR for _, event in pipe.poll(0))
            unread |= gone
            try:
                stream.flush()
            except OSError:
                gone = True
            if gone:
                with open(os.devnull, "wb") as nowhere:
                    os.dup2(nowhere.fileno(), descriptor)
    return unread


class Output(NamedTuple):
    """The output of a long command: how it shows its progress, and what receives its notes."""

    progress: ProgressFactory
    notify: Notify


@contextlib.contextmanager
def open_output(*, quiet: bool = False, log_file: str | Path | None = None) -> Iterator[Output]:
    """Report on stderr unless `quiet`, and into `log_file` if there is one; errors pass through, into the file too.

    What models and packages print meanwhile goes to stderr: stdout is for the result alone, which may be JSON.

    Raises:
        ConfigError: the file cannot be written, or cannot be any more.
    """
    output = Output(silent, null_notifier) if quiet else Output(forced, tell)
    with contextlib.ExitStack() as stack:
        stack.enter_context(contextlib.redirect_stdout(sys.stderr))
        if log_file is None:
            yield output
            return
        with system_errors(ConfigError, f"cannot write {log_file}"):
            file = stack.enter_context(Path(log_file).open("ab", buffering=0))
        yield from _logged(output, file, log_file)


def told(error: BaseException, longest: int) -> str:
    """Return what an error says on one line of at most `longest` characters, and no password of an address."""
    return one_line(without_password(str(error)) or error, longest)


def _logged(output: Output, file: FileIO, log_file: str | Path) -> Iterator[Output]:
    def write(line: str) -> None:
        stamped = f"{datetime.now().astimezone().isoformat(timespec='seconds')} {line}\n"
        with system_errors(ConfigError, f"cannot write {log_file}"):
            file.write(stamped.encode("utf-8", "backslashreplace"))

    def notify(text: str) -> None:
        output.notify(text)
        write(f"note: {text}")

    try:
        yield Output(several(output.progress, written(write)), notify)
    except KeyboardInterrupt:
        write("interrupted")
        raise
    except Exception as error:
        kind = "" if isinstance(error, ZoomError) else f"{type(error).__name__}: "
        write(f"error: {kind}{told(error, LONGEST)}")
        raise


class Screen(NamedTuple):
    """What standard output shows: how many columns, and whether colours."""

    width: int = WIDTH
    colors: bool = False


def screen() -> Screen:
    """Return what the terminal shows: no colours where NO_COLOR or a dumb TERM says so, nor in pipes and files."""
    if not sys.stdout.isatty():
        return Screen()
    plain = bool(os.environ.get("NO_COLOR")) or os.environ.get("TERM", "dumb") in ("", "dumb", "unknown")
    columns = 0  # of a terminal that has no size
    with contextlib.suppress(OSError):
        columns = os.get_terminal_size(sys.stdout.fileno()).columns
    return Screen(max(LEAST_WIDTH, columns or WIDTH), not plain)


def print_audits(diagnoses: Mapping[str, Diagnosis], *, page: Path) -> None:
    """Print the tables of audits, and at the end, where one looks after a long run, what they say and what to do next.

    Several audits are told apart by the names that they are given by.
    """
    from zoom_engine.report.source import Source

    width, colors = screen()
    targets = [diagnosis.config.target for diagnosis in diagnoses.values()]
    for name, diagnosis in diagnoses.items():
        if targets.count(diagnosis.config.target) > 1:  # m.onnx and m.pt2 are both titled m
            print(bold(wrapped(name, width=width), colors))
        print(diagnosis.table(width=width, colors=colors), end="\n\n")
    for name, diagnosis in diagnoses.items():
        first = Source(diagnosis.path, diagnosis).first_screen
        print(bold(wrapped(f"{name}: {first.headline}" if name else first.headline, width=width), colors))
        print(wrapped(first.certainty, width=width))
        label, _, rest = wrapped(f"Next: {first.next}", width=width).partition(" ")
        print(f"{bold(label, colors)} {rest}\n")
    print(f"Open {page}")


def bold(text: str, colors: bool) -> str:
    """Return a text in bold where there are `colors`."""
    return tinted(text, style=BOLD if colors else "")


def print_json(value: object) -> None:
    """Print strict JSON on standard output; where its encoding is no UTF, in ASCII with JSON's own escapes."""
    encoding = codecs.lookup(getattr(sys.stdout, "encoding", None) or "utf-8").name
    print(json.dumps(value, indent=2, ensure_ascii=not encoding.startswith("utf"), allow_nan=False))


def write_file(path: Path, content: bytes | dict[str, Any]) -> None:
    """Write a file atomically, an object as JSON.

    Raises:
        AuditError: the file cannot be written.
    """
    with system_errors(AuditError, f"cannot write {path}"):
        if isinstance(content, bytes):
            atomic.write_bytes(path, content)
        else:
            atomic.write_json(path, content)
