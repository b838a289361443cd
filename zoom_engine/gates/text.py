"""Comparisons and verdicts as text for a terminal."""

from __future__ import annotations

import re

from zoom_engine.audit.gate_file import counted
from zoom_engine.common.plurals import digits_beside, number_of
from zoom_engine.common.terminal import LEAST_NAME_WIDTH, WIDTH, Column, fit, ruled, tinted, wrapped
from zoom_engine.gates.compare import Comparison, Difference
from zoom_engine.gates.history import Group, History
from zoom_engine.gates.judge import Verdict
from zoom_engine.gates.yardstick import Yardstick
from zoom_engine.statistics.table import decimal, signed, with_interval

_FIGURE = re.compile(r"[+−-]?\d[\d.]*(?: %)?(?: \[[^\]]*\])?")
"""What an estimate begins with where there is one: a number, and its interval."""
_ATTRIBUTE_WIDTH, _DIFFERENCE_WIDTH = 24, 39
"""Columns that stand for an attribute, and for a difference with what it says."""
_LATEST_WIDTH, _LIMITS_WIDTH, _LEAST_HEAD = 23, 21, 5
"""Columns that stand for the latest audit and for its limits, and the fewest for the name of an earlier one."""
_EARLIER = 3
"""How many audits before the latest a table of a history shows, so that it fits 80 columns; with limits one less."""


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
            cells = [row.name]
            for index, one in zip((0, *others), figures, strict=True):
                chosen = one is not None and comparison.audits[index].config.interim_analyses is not None
                count = f" ({one.images})" if one is not None and chosen else ""
                cells.append(f"{decimal(None if one is None else one.value, 3)}{count}")
            for index in others:
                cells += difference_cells(row.differences[index - 1], comparison.pairs[index - 1].matters)
            body.append(cells)
        lines += ruled(columns, body, width=width, colors=colors)
    told = [f"{letter}: {note}" for letter, notes in zip(names[1:], comparison.notes, strict=True) for note in notes]
    if any(audit.config.interim_analyses is not None for audit in comparison.audits):
        told.append("In brackets: the number of images of the attribute.")
    return "\n".join([*lines, *(wrapped(text, width=width, hanging=3) for text in told)])


def yardstick_table(yardstick: Yardstick, *, width: int = WIDTH, colors: bool = False) -> str:
    """Return a line for each sensitive attribute, below it what moves the output as far, and notes at the end."""
    columns = [Column("attribute", text=True, name=True), Column("effect [95 %]", text=True)]
    body = [[row.name, with_interval(row.figures.value, row.figures.interval)] for row in yardstick.rows]
    as_far = {
        number: ", ".join(f"{one.edit} at {one.amount} [{one.between}]" for one in row.equals)
        for number, row in enumerate(yardstick.rows)
    }
    below = {number: f"as far as {text}" if text else "further than shown" for number, text in as_far.items()}
    audit, by = yardstick.titles
    lines = [wrapped(text, width=width, hanging=3) for text in (f"Measured: {audit}", f"By {yardstick.edits}: {by}")]
    lines += ruled(columns, body, width=width, colors=colors, below=below) if body else []
    return "\n".join([*lines, *(wrapped(note, width=width) for note in yardstick.notes)])


def letters(comparison: Comparison) -> list[str]:
    """Return the letters that stand for the audits, from A on."""
    return [chr(ord("A") + index) if index < 26 else str(index + 1) for index in range(len(comparison.audits))]


def signed_figures(difference: Difference, matters: float, digits: int) -> tuple[str, ...]:
    """Format the mean of a difference and the ends of its interval.

    They have more digits where those show whether their size is more than what `matters`.
    """
    values = (difference.mean, *difference.interval)
    return tuple(signed(value, digits_beside(matters, abs(value), digits), fixed=True) for value in values)


def difference_cells(difference: Difference | None, matters: float) -> tuple[str, str]:
    """Format a difference with its interval beside what `matters`, and what it says."""
    if difference is None:
        return "-", "-"
    mean, low, high = signed_figures(difference, matters, 3)
    return f"{mean} [{low}, {high}]", difference.shift


def verdict_text(verdict: Verdict, *, width: int = WIDTH, colors: bool = False) -> str:
    """Return a line for each finding, failures first, what differs from the baseline and the outcome.

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
    outcome = f"{verdict.outcome.upper()} ({counted([finding.outcome for finding in findings])})"
    closing = wrapped(f"{outcome}: {verdict.audit}{beside}", width=width)
    closing = f"{tinted(outcome, outcome if colors else '')}{closing.removeprefix(outcome)}"
    notes = [wrapped(note, width=width) for note in verdict.notes]
    return "\n".join([*ruled(columns, body, width=width, colors=colors, below=reasons), *notes, closing])


def history_table(history: History, *, width: int = WIDTH, colors: bool = False) -> str:
    """Return a table for each group of audits, of at most 80 columns, and what was left out."""
    tables = [_course_table(group, width, colors) for group in history.groups]
    return "\n\n".join([*tables, *(wrapped(f"Left out: {line}", width=width) for line in history.left_out)])


def _course_table(group: Group, width: int, colors: bool) -> str:
    limited = group.is_limited
    earlier = group.unique_labels[:-1][-(_EARLIER - limited) :]
    beside = LEAST_NAME_WIDTH + _LATEST_WIDTH + (_LIMITS_WIDTH if limited else 0)
    heads = max(_LEAST_HEAD, (width - beside) // max(1, len(earlier)) - 2)
    columns = [
        Column("attribute", text=True, name=True),
        *(Column(fit(name, heads)) for name in earlier),
        Column("latest [95 %]", text=True),
        *([Column("limit"), Column("", text=True, colored=True)] if limited else []),
    ]
    body = []
    for course in group.courses:
        *before, latest = course.figures[-1 - len(earlier) :]
        cells = [course.name]
        cells += [decimal(None if one is None else one.value, 3) for one in before]
        cells.append("-" if latest is None else with_interval(latest.value, latest.interval, limit=course.limit))
        if limited:
            cells += ["-" if course.limit is None else f"{course.limit:g}", course.outcomes[-1] or ""]
        body.append(cells)
    skipped = len(group.audits) - 1 - len(earlier)
    lines = [f"Not comparable with the audits above: {group.reason}"] if group.reason else []
    lines += ruled(columns, body, width=width, colors=colors)
    told = [f"{number_of(skipped, 'earlier audit')} not in this table: the page and --json have all"] if skipped else []
    told.append(group.headline)
    told += [f"{group.outcome.upper()} in {group.latest_in_words}"] if group.outcome else []
    return "\n".join([*lines, *(wrapped(text, width=width) for text in told)])
