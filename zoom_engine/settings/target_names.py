"""The names of the folders of several targets of one run."""

from __future__ import annotations

import hashlib
import re
from collections import Counter
from collections.abc import Mapping
from typing import Any

from zoom_engine.common.errors import ConfigError, one_line

_LONGEST = 100  # characters of a folder's name
_OTHER = re.compile(r"[^\w.-]+", re.ASCII)
_CREDENTIALS = re.compile(r"(://)[^/?#\s]*@")
_QUERY = re.compile(r"(https?://[^?\s]*)\?(.*)", re.IGNORECASE | re.DOTALL)


def several_targets(target: object) -> bool:
    """Return whether `target` stands for several: a list of them, or a mapping from names."""
    return isinstance(target, list | tuple | Mapping)


def named_targets(targets: Any) -> dict[str, Any]:
    """Return the targets by the names of their folders.

    These are the names of a mapping, else what tells the targets apart in short, such as "mustache" of
    "avatars:mustache" and "new" of "models/new.onnx". They depend on the list alone, so that the same list is resumed
    with the same folders.

    Raises:
        ConfigError: there is none, a name is none of a folder, or two targets would have the same.
    """
    if isinstance(targets, Mapping):
        by_name = dict(targets)
        if wrong := [name for name in by_name if not isinstance(name, str) or _folder(name) != name]:
            raise ConfigError(f"{one_line(repr(wrong[0]), 80)} names no folder: use letters, digits, '.', '_' and '-'")
    else:
        short = [_folder(_short(target)) for target in targets]
        often = Counter(short)
        names = [
            name if often[name] == 1 else _folder(_in_full(target)) for name, target in zip(short, targets, strict=True)
        ]
        if twice := next((name for name, count in Counter(names).items() if count > 1), None):
            raise ConfigError(
                f"two targets would have the folder '{twice}': give each once, or in Python a mapping from names to"
                " targets"
            )
        by_name = dict(zip(names, targets, strict=True))
    if not by_name:
        raise ConfigError("there is no target: give at least one")
    return by_name


def without_password(text: str, *, instead: str = "USER:PASSWORD@") -> str:
    """Return a text with `instead` in place of user and password in the addresses of services and stores."""
    return _CREDENTIALS.sub(rf"\1{instead}", text)


def _short(target: object) -> str:
    """Return what is told of a target in short."""
    if not isinstance(target, str) and not hasattr(target, "__fspath__"):
        return str(getattr(target, "name", None) or getattr(target, "__name__", type(target).__name__))
    text = _QUERY.sub(r"\1", without_password(str(target), instead=""))  # it may hold a key
    _, colon, rest = text.partition(":")
    return rest if colon else re.sub(r"\.[a-z0-9]+$", "", text.rstrip("/").rpartition("/")[2])


def _in_full(target: object) -> str:
    """Return all that is told of a target but where it lies in memory, which is another place in the next run.

    A query, which may hold a key, is told by its hash.
    """
    text = re.sub(r" at 0x[0-9a-f]+", "", without_password(str(target), instead=""))
    return _QUERY.sub(lambda match: f"{match[1]}-{hashlib.sha256(match[2].encode()).hexdigest()[:8]}", text)


def _folder(text: str) -> str:
    return _OTHER.sub("-", text)[:_LONGEST].strip("-.") or "target"
