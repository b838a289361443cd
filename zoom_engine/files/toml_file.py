"""TOML files of the user's: read with one line for what is wrong."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any

from zoom_engine.errors import ConfigError, one_line


def read_toml(path: Path, *, called: str = "") -> dict[str, Any]:
    """The tables of the file ``path``, which messages call ``called``, by default by its path.

    Raises:
        ConfigError: a file that cannot be read, or that is no TOML.
    """
    name = called or str(path)
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ConfigError(f"cannot read {name}: {error.strerror or error}") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, RecursionError) as error:
        raise ConfigError(f"{name} is not a TOML file: {one_line(error)}") from error
