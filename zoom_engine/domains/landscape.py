"""Land under an open sky: hills, meadow, trees, and water that mirrors what stands behind it."""

from __future__ import annotations

import numpy as np

from zoom_engine.domains.canvas import CENTER_Y, SCALE, SIZE, Array, cover, smoothstep
from zoom_engine.domains.outdoors import GROUND, Scene, box_of, mix
from zoom_engine.domains.textures import fractal

SHORE = 37.0  # where the water begins, in units below the middle
MEADOW, _HILLS = box_of(-60, 12, 60, 60), box_of(-60, -14, 60, 60)
_TREES = ((-47.0, 2.0, 13.0), (45.0, 4.0, 12.0), (-30.0, 12.0, 7.0), (57.0, 9.0, 9.0))  # middle and size of each crown
_PEOPLE = (  # where each stands, how tall, in which coat
    (-33.0, 34.0, 11.0, (0.80, 0.20, 0.18)),
    (-25.0, 35.5, 12.0, (0.16, 0.30, 0.62)),
    (18.0, 35.0, 11.5, (0.92, 0.76, 0.24)),
    (27.0, 34.5, 8.0, (0.30, 0.58, 0.36)),
    (35.0, 36.0, 12.0, (0.42, 0.24, 0.46)),
)


def paint_hills(scene: Scene) -> None:
    """Paint two ridges, the further one paler."""
    air, snow = scene.air, scene.air.on["snow"]
    u, v = scene.frame(_HILLS)
    for far, (low, high, wave, phase) in enumerate(((12.0, 24.0, 0.055, 0.4), (16.0, 12.0, 0.083, 2.3))):
        ridge = low - high * air.hills * (0.62 + 0.38 * np.sin(wave * u + phase)) - 1.5 * np.sin(0.31 * u)
        tone = 0.94 + 0.16 * (fractal(9, 9, 31 + far)[:, _HILLS.rows] - 0.5)
        green = [mix(dry, lush, air.grass) for dry, lush in ((0.60, 0.38), (0.57, 0.52), (0.46, 0.36))]
        pale = 0.42 - 0.30 * far
        colour = [mix(mix(g, haze, pale), w, snow * 0.85) * tone for g, haze, w in
                  zip(green, (0.62, 0.70, 0.80), (0.92, 0.94, 0.98), strict=True)]  # fmt: skip
        scene.lay(_HILLS, cover(ridge - v), colour, label=GROUND)


def paint_meadow(scene: Scene, path: Array | float = 0.0) -> None:
    """Paint a meadow, or snow, with a path where `path` `[n, h, w]` over `MEADOW` covers it."""
    air = scene.air
    u, v = scene.frame(MEADOW)
    near = smoothstep(14.0, 58.0, v)
    tone = 0.90 + 0.34 * (fractal(24, 12, 41)[:, MEADOW.rows] - 0.5) * (0.4 + near) + 0.10 * near
    meadow = [mix(dry, lush, air.grass) for dry, lush in ((0.66, 0.34), (0.60, 0.54), (0.36, 0.20))]
    soil = [mix(m, p, path) for m, p in zip(meadow, (0.76, 0.68, 0.54), strict=True)]
    snow = air.on["snow"] * (0.95 - 0.25 * path)
    white = [mix(s, w, snow) * tone for s, w in zip(soil, (0.93, 0.95, 0.99), strict=True)]
    scene.lay(MEADOW, cover(14.0 - v + 0.8 * np.sin(0.16 * u)), white, label=GROUND)


def paint_trees(scene: Scene) -> None:
    """Paint round crowns or firs, with snow on them."""
    air, on = scene.air, scene.air.on
    shown, fir = on["trees"], on["conifers"]
    for x, y, size in _TREES:
        box = box_of(x - 1.5 * size, y - 1.6 * size - 6.0, x + 1.5 * size, 30.0)
        u, v = scene.frame(box)
        leaves = fractal(26, 26, 51)[:, box.rows, box.columns]
        away = u - x
        foot = 24.0 + 0.35 * size
        trunk = np.maximum(np.abs(away) - 0.11 * size, np.maximum(y - v, v - foot))
        scene.lay(box, cover(trunk) * shown, (0.34, 0.25, 0.18), label=GROUND)
        crown = np.sqrt(away**2 + (0.92 * (v - y)) ** 2) - size
        layer = (v - y + 1.6 * size) / (0.62 * size)
        cone = (np.abs(away) - 0.16 * size * layer * (1.0 - 0.28 * (layer % 1.0 < 0.25))) * 0.9
        cone = np.maximum(cone, v - foot + 2.5)
        edge = mix(crown, cone, fir) - 5.0 * (leaves - 0.5)
        lit = np.clip((away * air.light_x - 0.6 * (v - y)) / size, -1.0, 1.0)
        tone = 0.80 + (0.20 + 0.16 * air.sunny) * lit + 0.9 * (leaves - 0.5)
        white = on["snow"] * smoothstep(0.36, 0.56, leaves + 0.16 * lit + 0.06) * 0.92
        green = [mix(mix(r, f, fir) * tone, w, white) for r, f, w in
                 zip((0.36, 0.52, 0.22), (0.16, 0.36, 0.24), (0.94, 0.96, 1.0), strict=True)]  # fmt: skip
        scene.lay(box, cover(edge) * shown, green, label=GROUND)


def paint_people(scene: Scene) -> None:
    """Paint five people in coats, one of them a child."""
    shown = scene.air.on["people"]
    for x, foot, tall, coat in _PEOPLE:
        box = box_of(x - 9.0, foot - tall - 1.0, x + 9.0, foot + 1.0)
        u, v = scene.frame(box)
        across = u - x - 5.0 * scene.air.people_x
        away = np.abs(across)
        up = (foot - v) / tall  # 0 at the feet, 1 above the head
        legs = np.maximum(np.abs(away - 0.09 * tall) - 0.07 * tall, np.maximum(-up, up - 0.45) * tall)
        scene.lay(box, cover(legs) * shown, (0.17, 0.16, 0.20), label=GROUND)
        body = np.maximum(
            away - (0.21 - 0.08 * np.clip(up - 0.3, 0.0, 1.0)) * tall, np.maximum(0.32 - up, up - 0.80) * tall
        )
        scene.lay(box, cover(body) * shown, [c * (1.0 - 0.25 * (across > 0)) for c in coat], label=GROUND)
        head = np.sqrt(away**2 + ((up - 0.89) * tall) ** 2) - 0.115 * tall
        scene.lay(box, cover(head) * shown, (0.88, 0.68, 0.54), label=GROUND)


def paint_water(scene: Scene) -> None:
    """Paint a lake that mirrors what stands behind it, in ripples that grow towards us."""
    water = scene.air.on["water"]
    shore = SHORE + 1.2 * np.sin(0.11 * scene.u + 0.7)
    first = int(SHORE * SCALE + CENTER_Y)
    rows = np.arange(first, SIZE)
    surface = cover(shore - scene.v)[:, first:] * water
    ripple = np.sin(1.35 * scene.v + 2.2 * np.sin(0.13 * scene.u)) * smoothstep(SHORE, 58.0, scene.v)
    dark = 0.78 + 0.13 * ripple[:, first:]
    for plane, tone in zip(scene.canvas.rgb, (0.30, 0.44, 0.54), strict=True):
        mirrored = plane[:, 2 * first - 1 - rows]
        seen = mix(mirrored, tone * scene.air.tint[2], 0.26) * dark
        plane[:, first:] = mix(plane[:, first:], seen, surface)
