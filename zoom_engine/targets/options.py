"""The options of `load_target` as a mapping: what a configuration file, a command line or a caller wrote, checked."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from zoom_engine.errors import ConfigError, one_line
from zoom_engine.targets.preprocessing import Preprocessing
from zoom_engine.targets.tasks import Task


def _whole(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _texts(value: object) -> bool:
    return isinstance(value, list | tuple) and all(isinstance(entry, str) for entry in value)


_KINDS: dict[str, Callable[[object], bool]] = {
    "a text": lambda value: isinstance(value, str),
    "a list of texts": _texts,
    "a table of its fields": lambda value: isinstance(value, Preprocessing | Mapping),
    "a whole number": _whole,
    "a name or an index": lambda value: isinstance(value, str) or _whole(value),
    "true or false": lambda value: isinstance(value, bool),
    "a task, its name or its description": lambda value: isinstance(value, str | Mapping | Task),
}
_KIND_OF = {
    "name": "a text",
    "task": "a task, its name or its description",
    "preprocessing": "a table of its fields",
    **dict.fromkeys(("classes", "labels"), "a list of texts"),
    "resolution": "a whole number",
    **dict.fromkeys(("output", "head"), "a name or an index"),
    "kind": "a text",
    **dict.fromkeys(("trust", "download"), "true or false"),
}


def check_target_options(options: Mapping[str, Any] | None) -> dict[str, Any]:
    """`options` as keywords of `load_target`, None for one that is left to it.

    Raises:
        ConfigError: an option that it does not have, or a value of another type.
    """
    for key, value in (options or {}).items():
        if key not in _KIND_OF:
            raise ConfigError(f"unknown target option {key!r}; known are {', '.join(sorted(_KIND_OF))}")
        if value is not None and not _KINDS[_KIND_OF[key]](value):
            raise ConfigError(f"target option {key!r} must be {_KIND_OF[key]}, got {one_line(repr(value), 80)}")
    return dict(options or {})
