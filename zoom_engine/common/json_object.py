"""JSON from other people's folders, read as values of the types that it should have."""

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
    """A JSON object; null counts as absent. All methods raise ValueError, with the key, for a value of another type."""

    def __init__(self, values: Any, name: str = "") -> None:
        """Wrap `values`; None is an empty object.

        Args:
            values: a JSON object.
            name: where the object lies, such as "config".
        """
        self.values: dict[str, Any] = {} if values is None else typed(values, dict, name or "it")
        self._name = name

    def get(self, key: str, kind: type[T]) -> T | None:
        """Return the value of `key`; None where it is not set."""
        value = self.values.get(key)
        return None if value is None else typed(value, kind, self._path(key))

    def need(self, key: str, kind: type[T]) -> T:
        """Return the value of `key`, which must be set."""
        return typed(self.values.get(key), kind, self._path(key))

    def items(self, key: str, kind: type[T]) -> tuple[T, ...] | None:
        """Return the items of the list at `key`, each of one `kind`; None where it is not set."""
        values = self.get(key, list)
        return (
            None if values is None else tuple(typed(value, kind, f"an item of {self._path(key)}") for value in values)
        )

    def object(self, key: str) -> JsonObject:
        """Return the object at `key`; an empty one where it is not set."""
        return JsonObject(self.values.get(key), self._path(key))

    def read(self, of: type[T], **known: Any) -> T:
        """Make a dataclass of the values by its fields' names, each of one type.

        A field that is not set takes its default, or None where it may be None.

        Args:
            of: the dataclass.
            known: fields that are not read.
        """
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
        """Refuse the value of `key` unless it `holds`; `must` ends the sentence "KEY must …"."""
        if not holds:
            raise ValueError(f"{self._path(key)} must {must}, not {shown(self.values.get(key))}")

    def _path(self, key: str) -> str:
        return f"{self._name}.{key}" if self._name else key


def typed(value: Any, kind: type[T], name: str) -> T:
    """Return `value` if it is of `kind`. A whole number is a number too and has 64 bits; NaN is no number.

    Raises:
        ValueError: it is of another type; the message begins with `name`.
        OverflowError: a whole number is too large for a float.
    """
    if kind is int and isinstance(value, int) and not -(2**63) <= value < 2**63:
        raise ValueError(f"{name} must be a whole number of at most 64 bits, not {shown(value)}")
    if not fits(kind, value) or (isinstance(value, float) and not math.isfinite(value)):
        raise ValueError(f"{name} must be {in_words(kind)}, not {shown(value)}")
    return cast(T, float(value) if kind is float else value)


def shown(value: Any) -> str:
    """Return a JSON value as messages show it: on one line of at most 60 characters."""
    text = one_line(json.dumps(value, ensure_ascii=False))
    return text if len(text) <= 60 else f"{text[:57]}..."
