"""What is woven finely, at rest in the picture: walls, clouds, leaves, rain, stars. Drawn once for all pictures.

A weave that moved with what it lies on would be another picture for every shift by a few pixels, which no generator of
this size learns to draw.
"""

from __future__ import annotations

from functools import cache

import numpy as np

from zoom_engine.domains.canvas import SIZE, Array, bump

_GRID = np.arange(SIZE, dtype=np.float32)[:, None], np.arange(SIZE, dtype=np.float32)[None, :]


def _noise(rows: int, columns: int, seed: int) -> Array:
    """Draw smooth noise in [0, 1], a value for each cell of a grid, cubic between them, `[128, 128]`."""
    values = np.random.default_rng(seed).random((rows + 2, columns + 2)).astype(np.float32)
    down, across = _GRID
    y, x = down * (rows / SIZE), across * (columns / SIZE)
    x, y = x + 0.30 * np.sin(1.7 * y + seed) + 0.3, y + 0.30 * np.sin(1.3 * x + seed) + 0.3  # no grid is to be seen
    low_y, low_x = (np.floor(at).astype(int) for at in (y, x))
    part_y, part_x = (part * part * (3 - 2 * part) for part in (y - low_y, x - low_x))

    def at(dy: int, dx: int) -> Array:
        chosen: Array = values[np.clip(low_y + dy, 0, rows + 1), np.clip(low_x + dx, 0, columns + 1)]
        return chosen

    upper = at(0, 0) + part_x * (at(0, 1) - at(0, 0))
    lower = at(1, 0) + part_x * (at(1, 1) - at(1, 0))
    return np.asarray(upper + part_y * (lower - upper), dtype=np.float32)


@cache
def fractal(rows: int, columns: int, seed: int) -> Array:
    """Draw noise of three scales, the coarsest of so many cells, `[1, 128, 128]` about in [0, 1]."""
    layers = (s * _noise(rows << i, columns << i, seed + i) for i, s in enumerate((0.55, 0.3, 0.15)))
    return np.asarray(sum(layers))[None]


@cache
def blocks(width: int, height: int, seed: int) -> tuple[Array, Array]:
    """Lay blocks in courses of `height` pixels: the tone of each in [-1, 1], and joints in [0, 1], `[1, 128, 128]`."""
    down, across = _GRID
    course = down // height
    along = across + (course % 2) * (width / 2)
    tones = np.random.default_rng(seed).uniform(-1, 1, (SIZE, SIZE)).astype(np.float32)
    tone = tones[course.astype(int) + np.zeros_like(across, dtype=int), (along // width).astype(int)]
    joint = np.maximum(down % height == height - 1, along % width == 0) * np.float32(1.0)
    return tone[None], np.asarray(joint, dtype=np.float32)[None]


@cache
def streaks() -> Array:
    """Draw falling rain, slanted, `[1, 128, 128]` in [0, 1]."""
    down, across = _GRID
    lane = across + 0.28 * down
    offsets = np.random.default_rng(5).uniform(0, 40, 64)[(lane // 3.4).astype(int) % 64]
    fall = (down + offsets.astype(np.float32)) % 26
    line = bump(((lane % 3.4 - 1.4) / 1.0) ** 2)
    return np.asarray(line * (fall < 11) * (0.5 + fall / 22), dtype=np.float32)[None]


@cache
def stars() -> Array:
    """Draw fixed stars over the upper half, `[1, 128, 128]` in [0, 1]."""
    rng = np.random.default_rng(11)
    down, across = _GRID
    sky = np.zeros((SIZE, SIZE), dtype=np.float32)
    for y, x, size in zip(rng.uniform(2, 62, 46), rng.uniform(1, 127, 46), rng.uniform(0.9, 1.5, 46), strict=True):
        sky = np.maximum(sky, bump(((down - y) ** 2 + (across - x) ** 2) / np.float32(size * size)))
    return np.asarray(sky, dtype=np.float32)[None]
