"""Checks of third parties' objects against a protocol.

First the members are checked by name and type, then named rules, one by one, until one fails.
"""

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
"""By a sentence for each rule, a function that returns in words what a thing has instead, or None where the rule
holds."""
_PLAIN = {str, bool, int, float}


def hold(thing: T, rules: Rules[T], *, called: str, refusal: type[ZoomError]) -> None:
    """Check one rule after the other and refuse the thing at the first that fails.

    An exception that the thing itself raises fails the rule that was being checked.

    Args:
        thing: what is checked.
        rules: by a sentence for each rule, a function that returns what is wrong, or None where the rule holds.
        called: what messages call the thing.
        refusal: the class of the error.

    Raises:
        ZoomError: the `refusal`, one line with the rule and what the thing has in place of it.
    """
    for rule, check in rules.items():
        told = f"{called} breaks its contract: {rule}, but"
        try:
            with theirs(refusal, f"{told} it fails"):
                fault = check(thing)
        except ZoomError as error:
            if isinstance(error, refusal) and str(error).startswith(called):
                raise
            raise refusal(f"{told} it fails: {one_line(error)}") from error
        if fault:
            raise refusal(f"{told} {fault}")


@contextmanager
def theirs(refusal: type[ZoomError], told: str) -> Iterator[None]:
    """Turn whatever the code of others raises meanwhile into a `refusal`, but for our errors and a lack of memory.

    Args:
        refusal: the class of the error.
        told: the beginning of its message; the original error follows in one line.
    """
    try:
        yield
    except (ZoomError, MemoryError):
        raise
    except (Exception, SystemExit) as error:  # code that calls sys.exit would end the audit without a word
        if "OutOfMemory" in type(error).__name__:  # torch's
            raise
        raise refusal(f"{told}: {type(error).__name__}: {one_line(error)}") from error


def hold_members(thing: object, protocol: type, *, called: str, refusal: type[ZoomError]) -> None:
    """Refuse a thing that lacks a public member of `protocol` or has one of another type than the protocol says.

    Of a class, only methods and what the protocol calls a ClassVar are checked: its objects have the rest.

    Args:
        thing: an object or a class.
        protocol: the protocol whose members it must have.
        called: what messages call the thing.
        refusal: the class of the error.

    Raises:
        ZoomError: the `refusal`, one line.
    """
    hints = {name: hint for name, hint in members(protocol).items() if not (isinstance(thing, type) and _later(hint))}
    if missing := [name for name in hints if not hasattr(thing, name)]:
        raise refusal(f"{called} lacks {', '.join(missing)}: see {protocol.__name__}")
    for name, hint in hints.items():
        if wrong := _wrong(getattr(thing, name), hint):
            raise refusal(f"{called}: its {name} {wrong}, see {protocol.__name__}")


def members(protocol: type) -> dict[str, Any]:
    """Return the public members of a protocol and of those that it extends, by name.

    The value is a member's type, of a method `Callable`.
    """
    hints: dict[str, Any] = {}
    for base in reversed([base for base in protocol.__mro__ if getattr(base, "_is_protocol", False)]):
        hints |= get_type_hints(base)
        for name, member in vars(base).items():
            if isinstance(member, property):
                hints[name] = get_type_hints(member.fget)["return"]
            elif isinstance(member, classmethod) or inspect.isfunction(member):
                hints[name] = Callable
    return {name: hint for name, hint in hints.items() if not name.startswith("_")}


def _later(hint: object) -> bool:
    """Return whether objects have this member while their class need not."""
    return hint is not Callable and get_origin(hint) is not ClassVar


def _wrong(value: object, hint: object) -> str | None:
    if hint is Callable:
        return None if callable(value) else f"must be a method, not {one_line(repr(value), 80)}"
    if get_origin(hint) is ClassVar:
        (hint,) = get_args(hint)
    if value is None and NoneType in get_args(hint):
        return None
    if hint == tuple[str, ...]:
        hint = Sequence[str]  # a list will do
    return misfit(hint, value) if all(_is_plain(kind, hint) for kind in kinds_of(hint)) else None


def _is_plain(kind: object, hint: object) -> bool:
    return kind in _PLAIN or (kind is Sequence and get_args(hint) == (str,))
