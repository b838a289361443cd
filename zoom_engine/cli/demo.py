"""`zoom-engine demo`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

from cyclopts import Parameter

from zoom_engine.audit.settings import RunSettings
from zoom_engine.cli.options import machine_options, options, takes
from zoom_engine.cli.start import starting, use_threads
from zoom_engine.progress import forced


@takes(options(RunSettings, "images", "seed", defaults={"images": None}), machine_options())
def demo(
    *,
    out: Annotated[Path, Parameter(help="folder for index.html and both audits", metavar="FOLDER")] = Path("audit"),
    **given: Any,
) -> None:
    """Audit a sound and a biased face classifier and compare them."""
    use_threads(given.pop("threads", None))
    with starting():
        from zoom_engine.experiments.demo import run_demo

    for diagnosis in run_demo(out, progress=forced, **given).values():
        print(diagnosis.table(), end="\n\n")
    print(f"Open {out / 'index.html'}")
