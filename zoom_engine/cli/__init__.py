"""The command line: a file per command, its options made of typed settings. Errors are one line on stderr.

Exit codes: 1 for what cannot be done, 2 for a command line that cannot be read, 70 for an internal error, 130 for
Ctrl-C, 141 where the reader of the output is gone. For a gate 1 says that a rule fails and nothing else, for a fit that
the generator is not fit: what they cannot do is 2 too.
"""

from __future__ import annotations

import errno
import gc
import importlib
import os
import sys
import traceback
from collections.abc import Sequence
from typing import TYPE_CHECKING

from cyclopts import App, CycloptsError, Parameter
from cyclopts.help import PlainFormatter

from zoom_engine.cli.options import USUAL
from zoom_engine.cli.output import any_text, drop_unread, say, told
from zoom_engine.common.errors import ZoomError, one_line
from zoom_engine.common.progress import interruptible
from zoom_engine.common.version import VERSION

if TYPE_CHECKING:
    from cyclopts.help import HelpPanel
    from rich.console import Console, ConsoleOptions

LONGEST_ERROR = 2_000  # characters
FULL = (errno.ENOSPC, errno.EDQUOT)
"""What the system says of a full disk, wherever it comes from."""
INTERNAL = 70
"""EX_SOFTWARE of sysexits.h: no verdict of a gate, and none of the codes that shells and signals have."""
HELP_WIDTH = 100
JUDGES = ("gate", "fit")
"""Commands whose exit code 1 is a verdict."""
COMMANDS = (
    *(
        "demo",
        "diagnose",
        "plan",
        "fit",
        "init",
        "discover",
        "explore",
        "experiment",
        "repair",
        "edit",
        "view",
        "report",
    ),
    *("compare", "history", "gate", "inspect", "convert", "export", "export-images", "track", "model-index", "words"),
    "presets",
    "info",
)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line, and return the exit code. No `Exception` leaves it, and no Ctrl-C."""
    given = sys.argv[1:] if arguments is None else arguments
    with any_text():
        try:
            with interruptible():
                code = build_app()(given)
                sys.stdout.flush()
        except (Exception, KeyboardInterrupt) as error:
            return _folded(error, failed=2 if given and given[0] in JUDGES else 1)
    return code if isinstance(code, int) else 0


def run() -> int:
    """Do what `main` does as the last thing of a process, which then ends about a second sooner."""
    code = main()
    gc.freeze()  # the collections of the interpreter's end would look through all of torch
    return code


def _folded(error: BaseException, *, failed: int) -> int:
    """Print an error in one line, and return its exit code; `failed` is the code of what cannot be done."""
    if os.environ.get("ZOOM_ENGINE_TRACEBACK"):
        say("".join(traceback.format_exception(error)).rstrip())
    unread = drop_unread()
    match error:
        case CycloptsError():
            command = " ".join(["zoom-engine", *(error.command_chain or ())])
            say(f"zoom-engine: {told(error, LONGEST_ERROR)} (see {command} --help)")
            return 2
        case ZoomError():
            say(f"zoom-engine: {told(error, LONGEST_ERROR)}")
            return max(error.exit_code, failed)
        case KeyboardInterrupt():
            say("zoom-engine: interrupted; run the same command again to continue")
            return 130
        case BrokenPipeError() if unread:  # who reads has seen enough, as `head` has
            return 141
        case OSError() if error.strerror:
            where = f" for {one_line(os.fsdecode(error.filename))}" if error.filename else ""
            advice = "make room, and run the same command again" if error.errno in FULL else "fix that, and try again"
            say(f"zoom-engine: {error.strerror.lower()}{where}: {advice}")
            return failed
        case MemoryError():
            say("zoom-engine: out of memory: free some, or ask for less at once, such as a smaller --batch-size")
            return failed
        case _:
            say(
                f"zoom-engine: internal error: {type(error).__name__}: {told(error, LONGEST_ERROR)} (please report"
                " it; with ZOOM_ENGINE_TRACEBACK=1 the same command shows where)"
            )
            return INTERNAL


def build_app() -> App:
    """Build the application with all commands: the functions that files of their names hold."""
    app = App(
        name="zoom-engine",
        help="Which attributes is a vision model sensitive to? Zero-shot, with pictures.",
        version=VERSION,
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


class HelpPage(PlainFormatter):
    """A help page: names on the left, texts on the right, no boxes, at most `HELP_WIDTH` columns."""

    def __call__(self, console: Console, options: ConsoleOptions, panel: HelpPanel) -> None:
        """Write a group of options, or of commands."""
        if not panel.entries:
            return
        from cyclopts.help.specs import DescriptionRenderer
        from rich.table import Table
        from rich.text import Text

        table = Table.grid(padding=(0, 2))
        for entry in panel.entries:
            names = Text("  " + ", ".join(entry.display_labels_with_metavar), no_wrap=True)
            table.add_row(names, DescriptionRenderer()(entry))
        console.print(Text(f"{panel.title}:"), table, Text(), width=min(HELP_WIDTH, console.width), sep="\n")
