"""Text for a terminal: tables of as many columns as fit its width, lines broken between words, and colours."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from rich.cells import cell_len, set_cell_size

WIDTH = 80
"""Columns where no terminal says how many it has: in pipes, files and notebooks."""
LONGEST_LINE = 100
"""Columns of a line of prose, however wide the terminal is."""
NAME_WIDTH = 34
"""How wide a column of names is while others still wait for a place."""
LEAST_NAME_WIDTH = 12
BOLD = "1"
_STYLES = {  # of ANSI terminals, by how a verdict begins: the first that fits
    "sensitive, un": "33",
    "sensitive": "1;31",
    "fail": "1;31",
    "inconclusive": "33",
    "negligible": "32",
    "pass": "32",
    "more": "1;31",
    "less": "32",
}
_SPACE = re.compile(r" (?![%–])")  # where a line may be broken: a number stays beside what it counts


class Column(NamedTuple):
    """A column of a table.

    Attributes:
        head: its title.
        rank: 0 stays; of the others those of the highest rank are left out first where the width does not suffice.
        text: whether it holds text, on the left, or numbers, on the right.
        name: whether its texts may be cut.
        colored: whether verdicts in it have their colour where there are colours.
    """

    head: str
    rank: int = 0
    text: bool = False
    name: bool = False
    colored: bool = False


def ruled(
    columns: Sequence[Column],
    rows: Sequence[Sequence[str]],
    *,
    width: int = WIDTH,
    colors: bool = False,
    below: Mapping[int, str] | None = None,
) -> list[str]:
    """Return a table of at most `width` columns as lines between rules.

    Columns are left out by their rank, then names are cut. What has to stay may still be wider.

    Args:
        columns: all that there is to show.
        rows: their texts; where a row ends early its other cells are empty.
        width: of the terminal.
        colors: whether it shows colours.
        below: by the number of a row a text that stands below it, over the whole width.
    """
    heads = [column.head for column in columns]
    cells = [[printable(text) for text in (*row, *[""] * (len(columns) - len(row)))] for row in rows]
    natural = [max(map(cell_len, texts)) for texts in zip(heads, *cells, strict=True)]
    shown = _fitting(columns, natural, width)
    widths = _widths([(columns[index].name, natural[index]) for index in shown], width)

    def line(texts: Sequence[str], *, colors: bool = False) -> str:
        padded = []
        for index, space in zip(shown, widths, strict=True):
            text, column = fit(texts[index], space), columns[index]
            blank = " " * (space - cell_len(text))
            colored = tinted(text, text if colors and column.colored else "")
            padded.append(colored + blank if column.text else blank + colored)
        return "  ".join(padded).rstrip()

    rule = "─" * (sum(widths) + 2 * (len(widths) - 1))
    lines = [rule, line(heads), rule]
    for number, texts in enumerate(cells):
        lines.append(line(texts, colors=colors))
        if below and number in below:
            lines += wrapped(f"  {below[number]}", width=width, hanging=2).split("\n")
    return [*lines, rule]


def _fitting(columns: Sequence[Column], natural: Sequence[int], width: int) -> list[int]:
    """Return which columns fit beside each other while names have `NAME_WIDTH`, at least those of rank 0."""
    asked = [min(wide, NAME_WIDTH) if one.name else wide for one, wide in zip(columns, natural, strict=True)]
    by_rank = sorted(range(len(columns)), key=lambda index: columns[index].rank)
    fitting: list[int] = []
    for index in by_rank:
        if columns[index].rank and sum(asked[one] + 2 for one in [*fitting, index]) - 2 > width:
            break
        fitting.append(index)
    return sorted(fitting)


def _widths(columns: Sequence[tuple[bool, int]], width: int) -> list[int]:
    """Return the widths of columns, of which it is known whether they hold names, and how wide they would be."""
    left = width - 2 * (len(columns) - 1) - sum(natural for name, natural in columns if not name)
    widths = [natural for _, natural in columns]
    names = sorted((index for index, (name, _) in enumerate(columns) if name), key=lambda index: widths[index])
    for count, index in enumerate(names):
        widths[index] = min(widths[index], max(LEAST_NAME_WIDTH, left // (len(names) - count)))
        left -= widths[index]
    return widths


def labelled(lines: Sequence[tuple[str, str]], *, width: int = WIDTH) -> str:
    """Put labels and texts below each other, the texts in a column of their own; the label "" stands for none."""
    labels = [f"{label}:" if label else "" for label, _ in lines]
    side = max(map(cell_len, labels)) + 1
    return "\n".join(
        wrapped(f"{label}{' ' * (side - cell_len(label))}{text}", width=width, hanging=side)
        for label, (_, text) in zip(labels, lines, strict=True)
    )


def wrapped(text: str, *, width: int = WIDTH, hanging: int = 0) -> str:
    """Break a paragraph between words into lines of at most `width` columns, or `LONGEST_LINE`.

    A longer word, such as a path, stays whole: it can be copied. What follows a break is indented by `hanging`.
    """
    width, lines, current = min(width, LONGEST_LINE), [], ""
    for number, word in enumerate(_SPACE.split(printable(text))):
        if current.strip() and cell_len(current) + 1 + cell_len(word) > width:
            lines.append(current.rstrip())
            current = " " * hanging + word
        else:
            current = f"{current} {word}" if number else word
    return "\n".join([*lines, current.rstrip()])


def fit(text: str, width: int) -> str:
    """Cut `text` to `width` terminal columns, after a word where that takes not too much; "…" is for what is cut."""
    if cell_len(text) <= width:
        return text
    cut = set_cell_size(text, width - 1)
    if not text[len(cut.rstrip()) :].startswith(" "):
        whole, _, rest = cut.rpartition(" ")
        if cell_len(rest) <= width // 2:
            cut = whole
    return cut.rstrip() + "…"


def tinted(text: str, verdict: str = "", *, style: str = "") -> str:
    """Return a text in the colour of a verdict, or in a `style` of ANSI terminals; as it is without either."""
    style = style or next((code for start, code in _STYLES.items() if verdict.lower().startswith(start)), "")
    return f"\x1b[{style}m{text}\x1b[0m" if style else text


def printable(text: str) -> str:
    """Return a text whose control characters, which a terminal would obey, are question marks."""
    return text if text.isprintable() else "".join(one if one.isprintable() else "?" for one in text)
