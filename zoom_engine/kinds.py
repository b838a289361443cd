"""What a value must be by its type hint, said in words: for values that come from a file or in a mapping."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import NoneType, UnionType
from typing import Any, Literal, Union, get_args, get_origin

from zoom_engine.errors import ConfigError, one_line

_WORDS: dict[Any, str] = {
    **dict.fromkeys((str, Path, Literal), "a text"),
    int: "a whole number",
    float: "a number",
    bool: "true or false",
    Sequence: "a list of texts",
    Mapping: "a table",
    dict: "an object",
}
_TYPES = {Path: str, Literal: str, float: int | float}


def kinds_of(hint: Any) -> list[Any]:
    """The types of a hint without their parameters, without None and Any."""
    parts = get_args(hint) if get_origin(hint) in (Union, UnionType) else (hint,)
    return [get_origin(part) or part for part in parts if part not in (NoneType, Any)]


def check_options(options: Mapping[str, Any], hints: Mapping[str, Any], called: str, *, place: str = "") -> None:
    """Refuse, by a ConfigError that begins with the ``place``, an option that ``hints`` have not, or of another type
    than they say; None is what was not said. ``called``: what messages call one."""
    for name, value in options.items():
        if name not in hints:
            known = one_line(", ".join(hints), 200)
            raise ConfigError(f"{place}unknown {called} '{one_line(name, 80)}'; known are {known}")
        if value is not None and (wrong := misfit(hints[name], value)):
            raise ConfigError(f"{place}{called} '{name}' {wrong}")


def misfit(hint: Any, value: object) -> str | None:
    """What is wanted, and what `value` is in its place; None where it fits."""
    return None if fits(hint, value) else f"must be {in_words(hint)}, got {one_line(repr(value), 80)}"


def fits(hint: Any, value: object) -> bool:
    """The value is of the hint's type; a whole number is a number too, and true and false are no numbers."""
    return any(_fits(kind, value) for kind in kinds_of(hint))


def in_words(hint: Any) -> str:
    """What a value must be: "a text or a whole number"."""
    return " or ".join(dict.fromkeys(map(_word, kinds_of(hint))))


def _word(kind: Any) -> str:
    return _WORDS.get(kind) or ("a table" if dataclasses.is_dataclass(kind) else f"a {kind.__name__.lower()}")


def _fits(kind: Any, value: object) -> bool:
    if kind is Sequence:
        return isinstance(value, list | tuple) and all(isinstance(entry, str) for entry in value)
    if isinstance(value, bool):
        return kind is bool
    if dataclasses.is_dataclass(kind) and isinstance(value, Mapping):
        return True
    return isinstance(value, _TYPES.get(kind, kind))
