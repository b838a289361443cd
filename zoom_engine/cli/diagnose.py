"""`zoom-engine diagnose`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

from cyclopts import Group, Parameter

from zoom_engine.audit.folder import check_config, check_folder
from zoom_engine.audit.settings import AuditSettings, RunSettings, options_of
from zoom_engine.cli.config import read_config
from zoom_engine.cli.options import (
    MACHINE,
    CommandSettings,
    decoder_options,
    given_of,
    machine_options,
    options,
    read_generator_options,
    read_target_options,
    takes,
    target_options,
)
from zoom_engine.cli.start import starting, use_threads
from zoom_engine.errors import ConfigError
from zoom_engine.files.cache import check_cache, default_cache
from zoom_engine.notices import tell
from zoom_engine.progress import forced

HOW = Group("How it is audited", sort_key=1)
TABLES = ("generator_options", "target_options")
FIRST = ("generator", "target", "attributes")
REST = [name for name in options_of(AuditSettings) if name not in (*FIRST, *MACHINE, *TABLES, "download")]


@takes(
    options(AuditSettings, *FIRST),
    options(RunSettings),
    options(AuditSettings, *REST, group=HOW),
    options(CommandSettings, "steps", group=HOW),
    decoder_options(HOW),
    target_options(),
    machine_options(),
)
def diagnose(
    *,
    config: Annotated[
        Path | None, Parameter(help="TOML file with the same options; the command line wins", metavar="FILE")
    ] = None,
    **given: Any,
) -> None:
    """Audit a target model: which attributes is it sensitive to?

    It needs --generator, --target and --out, here or in the file of --config. For example:

      zoom-engine diagnose --generator avatars --target avatars:eyeglasses \\
          --attribute "a smiling face" --attribute "a face with bangs" --out audit
    """
    stored = read_config(config) if config else {}
    values = {**stored, **given}
    use_threads(values.get("threads"))
    for name in ("generator", "target", "out"):
        if name not in values:
            raise ConfigError(f"--{name} is missing; see zoom-engine diagnose --help")
    match given.get("templates"):
        case [name] if "{}" not in name:
            values["templates"] = name  # of a set
    values["generator_options"] = read_generator_options(given, stored.get("generator_options"))
    values["target_options"] = read_target_options(given, stored.get("target_options"))
    search = stored.get("search_options", {}) | dict(given.get("search_options", ())) | given_of(["steps"], values)
    values["search_options"] = search or None
    settings = AuditSettings(**given_of(options_of(AuditSettings), values))
    run = given_of(options_of(RunSettings), values)
    # What `Diagnoser` and its `run` would refuse without any model: here it takes no second.
    check_folder(values["out"])
    check_cache(Path(settings.cache or default_cache()))
    check_config(values["out"], {**RunSettings(**run).deciding(), **settings.deciding()})
    with starting():
        from zoom_engine.diagnoser import Diagnoser

    diagnosis = Diagnoser(settings, progress=forced, notify=tell).run(**run)
    print(diagnosis.table())
    print(f"\nOpen {Path(values['out']) / 'report.html'}")
