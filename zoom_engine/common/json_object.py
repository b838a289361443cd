"""JSON from other people's folders, read as values of the types that it should have."""

from __future__ import annotations

import dataclasses
import json
import re
from collections.abc import Mapping
from typing import Annotated, Any, TypeVar, cast, get_args, get_origin, get_type_hints

import msgspec
from msgspec import Meta

from zoom_engine.common.errors import one_line
from zoom_engine.common.typed import in_words, parts_of

T = TypeVar("T")

Whole = Annotated[int, Meta(ge=-(2**63), le=2**63 - 1, description="a whole number of at most 64 bits")]
Count = Annotated[int, Meta(ge=0, le=2**63 - 1, description="a whole number, 0 or more")]
Positive = Annotated[int, Meta(ge=1, le=2**63 - 1, description="a whole number above 0 of at most 64 bits")]
Share = Annotated[float, Meta(ge=0, le=1, description="a number in [0, 1]")]
Interval = Annotated[tuple[float, float], Meta(description="[low, high]")]


class JsonObject:
    """A JSON object; null counts as absent. All methods raise ValueError, with the key, for a value of another type."""

    def __init__(self, values: object, name: str = "") -> None:
        """Wrap `values`; None is an empty object.

        Args:
            values: a JSON object.
            name: where the object lies, such as "config".
        """
        self.values: dict[str, Any] = {} if values is None else read_as(dict, values, name)
        self.name = name

    def get(self, key: str, kind: type[T]) -> T | None:
        """Return the value of `key`, see `read_as`; None where it is not set."""
        return None if self.values.get(key) is None else self.need(key, kind)

    def need(self, key: str, kind: type[T]) -> T:
        """Return the value of `key`, which must be set."""
        return read_as(kind, self.values.get(key), self._path(key))

    def object(self, key: str) -> JsonObject:
        """Return the object at `key`; an empty one where it is not set."""
        return JsonObject(self.values.get(key), self._path(key))

    def read(self, of: type[T], **known: Any) -> T:
        """Return the object as a dataclass, see `read_as`, with the fields that are `known` instead of its own."""
        return read_as(of, {**{key: one for key, one in self.values.items() if one is not None}, **known}, self.name)

    def check(self, key: str, holds: bool, must: str) -> None:
        """Refuse the value of `key` unless it `holds`; `must` ends the sentence "KEY must …"."""
        if not holds:
            raise ValueError(f"{self._path(key)} must {must}, not {shown(self.values.get(key))}")

    def _path(self, key: str) -> str:
        return f"{self.name}.{key}".lstrip(".")


def read_as(of: type[T], values: object, name: str = "") -> T:
    """Return parsed JSON as a value of the type that it should have; names that a dataclass does not know are left out.

    Args:
        of: a dataclass, or what its fields may be, mappings of anything among them. What is asked beyond a type its
            hints say by `Meta`, with the description that messages take.
        values: the parsed JSON.
        name: where it lies, such as "config".

    Raises:
        ValueError: it is of another type; the message begins with its place.
    """
    try:
        return cast(T, msgspec.convert(values, Whole if of is int else of))
    except msgspec.ValidationError as error:
        raise ValueError(_told(str(error), of, values, name)) from None


def _told(refusal: str, hint: object, value: Any, place: str) -> str:
    """Say in words what msgspec refuses, by the hint, and show the value, which it does not."""
    what, _, path = refusal.partition(" - at ")
    missing = re.search("missing required field `(.*)`", what)
    for key, number in re.findall(r"\.(\w+)|\[(\d+)\]", f"{path}.{missing[1]}" if missing else path):
        if _descriptions(hint):
            break
        hint = _inside(hint, key or int(number))
        value = value[int(number)] if number else value.get(key)
        place = f"{place}[{number}]" if number else f"{place}.{key}".lstrip(".")
    words = _descriptions(hint) or dict.fromkeys(in_words(_plain(part)) for part in parts_of(hint))
    return f"{place or 'it'} must be {' or '.join(words)}, not {shown(value)}"


def _descriptions(hint: object) -> list[str]:
    return [note.description for part in parts_of(hint) for note in getattr(part, "__metadata__", ())]


def _inside(hint: object, place: str | int) -> object:
    """Return the hint of a field, or of an item."""
    for part in parts_of(hint):
        if isinstance(place, str) and dataclasses.is_dataclass(part):
            return get_type_hints(part, include_extras=True)[place]
        if isinstance(place, int) and get_origin(part) is tuple:
            return get_args(part)[0]
    raise AssertionError(f"{hint} has no {place}")


def _plain(part: object) -> object:
    """Return what JSON calls a part of a hint."""
    return dict if dataclasses.is_dataclass(part) or get_origin(part) is Mapping else part


def shown(value: object) -> str:
    """Return a JSON value as messages show it: on one line of at most 60 characters."""
    text = one_line(json.dumps(value, ensure_ascii=False))
    return text if len(text) <= 60 else f"{text[:57]}..."
