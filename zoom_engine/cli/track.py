"""`zoom-engine track`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from zoom_engine.cli.output import AsJson, print_json
from zoom_engine.settings.target_names import without_password

EXPERIMENT = "zoom-engine"


def track(
    audit: Annotated[Path, Parameter(help="the folder of a finished audit")],
    /,
    *,
    mlflow: Annotated[str, Parameter(help="MLflow server, such as http://127.0.0.1:5000, or a store", metavar="URI")],
    experiment: Annotated[str, Parameter(help="MLflow experiment of the run", metavar="NAME")] = EXPERIMENT,
    name: Annotated[
        str | None, Parameter(help="name of the run; by default the target's", metavar="NAME", show_default=False)
    ] = None,
    json: AsJson = False,
) -> None:
    """Keep an audit as a run of MLflow: settings, figures and files.

    It takes the extra: pip install "zoom-engine[tracking]". For example:

      zoom-engine track audit --mlflow http://127.0.0.1:5000
    """
    from zoom_engine.integrations.tracking import track
    from zoom_engine.statistics.diagnosis import Diagnosis

    run = track(Diagnosis.load(audit), mlflow, experiment=experiment, name=name)
    if json:
        print_json({"run": run, "experiment": experiment})
    else:
        print(f"Run {run} of experiment {experiment} at {without_password(mlflow)}")
