"""Comparisons and verdicts as text for a terminal."""

from __future__ import annotations

import re

from zoom_engine.common.terminal import WIDTH, Column, ruled, tinted, wrapped
from zoom_engine.gates.compare import Comparison, Difference
from zoom_engine.gates.formats.markdown import counted
from zoom_engine.gates.judge import Verdict
from zoom_engine.statistics.table import decimal, signed

_FIGURE = re.compile(r"[+−-]?\d[\d.]*(?: %)?(?: \[[^\]]*\])?")
"""What an estimate begins with where there is one: a number, and its interval."""
_ATTRIBUTE_WIDTH, _DIFFERENCE_WIDTH = 24, 39
"""Columns that stand for an attribute, and for a difference with what it says."""


def comparison_table(comparison: Comparison, *, width: int = WIDTH, colors: bool = False) -> str:
    """Return a line for each attribute, with columns for each audit and difference; notes stand below.

    Where a terminal of `width` columns is too narrow for all audits, there are several tables.
    """
    names = letters(comparison)
    titles = [f"{letter}: {name}" for letter, name in zip(names, comparison.titles, strict=True)]
    lines = [wrapped(text, width=width, hanging=3) for text in titles]
    at_once = max(1, (width - _ATTRIBUTE_WIDTH) // _DIFFERENCE_WIDTH)
    for first in range(1, len(names), at_once):
        others = range(first, min(first + at_once, len(names)))
        columns = [
            Column("attribute", text=True, name=True),
            *(Column(names[index], rank=1) for index in (0, *others)),
        ]
        for index in others:
            columns += [
                Column(f"{names[index]} − A [95 %]", text=True),
                Column(f"{names[index]} is", text=True, colored=True),
            ]
        body = []
        for row in comparison.rows:
            figures = [row.figures[index] for index in (0, *others)]
            cells = [row.name, *(decimal(None if one is None else one.value, 3) for one in figures)]
            for index in others:
                cells += difference_cells(row.differences[index - 1])
            body.append(cells)
        lines += ruled(columns, body, width=width, colors=colors)
    told = [f"{letter}: {note}" for letter, notes in zip(names[1:], comparison.notes, strict=True) for note in notes]
    return "\n".join([*lines, *(wrapped(text, width=width, hanging=3) for text in told)])


def letters(comparison: Comparison) -> list[str]:
    """Return the letters that stand for the audits, from A on."""
    return [chr(ord("A") + index) if index < 26 else str(index + 1) for index in range(len(comparison.audits))]


def difference_cells(difference: Difference | None) -> tuple[str, str]:
    """Format a difference with its interval, and what it says."""
    if difference is None:
        return "-", "-"
    mean, low, high = (signed(value, 3, fixed=True) for value in (difference.mean, *difference.interval))
    return f"{mean} [{low}, {high}]", difference.shift


def verdict_text(verdict: Verdict, *, width: int = WIDTH, colors: bool = False) -> str:
    """Return a line for each finding, failures first, and the outcome at the end.

    What is to be said of an estimate stands below its line.
    """
    findings = verdict.worst_first()
    columns = [
        Column("", text=True, colored=True),
        Column("attribute", text=True, name=True),
        Column("rule", text=True, name=True),
        Column("estimate [95 %]", text=True),
    ]
    figures = [figure[0] if (figure := _FIGURE.match(finding.estimate)) else "-" for finding in findings]
    body = [
        [finding.outcome, finding.subject, finding.rule.text, figure]
        for finding, figure in zip(findings, figures, strict=True)
    ]
    told = [
        finding.estimate.removeprefix(figure).lstrip(":;, ") for finding, figure in zip(findings, figures, strict=True)
    ]
    reasons = {number: text for number, text in enumerate(told) if text}
    beside = "" if verdict.baseline is None else f", beside {verdict.baseline}"
    outcome = f"{verdict.outcome.upper()} ({counted(verdict)})"
    closing = wrapped(f"{outcome}: {verdict.audit}{beside}", width=width)
    closing = f"{tinted(outcome, outcome if colors else '')}{closing.removeprefix(outcome)}"
    return "\n".join([*ruled(columns, body, width=width, colors=colors, below=reasons), closing])
