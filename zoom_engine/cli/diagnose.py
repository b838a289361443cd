"""`zoom-engine diagnose`."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from cyclopts import Group, Parameter

from zoom_engine.cli.config import read_config
from zoom_engine.cli.options import (
    CLUSTER,
    MACHINE,
    TABLES,
    TOLD,
    CommandSettings,
    given_of,
    model_options,
    options,
    read_generator_options,
    read_target_options,
    read_texts,
    takes,
    told_options,
)
from zoom_engine.cli.output import AsJson, Output, open_output, print_audits, print_json
from zoom_engine.cli.start import starting, use_threads
from zoom_engine.common.errors import ConfigError
from zoom_engine.common.files.cache import check_cache, default_cache
from zoom_engine.settings.audit_settings import SOURCES, AuditSettings, RunSettings, options_of
from zoom_engine.settings.target_names import named_targets, several_targets

if TYPE_CHECKING:
    from zoom_engine.statistics.diagnosis import Diagnosis

ConfigFile = Annotated[
    Path | None, Parameter(help="TOML file with the same options; the command line wins", metavar="FILE")
]
HOW = Group("How it is audited", sort_key=1)
FIRST = ("generator", "pairs", "editor", "target", "attributes")
REST = [name for name in options_of(AuditSettings) if name not in (*FIRST, *MACHINE, *CLUSTER, *TABLES, "download")]


OPTIONS = (
    options(AuditSettings, *FIRST),
    options(RunSettings, "images", "seed", "out"),
    options(RunSettings, "width", "most_images", group=HOW),
    options(AuditSettings, *REST, group=HOW),
    options(CommandSettings, "steps", group=HOW),
    model_options(HOW, *CLUSTER),
    told_options(),
)


@takes(*OPTIONS)
def diagnose(
    *,
    config: ConfigFile = None,
    json: AsJson = False,
    **given: Any,
) -> None:
    r"""Audit a target model: which attributes is it sensitive to?

    An attribute is sensitive if editing it changes one decision in ten
    (--smallest-effect 0.1). It needs --generator, --pairs or --editor,
    --target and --out, here or in the file of --config. For example:

      zoom-engine diagnose --generator avatars --target avatars:eyeglasses \
          --attribute "a smiling face" --attribute "a face with bangs" --out audit
    """
    stored = read_config(config) if config else {}
    values = {**stored, **given}
    with open_output(**given_of(TOLD, values)) as output:
        result = _run(stored, given, values, output)
    out = Path(values["out"])
    if isinstance(result, dict):
        if json:
            print_json([_told(out / name, diagnosis) for name, diagnosis in result.items()])
            return
        print_audits(result, page=out / "index.html")
    elif json:
        print_json(_told(out, result))
    else:
        print_audits({"": result}, page=out / "report.html")


def _told(audit: Path, diagnosis: Diagnosis) -> dict[str, Any]:
    return {"audit": str(audit), "summary": diagnosis.summary().to_json()}


def _run(
    stored: Mapping[str, object], given: Mapping[str, object], values: dict[str, Any], output: Output
) -> Diagnosis | dict[str, Diagnosis]:
    """Audit one target, or several, by the names of their folders.

    `values` are those that are `stored` in a file, overridden by those that were `given`.
    """
    from zoom_engine.audit.folder import check_config, check_folder, check_outs, check_packages

    use_threads(values.get("threads"), output.progress)
    if "out" in values:
        check_packages(values["out"])
    settings, run = settings_of(stored, given, values, needs=("target", "out"))
    # What `Diagnoser` and its `run` would refuse without any model: here it takes no second.
    names = list(named_targets(settings.target)) if several_targets(settings.target) else []
    if names:
        check_outs(values["out"], names)
    check_cache(Path(settings.cache or default_cache()))
    known = {**({} if settings.edits_from_elsewhere else run.deciding()), **settings.deciding()}
    if settings.photos is not None:
        known.pop("images", None)
    for out in [Path(values["out"], name) for name in names] or [Path(values["out"])]:
        check_folder(out)
        check_config(out, known)
    with starting(output.progress):
        from zoom_engine.diagnose.diagnoser import Diagnoser
        from zoom_engine.diagnose.diagnosers import Diagnosers

    kind = Diagnosers if names else Diagnoser
    return kind(settings, progress=output.progress, notify=output.notify).run(**dataclasses.asdict(run))


def settings_of(
    stored: Mapping[str, Any], given: Mapping[str, Any], values: dict[str, Any], *, needs: Sequence[str]
) -> tuple[AuditSettings, RunSettings]:
    """Return the settings of an audit and of its run from the `values`, see `_run`.

    Raises:
        ConfigError: one is missing that the command `needs`.
    """
    sources = [name for name in SOURCES if name in values]
    for name in (*([] if sources else ["generator"]), *needs):
        if name not in values:
            raise ConfigError(f"--{name} is missing: give it, here or in the file of --config")
    match values.get("target"):
        case [target]:
            values["target"] = target
    values |= read_texts(given)
    values["generator_options"] = read_generator_options(given, stored.get("generator_options"))
    values["target_options"] = read_target_options(given, stored.get("target_options"))
    search: dict[str, object] = {}
    for told in (stored, given):  # of each the short form wins, and the command line's wins over both of the file
        search |= {**dict(told.get("search_options") or ()), **given_of(["steps"], told)}
    values["search_options"] = search or None
    values["editor_options"] = {**stored.get("editor_options", {}), **dict(given.get("editor_options", ()))} or None
    settings = AuditSettings(**given_of(options_of(AuditSettings), values))
    counted = [name for name in (*options_of(RunSettings),) if name in values and name != "out"]
    if settings.edits_from_elsewhere and counted:
        raise ConfigError(f"--{counted[0]} is of generated images: leave it out beside --{sources[0]}")
    if settings.photos is not None and "images" in values:
        raise ConfigError("--images counts generated images: with --photos all photographs of the folder are audited")
    return settings, RunSettings(**given_of(options_of(RunSettings), values))
