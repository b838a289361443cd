"""What is behind a person: a blurred room, or trees and sky; then the grain of a camera."""

from __future__ import annotations

import colorsys

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter

from lab.people.mesh import Points
from lab.people.shape import Row, smooth

GRAIN = 1.2  # of 255, the standard deviation of the camera's noise


def composed(row: Row, picture: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Lay a rendered person, uint8 `[n, n, 4]`, over the background of the parameters.

    Returns:
        The picture, uint8 `[n, n, 3]`.
    """
    size = len(picture)
    alpha = picture[..., 3:].astype(np.float64) / 255
    covered = np.concatenate([picture[..., :3] * alpha, alpha], axis=-1)
    # The edges of hair are as noisy as few samples leave them, and are softened as a lens would.
    soft = gaussian_filter(covered, (0.7, 0.7, 0))
    edge = smooth(0.0, 0.25, soft[..., 3:] * (1 - soft[..., 3:]))
    covered = covered * (1 - edge) + soft * edge
    shown = covered[..., :3] + 255 * background(row, size) * (1 - covered[..., 3:])
    shown += GRAIN * np.random.default_rng(3).standard_normal((size, size, 1))
    return np.asarray(np.clip(np.round(shown), 0, 255), dtype=np.uint8)


def background(row: Row, size: int) -> Points:
    """Return the background as a display shows it, `[n, n, 3]` in [0, 1], as lit and exposed as the person."""
    share = row["outdoors"]
    unseen = np.zeros((size, size, 3))
    outside = _outdoors(row, size) if share > 0.002 else unseen
    room = _room(row, size) if share < 0.998 else unseen
    scene = outside * share + room * (1 - share)
    stops = 2.0 ** (0.75 * (2.4 * row["exposure"] - 1.2))
    warm = row["light_warmth"]
    scene = scene * stops * np.array([1 + 0.10 * warm, 1.0, 1 - 0.16 * warm])
    return np.asarray(np.clip(scene / (1 + 0.35 * scene) * 1.2, 0, 1) ** (1 / 2.2))


def _room(row: Row, size: int) -> Points:
    """A wall, a window or a lamp, shelves: rectangles out of focus, linear RGB."""
    tint, lightness = row["background_tint"], row["background_lightness"]
    x, y = _grid(size)
    wall = np.array(colorsys.hsv_to_rgb((0.09 + 0.5 * tint) % 1.0, 0.16 + 0.18 * abs(tint - 0.5), 1.0)) ** 2.2
    level = 0.05 + 0.5 * lightness**1.3
    picture = wall * level * (1.05 - 0.35 * y[..., None]) * (1.0 - 0.25 * (x * (1 if tint > 0.5 else -1))[..., None])
    rng = np.random.default_rng(21)
    for _ in range(9):
        cx, cy, w, h = rng.uniform(-1.1, 1.1), rng.uniform(-0.6, 1.0), rng.uniform(0.08, 0.3), rng.uniform(0.1, 0.45)
        cx = cx + 0.7 * (tint - 0.5)
        inside = _box(x - cx, w) * _box(y - cy, h)
        paint = np.array(colorsys.hsv_to_rgb(rng.random(), 0.35, rng.uniform(0.15, 0.9))) ** 2.2
        picture += 0.55 * inside[..., None] * (paint * (0.12 + 0.5 * lightness) - picture)
    edge = 1.9 * (tint - 0.5)
    window = _box(x - edge, 0.34) * _box(y + 0.35, 0.62)
    panes = 1 - 0.45 * np.exp(-(((x - edge) / 0.03) ** 2))
    picture += (window * panes)[..., None] * np.array([0.85, 0.93, 1.0]) * (0.12 + 0.8 * lightness)
    return np.asarray(gaussian_filter(picture, (size / 26, size / 26, 0), mode="nearest"))


def _outdoors(row: Row, size: int) -> Points:
    """Sky, trees with spots of light between leaves, and grass, linear RGB."""
    tint, lightness = row["background_tint"], row["background_lightness"]
    x, y = _grid(size)
    high = np.array([0.30, 0.48, 0.85]) * (1 - 0.5 * tint) + np.array([0.85, 0.55, 0.35]) * 0.5 * tint
    low = np.array([0.75, 0.82, 0.9]) * (1 - tint) + np.array([1.0, 0.72, 0.45]) * tint
    up = smooth(0.5, -1.0, y)[..., None]
    picture = (high * up + low * (1 - up)) * (0.3 + 0.75 * lightness)
    rng = np.random.default_rng(22)
    leaves = gaussian_filter(rng.standard_normal((64, 64)), 3.0)
    fine = gaussian_filter(rng.standard_normal((256, 256)), 3.5)
    rows = np.linspace(0, 255, size).astype(int)
    edge = -0.62 + 0.22 * _resized(leaves, size) / leaves.std() + 0.3 * np.cos(3.1 * x + 4 * tint)
    tree = smooth(-0.12, 0.12, y - edge)[..., None]
    grain = (fine / fine.std())[np.ix_(rows, rows)]
    green = np.array([0.09, 0.16, 0.035]) * (1 - 0.5 * tint) + np.array([0.2, 0.12, 0.03]) * 0.5 * tint
    foliage = green * (1 + 0.45 * grain[..., None]) * (0.35 + 0.9 * lightness)
    picture = picture * (1 - tree) + foliage * tree
    for _ in range(26):
        cx, cy, radius = rng.uniform(-1, 1), rng.uniform(-0.5, 0.5), rng.uniform(0.03, 0.075)
        spot = smooth(0.012, -0.012, np.hypot(x - cx, y - cy) - radius)
        picture += (spot * tree[..., 0] * rng.uniform(0.05, 0.3))[..., None] * low * (0.3 + lightness)
    ground = smooth(0.55, 0.75, y)[..., None]
    picture = picture * (1 - ground) + np.array([0.16, 0.22, 0.06]) * (0.35 + 0.8 * lightness) * ground
    return np.asarray(gaussian_filter(picture, (size / 48, size / 48, 0), mode="nearest"))


def _grid(size: int) -> tuple[Points, Points]:
    axis = (np.arange(size) + 0.5) / size * 2 - 1
    x, y = np.meshgrid(axis, axis)
    return x, y


def _box(offset: Points, half: float) -> Points:
    return np.asarray(smooth(0.02, -0.02, np.abs(offset) - half))


def _resized(values: Points, size: int) -> Points:
    place = np.linspace(0, len(values) - 1, size)
    axis = np.arange(len(values))
    wide = np.stack([np.interp(place, axis, line) for line in values])
    return np.stack([np.interp(place, axis, line) for line in wide.T]).T
