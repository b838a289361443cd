"""Tables of small plain pictures, and targets that read their colours."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

HEADER = ("image", "attribute", "strength", "file", "kind")
SIDE = 24


def write_picture(path: Path, colour: Sequence[int], size: tuple[int, int] = (SIDE, SIDE)) -> None:
    """A picture of one colour, `size` its height and width; a corner has the colour of its name: no two are equal."""
    pixels = np.full((*size, 3), colour, dtype=np.uint8)
    pixels[0, 0] = list(path.stem.encode()[-3:].rjust(3))
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels).save(path)


def write_table(folder: Path, rows: Iterable[Sequence[object]], header: Sequence[str] = HEADER) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "pairs.csv"
    with path.open("w", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows([header, *rows])
    return path


def write_pairs(folder: Path, images: int = 6, *, controls: int = 2, size: tuple[int, int] = (SIDE, SIDE)) -> Path:
    """Pictures of a grey g from 40 on: "red" at 0.5 and 1 adds 60 and 120 of red, "blue" at 1 adds 60 of blue, and each
    control adds 10 of green, or 11, …"""
    rows: list[Sequence[object]] = []

    def row(image: int, attribute: str, strength: float, colour: Sequence[int], kind: str = "") -> None:
        file = f"{image}-{attribute}-{strength}.png"
        write_picture(folder / file, colour, size)
        rows.append((f"image {image}", attribute, strength, file, kind))

    for image in range(images):
        grey = 40 + 6 * image
        row(image, "", 0, (grey, grey, grey))
        row(image, "red", 0.5, (grey + 60, grey, grey))
        row(image, "red", 1, (grey + 120, grey, grey))
        row(image, "blue", 1, (grey, grey, grey + 60))
        for control in range(controls):
            row(image, f"green {control}", 1, (grey, grey + 10 + control, grey), "control")
    return write_table(folder, rows)


def red(pictures: NDArray[np.uint8]) -> NDArray[np.float64]:
    """A black box: the probability that a picture is red, its mean red."""
    return np.asarray(pictures[..., 0].mean(axis=(1, 2)) / 255)
