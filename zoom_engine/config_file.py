"""An audit's options from a TOML file: the command line's names, each held to its type."""

from __future__ import annotations

import tomllib
from collections.abc import Callable
from pathlib import Path
from typing import Any

from zoom_engine.errors import ConfigError, one_line


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _are_texts(value: object) -> bool:
    return isinstance(value, list) and all(isinstance(entry, str) for entry in value)


_KINDS: dict[str, Callable[[object], bool]] = {
    "a text": lambda value: isinstance(value, str),
    "a whole number": lambda value: isinstance(value, int) and not isinstance(value, bool),
    "a number": _is_number,
    "a list of texts": _are_texts,
    "a text or a list of texts": lambda value: isinstance(value, str) or _are_texts(value),
    "true or false": lambda value: isinstance(value, bool),
    "a table": lambda value: isinstance(value, dict),
}
_KIND_OF = {
    **dict.fromkeys(("generator", "target", "neutral", "text_encoder", "mode", "search", "directions"), "a text"),
    **dict.fromkeys(("edit_range", "device", "backend", "precision", "cache", "out"), "a text"),
    **dict.fromkeys(("generator_class", "truncation_cutoff", "images", "seed", "steps"), "a whole number"),
    **dict.fromkeys(("batch_size", "threads"), "a whole number"),
    **dict.fromkeys(("threshold", "truncation", "decisive_change"), "a number"),
    **dict.fromkeys(("attributes", "labels"), "a list of texts"),
    "templates": "a text or a list of texts",
    "download": "true or false",
    **dict.fromkeys(("search_options", "target_options"), "a table"),
}
_RENAMED = {"template": "templates", "attribute": "attributes", "label": "labels", "range": "edit_range"}


def read_config(path: Path) -> dict[str, Any]:
    """The options in the TOML file ``path``, by the names of `Diagnoser` and of its ``run``; keys may be written with
    _ or -, as on the command line.

    Raises:
        ConfigError: a file that cannot be read, an option that is not known, or a value of another type.
    """
    try:
        raw = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ConfigError(f"cannot read {path}: {error.strerror or error}") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, RecursionError) as error:
        raise ConfigError(f"{path} is not a TOML file: {one_line(error)}") from error
    values = {_RENAMED.get(key, key).replace("-", "_"): value for key, value in raw.items()}
    for key, value in values.items():
        if key not in _KIND_OF:
            raise ConfigError(f"{path}: unknown option '{key}'; known are {', '.join(sorted(_KIND_OF))}")
        if not _KINDS[_KIND_OF[key]](value):
            raise ConfigError(f"{path}: option '{key}' must be {_KIND_OF[key]}, got {one_line(repr(value), 80)}")
    return {key: Path(value) if key in ("out", "cache") else value for key, value in values.items()}
