"""The audit as a web page that a stranger understands: no network, complete without a script, if asked for one file."""

from zoom_engine.report.notebook import html_view
from zoom_engine.report.page import Page
from zoom_engine.report.sections import ReportSection
from zoom_engine.report.writer import (
    INDEX,
    IndexEntry,
    Section,
    write_experiments,
    write_index,
    write_report,
    write_user_study,
)
from zoom_engine.statistics.diagnosis import Diagnosis

Diagnosis.html_view = staticmethod(html_view)

__all__ = [
    "INDEX",
    "IndexEntry",
    "Page",
    "ReportSection",
    "Section",
    "write_experiments",
    "write_index",
    "write_report",
    "write_user_study",
]
