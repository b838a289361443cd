"""`zoom-engine report`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from zoom_engine.cli.output import AsJson, print_audits, print_json


def report(
    audit: Annotated[Path, Parameter(help="an audit folder")],
    /,
    *,
    single_file: Annotated[
        Path | None,
        Parameter(help="write one file there that needs no folder, with all pictures in it", metavar="OUT.html"),
    ] = None,
    json: AsJson = False,
) -> None:
    """Write report.html of an audit folder again, and print its table."""
    from zoom_engine.report import write_report
    from zoom_engine.statistics.diagnosis import Diagnosis

    diagnosis = Diagnosis.load(audit)
    page = write_report(audit, diagnosis, single_file=single_file)
    if json:
        print_json({"audit": str(audit), "missing": diagnosis.missing, "summary": diagnosis.summary().to_json()})
    else:
        print_audits({"": diagnosis}, page=page)
