"""The audit as a web page that a stranger understands: one file, no network, complete without a script."""

from zoom_engine.report.notebook import first_screen
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

Diagnosis.first_screen = staticmethod(first_screen)

__all__ = [
    "INDEX",
    "Diagnosis",
    "IndexEntry",
    "Page",
    "ReportSection",
    "Section",
    "write_experiments",
    "write_index",
    "write_report",
    "write_user_study",
]
