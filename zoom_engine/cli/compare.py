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
    Of one model and two sources of edits, the edits with several strengths are
    a yardstick: at which strength of a corruption does the output move as far?
    """
    from zoom_engine.common.terminal import wrapped
    from zoom_engine.gates.compare import compare as compare_audits
    from zoom_engine.gates.page import headline, write_comparison
    from zoom_engine.gates.text import comparison_table, yardstick_table
    from zoom_engine.gates.yardstick import yardstick
    from zoom_engine.gates.yardstick_page import write_yardstick
    from zoom_engine.statistics.diagnosis import Diagnosis

    audits = [Diagnosis.load(path) for path in (first, other, *more)]
    width, colors = screen()
    if (measure := yardstick(audits)) is not None:
        write_yardstick(out, measure)
        content, told = measure.to_json(), measure.headline
        table = yardstick_table(measure, width=width, colors=colors)
    else:
        comparison = compare_audits(audits)
        write_comparison(out, comparison)
        content, told = comparison.to_json(), headline(comparison)
        table = comparison_table(comparison, width=width, colors=colors)
    if json:
        print_json(content)
    else:
        print(f"{table}\n\n{bold(wrapped(told, width=width), colors)}\n\nOpen {out}")
