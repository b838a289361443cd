"""`zoom-engine experiment`."""

from __future__ import annotations

import re
import shlex
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

from cyclopts import Parameter

from zoom_engine.cli.options import ImageCount, model_options, options, read_model_options, takes
from zoom_engine.cli.start import starting, use_threads
from zoom_engine.common.errors import ConfigError
from zoom_engine.common.notices import tell
from zoom_engine.common.progress import forced
from zoom_engine.experiments import ALL, EXPERIMENTS
from zoom_engine.settings.audit_settings import AuditSettings, RunSettings
from zoom_engine.settings.target_names import without_password

NAMES = (*EXPERIMENTS, ALL)
AUDIT_OPTIONS = ("neutral", "text_encoder", "directions", "truncation", "labels")


STUDY = [
    *options(AuditSettings, "generator", defaults={"generator": None}),
    *options(AuditSettings, "generator_class", "attributes", *AUDIT_OPTIONS),
    *options(ImageCount),
    *options(RunSettings, "seed"),
    *model_options(),
]


@takes(STUDY)
def experiment(
    name: Annotated[str, Parameter(help="which, or all of them", choices=NAMES)],
    /,
    *,
    domain: Annotated[
        Sequence[str],
        Parameter(
            help="an embedded domain to use; repeat for more; by default all", metavar="NAME", show_default=False
        ),
    ] = (),
    target: Annotated[
        Sequence[str],
        Parameter(
            help="a model to ask, as for diagnose; repeat for more; by default the domain's",
            metavar="TARGET",
            show_default=False,
        ),
    ] = (),
    out: Annotated[Path, Parameter(help="folder for the data, the figures and report.html", metavar="FOLDER")],
    score: Annotated[
        Sequence[Path],
        Parameter(help="answers to the user study, to be scored; repeat for more", metavar="FILE", show_default=False),
    ] = (),
    docs: Annotated[
        Path | None,
        Parameter(help="folder for experiments.md and its figures, for a repository to keep", metavar="FOLDER"),
    ] = None,
    draw_only: Annotated[
        bool, Parameter(help="draw what the folder holds again, without running anything", show_default=False)
    ] = False,
    **given: Any,
) -> None:
    """Make a table or figure of the paper, on the embedded domains or on models of your own.

    For example:

      zoom-engine experiment traversal --out experiments
      zoom-engine experiment tasks --domain places --domain cars --out experiments
      zoom-engine experiment combination --generator pets --target pets:dog --images 8 --out experiments
    """
    if draw_only and (given or domain or target):
        raise ConfigError("--draw-only draws what the folder holds: give it --out and --docs alone")
    use_threads(given.pop("threads", None))
    with starting():
        from zoom_engine.experiments.docs import write_docs
        from zoom_engine.experiments.run import draw_again, run_experiment

    if score:
        if name != "user-study":
            raise ConfigError("--score is for the experiment user-study")
        if given or domain or target or docs or draw_only:
            raise ConfigError("--score counts answers and runs nothing: give it --out alone")
        from zoom_engine.experiments.scores import score_answers

        print(score_answers(out, score))
        return
    if draw_only:
        page = draw_again(out, tuple(EXPERIMENTS) if name == ALL else (name,))
    else:
        page = run_experiment(
            name, out, domains=domain, targets=target, progress=forced, notify=tell, **read_model_options(given)
        )
    if docs is not None:
        page = write_docs(out, docs, command=shlex.join(["zoom-engine", *map(_shown, sys.argv[1:])]))
    print(f"Open {page}")


def _shown(word: str) -> str:
    """Return a word of the command line as a page may show it: headers and passwords of a service are secrets."""
    return re.sub(r"^((?:--service=)?headers=).*", r"\1...", without_password(word), flags=re.DOTALL)
