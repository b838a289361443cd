"""Background, chest and collar."""

from __future__ import annotations

import numpy as np

from zoom_engine.domains.canvas import FULL, Array, Canvas, body_box, bump, cover, smoothstep
from zoom_engine.domains.pets.geometry import Pet
from zoom_engine.domains.pets.mask_classes import BACKGROUND, COLLAR, FUR

_CHEST = body_box(-50, 14, 50, 62)
_COLLAR = body_box(-34, 28, 34, 62)


def _tinted(lightness: Array, pet: Pet, strength: float) -> list[Array]:
    """Compute a colour of this lightness along the background's blue-orange and green-pink axes."""
    axes = ((0.9, 0.5), (0.1, -0.65), (-1.0, 0.4))
    return [np.clip(lightness + strength * (w * pet.warmth + t * pet.tint), 0.0, 1.0) for w, t in axes]


def paint_background(canvas: Canvas, pet: Pet) -> None:
    """Paint a wall with a sofa's back, or a sky, bushes and a meadow."""
    x, y = canvas.body(FULL)
    y = y + np.zeros_like(pet.dog)
    wall = _tinted(0.50 + 0.40 * pet.lightness, pet, 0.13)
    sofa = _tinted(0.24 + 0.34 * pet.lightness, pet, 0.17)
    back = cover(14.0 + 0.0035 * x * x - y, 2.0)
    seam = bump(((y - 20.0 - 0.0035 * x * x) / 3.0) ** 2)
    glow = 1.0 + 0.0016 * (-y) + 0.0016 * pet.light_x * x
    indoors = [(w + back * (s * (1.0 - 0.16 * seam) - w)) * glow for w, s in zip(wall, sofa, strict=True)]

    high = np.clip((y + 58.0) / 70.0, 0.0, 1.0)
    light = 0.80 + 0.26 * pet.lightness
    sky = [(top + (low - top) * high) * light for top, low in ((0.46, 0.80), (0.70, 0.90), (0.95, 0.98))]
    warm = (0.05, 0.0, -0.06)
    bushes = cover(-8.0 + 5.0 * np.sin(0.11 * x + 2.0 * pet.tint) + 3.0 * np.sin(0.23 * x + 1.0) - y, 2.0)
    meadow = cover(11.0 + 2.0 * np.sin(0.05 * x + 1.0) - y, 2.0)
    waves = 0.05 * np.sin(0.30 * x + 0.9 * np.sin(0.21 * y)) * np.sin(0.26 * y)
    grass = [(base + rise * smoothstep(8.0, 58.0, y) + waves) * light
             for base, rise in ((0.48, -0.10), (0.72, -0.14), (0.30, -0.06))]  # fmt: skip
    green = (0.24, 0.46, 0.22)
    out = []
    for blue, leaf, blade, hint in zip(sky, green, grass, warm, strict=True):
        scene = blue + bushes * (leaf * light - blue)
        out.append(scene + meadow * (blade - scene) + hint * pet.warmth)
    colour = [i + pet.outdoors * (o - i) for i, o in zip(indoors, out, strict=True)]
    canvas.paint(FULL, np.ones_like(colour[0]), colour, label=BACKGROUND)


def paint_chest(canvas: Canvas, pet: Pet) -> None:
    """Paint neck and shoulders, with a white bib where there is a blaze."""
    x, y = canvas.body(_CHEST)
    a = np.abs(x)
    drop = np.maximum(y - 30.0, 0.0)
    half = 22.5 + 1.5 * pet.dog + 5.5 * pet.fluffy + 0.020 * drop * drop - 1.1 * np.maximum(32.0 - y, 0.0)
    coverage = cover(a - half)
    shade = 0.80 + 0.10 * smoothstep(34.0, 58.0, y) - 0.10 * smoothstep(14.0, 30.0, a)
    shade += 0.06 * pet.light_x * x / 30.0
    bib = smoothstep(0.0, 4.0, 13.0 + 0.15 * drop - a) * pet.blaze
    colour = [(f + bib * (w - f)) * shade for f, w in zip(pet.fur, (0.96, 0.95, 0.93), strict=True)]
    canvas.paint(_CHEST, coverage, colour, label=FUR)
    canvas.darken(_CHEST, coverage * 0.34 * smoothstep(46.0, 30.0, y), (1.0, 1.0, 1.0))


def paint_collar(canvas: Canvas, pet: Pet) -> None:
    """Paint a broad band around the neck, with a round golden tag."""
    x, y = canvas.body(_COLLAR)
    a = np.abs(x)
    middle = 47.5 - 0.016 * x * x
    half = 23.0 + 1.5 * pet.dog + 5.0 * pet.fluffy
    band = cover(np.maximum(np.abs(y - middle) - 3.7, a - half - 1.4)) * pet.collar
    tone = 1.0 - 0.07 * (y - middle) - 0.010 * a
    canvas.paint(_COLLAR, band, [c * tone for c in pet.collar_colour], label=COLLAR)
    radius = np.sqrt(x * x + (y - 53.4) ** 2)
    canvas.darken(_COLLAR, 0.4 * pet.collar * cover(radius - 5.4, 2.0))
    disc = cover(radius - 4.6) * pet.collar
    gold = 1.0 + 0.08 * bump((x + 1.4) ** 2 / 6.0 + (y - 52.0) ** 2 / 6.0) - 0.022 * (y - 53.4)
    canvas.paint(_COLLAR, disc, [c * gold for c in (0.95, 0.78, 0.26)], label=COLLAR)
