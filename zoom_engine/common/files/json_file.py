"""JSON from others, read with limits on its size, its depth and its numbers."""

from __future__ import annotations

import errno
import json
import math
import stat
from pathlib import Path
from typing import Any, BinaryIO, NoReturn

from zoom_engine.common.errors import one_line

LARGEST = 1 << 28
"""The largest file, in bytes."""
LEVELS = 50
"""The deepest nesting of arrays and objects. Our files have under ten levels; code that compares or shows them
recurses."""
MOST_PARTS = 2_000_000
"""The most arrays and objects of one text: each takes 60 bytes of memory and more, however little it holds."""

_OTHERS = bytes(set(range(256)) - set(b"[]{}"))


def parse_json(content: bytes, *, finite: bool = True) -> Any:
    """Return the value that the text `content` (UTF-8) stands for.

    Args:
        content: the bytes of the text.
        finite: whether NaN and infinity are refused, and numbers that no float holds.

    Raises:
        ValueError: no JSON, nested deeper than `LEVELS`, or of more than `MOST_PARTS` arrays and objects.
    """
    if content.count(b"[") + content.count(b"{") > MOST_PARTS:
        raise ValueError(f"it has more than {MOST_PARTS:,} arrays and objects")
    try:
        text = content.decode("utf-8-sig")
        value = json.loads(text, parse_constant=_refuse_constant, parse_float=_finite) if finite else json.loads(text)
    except RecursionError:
        raise ValueError(f"it is nested deeper than {LEVELS} levels") from None
    except UnicodeDecodeError as error:
        raise ValueError(f"it is no UTF-8, from byte {error.start} on") from None
    if not _is_flat(content):
        check_depth(value)
    return value


def read_json(path: Path) -> Any:
    """Return the value in the JSON file at `path`.

    Raises:
        ValueError: as `parse_json`, and for a file of more than `LARGEST` bytes.
        OSError: the file cannot be read.
    """
    with opened(path) as file:
        content = file.read(LARGEST + 1)
    if len(content) > LARGEST:
        raise ValueError(f"it has more than {LARGEST >> 20} MB")
    return parse_json(content)


def opened(path: Path) -> BinaryIO:
    """Open a regular file for reading: a pipe would be waited for, and a device has no end.

    Raises:
        OSError: it is no regular file, or cannot be opened.
    """
    if not stat.S_ISREG(path.stat().st_mode):
        raise OSError(errno.EINVAL, "it is a folder, a pipe or a device, and no file", str(path))
    return path.open("rb")


def check_depth(value: object, levels: int = LEVELS) -> None:
    """Refuse a value whose arrays and objects are nested deeper than `levels`.

    Raises:
        ValueError: it is nested deeper.
    """
    layer = [value]
    for _ in range(levels):
        layer = [
            inside
            for one in layer
            if isinstance(one, dict | list)
            for inside in (one.values() if isinstance(one, dict) else one)
            if isinstance(inside, dict | list)
        ]
        if not layer:
            return
    raise ValueError(f"it is nested deeper than {levels} levels")


def _is_flat(content: bytes) -> bool:
    """Return whether the text's brackets alone show that it is nested no deeper than `LEVELS`.

    They do in most texts, and a walk over the values takes as long as reading them.
    """
    brackets = content.translate(None, _OTHERS)
    for _ in range(LEVELS):
        inner = brackets.replace(b"[]", b"").replace(b"{}", b"")
        if len(inner) in (0, len(brackets)):  # nothing left, or brackets in texts
            return not inner
        brackets = inner
    return False


def _finite(number: str) -> float:
    """Return a number; Python reads 1e999 as infinity."""
    if math.isinf(value := float(number)):
        raise ValueError(f"{one_line(number, 40)} is no number that a float holds")
    return value


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not JSON")
