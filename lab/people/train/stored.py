"""`python -m lab.people.train.stored`: the people that lie in the repository, a thousand to a file.

They are the first of the set that `lab.people.train.renders` draws, as WebP: whoever trains needs neither Blender nor
the hours that rendering takes. `read SET` makes a data set of them, or adds what it lacks; `write SET` stores the whole
thousands of a data set that are not stored yet.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from lab.people.train.renders import (
    file_name,
    missing,
    names_of,
    parameters_of,
    read_pictures,
    recorded,
    without_gap,
    write_picture,
    write_truth,
)
from lab.people.train.subject import SUBJECT
from lab.pictures import tiled
from zoom_engine.common.errors import ConfigError, ZoomError
from zoom_engine.common.files.atomic import replacing

STORED = Path(__file__).parents[1] / "pictures"
COLUMNS, ROWS = 40, 25  # of a file
QUALITY = 90  # 38.5 dB, at 3.5 kB a picture


def main(arguments: Sequence[str] | None = None) -> int:
    """Read the command line and copy; return the exit code."""
    parser = argparse.ArgumentParser(
        prog="python -m lab.people.train.stored", description=(__doc__ or "").split("\n")[0]
    )
    parser.add_argument("way", choices=("read", "write"), help="out of the repository, or into it")
    parser.add_argument("set", type=Path, help="folder of data sets, as lab.people.train.renders has it")
    options = parser.parse_args(arguments)
    try:
        count = {"read": read, "write": write}[options.way](options.set / str(SUBJECT.seed))
    except ZoomError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    print(f"{count} people", file=sys.stderr)
    return 0


def read(folder: Path, *, stored: Path = STORED, columns: int = COLUMNS, rows: int = ROWS) -> int:
    """Write the stored people that `folder` lacks, and its table.

    Args:
        folder: of a seed.
        stored: where they lie.
        columns: people beside each other in a file.
        rows: people below each other.

    Returns:
        How many are stored.

    Raises:
        ConfigError: the folder holds pictures of another recipe, or a file of the stored ones is damaged.
    """
    recipe, paths = (stored / "recipe.json").read_text(), files_of(stored)
    folder.mkdir(parents=True, exist_ok=True)
    about = folder / "recipe.json"
    if about.exists() and recorded(about) != recorded(stored / about.name):
        raise ConfigError(f"{folder} holds pictures of another recipe ({about.name} differs); give another folder")
    count = len(paths) * columns * rows
    lacking = set(missing(folder, count))
    for number, path in enumerate(paths):
        first = number * columns * rows
        if lacking.isdisjoint(range(first, first + columns * rows)):
            continue
        pictures = pictures_of(path, columns, rows)
        _write_recipe(about, recipe)  # before the first of its pictures: no other recipe may take them for its own
        for row, picture in enumerate(pictures, first):
            if row in lacking:
                write_picture(folder / file_name(row), picture)
    write_truth(folder / "truth.csv", parameters_of(max(count, len(names_of(folder))), SUBJECT.seed))
    _write_recipe(about, recipe)
    return count


def _write_recipe(about: Path, recipe: str) -> None:
    with replacing(about) as temporary:
        temporary.write_text(recipe)


def write(folder: Path, *, stored: Path = STORED, columns: int = COLUMNS, rows: int = ROWS) -> int:
    """Store the whole files of a set that are not stored yet; return how many people are stored then.

    Raises:
        ConfigError: other pictures are stored than those of this recipe, or there is no set.
    """
    recipe = recorded(folder / "recipe.json")
    stored.mkdir(parents=True, exist_ok=True)
    about = stored / "recipe.json"
    if files_of(stored) and recorded(about) != recipe:
        raise ConfigError(f"{stored} holds pictures of another recipe ({about.name} differs); remove them first")
    _write_recipe(about, (folder / "recipe.json").read_text())
    people = columns * rows
    for number in range(len(files_of(stored)), without_gap(folder) // people):
        pictures = read_pictures([folder / file_name(row) for row in range(number * people, (number + 1) * people)])
        sheet = Image.fromarray(tiled(pictures.reshape(rows, columns, *pictures.shape[1:])))
        with replacing(stored / f"{number:02d}.webp") as temporary:
            sheet.save(temporary, format="WEBP", quality=QUALITY, method=6)
    return len(files_of(stored)) * people


def files_of(stored: Path) -> list[Path]:
    """Return the files of stored people, in their order."""
    return sorted(stored.glob("[0-9][0-9].webp"))


def pictures_of(path: Path, columns: int, rows: int) -> NDArray[np.uint8]:
    """Return the people of a file, uint8 `[columns * rows, R, R, 3]`.

    Raises:
        ConfigError: it is damaged.
    """
    try:
        (sheet,) = read_pictures([path])
        height, width = sheet.shape[0] // rows, sheet.shape[1] // columns
        split = sheet.reshape(rows, height, columns, width, 3)
    except (OSError, ValueError) as error:
        raise ConfigError(f"{path} is no sheet of {columns} × {rows} people; check it out again") from error
    return np.ascontiguousarray(split.swapaxes(1, 2).reshape(rows * columns, height, width, 3))


if __name__ == "__main__":
    sys.exit(main())
