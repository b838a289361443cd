"""Comparisons and verdicts as text for a terminal."""

from __future__ import annotations

from zoom_engine.audit.gate_file import counted
from zoom_engine.common.plurals import number_of
from zoom_engine.gates.compare import Comparison, Difference
from zoom_engine.gates.history import Group, History
from zoom_engine.gates.judge import Verdict
from zoom_engine.statistics.table import decimal, fit, ruled, signed, with_interval

_NAME_WIDTH = 34
_COURSE_WIDTH = 22
_EARLIER = 3
"""How many audits before the latest a table of a history shows, so that it fits 80 columns; with limits one less."""


def comparison_table(comparison: Comparison) -> str:
    """Return a line for each attribute, with a column for each audit and difference; notes stand below."""
    names = letters(comparison)
    head = ["attribute", *names, *(f"{letter} − A [95 %]" for letter in names[1:])]
    body = [
        [
            fit(row.name, _NAME_WIDTH),
            *(decimal(None if one is None else one.value, 3) for one in row.figures),
            *(map(difference_text, row.differences)),
        ]
        for row in comparison.rows
    ]
    titles = [f"{letter}: {name}" for letter, name in zip(names, comparison.titles, strict=True)]
    told = [f"{letter}: {note}" for letter, notes in zip(names[1:], comparison.notes, strict=True) for note in notes]
    return "\n".join([*titles, *ruled([head, *body], texts=len(head)), *told])


def letters(comparison: Comparison) -> list[str]:
    """Return the letters that stand for the audits, from A on."""
    return [chr(ord("A") + index) if index < 26 else str(index + 1) for index in range(len(comparison.audits))]


def difference_text(difference: Difference | None) -> str:
    """Format a difference with its interval and what it says."""
    if difference is None:
        return "-"
    mean, low, high = (signed(value, 3, fixed=True) for value in (difference.mean, *difference.interval))
    shift = "" if difference.shift == "inconclusive" else f" {difference.shift}"
    return f"{mean} [{low}, {high}]{shift}"


def verdict_text(verdict: Verdict) -> str:
    """Return a line for each finding, failures first, and the outcome."""
    findings = verdict.worst_first()
    body = [[f.outcome, fit(f.subject, _NAME_WIDTH), f.rule.text, f.estimate] for f in findings]
    beside = "" if verdict.baseline is None else f", beside {verdict.baseline}"
    closing = (
        f"{verdict.audit}{beside}: {verdict.outcome.upper()} ({counted([finding.outcome for finding in findings])})"
    )
    head = ["", "attribute", "rule", "estimate [95 %]"]
    return "\n".join([*ruled([head, *body], texts=len(head)), closing])


def history_table(history: History) -> str:
    """Return a table for each group of audits, of at most 80 columns, and what was left out."""
    tables = [_course_table(group) for group in history.groups]
    return "\n\n".join([*tables, *(f"Left out: {line}" for line in history.left_out)])


def _course_table(group: Group) -> str:
    limited = bool(group.latest_outcomes)
    earlier = group.labels[:-1][-(_EARLIER - limited) :]
    head = ["attribute", *(fit(name, 5) for name in earlier), "latest [95 %]", *(["limit", ""] if limited else [])]
    body = []
    for course in group.courses:
        *before, latest = course.figures[-1 - len(earlier) :]
        cells = [fit(course.name, _COURSE_WIDTH)]
        cells += [decimal(None if one is None else one.value, 3) for one in before]
        cells.append("-" if latest is None else with_interval(latest.value, latest.interval))
        if limited:
            cells += ["-" if course.limit is None else f"{course.limit:g}", course.outcomes[-1] or ""]
        body.append(cells)
    skipped = len(group.audits) - 1 - len(earlier)
    lines = [f"Not comparable with the audits above: {group.reason}"] if group.reason else []
    lines += ruled([head, *body], texts=len(head))
    lines += (
        [f"{number_of(skipped, 'earlier audit')} not in this table: the page and --json have all"] if skipped else []
    )
    lines.append(group.headline)
    if group.outcome:
        lines.append(f"{group.outcome.upper()} in {group.latest_in_words}")
    return "\n".join(lines)
