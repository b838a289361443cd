"""The square of a photograph that a generator can draw: cut by the points of its face, or from its middle."""

from __future__ import annotations

import csv
import io
import math
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from PIL import Image, ImageOps

from zoom_engine.common.errors import PhotographError, one_line
from zoom_engine.common.files.json_file import read_json
from zoom_engine.photographs.reading import LEAST_SIDE

Point = tuple[float, float]
LANDMARKS = ("landmarks.csv", "landmarks.json")
_DAMAGED = (ValueError, TypeError, KeyError, AttributeError, OverflowError, RecursionError, csv.Error)
_MOST_BYTES = 1 << 26
_FARTHEST = 1e6
_LARGEST = 8  # times the picture's longer side, of the square
_MARGIN = 4  # pixels that are kept around the square


class FacePoints(NamedTuple):
    """(x, y) of both eyes' middles and of the mouth's (the mean of its corners). Left and right are the picture's."""

    left_eye: Point
    right_eye: Point
    mouth: Point


COLUMNS = ("file", *(f"{name}_{axis}" for name in FacePoints._fields for axis in "xy"))
FFHQ = FacePoints((0.3769, 0.4686), (0.6229, 0.4691), (0.5023, 0.7252))
"""The places of the points in pictures aligned as FFHQ's are (Karras 2019), in shares of the side: the five-point
template for 512² that face restoration uses for them (facexlib)."""


def read_landmarks(folder: Path) -> dict[str, FacePoints]:
    """Return the points of each photograph by its file's name; empty where the folder has no file of landmarks.

    Points are in pixels of the upright picture, whose upper left corner is (0, 0). They come from `landmarks.csv` with
    the columns file, left_eye_x, left_eye_y, right_eye_x, right_eye_y, mouth_x and mouth_y, or from `landmarks.json`,
    {file: {"left_eye": [x, y], "right_eye": [x, y], "mouth": [x, y]}}.

    Raises:
        PhotographError: it cannot be read, has two rows for a file, or its points are no numbers or those of a mirrored
            face.
    """
    files = [folder / name for name in LANDMARKS if (folder / name).is_file()]
    if not files:
        return {}
    path = files[0]
    try:
        if path.stat().st_size > _MOST_BYTES:
            raise ValueError(f"it has more than {_MOST_BYTES >> 20} MiB")
        rows = _csv_rows(path.read_text(encoding="utf-8-sig")) if path.suffix == ".csv" else read_json(path)
        return {str(file): _points(points) for file, points in rows.items()}
    except (OSError, *_DAMAGED) as error:
        reason = f"no {error}" if isinstance(error, KeyError) else one_line(error, 160)
        columns = ", ".join(COLUMNS)
        raise PhotographError(
            f"{path.name} holds no landmarks ({reason}): a CSV file's columns are {columns}"
        ) from error


def _csv_rows(text: str) -> dict[str, dict[str, list[float]]]:
    rows = csv.DictReader(io.StringIO(text, newline=""), strict=True)
    for column in COLUMNS:
        if column not in (rows.fieldnames or ()):
            raise KeyError(column)
    points: dict[str, dict[str, list[float]]] = {}
    for row in rows:
        file = row["file"]
        if file in points:  # a detector writes one for each face
            raise PhotographError(
                f"{LANDMARKS[0]}, line {rows.line_num}: {one_line(file, 120)} is in two rows: keep that of one face"
            )
        points[file] = {name: [float(row[f"{name}_{axis}"]) for axis in "xy"] for name in FacePoints._fields}
    return points


def _points(points: dict[str, Any]) -> FacePoints:
    coordinates = []
    for name in FacePoints._fields:
        x, y = (float(value) for value in points[name])
        if not (abs(x) <= _FARTHEST and abs(y) <= _FARTHEST):  # nor NaN, which max passes over where it comes second
            raise ValueError(f"{name} lies in no picture")
        coordinates.append((x, y))
    left, right, mouth = (complex(*place) for place in coordinates)
    if ((right - left).conjugate() * (mouth - (left + right) / 2)).imag <= 0:
        raise ValueError("an eye that lies right of the other is its left one: left and right are the picture's")
    return FacePoints(*coordinates)


def in_middle(picture: Image.Image, side: int) -> NDArray[np.uint8]:
    """Return the largest square in the middle of an RGB picture as uint8 `[side, side, 3]`."""
    return np.array(ImageOps.fit(picture, (side, side), Image.Resampling.LANCZOS), dtype=np.uint8)


def by_points(picture: Image.Image, points: FacePoints, canonical: FacePoints, side: int) -> NDArray[np.uint8]:
    """Return the square of an RGB picture in which `points` lie nearest to `canonical`, as uint8 `[side, side, 3]`.

    It is the similarity transform of least squares (Umeyama 1991; in the plane one complex number). Beyond the
    picture's edge the picture is mirrored.

    Args:
        picture: an RGB picture.
        points: in pixels of the picture.
        canonical: in shares of the square's side.
        side: of the square, in pixels.

    Raises:
        PhotographError: the square would be smaller than a picture may be, or far outside.
    """
    given, wanted = (np.array([complex(*point) for point in face_points]) for face_points in (points, canonical))
    given_mean, wanted_mean = given.mean(), wanted.mean()
    around = wanted - wanted_mean
    turn = complex((around.conj() @ (given - given_mean)) / (around.conj() @ around).real)  # pixels per side
    origin = complex(given_mean - turn * wanted_mean)
    corners = np.array([origin + turn * corner for corner in (0, 1, 1j, 1 + 1j)])
    left, top = corners.real.min() - _MARGIN, corners.imag.min() - _MARGIN
    right, bottom = corners.real.max() + _MARGIN, corners.imag.max() + _MARGIN
    width, height = picture.size
    box = (max(0, int(left)), max(0, int(top)), min(width, math.ceil(right)), min(height, math.ceil(bottom)))
    too_large = abs(turn) > _LARGEST * max(width, height)
    if too_large or abs(turn) < LEAST_SIDE or box[2] - box[0] < LEAST_SIDE or box[3] - box[1] < LEAST_SIDE:
        raise PhotographError("its landmarks are those of no face in it")
    factor = max(1, int(abs(turn) / side))
    part = picture.crop(box).reduce(factor)
    pixels = torch.from_numpy(np.array(part, dtype=np.float32)).permute(2, 0, 1)[None]
    fine = 2 * side
    at = (np.arange(fine) + 0.5) / fine
    coordinates = origin + turn * (at[None, :] + 1j * at[:, None]) - complex(box[0], box[1])
    grid = np.stack([coordinates.real / factor / part.width, coordinates.imag / factor / part.height], axis=-1) * 2 - 1
    drawn = F.grid_sample(
        pixels, torch.from_numpy(grid.astype(np.float32))[None], padding_mode="reflection", align_corners=False
    )
    square = F.avg_pool2d(drawn, 2)[0].permute(1, 2, 0).round().clamp(0, 255)
    return np.ascontiguousarray(square.numpy().astype(np.uint8))
