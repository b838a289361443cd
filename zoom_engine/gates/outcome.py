"""The outcome of a gate in the audit's own folder, from which report and index show it."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

from zoom_engine.audit.about import sha256_of
from zoom_engine.audit.folder import RECORDS
from zoom_engine.audit.gate_file import Condition, GateResult, write_gate
from zoom_engine.gates.judge import Verdict, judge
from zoom_engine.gates.rules import Rule
from zoom_engine.report.writer import REPORT, write_index_again, write_report
from zoom_engine.statistics.diagnosis import Diagnosis


def judge_folder(
    audit: Path, rules: Sequence[Rule], *, baseline: Diagnosis | None = None
) -> tuple[Verdict, GateResult]:
    """Check the audit in a folder against rules, see `judge`: the result names the records that were read."""
    # The hash is taken first: records that a run adds meanwhile make the result outdated rather than seem judged.
    records = sha256_of(audit / RECORDS) if (audit / RECORDS).is_file() else ""
    verdict = judge(Diagnosis.load(audit), rules, baseline=baseline)
    result = GateResult(
        conditions=tuple(
            Condition(subject=f.subject, rule=f.rule.text, outcome=f.outcome, estimate=f.estimate)
            for f in verdict.findings
        ),
        baseline=verdict.baseline,
        judged=datetime.now(UTC).isoformat(timespec="seconds"),
        records=records,
    )
    return verdict, result


def show_outcome(audit: Path, result: GateResult) -> None:
    """Write a gate's result into the audit's folder, and the report and the index above it again where they exist.

    Raises:
        AuditError: one of them cannot be written.
    """
    write_gate(audit, result)
    if (audit / REPORT).is_file():
        write_report(audit)
        write_index_again(audit)
