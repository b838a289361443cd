"""`zoom-engine repair`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

from cyclopts import Parameter

from zoom_engine.cli.experiment import STUDY
from zoom_engine.cli.options import DOMAIN, read_model_options, takes
from zoom_engine.cli.start import starting, use_threads
from zoom_engine.common.errors import ConfigError
from zoom_engine.common.notices import tell
from zoom_engine.common.progress import forced

Elsewhere = Annotated[str | None, Parameter(show=False)]
"""An option of other commands on pictures from elsewhere, which is refused with what to do."""


@takes(STUDY)
def repair(
    *,
    target: Annotated[
        str, Parameter(help="a binary classifier in torch that gives gradients, as for diagnose", metavar="TARGET")
    ],
    out: Annotated[
        Path, Parameter(help="folder for audits, repaired weights (safetensors) and report.html", metavar="FOLDER")
    ],
    pairs: Elsewhere = None,
    editor: Elsewhere = None,
    photos: Elsewhere = None,
    **given: Any,
) -> None:
    """Audit a target, train it on its counterfactuals, audit it again.

    A control is trained on as many unedited images. For example:

      zoom-engine repair --generator avatars --target avatars:mustache-biased-smiling --out repaired
    """
    source = next((name for name, value in (("pairs", pairs), ("editor", editor), ("photos", photos)) if value), None)
    if source is not None:
        raise ConfigError(
            f"repair trains on pictures that a generator draws anew, and takes no --{source}: give --generator; for a"
            " training of your own edit photographs by the editor itself: of an audit zoom-engine export-images writes"
            " a few pairs of each attribute alone"
        )
    use_threads(given.pop("threads", None))
    with starting():
        from zoom_engine.experiments.folder import TEXT
        from zoom_engine.experiments.run import run_experiment
        from zoom_engine.experiments.study import Study

    options = {"generator": DOMAIN, **read_model_options(given)}
    page = run_experiment("training", out, targets=[target], progress=forced, notify=tell, **options)
    folder = Study(out=out, targets=[target], **options).out / "training"  # others may lie beside it
    print((folder / TEXT).read_text(encoding="utf-8"))
    print(f"Open {page}")
