"""``python -m lab.people.train.sheet FOLDER PICTURE``: show the first people of a rendered set beside each other.

FOLDER is that of a seed, as `lab.people.train.renders` writes it; nothing is rendered.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from PIL import Image

from lab.people.train.renders import file_name, read_pictures
from lab.pictures import tiled
from zoom_engine.common.errors import ConfigError, ZoomError
from zoom_engine.common.files.atomic import replacing


def main(arguments: Sequence[str] | None = None) -> int:
    """Read the command line and write the picture; return the exit code."""
    parser = argparse.ArgumentParser(
        prog="python -m lab.people.train.sheet", description=(__doc__ or "").split("\n")[0]
    )
    parser.add_argument("folder", type=Path, help="of a seed of the data set")
    parser.add_argument("picture", type=Path, help="file to write; its ending says the format")
    parser.add_argument("--first", type=int, default=0, help="row to begin with (0)")
    parser.add_argument("--columns", type=int, default=4, help="people beside each other (4)")
    parser.add_argument("--rows", type=int, default=4, help="people below each other (4)")
    options = parser.parse_args(arguments)
    try:
        picture = sheet(options.folder, options.first, options.columns, options.rows)
        with replacing(options.picture) as temporary:
            picture.save(temporary, quality=85, method=6)
    except ZoomError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    return 0


def sheet(folder: Path, first: int, columns: int, rows: int) -> Image.Image:
    """Return `columns` × `rows` pictures of a set, in the order of its table.

    Raises:
        ConfigError: there is nothing to show, or a picture is not rendered yet.
    """
    if columns < 1 or rows < 1 or first < 0:
        raise ConfigError(f"{columns} columns and {rows} rows from row {first} on show nobody; give 1 or more of each")
    paths = [folder / file_name(first + index) for index in range(columns * rows)]
    for path in paths:
        if not path.exists():
            raise ConfigError(
                f"{path} is not rendered; render it with python -m lab.people.train.renders, or show less"
            )
    pictures = read_pictures(paths)
    return Image.fromarray(tiled(pictures.reshape(rows, columns, *pictures.shape[1:])))


if __name__ == "__main__":
    sys.exit(main())
