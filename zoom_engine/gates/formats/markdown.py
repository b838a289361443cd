"""Markdown for a pull request or the summary of a job: the outcome, then a table of findings, failures first."""

from __future__ import annotations

import html

from zoom_engine.audit.gate_file import counted
from zoom_engine.gates.judge import Finding, Verdict

_MARKS = {"pass": "✅", "fail": "❌", "inconclusive": "⚠️"}
_SPECIAL = str.maketrans({character: f"\\{character}" for character in "\\`*_[]|~#"})


def to_markdown(verdict: Verdict) -> str:
    """Return the text; names come from users, so what Markdown or HTML would interpret is escaped."""
    beside = "" if verdict.baseline is None else f", beside {_plain(verdict.baseline)}"
    lines = [
        f"### {_MARKS[verdict.outcome]} Model audit: {verdict.outcome}",
        "",
        f"{_plain(verdict.audit)}{beside}: {counted([finding.outcome for finding in verdict.findings])}.",
        "",
        "| | attribute | rule | estimate [95 %] |",
        "| --- | --- | --- | --- |",
    ]
    lines += map(_line, verdict.worst_first())
    lines += [line for note in verdict.notes for line in ("", _plain(note))]
    lines += ["", " · ".join(f"{title}: {_plain(text)}" for title, text in verdict.about.lines)]
    return "\n".join(lines) + "\n"


def _line(finding: Finding) -> str:
    cells = [_plain(text) for text in (finding.subject, finding.rule.text, finding.estimate)]
    return f"| {_MARKS[finding.outcome]} {finding.outcome} | {' | '.join(cells)} |"


def _plain(text: str) -> str:
    return html.escape(" ".join(text.splitlines()), quote=False).translate(_SPECIAL)
