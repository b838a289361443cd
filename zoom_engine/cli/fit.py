"""`zoom-engine fit`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

from cyclopts import Group, Parameter

from zoom_engine.cli.options import (
    MACHINE,
    TABLES,
    TOLD,
    given_of,
    model_options,
    options,
    read_model_options,
    takes,
    told_options,
)
from zoom_engine.cli.output import AsJson, bold, open_output, print_json, screen
from zoom_engine.cli.start import starting, use_threads
from zoom_engine.settings.audit_settings import AuditSettings
from zoom_engine.settings.fit_settings import OF_AUDITS, FitSettings

HOW = Group("How it would be audited", sort_key=1)


@takes(
    options(AuditSettings, "generator", "target", required=True, once=["target"]),
    options(AuditSettings, "attributes"),
    options(FitSettings),
    options(AuditSettings, *(name for name in OF_AUDITS if name not in (*MACHINE, *TABLES, "download")), group=HOW),
    model_options(HOW),
    told_options(),
)
def fit(
    *,
    photos: Annotated[Path, Parameter(help="a folder of photographs that the model is used on", metavar="FOLDER")],
    out: Annotated[Path | None, Parameter(help="folder for fit.html and fit.json", metavar="FOLDER")] = None,
    json: AsJson = False,
    **given: Any,
) -> int:
    r"""Tell whether a generator may be audited for a model used on such photographs.

    It compares photographs with generated images: what covers them, how the
    model answers both, what the text encoder reads, and which effects 50 and
    200 images would find. Exit code 0 is fit, 3 doubtful, 1 not fit. For example:

      zoom-engine fit --generator faces.pkl --target age.onnx \
          --photos photographs --attribute "a smiling face" --out fit
    """
    told = given_of(TOLD, given)
    given = {name: value for name, value in given.items() if name not in TOLD}
    with open_output(**told) as output:
        use_threads(given.pop("threads", None), output.progress)
        with starting(output.progress):
            from zoom_engine.commands.fit.measuring import PAGE, fitness
            from zoom_engine.common.terminal import wrapped

        result = fitness(photos, out=out, progress=output.progress, notify=output.notify, **read_model_options(given))
    if json:
        print_json(result.to_json())
        return result.exit_code
    width, colors = screen()
    print(result.table(width=width, colors=colors))
    print(f"\n{bold(wrapped(f'{result.headline}.', width=width), colors)}")
    if out is not None:
        print(f"\nOpen {out / PAGE}")
    return result.exit_code
