"""`zoom-engine report`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from cyclopts import Parameter


def report(audit: Annotated[Path, Parameter(help="an audit folder")], /) -> None:
    """Write report.html of an audit folder again, and print its table."""
    from zoom_engine.audit.diagnosis import Diagnosis
    from zoom_engine.report import write_report

    print(Diagnosis.load(audit).table())
    print(f"\nOpen {write_report(audit)}")
