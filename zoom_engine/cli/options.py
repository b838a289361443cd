"""Options of commands, made of the fields of typed settings: their hints, defaults, and what `option` says of them."""

from __future__ import annotations

import dataclasses
import functools
import inspect
import itertools
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, TypeVar, get_type_hints

from cyclopts import Group, Parameter

from zoom_engine.cli.forms import SEEDS, form_of
from zoom_engine.common.errors import ConfigError
from zoom_engine.common.plurals import listed
from zoom_engine.common.typed import kinds_of
from zoom_engine.settings.audit_settings import AuditSettings, option, options_of
from zoom_engine.settings.model_settings import DecoderSettings, InputSettings, TargetSettings

Command = TypeVar("Command", bound=Callable[..., int | None])
Options = list[inspect.Parameter]

DOMAIN = "avatars"
"""The generator of commands that only look."""
MACHINE = ("batch_size", "device", "backend", "precision", "cache")
TABLES = ("generator_options", "target_options")
CLUSTER = ("cluster", "workers", "worker_cores")
Seeds = Annotated[Sequence[int], Parameter(help="such as 0-7 or 3,5,9", metavar="SEEDS", show_default="0-7"), SEEDS]
EIGHT = range(8)
Picture = Annotated[Path, Parameter(help="a PNG file", metavar="FILE")]
USUAL = Group("Options", sort_key=0)
_hints = functools.cache(get_type_hints)
_METAVARS = {int: "N", float: "X"}


@dataclasses.dataclass(frozen=True, kw_only=True)
class CommandSettings:
    """What command line and configuration file have beside an audit's settings."""

    steps: int | None = option("steps of a gradient search, or generations of cmaes", None)
    threads: int | None = option("threads for torch and the runtimes", None)
    quiet: bool = option("show neither progress nor notes", False)
    log_file: str | Path | None = option("a file to which progress, notes and errors are appended, with the time", None)


@dataclasses.dataclass(frozen=True, kw_only=True)
class ImageCount:
    """The option of commands that take a number of images, and have a default of their own."""

    images: int | None = option("how many generated images", None)


class AsRead:
    """A mark in a type's annotations that tells pydantic to leave alone what cyclopts read.

    Where a program has pydantic loaded, cyclopts lets it check values and defaults against the types of the texts that
    are written on the command line.
    """

    def __get_pydantic_core_schema__(self, source: object, handler: object) -> dict[str, str]:
        """Return the schema of any value."""
        return {"type": "any"}


AS_READ = AsRead()


def takes(*options: Options) -> Callable[[Command], Command]:
    """Decorate a command whose `**given` stands for these options; those that were not given are not in it."""

    def decorate(command: Command) -> Command:
        named = [
            parameter
            for parameter in inspect.signature(command).parameters.values()
            if parameter.kind is not parameter.VAR_KEYWORD
        ]
        parameters = sorted([*itertools.chain(*options), *named], key=lambda parameter: parameter.kind)
        command.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
        return command

    return decorate


def options(
    settings: type,
    *names: str,
    group: Group = USUAL,
    required: bool = False,
    defaults: Mapping[str, object] | None = None,
    once: Sequence[str] = (),
) -> Options:
    """Return an option for each named field of `settings`, or for all.

    Args:
        settings: a dataclass of options.
        *names: of its fields; none stands for all.
        group: where the help shows them.
        required: whether they must be given.
        defaults: shown in place of the fields' own.
        once: fields that may be lists elsewhere, and of which the command takes one.
    """
    hints, about = {**_hints(settings), **dict.fromkeys(once, str)}, options_of(settings)
    values = {field.name: field.default for field in dataclasses.fields(settings)} | dict(defaults or {})
    made: Options = []
    for name in names or values:
        flag = (about[name].name or name).replace("_", "-")
        choices = about[name].possible
        kind, form = form_of(hints[name])
        default = None if values[name] is dataclasses.MISSING else values[name]
        told = Parameter(
            name=f"--{flag}",
            help=about[name].told + ("; repeat for more" if Sequence in kinds_of(hints[name]) else ""),
            metavar="" if choices else _METAVARS.get(kind, flag.rpartition("-")[2].upper()),
            choices=choices,
            show_choices=not all(choice in about[name].text for choice in choices or ()),
            show_default=isinstance(default, str | int | float) and default is not False,
            group=group,
            required=required,
        )
        made.append(
            inspect.Parameter(
                name, inspect.Parameter.KEYWORD_ONLY, default=default, annotation=Annotated[kind, told, form, AS_READ]
            )
        )
    return made


INPUT = options_of(InputSettings)
DECODER = tuple(options_of(DecoderSettings))
TOLD = ("quiet", "log_file")
TARGET = ("download", *options_of(TargetSettings))


def input_options(group: Group = USUAL) -> Options:
    """Return options on what a target's input looks like; what is not given is as its file or library says."""
    return options(InputSettings, group=group, defaults=dict.fromkeys(INPUT))


def decoder_options(group: Group = USUAL) -> Options:
    """Return options of a generator: what a decoder samples from and draws, and those of a package's."""
    return [*options(DecoderSettings, group=group), *options(AuditSettings, "generator_options", group=group)]


def target_options() -> Options:
    """Return options on how a target is read; `read_target_options` combines those that were given."""
    group = Group("How the target is read", sort_key=2)
    download, rest = options(AuditSettings, "download", group=group), options(TargetSettings, group=group)
    return [*download, *rest, *input_options(group)]


def machine_options(*more: str) -> Options:
    """Return options on what an audit runs on."""
    group = Group("What it runs on", sort_key=3)
    return [*options(AuditSettings, *MACHINE, *more, group=group), *options(CommandSettings, "threads", group=group)]


def model_options(group: Group = USUAL, *more: str) -> Options:
    """Return options on how generator (in `group`) and target are read, and on what all runs."""
    return [*decoder_options(group), *target_options(), *machine_options(*more)]


def told_options() -> Options:
    """Return options on what a long command reports, and where: see `output.open_output`."""
    return options(CommandSettings, *TOLD, group=Group("What it tells", sort_key=4))


def read_target_options(given: Mapping[str, Any], stored: object = None) -> dict[str, object]:
    """Return `target_options`: those of a configuration file, overridden by the command line's."""
    stored = {} if stored is None else stored
    tables = ("preprocessing", "service", "task_options")
    if not isinstance(stored, dict) or not all(isinstance(stored.get(name, {}), dict) for name in tables):
        raise ConfigError(f"target_options, and its {listed(tables)}, must be tables")
    if isinstance(task := stored.get("task"), dict) and "task" in task:  # with its options, as Python takes it
        described = {name: value for name, value in task.items() if name != "task"}
        stored = {**stored, "task": task["task"], "task_options": {**described, **stored.get("task_options", {})}}
    preprocessing = {**stored.get("preprocessing", {}), **given_of(INPUT, given)}
    target_options = {**stored, **given_of(TARGET, given)}
    if service := {**stored.get("service", {}), **dict(given.get("service") or ())}:
        target_options["service"] = service
    target_options.pop("task_options", None)
    options = dict(given.get("task_options") or ())
    if given.get("task") in (None, stored.get("task")):  # another task has other options
        options = {**stored.get("task_options", {}), **options}
    if options:
        if "task" not in target_options:
            raise ConfigError("--task-option needs a task: name it with --task")
        target_options["task"] = {"task": target_options["task"], **options}
    return {**target_options, "preprocessing": preprocessing} if preprocessing else target_options


def read_generator_options(given: Mapping[str, object], stored: Any = None) -> dict[str, object] | None:
    """Return `generator_options`: those of a configuration file, overridden by the command line's; None without any."""
    of_family: Any = given.get("generator_options", ())
    return {**(stored or {}), **dict(of_family), **given_of(DECODER, given)} or None


def read_model_options(given: Mapping[str, object]) -> dict[str, Any]:
    """Return the options that were given, with those of a decoder and of a target's file combined.

    They are combined in `generator_options` and `target_options`, where there are some.
    """
    model_options = {key: value for key, value in given.items() if key not in (*TABLES, *DECODER, *TARGET, *INPUT)}
    target = {key: value for key, value in read_target_options(given).items() if key != "download"}
    tables = {"generator_options": read_generator_options(given), "target_options": target}
    model_options |= {key: value for key, value in tables.items() if value}
    return model_options | read_texts(given) | given_of(["download"], given)


def read_texts(given: Mapping[str, Any]) -> dict[str, Any]:
    """Return `templates` and `labels` as settings take them, where they were given.

    A template alone that is no sentence names a set; one empty label stands for none.
    """
    texts = given_of(["templates", "labels"], given)
    match texts.get("templates"):
        case [name] if "{}" not in name:
            texts["templates"] = name
    if texts.get("labels") == [""]:
        texts["labels"] = []
    return texts


def given_of(names: Iterable[str], given: Mapping[str, object]) -> dict[str, Any]:
    """Return those of the values that have these names."""
    return {name: given[name] for name in names if name in given}
