"""`zoom-engine history`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from zoom_engine.cli.output import AsJson, print_json, screen
from zoom_engine.gates.rules import read_rules


def history(
    audit: Annotated[Path, Parameter(help="an audit folder")],
    /,
    *more: Annotated[Path, Parameter(help="more of them")],
    rules: Annotated[
        Path | None, Parameter(help="TOML file with tables [[rule]]: max-sensitivity is shown", metavar="FILE")
    ] = None,
    out: Annotated[Path, Parameter(help="the page to write", metavar="FILE")] = Path("history.html"),
    json: AsJson = False,
) -> None:
    """Show how sensitivities went over versions of a model, or over time.

    Audits are ordered by --model-version, then by date. Audits that cannot be
    compared are shown apart, with the reason.
    """
    limits = read_rules(rules) if rules else ()
    from zoom_engine.gates.history import history as history_of
    from zoom_engine.gates.history_page import write_history
    from zoom_engine.gates.text import history_table
    from zoom_engine.statistics.diagnosis import Diagnosis

    shown = history_of([Diagnosis.load(path) for path in (audit, *more)], limits)
    write_history(out, shown)
    if json:
        print_json(shown.to_json())
    else:
        width, colors = screen()
        print(history_table(shown, width=width, colors=colors), end=f"\n\nOpen {out}\n")
