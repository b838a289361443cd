"""How the text of an option is read, by its type hint: what cyclopts cannot know of itself."""

from __future__ import annotations

import contextlib
import tomllib
from collections.abc import Callable, Iterator, Mapping, Sequence
from types import NoneType, UnionType
from typing import Any, Literal, Union, get_args, get_origin

from cyclopts import Parameter

from zoom_engine.settings import LossWeights


def kinds(hint: Any) -> list[Any]:
    """The types that a value has in a file or on a command line: without None, and without objects."""
    parts = get_args(hint) if get_origin(hint) in (Union, UnionType) else (hint,)
    return [get_origin(part) or part for part in parts if part not in (NoneType, Any)]


def form_of(hint: Any) -> tuple[Any, Parameter]:
    """The type that cyclopts is told for a setting of this hint, and how it reads the text."""
    of = kinds(hint)
    if LossWeights in of:
        return str, read_by(loss_weights)
    if tuple in of:
        return str, read_by(sizes if int in of else numbers)
    if Mapping in of:
        return list[str], Parameter(converter=lambda _, tokens: dict(named(token.value) for token in tokens))
    if Sequence in of:
        return list[str], Parameter()
    return hint if Literal in of else of[0], Parameter()


def read_by(form: Callable[[str], Any]) -> Parameter:
    """An option of one text that `form` reads, which may begin with a minus."""
    return Parameter(converter=lambda _, tokens: form(tokens[0].value), n_tokens=1, allow_leading_hyphen=True)


def numbers(text: str) -> list[float]:
    with _wanting("numbers such as 0.5 or -1,1", text):
        return [float(part) for part in text.split(",")]


def seeds(text: str) -> list[int]:
    found: list[int] = []
    with _wanting("seeds such as 0-7 or 3,5,9", text):
        for part in text.split(","):
            first, _, last = part.partition("-")
            found += range(int(first), int(last or first) + 1)
    return found


def sizes(text: str) -> int | tuple[int, int]:
    height, comma, width = text.partition(",")
    with _wanting("pixels such as 224 or 192,256 (height, width)", text):
        return (int(height), int(width)) if comma else int(height)


def loss_weights(text: str) -> LossWeights:
    with _wanting("three numbers, of L_target, L_struct and L_attr, such as 50,10,1", text):
        target, structure, label = (float(part) for part in text.split(","))
    return LossWeights(target=target, structure=structure, label=label)


def named(text: str) -> tuple[str, Any]:
    """NAME=VALUE, the value as TOML has it; else a text."""
    name, equals, value = text.partition("=")
    if not (name and equals):
        raise ValueError(f"write NAME=VALUE, such as step_size=0.5, not {text!r}")
    try:
        return name, tomllib.loads(f"value = {value}")["value"]
    except tomllib.TOMLDecodeError:
        return name, value


@contextlib.contextmanager
def _wanting(form: str, text: str) -> Iterator[None]:
    """Says which form an option has, where `text` is of another."""
    try:
        yield
    except ValueError as error:
        raise ValueError(f"write {form}, not {text!r}") from error
