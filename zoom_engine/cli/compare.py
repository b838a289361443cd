"""`zoom-engine compare`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from zoom_engine.cli.output import AsJson, bold, print_json, screen


def compare(
    first: Annotated[Path, Parameter(help="an audit folder")],
    other: Annotated[Path, Parameter(help="another one, compared with the first")],
    /,
    *more: Annotated[Path, Parameter(help="more of them")],
    out: Annotated[Path, Parameter(help="the page to write", metavar="FILE")] = Path("compare.html"),
    json: AsJson = False,
) -> None:
    """Compare audits: what is each model more sensitive to than the first, or less?

    Differences are taken image by image where the audits have the same ones.
    """
    from zoom_engine.common.terminal import wrapped
    from zoom_engine.gates.compare import compare as compare_audits
    from zoom_engine.gates.page import headline, write_comparison
    from zoom_engine.gates.text import comparison_table
    from zoom_engine.statistics.diagnosis import Diagnosis

    comparison = compare_audits([Diagnosis.load(path) for path in (first, other, *more)])
    write_comparison(out, comparison)
    if json:
        print_json(comparison.to_json())
    else:
        width, colors = screen()
        print(comparison_table(comparison, width=width, colors=colors))
        print(f"\n{bold(wrapped(headline(comparison), width=width), colors)}\n\nOpen {out}")
