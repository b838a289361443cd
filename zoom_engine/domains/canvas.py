"""A small painter of portraits: colour planes, head and body frames, and coverage from signed distances."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.floating[Any]]

SIZE = 128
CENTER_X, CENTER_Y = 64.0, 64.0
SCALE = 1.09  # pixels of the picture per unit of the frames below
PIVOT = 45.0  # the head turns about this point of the neck, in units below the centre of the face
MAX_SHIFT_X, MAX_SHIFT_Y, MAX_TILT = 3.0, 2.0, 5.0 * math.pi / 180.0

Colour = Sequence[Array | float]


class Box(NamedTuple):
    """A rectangle of pixels."""

    rows: slice
    columns: slice


FULL = Box(slice(0, SIZE), slice(0, SIZE))


def head_box(left: float, top: float, right: float, bottom: float) -> Box:
    """Return the pixels that a rectangle of the head's frame can reach under every allowed shift and tilt."""
    xs, ys = [], []
    for angle in (-MAX_TILT, 0.0, MAX_TILT):
        for u in (left, right):
            for v in (top, bottom):
                xs.append(np.cos(angle) * u - np.sin(angle) * (v - PIVOT))
                ys.append(np.sin(angle) * u + np.cos(angle) * (v - PIVOT) + PIVOT)
    return _pixels(min(xs), min(ys), max(xs), max(ys))


def body_box(left: float, top: float, right: float, bottom: float) -> Box:
    """Return the pixels that a rectangle of the body's frame (shifted, never tilted) can reach."""
    return _pixels(left, top, right, bottom)


def _pixels(left: float, top: float, right: float, bottom: float) -> Box:
    def span(low: float, high: float, shift: float, middle: float) -> slice:
        start, stop = (low - shift) * SCALE + middle, (high + shift) * SCALE + middle
        return slice(max(0, int(np.floor(start)) - 1), min(SIZE, int(np.ceil(stop)) + 1))

    return Box(span(top, bottom, MAX_SHIFT_Y, CENTER_Y), span(left, right, MAX_SHIFT_X, CENTER_X))


def within(plane: Array, outer: Box, inner: Box) -> Array:
    """Return the part of a plane over `outer` that lies over `inner`, a box inside it."""
    top, left = outer.rows.start, outer.columns.start
    rows = slice(inner.rows.start - top, inner.rows.stop - top)
    return plane[:, rows, inner.columns.start - left : inner.columns.stop - left]


def cover(distance: Array, softness: float = 1.0) -> Array:
    """Compute the pixel coverage in [0, 1] of a shape with this signed distance (units, negative inside)."""
    coverage = distance * np.float32(-SCALE / softness)
    coverage += np.float32(0.5)
    return np.clip(coverage, 0.0, 1.0, out=coverage)


def bump(square: Array) -> Array:
    """Compute a smooth hill: 1 where the squared radius is 0, falling to 0 (with slope 0) where it is 1."""
    hill = np.float32(1.0) - square
    np.maximum(hill, 0.0, out=hill)
    hill *= hill
    return hill


def smoothstep(low: float, high: float, x: Array) -> Array:
    """Compute a smooth step: 0 below `low`, 1 above `high`, a cubic between."""
    t = np.clip((x - low) / (high - low), 0.0, 1.0)
    return np.asarray(t * t * (3.0 - 2.0 * t), dtype=np.float32)


def column(values: Array) -> Array:
    """Return values `[n]` as float32 `[n, 1, 1]`, to broadcast over pixels."""
    return np.asarray(values, dtype=np.float32)[:, None, None]


class Canvas:
    """Colour planes float32 `[3, n, 128, 128]` in [0, 1] and, if asked for, a class map uint8 `[n, 128, 128]`.

    `u`, `v` are the head's frame (origin in the middle of the face, v down), `x`, `y` the body's; one unit is `SCALE`
    pixels. What is woven finely has its place in the picture (`at_rest`).
    """

    def __init__(self, head_x: Array, head_y: Array, tilt: Array, *, classes: bool = False) -> None:
        """Start with black planes; shifts and tilts `[n, 1, 1]` are in [-1, 1], 1 for the largest allowed."""
        n = head_x.shape[0]
        self.rgb = np.zeros((3, n, SIZE, SIZE), dtype=np.float32)
        self.classes = np.zeros((n, SIZE, SIZE), dtype=np.uint8) if classes else None
        grid = np.arange(SIZE, dtype=np.float32) + np.float32(0.5)
        across = (grid[None, None, :] - np.float32(CENTER_X)) * np.float32(1.0 / SCALE)
        down = (grid[None, :, None] - np.float32(CENTER_Y)) * np.float32(1.0 / SCALE)
        x = across - head_x * np.float32(MAX_SHIFT_X)
        y = down - head_y * np.float32(MAX_SHIFT_Y)
        cos, sin = np.cos(tilt * np.float32(MAX_TILT)), np.sin(tilt * np.float32(MAX_TILT))
        arm = y - np.float32(PIVOT)
        self._rest = across, down
        self.u = cos * x + sin * arm
        self.v = cos * arm - sin * x + np.float32(PIVOT)
        self.a = np.abs(self.u)
        self.x = across - head_x * np.float32(0.5 * MAX_SHIFT_X)
        self.y = down

    def frame(self, box: Box) -> tuple[Array, Array, Array]:
        """Return u, v and |u| over a box, `[n, h, w]` each."""
        where = (slice(None), box.rows, box.columns)
        return self.u[where], self.v[where], self.a[where]

    def at_rest(self, box: Box) -> tuple[Array, Array, Array]:
        """Return u, v and |u| over a box of a head that neither moved nor turned.

        Their shapes are `[1, 1, w]`, `[1, h, 1]` and `[1, 1, w]`.

        Strands and curls are drawn in it: the hair moves with the head, its weave stays. A weave that moved too would
        be another picture for every shift by a few pixels, which no generator of this size learns to draw: it would
        draw the average, smooth hair.
        """
        across, down = self._rest
        across, down = across[:, :, box.columns], down[:, box.rows, :]
        return across, down, np.abs(across)

    def body(self, box: Box) -> tuple[Array, Array]:
        """Return x `[n, 1, w]` and y `[1, h, 1]` over a box."""
        return self.x[:, :, box.columns], self.y[:, box.rows, :]

    def paint(self, box: Box, coverage: Array, colour: Colour, *, label: int | None = None) -> None:
        """Lay a colour (three planes or numbers per image) over the box with this coverage."""
        for plane, value in zip(self.rgb, colour, strict=True):
            target = plane[:, box.rows, box.columns]
            step = value - target
            step *= coverage
            target += step
        if label is not None and self.classes is not None:
            self.classes[:, box.rows, box.columns][coverage > 0.5] = label

    def darken(self, box: Box, amount: Array, tint: tuple[float, float, float] = (0.75, 1.0, 1.1)) -> None:
        """Multiply by 1 - amount * tint: a soft shadow that keeps colours warm."""
        for plane, weight in zip(self.rgb, tint, strict=True):
            target = plane[:, box.rows, box.columns]
            target *= np.float32(1.0) - amount * np.float32(weight)

    def lighten(self, box: Box, amount: Array) -> None:
        """Move towards white by `amount`."""
        for plane in self.rgb:
            target = plane[:, box.rows, box.columns]
            target += (np.float32(1.0) - target) * amount

    def image(self) -> NDArray[np.uint8]:
        """Return the pictures, uint8 `[n, 128, 128, 3]`; the planes are used up."""
        np.clip(self.rgb, 0.0, 1.0, out=self.rgb)
        self.rgb *= np.float32(255.0)
        self.rgb += np.float32(0.5)
        return np.ascontiguousarray(self.rgb.astype(np.uint8).transpose(1, 2, 3, 0))
