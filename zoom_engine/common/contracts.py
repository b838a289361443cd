"""How what others bring is held to its protocol: members by their names and types, then named rules, one by one, until
one is broken."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from types import NoneType
from typing import Any, ClassVar, TypeVar, get_args, get_origin, get_type_hints

from zoom_engine.common.errors import ZoomError, one_line
from zoom_engine.common.typed import kinds_of, misfit

T = TypeVar("T")
Rules = Mapping[str, Callable[[T], str | None]]
"""A sentence for each rule, and what finds what a thing has in place of it: numbers, in words; None where it holds."""
_PLAIN = {str, bool, int, float}


def hold(thing: T, rules: Rules[T], *, called: str, refusal: type[ZoomError]) -> None:
    """Look at one rule after the other; of the first that is broken there is a `refusal`, one line with the rule and
    what was found. What the thing itself raises breaks the rule that was looked at."""
    for rule, broken in rules.items():
        told = f"{called} breaks its contract: {rule}, but"
        try:
            with theirs(refusal, f"{told} it fails"):
                found = broken(thing)
        except ZoomError as error:
            if isinstance(error, refusal) and str(error).startswith(called):
                raise
            raise refusal(f"{told} it fails: {one_line(error)}") from error
        if found:
            raise refusal(f"{told} {found}")


@contextmanager
def theirs(refusal: type[ZoomError], told: str) -> Iterator[None]:
    """Within it whatever the code of others raises, but errors of ours and a lack of memory, is a `refusal`: what is
    `told`, and the error in one line."""
    try:
        yield
    except (ZoomError, MemoryError):
        raise
    except Exception as error:
        if "OutOfMemory" in type(error).__name__:  # torch's
            raise
        raise refusal(f"{told}: {type(error).__name__}: {one_line(error)}") from error


def hold_members(thing: object, protocol: type, *, called: str, refusal: type[ZoomError]) -> None:
    """Refuse what lacks a public member of `protocol`, or has one of another type than the protocol says. Of a class,
    whose objects have the rest, methods and what the protocol calls a ClassVar are looked at."""
    hints = {name: hint for name, hint in members(protocol).items() if not (isinstance(thing, type) and _later(hint))}
    if missing := [name for name in hints if not hasattr(thing, name)]:
        raise refusal(f"{called} lacks {', '.join(missing)}: see {protocol.__name__}")
    for name, hint in hints.items():
        if wrong := _wrong(getattr(thing, name), hint):
            raise refusal(f"{called}: its {name} {wrong}, see {protocol.__name__}")


def members(protocol: type) -> dict[str, Any]:
    """The public members of a protocol and of those that it extends: the type of each, of a method `Callable`."""
    found: dict[str, Any] = {}
    for base in reversed([base for base in protocol.__mro__ if getattr(base, "_is_protocol", False)]):
        found |= get_type_hints(base)
        for name, member in vars(base).items():
            if isinstance(member, property):
                found[name] = get_type_hints(member.fget)["return"]
            elif isinstance(member, classmethod) or inspect.isfunction(member):
                found[name] = Callable
    return {name: hint for name, hint in found.items() if not name.startswith("_")}


def _later(hint: Any) -> bool:
    """A member that objects have, their class need not."""
    return hint is not Callable and get_origin(hint) is not ClassVar


def _wrong(value: object, hint: Any) -> str | None:
    if hint is Callable:
        return None if callable(value) else f"must be a method, not {one_line(repr(value), 80)}"
    if get_origin(hint) is ClassVar:
        (hint,) = get_args(hint)
    if value is None and NoneType in get_args(hint):
        return None
    if hint == tuple[str, ...]:
        hint = Sequence[str]  # a list will do
    return misfit(hint, value) if all(_is_plain(kind, hint) for kind in kinds_of(hint)) else None


def _is_plain(kind: Any, hint: Any) -> bool:
    return kind in _PLAIN or (kind is Sequence and get_args(hint) == (str,))
