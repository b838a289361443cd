"""The folder of an experiment: existing parts are not made again, and every file appears whole."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from zoom_engine.common.errors import ConfigError, one_line, system_errors
from zoom_engine.common.files import atomic
from zoom_engine.common.files.json_file import read_json
from zoom_engine.common.files.png import png_bytes
from zoom_engine.settings.attributes import slug

DATA, SETTINGS, TEXT, TABLE = "data.json", "settings.json", "text.txt", "data.csv"
ITEM = "\n- "
"""What begins each item of a list at the end of a paragraph of the text."""
Pixels = NDArray[np.uint8]


class Folder:
    """The folder of one experiment on one generator.

    Raises:
        ConfigError: something cannot be read or written.
    """

    def __init__(self, path: Path) -> None:
        """Use the folder at `path`; nothing is read or made."""
        self.path = path

    def begin(self, settings: Mapping[str, object]) -> None:
        """Make the folder, or resume one that was begun with equal `settings`; refuse any other."""
        settings = json.loads(json.dumps(settings))
        stored = self._read(SETTINGS)
        for name in sorted({*settings, *(stored or {})}) if stored is not None else ():
            if (stored or {}).get(name) != settings.get(name):
                raise ConfigError(f"{self.path} was begun with another '{name}': give the same, or another folder")
        if stored is None:
            self.write(SETTINGS, json.dumps(settings, indent=2, ensure_ascii=False) + "\n")

    def part(self, name: str, make: Callable[[], Any]) -> Any:
        """Return the JSON-ready part of that name from the folder, or make and store it."""
        file = f"parts/{slug(name)}.json"
        result = self._read(file)
        if result is None:
            result = make()
            self.write(file, json.dumps(result, allow_nan=False) + "\n")
        return json.loads(json.dumps(result))  # the same whether it was read or made

    def finished(self) -> dict[str, Any] | None:
        """Return what data.json holds, None before the end."""
        data: dict[str, Any] | None = self._read(DATA)
        return data

    def picture(self, name: str, pixels: Pixels) -> str:
        """Store a picture uint8 `[H, W, 3]`, and return its file, for `load`."""
        file = f"pictures/{slug(name)}.png"
        self.write(file, png_bytes(pixels))
        return file

    def load(self, file: str) -> Pixels:
        """Return a picture that `picture` stored."""
        try:
            with Image.open(self.path / file) as picture:
                return np.asarray(picture.convert("RGB"))
        except OSError as error:
            raise ConfigError(
                f"cannot read {self.path / file} ({one_line(error)}): run the experiment again"
            ) from error

    def write_table(self, rows: Sequence[Mapping[str, object]], file: str = TABLE) -> None:
        """Write rows of the same columns as CSV."""
        text = io.StringIO()
        table = csv.DictWriter(text, list(rows[0]) if rows else [], lineterminator="\n")
        table.writeheader()
        table.writerows(rows)
        self.write(file, text.getvalue())

    def write(self, file: str, content: str | bytes) -> Path:
        """Write a file of the folder, whole or not at all, and return its path."""
        path = self.path / file
        with system_errors(ConfigError, f"cannot write {path}"):
            path.parent.mkdir(parents=True, exist_ok=True)
            atomic.write_bytes(path, content if isinstance(content, bytes) else content.encode())
        return path

    def _read(self, file: str) -> Any:
        try:
            return read_json(self.path / file)
        except FileNotFoundError:
            return None
        except (OSError, ValueError) as error:
            raise ConfigError(f"cannot read {self.path / file} ({one_line(error)}): delete it") from error
