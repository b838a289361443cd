"""An audit's options from a TOML file: those of `AuditSettings` and `RunSettings`, each held to its type."""

from __future__ import annotations

import tomllib
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, get_type_hints

from zoom_engine.cli.forms import kinds
from zoom_engine.cli.options import CommandSettings
from zoom_engine.errors import ConfigError, one_line
from zoom_engine.settings import AuditSettings, LossWeights, RunSettings, options_of


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _are_texts(value: object) -> bool:
    return isinstance(value, list) and all(isinstance(entry, str) for entry in value)


_FORMS: dict[type, tuple[str, Callable[[object], bool]]] = {
    str: ("a text", lambda value: isinstance(value, str)),
    Path: ("a text", lambda value: isinstance(value, str)),
    int: ("a whole number", lambda value: isinstance(value, int) and not isinstance(value, bool)),
    float: ("a number", _is_number),
    bool: ("true or false", lambda value: isinstance(value, bool)),
    Sequence: ("a list of texts", _are_texts),
    Mapping: ("a table", lambda value: isinstance(value, dict)),
    LossWeights: ("a table", lambda value: isinstance(value, dict)),
}


def read_config(path: Path) -> dict[str, Any]:
    """The options in the TOML file ``path``, by the names of `AuditSettings` and `RunSettings`; keys may be written
    with _ or -, and as on the command line.

    Raises:
        ConfigError: a file that cannot be read, an option that is not known, or a value of another type.
    """
    try:
        raw = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ConfigError(f"cannot read {path}: {error.strerror or error}") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, RecursionError) as error:
        raise ConfigError(f"{path} is not a TOML file: {one_line(error)}") from error
    every = (AuditSettings, RunSettings, CommandSettings)
    types = {name: kinds(hint) for settings in every for name, hint in get_type_hints(settings).items()}
    renamed = {about.name: name for settings in every for name, about in options_of(settings).items() if about.name}
    values = {renamed.get(key, key).replace("-", "_"): value for key, value in raw.items()}
    for key, value in values.items():
        if key not in types:
            raise ConfigError(f"{path}: unknown option '{key}'; known are {', '.join(sorted(types))}")
        forms = dict(_FORMS[kind] for kind in types[key])
        if not any(fits(value) for fits in forms.values()):
            raise ConfigError(f"{path}: option '{key}' must be {' or '.join(forms)}, got {one_line(repr(value), 80)}")
        if LossWeights in types[key]:
            values[key] = LossWeights.of(value)
    return values
