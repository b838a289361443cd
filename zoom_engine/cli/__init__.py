"""The command line: a file per command, its options made of typed settings. Errors are one line on stderr.

Exit codes: 1 for what cannot be done, 2 for a command line that cannot be read, 130 for Ctrl-C, 141 where nobody reads
on; a gate's are its own.
"""

from __future__ import annotations

import errno
import importlib
import os
import sys
from collections.abc import Sequence

from cyclopts import App, CycloptsError, Parameter

from zoom_engine import __version__
from zoom_engine.cli.help_page import HelpPage
from zoom_engine.cli.options import USUAL
from zoom_engine.errors import ZoomError, one_line
from zoom_engine.progress import interruptible

LONGEST_ERROR = 2_000  # characters
FULL = (errno.ENOSPC, errno.EDQUOT)
"""What the system says of a disk without room, wherever it comes from."""
COMMANDS = (
    *("demo", "diagnose", "plan", "init", "discover", "experiment", "repair", "edit", "view", "report", "compare"),
    *("gate", "inspect", "convert", "export", "export-images", "track", "model-index", "words", "presets", "info"),
)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; returns the exit code."""
    given = sys.argv[1:] if arguments is None else arguments
    try:
        with interruptible():
            code = build_app()(given)
            sys.stdout.flush()
    except CycloptsError as error:
        command = " ".join(["zoom-engine", *(error.command_chain or ())])
        print(f"zoom-engine: {one_line(error, LONGEST_ERROR)} (see {command} --help)", file=sys.stderr)
        return 2
    except ZoomError as error:
        print(f"zoom-engine: {one_line(error, LONGEST_ERROR)}", file=sys.stderr)
        return error.exit_code
    except KeyboardInterrupt:
        print("zoom-engine: interrupted; the same command goes on where it was", file=sys.stderr)
        return 130
    except BrokenPipeError:  # who reads has seen enough, as `head` has
        _drop_output()
        return 141
    except OSError as error:
        if error.errno not in FULL:
            raise
        try:
            sys.stdout.flush()
        except OSError:  # it is standard output that has no room
            _drop_output()
        where = f" for {error.filename}" if error.filename else ""
        print(
            f"zoom-engine: {(error.strerror or '').lower()}{where}: make room, and run the same command again",
            file=sys.stderr,
        )
        return 1
    return code if isinstance(code, int) else 0


def _drop_output() -> None:
    """What is left of standard output goes nowhere: Python would try again at its end."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def build_app() -> App:
    """All commands: the functions that files of their names have."""
    app = App(
        name="zoom-engine",
        help="Which attributes is a vision model sensitive to? Zero-shot, with pictures.",
        version=__version__,
        help_format="plaintext",
        help_formatter=HelpPage(),
        group_parameters=USUAL,
        default_parameter=Parameter(negative=()),
        result_action="return_value",
        exit_on_error=False,
        print_error=False,
        suppress_keyboard_interrupt=False,
    )
    for position, name in enumerate(COMMANDS):
        module = name.replace("-", "_")
        app.command(getattr(importlib.import_module(f"zoom_engine.cli.{module}"), module), sort_key=position)
    app.register_install_completion_command(help="Let the shell complete commands and options (bash, zsh or fish).")
    return app
