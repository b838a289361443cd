"""`zoom-engine plan`."""

from __future__ import annotations

import math
import os
from typing import Annotated, Any

from cyclopts import Parameter

from zoom_engine.cli.config import read_config
from zoom_engine.cli.diagnose import OPTIONS, ConfigFile, settings_of
from zoom_engine.cli.forms import REAL
from zoom_engine.cli.options import TOLD, given_of, takes
from zoom_engine.cli.output import AsJson, open_output, print_json, screen
from zoom_engine.cli.start import starting, use_threads
from zoom_engine.common.errors import ConfigError
from zoom_engine.common.plurals import number_of
from zoom_engine.settings.audit_settings import AuditSettings
from zoom_engine.settings.target_names import several_targets


@takes(*OPTIONS)
def plan(
    *,
    config: ConfigFile = None,
    rate: Annotated[
        float | None,
        Parameter(help="pictures a second of one worker; by default measured here, for ten seconds", metavar="X"),
        REAL,
    ] = None,
    json: AsJson = False,
    **given: Any,
) -> None:
    """Say what an audit would take: pictures, hours, disk and memory.

    It takes the options of diagnose, loads the models and audits nothing.
    What depends on the target is given from least to most. On one machine
    several targets share pictures; workers (--workers) take one target after
    the other and do not. For example:

      zoom-engine plan --config audit.toml --images 10000 --workers 16
    """
    if rate is not None and not 0 < rate < math.inf:
        raise ConfigError(f"rate must be greater than 0 and finite, got {rate}")
    stored = read_config(config) if config else {}
    values = {**stored, **given}
    with open_output(**given_of(TOLD, values)) as output:
        settings, run = settings_of(stored, given, values, needs=("target",))
        if settings.edits_from_elsewhere:
            raise ConfigError("without a generator an audit takes one evaluation a picture: there is nothing to plan")
        workers, threads = settings.workers or 1, values.get("threads")
        if (settings.cluster, settings.workers, settings.worker_cores) != (None, None, AuditSettings.worker_cores):
            if "threads" in given:
                raise ConfigError("--threads is of this machine alone, and workers have --worker-cores: leave it out")
            threads = min(settings.worker_cores, os.cpu_count() or 1)
            if threads < settings.worker_cores and rate is None:
                output.notify(
                    f"a worker has {number_of(settings.worker_cores, 'core')}, this machine {threads}: pictures a"
                    " second are those of fewer; give them by --rate"
                )
        use_threads(threads, output.progress)
        targets: Any = settings.target if several_targets(settings.target) else [settings.target]
        with starting(output.progress):
            from zoom_engine.diagnose.diagnosers import Diagnosers
            from zoom_engine.diagnose.planning import plan

        made = Diagnosers(settings, target=targets, progress=output.progress, notify=output.notify)
        groups = made.groups(one_by_one=workers > 1)
        result = plan([[made.models[name] for name in group] for group in groups], run, rate=rate)
    if json:
        print_json(result.to_json(workers))
    else:
        print(result.text(workers, width=screen().width))
