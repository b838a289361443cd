"""What things on the ground stand before: a studio, a street, a meadow or snow, by day and by night."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from zoom_engine.domains.canvas import FULL, SIZE, Array, Canvas, bump, smoothstep
from zoom_engine.domains.solids import Camera, Light, Triple, least, mixed

Y, X = np.mgrid[:1, :SIZE, :SIZE][1:].astype(np.float32) + np.float32(0.5)
"""Of the pixels, `[1, 128, 128]` each."""

_HOUSES = ((-4, 30, 15, (0.72, 0.42, 0.32)), (30, 58, 8, (0.86, 0.78, 0.62)),
           (58, 96, 17, (0.60, 0.64, 0.68)), (96, 133, 11, (0.80, 0.56, 0.42)))  # fmt: skip


class Surroundings(NamedTuple):
    """Shares in [0, 1], each of which hides those before it, and what light and colours there are.

    `lightness` is in [0, 1], `warmth` (blue to orange) and `tint` (green to pink) are in [-1, 1]; the `horizon` is in
    pixels from the upper edge. Houses, trees and what else stands about keep their places, as they must where a small
    generator is to draw them.
    """

    street: float
    field: float
    snow: float
    night: float
    lightness: float
    warmth: float
    tint: float
    horizon: float


def inside(*distances: Array) -> Array:
    """Compute the coverage of what lies inside of all edges by that many pixels (below 0: outside)."""
    return np.asarray(np.clip(least(*distances) + 0.5, 0.0, 1.0))


def dimmed(colour: Triple, light: float) -> list[Array]:
    """Return a colour in a light."""
    return [np.asarray(c * light, dtype=np.float32) for c in colour]


def sky(around: Surroundings, top: Triple, low: Triple) -> list[Array]:
    """Compute a sky between two colours, warmer or colder."""
    blend = mixed(top, low, np.clip(Y / around.horizon, 0.0, 1.0))
    return [
        c * (0.82 + 0.22 * around.lightness) + hint * around.warmth
        for c, hint in zip(blend, (0.06, 0.0, -0.06), strict=True)
    ]


def studio(around: Surroundings) -> list[Array]:
    """Compute a backdrop that becomes the floor."""
    light, side = 0.42 + 0.34 * around.lightness, ((X - 64.0) / 64.0) ** 2
    wall = light * (1.06 - 0.16 * side) - 0.12 * smoothstep(40.0, 0.0, Y)
    floor = light * (1.16 - 0.20 * side) - 0.10 * smoothstep(95.0, 128.0, Y)
    grey = wall + smoothstep(58.0, 84.0, Y) * (floor - wall)
    return [grey + 0.07 * (w * around.warmth + t * around.tint) for w, t in ((0.9, 0.1), (0.4, -0.65), (-1.0, 0.4))]


def street(around: Surroundings) -> list[Array]:
    """Compute a row of houses behind a pavement, and the road."""
    scene, light = sky(around, (0.42, 0.64, 0.90), (0.80, 0.88, 0.95)), 0.72 + 0.28 * around.lightness
    for left, right, top, wall in _HOUSES:
        width, a, b = (right - left) / 3.0, X - left, right - X
        red, green, blue = dimmed(wall, light)
        scene = mixed(
            scene, (red + 0.05 * around.tint, green, blue - 0.05 * around.tint), inside(a, b, Y - top, 61.0 - Y)
        )
        roof = inside(a + 1.0, b + 1.0, Y - top + 5.0 - 0.2 * np.minimum(a, b), top + 1.0 - Y)
        scene = mixed(scene, dimmed((0.36, 0.20, 0.17), light), roof)
        across, down = np.abs(a % width - 0.5 * width), np.abs((Y - top - 2.0) % 15.0 - 7.0)
        front = inside(a - 1.0, b - 1.0, Y - top - 3.0, 59.0 - Y)
        scene = mixed(scene, (0.92, 0.92, 0.88), front * inside(4.1 - across, 5.1 - down))
        home = 0.5 + 0.5 * np.sin(2.1 * np.floor(a / width) + 1.3 * np.floor((Y - top) / 15.0) + left)
        pane = mixed((0.20, 0.25, 0.32), (2.6, 2.1, 1.1), around.night * home)
        scene = mixed(scene, pane, front * inside(3.1 - across, 4.1 - down))
        scene = mixed(scene, (0.90, 0.90, 0.86), 0.8 * front * inside(0.45 - across, 4.1 - down))
    scene = mixed(scene, dimmed((0.66, 0.65, 0.62), light), inside(Y - 61.0))
    scene = mixed(scene, dimmed((0.50, 0.49, 0.48), light), inside(Y - 68.0))
    tar = 0.34 + 0.05 * smoothstep(70.0, 128.0, Y) + 0.012 * np.sin(1.7 * X + 2.3 * Y) * np.sin(1.1 * X - 1.9 * Y)
    scene = mixed(scene, (tar * light, tar * light, tar * light * 1.04), inside(Y - 70.5))
    dashes = inside(Y - 116.0, 119.5 - Y, 15.0 - np.abs((X - 20.0) % 56.0 - 28.0))
    return mixed(scene, (0.90, 0.90, 0.86), 0.9 * dashes)


def field(around: Surroundings) -> list[Array]:
    """Compute hills, trees and a meadow with flowers."""
    scene, light = sky(around, (0.36, 0.62, 0.93), (0.82, 0.92, 0.97)), 0.78 + 0.26 * around.lightness
    for x, y, wide in ((28.0, 13.0, 17.0), (40.0, 10.0, 12.0), (92.0, 19.0, 19.0)):
        scene = mixed(scene, (1.0, 1.0, 1.0), 0.75 * bump(((X - x) / wide) ** 2 + ((Y - y) / 5.0) ** 2))
    hills = 33.0 + 5.0 * np.sin(0.055 * X + 0.8) + 2.5 * np.sin(0.13 * X)
    scene = mixed(scene, dimmed((0.50, 0.66, 0.58), light), inside(Y - hills))
    number = np.floor(X / 13.0)
    across = X - 13.0 * number - 6.5 - 1.5 * np.sin(3.7 * number)
    crown = np.hypot(across / 7.2, (Y - 38.0 - np.sin(2.4 * number)) / (8.5 + 2.0 * np.sin(2.4 * number)))
    scene = mixed(scene, dimmed((0.22, 0.42, 0.20), light), inside((1.0 - crown) * 5.0))
    near, waves = smoothstep(43.0, 128.0, Y), np.sin(0.55 * X + 1.3 * np.sin(0.33 * Y)) * np.sin(0.40 * Y)
    grass = mixed((0.56, 0.76, 0.32), (0.40, 0.60, 0.22), near)
    scene = mixed(scene, [(blade + 0.05 * waves) * light for blade in grass], inside(Y - 43.0 + 1.2 * np.sin(0.06 * X)))
    flowers = smoothstep(0.80, 0.95, np.sin(0.71 * X + 0.9 * np.sin(0.5 * Y)) * np.sin(0.83 * Y)) * inside(Y - 100.0)
    return mixed(scene, (0.98, 0.86, 0.30), 0.8 * flowers)


def snow(around: Surroundings) -> list[Array]:
    """Compute firs under snow, and tracks in it."""
    scene, light = sky(around, (0.62, 0.72, 0.84), (0.88, 0.91, 0.95)), 0.84 + 0.15 * around.lightness
    hills = 30.0 + 6.0 * np.sin(0.05 * X + 2.2) + 2.0 * np.sin(0.11 * X)
    scene = mixed(scene, dimmed((0.80, 0.85, 0.92), light), inside(Y - hills))
    number = np.floor(X / 16.0)
    across, tall = (
        np.abs(X - 16.0 * number - 8.0 - 1.5 * np.sin(3.7 * number)),
        27.0 + 9.0 * np.sin(2.4 * number + 16.0),
    )
    rise = (50.0 - Y) / tall
    firs = inside(7.4 * (1.0 - rise) * (0.72 + 0.28 * np.abs(np.cos(9.0 * rise))) - across)
    scene = mixed(scene, dimmed((0.16, 0.30, 0.26), light), firs)
    laden = smoothstep(-0.2, 0.9, np.sin(0.55 * Y + 0.3 * X)) * firs
    scene = mixed(scene, dimmed((0.95, 0.97, 1.0), light), 0.8 * laden)
    drift = 0.025 * np.sin(0.10 * X + 0.20 * Y) + 0.02 * np.sin(0.23 * X - 0.31 * Y)
    white = mixed((0.97, 0.98, 1.0), (0.92, 0.95, 1.0), smoothstep(46.0, 128.0, Y))
    scene = mixed(scene, [(c + drift) * light for c in white], inside(Y - 47.0 - 1.5 * np.sin(0.07 * X)))
    for y in (98.0, 110.0):
        track = np.exp(-(((Y - y - 0.8 * np.sin(0.09 * X)) / 1.5) ** 2)) * (0.75 + 0.25 * np.sin(1.6 * X))
        scene = mixed(scene, dimmed((0.66, 0.71, 0.80), light), 0.8 * track)
    return scene


def paint_surroundings(canvas: Canvas, around: Surroundings) -> None:
    """Paint what is behind and under a thing."""
    layers = [(1.0, studio), (around.street, street), (around.field, field), (around.snow, snow)]
    bottom = max(index for index, (share, _) in enumerate(layers) if share >= 1.0)
    scene = layers[bottom][1](around)
    for share, other in layers[bottom + 1 :]:
        if share > 0.0:
            scene = mixed(scene, other(around), share)
    dimmer = mixed((1.0, 1.0, 1.0), (0.30, 0.34, 0.50), around.night)
    canvas.paint(FULL, np.ones_like(X), [c * dim for c, dim in zip(scene, dimmer, strict=True)])


def paint_shadow(canvas: Canvas, camera: Camera, x: tuple[float, float], y: tuple[float, float]) -> None:
    """Paint the shadow of what stands above a rectangle of the ground, soft at its edges; spans in metres."""
    away = [np.abs(at - 0.5 * (low + high)) - 0.5 * (high - low) for at, (low, high) in
            zip(camera.at_height(0.0, X, Y), (x, y), strict=True)]  # fmt: skip
    out = np.hypot(np.maximum(away[0], 0.0), np.maximum(away[1], 0.0))
    canvas.darken(FULL, 0.74 * smoothstep(0.42, 0.05, out) + 0.16 * smoothstep(1.1, 0.2, out), (1.0, 0.98, 0.94))


def paint_glow(canvas: Canvas, at: tuple[float, float], colour: Triple, amount: float) -> None:
    """Paint the light around a lamp that is seen `at` a pixel."""
    near, wide = (bump(((X - at[0]) / a) ** 2 + ((Y - at[1]) / b) ** 2) for a, b in ((4.5, 4.5), (13.0, 10.0)))
    for plane, value in zip(canvas.rgb, colour, strict=True):
        plane += amount * value * (near + 0.35 * wide) * (1.0 - np.clip(plane, 0.0, 1.0))


def paint_lamps(canvas: Canvas, camera: Camera, lamp: Triple, way: float, colour: Triple, amount: float) -> None:
    """Paint the glow of two lamps, of which `lamp` is the nearer one and the other lies across y = 0.

    Both shine along x, `way` 1 or -1: they are seen as far as they face the camera.
    """
    faces = np.asarray(way * camera.place[0] / camera.distance)
    far = smoothstep(-0.23, 0.27, faces) * smoothstep(0.0, 0.2, faces)
    for y, share in ((lamp[1], smoothstep(-0.23, 0.27, faces + 0.24)), (-lamp[1], far)):
        paint_glow(canvas, camera.seen((lamp[0], y, lamp[2])), colour, amount * float(share))


def paint_beam(canvas: Canvas, camera: Camera, start: float, amount: float) -> None:
    """Paint what two lamps before x = `start` (metres) light of the ground."""
    x, y = camera.at_height(0.0, X, Y)
    ahead = x - start
    beam = smoothstep(-0.1, 0.5, ahead) * smoothstep(4.0, 0.4, ahead)
    beam *= smoothstep(1.35, 0.2, np.abs(y) - 0.20 * np.maximum(ahead, 0.0))
    canvas.paint(FULL, amount * beam, (1.0, 0.92, 0.66))


def light_of(around: Surroundings, camera: Camera, side: float) -> Light:
    """Return the light there is, from -1 the left to 1 the right of the picture."""
    axes = zip(camera.right, camera.up, camera.ahead, strict=True)
    return Light(
        [0.55 * side * right + 0.72 * up - 0.5 * ahead for right, up, ahead in axes],
        mixed((0.66, 0.64, 0.60), (0.25, 0.27, 0.36), around.night),
        mixed((0.46, 0.48, 0.52), (0.24, 0.25, 0.33), around.night),
        mixed((0.92, 0.96, 1.0), (0.32, 0.36, 0.56), around.night),
    )
