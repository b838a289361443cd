"""JSON from other people's folders, asked for values of the types that it should have."""

from __future__ import annotations

import dataclasses
import functools
import json
import math
from collections.abc import Callable
from types import NoneType
from typing import Any, TypeVar, cast, get_args, get_type_hints

from zoom_engine.common.errors import one_line
from zoom_engine.common.typed import fits, in_words, kinds_of

T = TypeVar("T")
_hints: Callable[[Any], dict[str, Any]] = functools.cache(get_type_hints)


class JsonObject:
    """A JSON object; null is as good as absent. All raise ValueError, with the key, for a value of another type."""

    def __init__(self, values: Any, name: str = "") -> None:
        """`name` is where the object lies, such as "config"; None is an empty object."""
        self.values: dict[str, Any] = {} if values is None else typed(values, dict, name or "it")
        self._name = name

    def get(self, key: str, kind: type[T]) -> T | None:
        """The value of `key`; None where it is not set."""
        value = self.values.get(key)
        return None if value is None else typed(value, kind, self._path(key))

    def need(self, key: str, kind: type[T]) -> T:
        """The value of `key`, which must be set."""
        return typed(self.values.get(key), kind, self._path(key))

    def items(self, key: str, kind: type[T]) -> tuple[T, ...] | None:
        """The items of the list at `key`; None where it is not set."""
        values = self.get(key, list)
        return (
            None if values is None else tuple(typed(value, kind, f"an item of {self._path(key)}") for value in values)
        )

    def object(self, key: str) -> JsonObject:
        """The object at `key`; an empty one where it is not set."""
        return JsonObject(self.values.get(key), self._path(key))

    def read(self, of: type[T], **known: Any) -> T:
        """An ``of``, which is a dataclass: its fields that are not ``known`` are the values of their names, of one type
        each. What is not set is the field's default, or None where it may be."""
        for field in dataclasses.fields(of):  # type: ignore[arg-type]
            if field.name in known:
                continue
            hint = _hints(of)[field.name]
            (kind,) = kinds_of(hint)
            if (value := self.get(field.name, kind)) is not None or NoneType in get_args(hint):
                known[field.name] = value
            elif field.default is dataclasses.MISSING:
                self.need(field.name, kind)
        return of(**known)

    def check(self, key: str, holds: bool, must: str) -> None:
        """Refuse the value of `key` unless it `holds` what it `must`."""
        if not holds:
            raise ValueError(f"{self._path(key)} must {must}, not {shown(self.values.get(key))}")

    def _path(self, key: str) -> str:
        return f"{self._name}.{key}" if self._name else key


def typed(value: Any, kind: type[T], name: str) -> T:
    """`value` if it is of `kind`; a whole number is a number too and has 64 bits, NaN is none. Raises ValueError, or
    OverflowError."""
    if kind is int and isinstance(value, int) and not -(2**63) <= value < 2**63:
        raise ValueError(f"{name} must be a whole number of at most 64 bits, not {shown(value)}")
    if not fits(kind, value) or (isinstance(value, float) and not math.isfinite(value)):
        raise ValueError(f"{name} must be {in_words(kind)}, not {shown(value)}")
    return cast(T, float(value) if kind is float else value)


def shown(value: Any) -> str:
    """A JSON value as a message has it: on one line of at most 60 characters."""
    text = one_line(json.dumps(value, ensure_ascii=False))
    return text if len(text) <= 60 else f"{text[:57]}..."
