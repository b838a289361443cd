"""`zoom-engine demo`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

from cyclopts import Parameter

from zoom_engine.cli.options import TOLD, ImageCount, given_of, machine_options, options, takes, told_options
from zoom_engine.cli.output import AsJson, print_json, telling
from zoom_engine.cli.start import starting, use_threads
from zoom_engine.settings.audit_settings import RunSettings


@takes(options(ImageCount), options(RunSettings, "seed"), machine_options(), told_options())
def demo(
    *,
    out: Annotated[Path, Parameter(help="folder for index.html and both audits", metavar="FOLDER")] = Path("audit"),
    json: AsJson = False,
    **given: Any,
) -> None:
    """Audit a sound and a biased face classifier and compare them."""
    with telling(**given_of(TOLD, given)) as voice:
        given = {name: value for name, value in given.items() if name not in TOLD}
        use_threads(given.pop("threads", None), voice.progress)
        with starting(voice.progress):
            from zoom_engine.commands.demo import run_demo

        found = run_demo(out, progress=voice.progress, **given)
    if json:
        print_json({name: diagnosis.summary().to_json() for name, diagnosis in found.items()})
        return
    for diagnosis in found.values():
        print(diagnosis.table(), end="\n\n")
    print(f"Open {out / 'index.html'}")
