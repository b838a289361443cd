"""What packages bring to the engine, found by name under entry-point groups, so that the engine imports none of them:

    [project.entry-points."zoom_engine.domains"]
    avatars = "zoom_engine.domains.avatars.domain:DOMAIN"

An entry point names an object that has the members of its `Kind`, or a class or function that makes one when called
without arguments.
"""

from __future__ import annotations

from dataclasses import dataclass
from importlib.metadata import EntryPoint, entry_points
from typing import Any

from zoom_engine.errors import ConfigError, one_line


@dataclass(frozen=True)
class Kind:
    """A kind of thing that can be registered: what messages call it, its entry-point group, and what it must have.

    ``made``: a class or a function that is registered makes the thing; else it is the thing.
    """

    what: str
    group: str
    members: tuple[str, ...]
    made: bool = True


DOMAINS = Kind(
    "domain",
    "zoom_engine.domains",
    ("name", "neutral", "attributes", "generator", "text_encoder", "target_names", "target"),
)

GENERATORS = Kind("generator family", "zoom_engine.generators", ("load",))
"""``load(rest)`` → an `EditableGenerator`, for the generator "NAME:REST"."""
TASKS = Kind("task", "zoom_engine.tasks", ("from_dict", "recorded", "caption", "state", "change_in_words"), made=False)
"""A class that is a `zoom_engine.targets.Task`; ``from_dict`` takes what its ``to_dict`` says beside the name."""
SEARCHES = Kind(
    "search", "zoom_engine.searches", ("name", "in_words", "modes", "needs_gradient", "needs_loss", "start"), made=False
)
"""A dataclass of a search's options that is a `zoom_engine.search.Search`."""


def names(kind: Kind) -> tuple[str, ...]:
    """All registered names, sorted. Nothing is imported."""
    return tuple(sorted({entry.name for entry in entry_points(group=kind.group)}))


def find(kind: Kind, name: str) -> Any:
    """What is registered as ``name``, or None where there is nothing.

    Raises ConfigError where two packages claim the name, where the entry point cannot be imported, and where what it
    names is not of the kind.
    """
    # A package can be on the path twice (an editable install and the checkout itself): equal entry points are one.
    entries: dict[str, EntryPoint] = {entry.value: entry for entry in entry_points(group=kind.group, name=name)}
    if not entries:
        return None
    if len(entries) > 1:
        claims = ", ".join(sorted(entries))
        raise ConfigError(
            f"{kind.what} '{name}' is registered by more than one package ({claims}): uninstall all but one"
        )
    return _load(kind, next(iter(entries.values())))


def _load(kind: Kind, entry: EntryPoint) -> Any:
    try:
        loaded = entry.load()
        if kind.made and (isinstance(loaded, type) or _missing(kind, loaded)):
            loaded = loaded()
    except Exception as error:  # whatever a third-party package raises while it is imported
        reason = one_line(f"{type(error).__name__}: {error}")
        raise ConfigError(f"{kind.what} '{entry.name}' ({entry.value}) cannot be loaded: {reason}") from error
    if missing := _missing(kind, loaded):
        raise ConfigError(f"{kind.what} '{entry.name}' ({entry.value}) lacks {', '.join(missing)}: see {kind.group}")
    return loaded


def _missing(kind: Kind, thing: object) -> list[str]:
    return [member for member in kind.members if not hasattr(thing, member)]
