"""The look of a help page: names on the left, texts on the right, no boxes, at most 100 columns."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cyclopts.help import PlainFormatter

if TYPE_CHECKING:
    from cyclopts.help import HelpPanel
    from rich.console import Console, ConsoleOptions

WIDTH = 100


class HelpPage(PlainFormatter):
    """A help formatter for cyclopts."""

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
        console.print(Text(f"{panel.title}:"), table, Text(), width=min(WIDTH, console.width), sep="\n")
