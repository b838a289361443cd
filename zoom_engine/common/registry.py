"""Things that packages bring to the engine, found by name under entry-point groups: the engine imports none of them.

    [project.entry-points."zoom_engine.domains"]
    avatars = "zoom_engine.domains.avatars.domain:DOMAIN"

An entry point names an object that has the members of its `Kind`, or a class or function that makes one when called
without arguments; its name is the object's own. What the engine brings itself is listed by its `Kind` in the same way,
as MODULE:NAME, and imported when it is asked for: settings, help and messages take the names from there.
"""

from __future__ import annotations

import functools
import importlib
import os
import re
import sys
from collections.abc import Container, Iterable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from importlib import metadata
from importlib.metadata import EntryPoint
from typing import Any

from zoom_engine.common.contracts import hold_members, members, theirs
from zoom_engine.common.errors import ConfigError

OWN = "zoom-engine"
_RELEASE = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]* \d[A-Za-z0-9.!+-]*")


@dataclass(frozen=True)
class Kind:
    """A kind of thing that can be registered.

    Attributes:
        what: what messages call it.
        group: its entry-point group.
        protocol: MODULE:NAME of the protocol whose members it must have, imported with the first such thing.
        made: whether a class or a function that is registered makes the thing; else it is the thing.
        ours: by its name, MODULE:NAME of each that the engine brings.
    """

    what: str
    group: str
    protocol: str
    made: bool = True
    ours: Mapping[str, str] = field(default_factory=dict, compare=False)


DOMAINS = Kind("domain", "zoom_engine.domains", "zoom_engine.diagnose.domain:Domain")
GENERATORS = Kind(
    "generator family",
    "zoom_engine.generators",
    "zoom_engine.generators.generator:GeneratorFamily",
    ours={"diffusers": "zoom_engine.generators.diffusers_pipeline:DiffusersFamily"},
)
"""``load(rest)`` → an `EditableGenerator`, for the generator "NAME:REST"."""
TASKS = Kind(
    "task",
    "zoom_engine.tasks",
    "zoom_engine.targets.tasks.task:Task",
    made=False,
    ours={
        "binary": "zoom_engine.targets.tasks.binary:BinaryTask",
        "multiclass": "zoom_engine.targets.tasks.multiclass:MultiClassTask",
        "multilabel": "zoom_engine.targets.tasks.multilabel:MultiLabelTask",
        "regression": "zoom_engine.targets.tasks.regression:RegressionTask",
        "keypoints": "zoom_engine.targets.tasks.keypoints:KeypointsTask",
        "segmentation": "zoom_engine.targets.tasks.segmentation:SegmentationTask",
        "detection": "zoom_engine.targets.tasks.detection:DetectionTask",
        "embedding": "zoom_engine.targets.tasks.embedding:EmbeddingTask",
    },
)
"""A class that is a `zoom_engine.targets.Task`; ``from_dict`` takes what its ``to_dict`` says beside the name."""
SEARCHES = Kind(
    "search",
    "zoom_engine.searches",
    "zoom_engine.search.trials:Search",
    made=False,
    ours={
        "scan": "zoom_engine.search.scan:Scan",
        "minimal": "zoom_engine.search.minimal:Minimal",
        "sgd": "zoom_engine.search.gradient_descent:SGD",
        "pgd": "zoom_engine.search.gradient_descent:PGD",
        "cmaes": "zoom_engine.search.cmaes:CMAES",
    },
)
"""A dataclass of a search's options that is a `zoom_engine.search.Search`."""
DIRECTION_METHODS = Kind(
    "direction method",
    "zoom_engine.direction_methods",
    "zoom_engine.directions.relevance:DirectionMethod",
    made=False,
    ours={
        "regression": "zoom_engine.directions.regression:Regression",
        "sampled": "zoom_engine.directions.sampled:Sampled",
        "gradient": "zoom_engine.directions.gradient_relevance:Gradient",
        "generator": "zoom_engine.directions.prompted:Prompted",
    },
)
"""A dataclass of a method's options that is a `zoom_engine.directions.DirectionMethod`."""
REPORT_SECTIONS = Kind("report section", "zoom_engine.report_sections", "zoom_engine.report.sections:ReportSection")
"""A `zoom_engine.report.ReportSection`; ``zoom_engine.report.sections`` lists the engine's own, in their order."""
EDITORS = Kind(
    "editor",
    "zoom_engine.editors",
    "zoom_engine.edits.editor:Editor",
    made=False,
    ours={"corruptions": "zoom_engine.edits.corruptions:Corruptions"},
)
"""A dataclass of an editor's options that is a `zoom_engine.edits.editor.Editor`."""
KINDS = (DOMAINS, GENERATORS, TASKS, SEARCHES, DIRECTION_METHODS, REPORT_SECTIONS, EDITORS)


def entry_points(*, group: str, name: str | None = None) -> list[EntryPoint]:
    """Return the entry points of one of our groups, those called `name` where it is given.

    To look for them every package's files are read (10 ms of an environment of 200), and an audit asks a hundred times:
    so it is done again only where a place that packages lie in has changed.
    """
    entries = _entry_points(tuple(map(_state, sys.path)))[group]
    return [entry for entry in entries if name in (None, entry.name)]


@functools.lru_cache(maxsize=1)
def _entry_points(path: tuple[tuple[object, ...], ...]) -> dict[str, tuple[EntryPoint, ...]]:
    """Return the entry points of each of our groups; `path` is that of Python, each place as it is now."""
    entries = metadata.entry_points()
    return {kind.group: tuple(entries.select(group=kind.group)) for kind in KINDS}


def _state(place: str) -> tuple[object, ...]:
    """Return a place of the path with what changes when a package is installed or removed there."""
    try:
        status = os.stat(place or ".")
    except OSError:
        return (place,)
    return place, status.st_dev, status.st_ino, status.st_mtime_ns


def names(kind: Kind) -> tuple[str, ...]:
    """Return all registered names, sorted. Nothing is imported."""
    return tuple(sorted({entry.name for entry in entry_points(group=kind.group)}))


def all_names(kind: Kind) -> tuple[str, ...]:
    """Return the engine's own names, in their order, and after them what packages registered. Nothing is imported."""
    return (*kind.ours, *names(kind))


def is_ours(kind: Kind, thing: type) -> bool:
    """Return whether a class is one that the engine brings."""
    return f"{thing.__module__}:{thing.__qualname__}" in kind.ours.values()


def packages(kind: Kind) -> dict[str, str]:
    """Return by each registered name, sorted, the package that brings it, with its version. Nothing is imported."""
    by_name = {entry.name: _package(entry) for entry in entry_points(group=kind.group)}
    return dict(sorted(by_name.items()))


def brought(things: Iterable[tuple[Kind, str]]) -> dict[str, str]:
    """Return which of these things come from another package than ours: the package, by "task level".

    Args:
        things: kinds and names.
    """
    known = {kind: packages(kind) for kind in KINDS}
    makers = {f"{kind.what} {name}": known[kind][name] for kind, name in things if name in known[kind]}
    return {thing: package for thing, package in makers.items() if not package.startswith(f"{OWN} ")}


def missing(things: Mapping[str, str]) -> dict[str, str]:
    """Return those of what `brought` gave, here or elsewhere, that no package brings here."""
    here = {f"{kind.what} {name}" for kind in KINDS for name in names(kind)}
    return {thing: package for thing, package in things.items() if thing not in here}


def how_to_install(package: str) -> str:
    """Return the command that installs a `package`, a name and a version as `packages` has them.

    Any other text, which a file may hold, gives no command.
    """
    return f"pip install '{package.replace(' ', '==')}'" if _RELEASE.fullmatch(package) else "install it"


def find(kind: Kind, name: str, *, taken: Container[str] = ()) -> Any:
    """Return what is registered as `name`, or None where there is nothing.

    `taken` are names that the engine has for other things.

    Raises:
        ConfigError: two packages, or one and the engine, claim the name; the entry point cannot be imported; or what it
            names is not of the kind or calls itself otherwise.
    """
    # A package can be on the path twice (an editable install and the checkout itself): equal entry points are one.
    entries: dict[str, EntryPoint] = {entry.value: entry for entry in entry_points(group=kind.group, name=name)}
    if name in kind.ours or name in taken:
        if entries:
            claims = ", ".join(f"{_package(entry)}, {value}" for value, entry in sorted(entries.items()))
            raise ConfigError(
                f"{kind.what} '{name}' is {OWN}'s own, and another package registers one of that name ({claims}):"
                " rename that one, or uninstall its package"
            )
        return _named(kind.ours[name]) if name in kind.ours else None
    if not entries:
        return None
    if len(entries) > 1:
        claims = ", ".join(sorted(entries))
        raise ConfigError(
            f"{kind.what} '{name}' is registered by more than one package ({claims}): uninstall all but one"
        )
    return _load(kind, next(iter(entries.values())))


def asking(kind: Kind, name: str, what: str) -> AbstractContextManager[None]:
    """Turn whatever the code of a package raises meanwhile, but our errors, into a ConfigError that names the package.

    The message says that the thing called `name` cannot do `what`.
    """
    return theirs(ConfigError, f"{kind.what} '{name}' ({packages(kind).get(name, OWN)}) cannot {what}")


def _load(kind: Kind, entry: EntryPoint) -> Any:
    called = f"{kind.what} '{entry.name}' ({_package(entry)}, {entry.value})"
    protocol = _named(kind.protocol)
    with theirs(ConfigError, f"{called} cannot be loaded"):
        loaded = entry.load()
        if kind.made and (isinstance(loaded, type) or not all(hasattr(loaded, name) for name in members(protocol))):
            loaded = loaded()
    hold_members(loaded, protocol, called=called, refusal=ConfigError)
    name = getattr(loaded, "name", None) if "name" in members(protocol) else None
    if isinstance(name, str) and name != entry.name:
        raise ConfigError(f"{called} calls itself '{name}': give its entry point the same name")
    return loaded


def _named(place: str) -> Any:
    """Import MODULE:NAME and return it."""
    module, _, name = place.partition(":")
    return getattr(importlib.import_module(module), name)


def _package(entry: EntryPoint) -> str:
    return f"{entry.dist.name} {entry.dist.version}" if entry.dist else f"of {entry.module.partition('.')[0]}"
