"""Checks of values from a file or a mapping against their type hints, with messages in words."""

from __future__ import annotations

import collections.abc
import dataclasses
import difflib
import functools
import inspect
import numbers
from collections.abc import Callable, Collection, Mapping, Sequence
from pathlib import Path
from types import NoneType, UnionType
from typing import Any, Literal, ParamSpec, TypeVar, Union, get_args, get_origin

from zoom_engine.common.errors import ConfigError, one_line

P = ParamSpec("P")
T = TypeVar("T")

_WORDS: dict[Any, str] = {
    **dict.fromkeys((str, Path), "a text"),
    int: "a whole number",
    float: "a number",
    bool: "true or false",
    Sequence: "a list of texts",
    collections.abc.Callable: "a function",
    Mapping: "a table",
    dict: "an object",
    tuple: "a list",
}
_TYPES = {Path: str | Path, float: int | float}


def kinds_of(hint: object) -> list[Any]:
    """Return the types of a hint without their parameters, without None and Any."""
    return [get_origin(part) or part for part in parts_of(hint)]


def parts_of(hint: object) -> list[object]:
    """Return the types of a hint, without None and Any."""
    parts = get_args(hint) if get_origin(hint) in (Union, UnionType) else (hint,)
    return [part for part in parts if part not in (NoneType, Any)]


def check_options(options: Mapping[str, object], hints: Mapping[str, object], called: str, *, place: str = "") -> None:
    """Refuse an option that `hints` do not have, or of another type than they say; None means that it was not given.

    Args:
        options: what was given, by name.
        hints: type hints, by name.
        called: what messages call an option.
        place: how a message begins.

    Raises:
        ConfigError: for the first such option.
    """
    for name, given in options.items():
        value = plain(given)
        if name not in hints:
            raise ConfigError(f"{place}unknown {called} {one_of(name, hints)}")
        if value is not None and (wrong := misfit(hints[name], value)):
            raise ConfigError(f"{place}{called} '{name}' {wrong}")


def one_of(name: object, known: Collection[str]) -> str:
    """Return the unknown `name` in quotes, and the one of `known` that may be meant, or all of them."""
    near = difflib.get_close_matches(str(name), known, n=1, cutoff=0.75)
    told = f"did you mean '{near[0]}'?" if near else f"known are {one_line(', '.join(known), 200)}"
    return f"'{one_line(str(name), 80)}'; {told}"


def plain(value: object) -> Any:
    """Return a number of NumPy's, or of another library's, as Python's, and torch's device as its name.

    All else is as it is.
    """
    if isinstance(value, bool):
        return value
    if (type(value).__module__, type(value).__name__) == ("torch", "device"):  # torch is not loaded here
        return str(value)
    if isinstance(value, numbers.Integral):
        return int(value)
    return float(value) if isinstance(value, numbers.Real) else value


def named_options(function: Callable[P, T]) -> Callable[P, T]:
    """Decorate a function: an option that it does not have is a ConfigError, and NumPy's numbers come as Python's.

    A function with `**options` has any.
    """
    parameters = inspect.signature(function).parameters
    known = [name for name, parameter in parameters.items() if parameter.kind is parameter.KEYWORD_ONLY]
    takes_any = any(parameter.kind is parameter.VAR_KEYWORD for parameter in parameters.values())

    @functools.wraps(function)
    def called(*given: P.args, **options: P.kwargs) -> T:
        for name in options:
            if name not in known and not takes_any:
                raise ConfigError(f"{function.__name__} has no option {one_of(name, known)}")
        return function(*given, **{name: plain(value) for name, value in options.items()})

    return called


def misfit(hint: object, value: object) -> str | None:
    """Return a phrase with what is wanted and what `value` is instead; None where it fits."""
    return None if fits(hint, value) else f"must be {in_words(hint)}, got {one_line(repr(value), 80)}"


def fits(hint: object, value: object) -> bool:
    """Return whether the value is of the hint's type; a whole number is a number too, true and false are no numbers."""
    return any(_fits(part, value) for part in parts_of(hint))


def in_words(hint: object) -> str:
    """Return in words what a value must be, such as "a text or a whole number"."""
    words = list(dict.fromkeys(word for part in parts_of(hint) for word in _words(part)))
    return " or ".join(filter(None, [", ".join(words[:-1]), words[-1]]))


def _words(part: Any) -> Sequence[str]:
    kind = get_origin(part) or part
    if kind is Literal:
        return [repr(choice) for choice in get_args(part)]
    return [_WORDS.get(kind) or ("a table" if dataclasses.is_dataclass(kind) else f"a {kind.__name__.lower()}")]


def _fits(part: Any, value: object) -> bool:
    kind = get_origin(part) or part
    if kind is Literal:
        return isinstance(value, str) and value in get_args(part)
    if kind is Sequence:
        (entries,) = get_args(part) or (str,)
        return isinstance(value, list | tuple) and all(fits(entries, entry) for entry in value)
    if isinstance(value, bool):
        return kind is bool
    if dataclasses.is_dataclass(kind) and isinstance(value, Mapping):
        return True
    return isinstance(value, _TYPES.get(kind, kind))
