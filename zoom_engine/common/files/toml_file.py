"""TOML files of the user, read with one line for what is wrong."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any

from zoom_engine.common.errors import ConfigError, one_line
from zoom_engine.common.files.json_file import opened

LARGEST = 1 << 20
"""The largest file, in bytes: nobody writes more by hand."""
_DOTS = 500
"""The most dots in a line: those of a key, and of the numbers and texts beside it."""


def read_toml(path: Path, *, called: str = "") -> dict[str, Any]:
    """Return the tables of the TOML file at `path`.

    Args:
        path: the file.
        called: what messages call it; by default its path.

    Raises:
        ConfigError: a file that cannot be read, or that is no TOML.
    """
    name = called or str(path)
    try:
        with opened(path) as file:
            content = file.read(LARGEST + 1)
        if len(content) > LARGEST:
            raise ValueError(f"it has more than {LARGEST >> 20} MB")
        text = content.decode()
        _check_dots(text)
        table = tomllib.loads(text)
        _check_integers(table)
        return table
    except OSError as error:
        raise ConfigError(f"cannot read {name}: {error.strerror or error}") from error
    except (ValueError, RecursionError) as error:  # of its form, of its encoding, and of integers without end
        raise ConfigError(f"{name} is not a TOML file: {one_line(error)}") from error


def _check_dots(text: str) -> None:
    """Refuse a key of many parts by a ValueError: reading one takes the square of their number, minutes within a MB.

    Lines end as TOML's do: other line breaks of Unicode may stand inside a key.
    """
    for number, line in enumerate(text.split("\n"), start=1):
        if line.count(".") > _DOTS:
            raise ValueError(f"line {number} has more than {_DOTS} dots: no key is as deep")


def _check_integers(table: dict[str, Any]) -> None:
    """Refuse an integer of more than 64 bits by a ValueError: TOML promises none, and no float holds all of them."""
    waiting: list[Any] = [table]
    while waiting:
        value = waiting.pop()
        if isinstance(value, dict | list):
            waiting += value.values() if isinstance(value, dict) else value
        elif isinstance(value, int) and not -(2**63) <= value < 2**63:
            raise ValueError(f"it has an integer of {value.bit_length()} bits, 63 are the most")
