"""The first screen of an audit for a notebook: what the report begins with, and the table."""

from __future__ import annotations

from zoom_engine.common.errors import AuditError
from zoom_engine.report.environment import template
from zoom_engine.report.pictures import LEAD_BUDGET
from zoom_engine.report.source import Source
from zoom_engine.report.strips import Strip
from zoom_engine.statistics.diagnosis import Diagnosis
from zoom_engine.statistics.views import html_table


def html_view(diagnosis: Diagnosis) -> str:
    """Return headline, leading picture, certainty, next step and table as HTML, with pictures inlined.

    Where the audit's task is not known here, what its outputs mean is not either, and there is the table alone.
    """
    table = html_table(diagnosis.config, diagnosis.summary(), diagnosis.missing)
    try:
        source = Source(diagnosis.path, diagnosis)
    except AuditError:
        return table
    return template("notebook.html.j2").render(source=source, proof=_proof(source), table=table)


def _proof(source: Source) -> Strip | None:
    """Return the leading picture, or None where there is none that can be read: the figures need none."""
    try:
        return source.load(source.proof, LEAD_BUDGET, ends=True) if source.proof else None
    except AuditError:
        return None
