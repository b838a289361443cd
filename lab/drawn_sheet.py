"""``python -m lab.drawn_sheet DOMAIN FILE``: the first pictures of a drawn domain's seed, side by side.

Drawing them again shows whether what the pages show is what the renderer draws.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from importlib import import_module
from pathlib import Path

from PIL import Image

from lab.pictures import tiled

SEED, COLUMNS, ROWS = 1, 6, 4


def main(arguments: Sequence[str] | None = None) -> None:
    """Read the command line, draw and write."""
    parser = argparse.ArgumentParser(prog="python -m lab.drawn_sheet", description=__doc__)
    parser.add_argument("domain", help="a folder of zoom_engine/domains")
    parser.add_argument("file", type=Path, help="such as docs/pictures/cars.webp")
    options = parser.parse_args(arguments)
    try:
        subject = import_module(f"zoom_engine.domains.{options.domain}.domain").DOMAIN.subject
    except ModuleNotFoundError as error:
        parser.error(f"no domain {options.domain!r}: {error}")
    pictures, _ = subject.sample(ROWS * COLUMNS, SEED)
    sheet = tiled(pictures.reshape(ROWS, COLUMNS, *pictures.shape[1:]))
    Image.fromarray(sheet).save(options.file, quality=90)


if __name__ == "__main__":
    main()
