"""Comparisons and verdicts as text for a terminal."""

from __future__ import annotations

from zoom_engine.audit.gate_file import counted
from zoom_engine.gates.compare import Comparison, Difference
from zoom_engine.gates.judge import Verdict
from zoom_engine.statistics.table import decimal, fit, ruled, signed

_NAME_WIDTH = 34


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
