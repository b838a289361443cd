"""`zoom-engine demo`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

from cyclopts import Parameter

from zoom_engine.cli.options import TOLD, given_of, machine_options, options, takes, told_options
from zoom_engine.cli.output import AsJson, open_output, print_audits, print_json
from zoom_engine.cli.start import starting, use_threads
from zoom_engine.settings.audit_settings import RunSettings


@takes(options(RunSettings, "images", "seed"), machine_options(), told_options())
def demo(
    *,
    out: Annotated[Path, Parameter(help="folder for index.html and both audits", metavar="FOLDER")] = Path("audit"),
    domain: Annotated[str, Parameter(help="avatars, people, pets, places or cars", metavar="NAME")] = "avatars",
    json: AsJson = False,
    **given: Any,
) -> None:
    """Audit a sound and a biased classifier of an embedded domain and compare them."""
    with open_output(**given_of(TOLD, given)) as output:
        given = {name: value for name, value in given.items() if name not in TOLD}
        use_threads(given.pop("threads", None), output.progress)
        with starting(output.progress):
            from zoom_engine.commands.demo import run_demo

        diagnoses = run_demo(out, domain=domain, progress=output.progress, **given)
    if json:
        print_json({name: diagnosis.summary().to_json() for name, diagnosis in diagnoses.items()})
        return
    print_audits(diagnoses, page=out / "index.html")
