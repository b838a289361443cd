"""The photographs of a folder as squares of the generator's size."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from zoom_engine.common.errors import ConfigError, PhotographError, one_line, system_errors
from zoom_engine.common.progress import ProgressFactory, silent
from zoom_engine.photographs.alignment import LANDMARKS, FacePoints, by_points, in_middle, read_landmarks
from zoom_engine.photographs.reading import given_picture, read_photograph

MOST_PHOTOGRAPHS = 500  # their squares are in memory


@dataclass(frozen=True)
class Crop:
    """The square of a photograph.

    Attributes:
        file: its name.
        cut: by the landmarks of its face, or in the middle.
        pixels: uint8 `[R, R, 3]`, None where it was refused.
        sha256: hex, of the pixels: it identifies the picture, whatever its name.
        refused: the reason, None where the photograph was read.
    """

    file: str
    cut: Literal["landmarks", "middle"] | None = None
    pixels: NDArray[np.uint8] | None = field(default=None, repr=False)
    sha256: str | None = None
    refused: str | None = None

    @property
    def image(self) -> Tensor:
        """Float32 `[1, 3, R, R]` in [-1, 1], as generators draw."""
        assert self.pixels is not None
        return torch.from_numpy(self.pixels).permute(2, 0, 1)[None].float().div(127.5).sub(1)

    @property
    def seed(self) -> int:
        """A number in 0..2³²-1 from the content, in place of a generated image's seed."""
        assert self.sha256 is not None
        return int(self.sha256[:8], 16)


def read_crops(
    folder: Path, *, side: int, canonical: FacePoints, progress: ProgressFactory = silent, sample: int | None = None
) -> list[Crop]:
    """Read every file of the folder but hidden ones and those of landmarks, by name.

    Folders in it are not read. A file that cannot be read, and one with the pixels of another, is `refused`. Of more
    files than `sample` so many are read, the same ones each time: those whose names have the smallest hashes.

    Raises:
        ConfigError: no such folder, nothing in it, or, without a sample, more than `MOST_PHOTOGRAPHS`.
        PhotographError: landmarks that cannot be read.
    """
    with system_errors(ConfigError, f"no photographs in {folder}"):
        entries = [path for path in folder.iterdir() if not path.name.startswith(".") and not path.is_dir()]
    files = sorted((path for path in entries if path.name not in LANDMARKS), key=lambda path: path.name)
    if sample is not None and len(files) > sample:
        files = sorted(sorted(files, key=_hash_of_name)[:sample], key=lambda path: path.name)
    if not 1 <= len(files) <= MOST_PHOTOGRAPHS:
        raise ConfigError(f"{folder} holds {len(files)} photographs: give a folder of 1 to {MOST_PHOTOGRAPHS}")
    landmarks = read_landmarks(folder)
    with progress(len(files), "Reading photographs", unit="photograph") as bar:
        crops = []
        for path in files:
            crops.append(_crop(path, landmarks.get(path.name), canonical, side))
            bar.update()
    return list(_once(crops))


def crops_of_pictures(pictures: Sequence[object], *, side: int) -> list[Crop]:
    """Cut pictures in memory to the square in their middle, as `read_crops` does files; they are called by number.

    Raises:
        ConfigError: there is none, or there are more than `MOST_PHOTOGRAPHS`.
    """
    if not 1 <= len(pictures) <= MOST_PHOTOGRAPHS:
        raise ConfigError(f"there are {len(pictures)} pictures: give 1 to {MOST_PHOTOGRAPHS}")
    crops = []
    for number, picture in enumerate(pictures):
        name = f"picture {number}"
        try:
            pixels = in_middle(given_picture(picture), side)
        except PhotographError as error:
            crops.append(Crop(name, refused=str(error)))
        else:
            crops.append(Crop(name, "middle", pixels, hashlib.sha256(pixels.tobytes()).hexdigest()))
    return list(_once(crops))


def crop_of_square(path: Path, side: int) -> Crop:
    """Read a square of `side` pixels that was cut before, as an audit's folder holds it.

    Raises:
        PhotographError: the file is no picture.
    """
    pixels = in_middle(read_photograph(path), side)
    return Crop(path.name, "middle", pixels, hashlib.sha256(pixels.tobytes()).hexdigest())


def _crop(path: Path, points: FacePoints | None, canonical: FacePoints, side: int) -> Crop:
    name = one_line(path.name)
    try:
        picture = read_photograph(path)
        pixels = in_middle(picture, side) if points is None else by_points(picture, points, canonical, side)
    except PhotographError as error:
        return Crop(name, refused=str(error).removeprefix(f"{name} "))
    digest = hashlib.sha256(pixels.tobytes()).hexdigest()
    return Crop(name, "middle" if points is None else "landmarks", pixels, digest)


def _hash_of_name(path: Path) -> str:
    return hashlib.sha256(path.name.encode("utf-8", "surrogateescape")).hexdigest()


def _once(crops: list[Crop]) -> Iterator[Crop]:
    """Refuse the same picture the second time: it tells nothing new."""
    first: dict[str, str] = {}
    for crop in crops:
        if crop.sha256 is not None and first.setdefault(crop.sha256, crop.file) != crop.file:
            yield Crop(crop.file, refused=f"is the same picture as {first[crop.sha256]}")
        else:
            yield crop
