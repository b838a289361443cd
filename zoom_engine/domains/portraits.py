"""Parameters → pictures, a few at a time, by what paints a domain's portraits."""

from __future__ import annotations

from typing import Protocol, TypeVar

import numpy as np
from numpy.typing import NDArray

from zoom_engine.domains.canvas import SIZE, Canvas
from zoom_engine.domains.parameters import ParameterTable
from zoom_engine.domains.truth import Table

Painted = TypeVar("Painted", bound=ParameterTable, contravariant=True)

_CHUNK = 8  # portraits painted at once: their planes stay in the processor's cache


class Portrait(Protocol[Painted]):
    """What paints every row of a domain's table of parameters, with a class map where it is asked for."""

    def __call__(self, parameters: Painted, *, classes: bool) -> Canvas:
        """Paint the rows."""
        ...


def paint_images(parameters: Table, portrait: Portrait[Table]) -> NDArray[np.uint8]:
    """Paint pictures uint8 `[n, 128, 128, 3]`, RGB."""
    images = np.empty((len(parameters), SIZE, SIZE, 3), dtype=np.uint8)
    for start in range(0, len(parameters), _CHUNK):
        rows = slice(start, start + _CHUNK)
        images[rows] = portrait(parameters[rows], classes=False).image()
    return images


def paint_class_maps(parameters: Table, portrait: Portrait[Table]) -> NDArray[np.uint8]:
    """Paint class maps uint8 `[n, 128, 128]`: what covers more than half of each pixel."""
    maps = np.empty((len(parameters), SIZE, SIZE), dtype=np.uint8)
    for start in range(0, len(parameters), _CHUNK):
        rows = slice(start, start + _CHUNK)
        canvas = portrait(parameters[rows], classes=True)
        if canvas.classes is not None:
            maps[rows] = canvas.classes
    return maps
