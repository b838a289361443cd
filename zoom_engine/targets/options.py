"""The options of `load_target` as a mapping: what a configuration file, a command line or a caller wrote, checked."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, get_type_hints

from zoom_engine.errors import ConfigError
from zoom_engine.kinds import misfit
from zoom_engine.targets.loading import load_target

_HINTS = {name: hint for name, hint in get_type_hints(load_target).items() if name not in ("spec", "return")}


def check_target_options(options: Mapping[str, Any] | None) -> dict[str, Any]:
    """`options` as keywords of `load_target`, None for one that is left to it.

    Raises:
        ConfigError: an option that it does not have, or a value of another type.
    """
    for key, value in (options or {}).items():
        if key not in _HINTS:
            raise ConfigError(f"unknown target option {key!r}; known are {', '.join(sorted(_HINTS))}")
        if value is not None and (wrong := misfit(_HINTS[key], value)):
            raise ConfigError(f"target option {key!r} {wrong}")
    return dict(options or {})
