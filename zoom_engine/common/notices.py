"""Notices: what a run should say at once and in a line, neither an error nor progress.

Work that may have a notice takes `notify: Notify = null_notifier` and calls it, once for each.
"""

from __future__ import annotations

import sys
from collections.abc import Callable

from zoom_engine.common.errors import one_line

LONGEST = 1_000  # characters
Notify = Callable[[str], None]


def tell(text: str) -> None:
    """Print the notice as a line on stderr: what the command line passes."""
    print(f"zoom-engine: note: {one_line(text, LONGEST)}", file=sys.stderr, flush=True)


def null_notifier(text: str) -> None:
    """Drop the notice: the default of the API, whose caller finds the notices in what is returned or written."""


class Notices:
    """Lines on what a run assumed: each told as soon as it is known, and kept for the manifest.

    Args:
        notify: Takes each line.
    """

    def __init__(self, notify: Notify = null_notifier) -> None:
        """Tell lines by ``notify``."""
        self.notify = notify
        self.lines: list[str] = []

    def add(self, line: str) -> None:
        """Tell a line; it is kept once, however many runs tell it."""
        self.notify(line)
        if line not in self.lines:
            self.lines.append(line)
