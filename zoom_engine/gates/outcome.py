"""The outcome of a gate in the audit's own folder, from which report and index show it."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

from zoom_engine.audit.about import sha256_of
from zoom_engine.audit.folder import RECORDS
from zoom_engine.audit.gate_file import Condition, GateResult, write_gate
from zoom_engine.gates.judge import Verdict
from zoom_engine.report.writer import REPORT, write_index_again, write_report
from zoom_engine.statistics.diagnosis import Diagnosis


def records_hash(audit: Path) -> str:
    """Return the SHA-256 of an audit's records, "" where there are none.

    It is taken before the records are read: what a run adds meanwhile makes an outcome outdated, and does not seem
    judged.
    """
    return sha256_of(audit / RECORDS) if (audit / RECORDS).is_file() else ""


def show_outcome(audit: Path, diagnosis: Diagnosis, verdict: Verdict, *, records: str) -> None:
    """Write a verdict into its audit's folder, and the report and the index above it again where they exist.

    `diagnosis` is the audit as it was judged, `records` is the `records_hash` of what was judged.

    Raises:
        AuditError: one of them cannot be written.
    """
    conditions = (
        Condition(subject=one.subject, rule=one.rule.text, outcome=one.outcome, estimate=one.estimate)
        for one in verdict.findings
    )
    beside = verdict.about_baseline
    judged = datetime.now(UTC).isoformat(timespec="seconds")
    write_gate(
        audit,
        GateResult(
            conditions=tuple(conditions),
            baseline=None if beside is None else beside.in_short,
            judged=judged,
            records=records,
        ),
    )
    if (audit / REPORT).is_file():
        write_report(audit, diagnosis)
        write_index_again(audit, diagnosis)
