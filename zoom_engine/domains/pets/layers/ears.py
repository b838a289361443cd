"""Pointed ears behind the head, floppy ones before it."""

from __future__ import annotations

import numpy as np

from zoom_engine.domains.canvas import Array, Canvas, bump, cover, head_box
from zoom_engine.domains.pets.geometry import HEAD_Y, Pet
from zoom_engine.domains.pets.mask_classes import EARS

_POINTED = head_box(-46, -58, 46, 4)
_FLOPPY = head_box(-56, -40, 56, 44)


def _triangle(a: Array, v: Array, corners: list[tuple[Array, Array]]) -> Array:
    """Compute the signed distance (about) of a rounded triangle; its corners go clockwise in the picture."""
    sides = []
    for (ax, ay), (bx, by) in zip(corners, [*corners[1:], corners[0]], strict=True):
        length = np.sqrt((bx - ax) ** 2 + (by - ay) ** 2)
        sides.append(((by - ay) * (a - ax) - (bx - ax) * (v - ay)) / length)
    soft = sum(np.exp(np.clip(side, -30.0, 30.0) * 0.55) for side in sides)
    return np.asarray(np.log(soft) / 0.55, dtype=np.float32)


def paint_pointed_ears(canvas: Canvas, pet: Pet) -> None:
    """Paint upright ears with a pink hollow."""
    u, v, a = canvas.frame(_POINTED)
    ear = pet.pointed_ear()
    distance = _triangle(a, v, [ear.inner, ear.tip, ear.outer])
    shown = np.clip(pet.upright * 4.0, 0.0, 1.0)
    coverage = cover(distance - 0.6 - 1.6 * pet.fluffy) * shown
    shade = 0.86 + 0.08 * pet.light_x * np.sign(u) + 0.10 * np.clip(-distance / 8.0, 0.0, 1.0)
    canvas.paint(_POINTED, coverage, [c * shade for c in pet.fur], label=EARS)
    hollow = cover(distance + 5.2, 2.5) * shown
    deep = 0.62 + 0.40 * np.clip((ear.base - v) / 20.0, 0.0, 1.0)
    pink = [0.30 * c + 0.70 * p * deep for c, p in zip(pet.fur, (0.96, 0.68, 0.64), strict=True)]
    canvas.paint(_POINTED, hollow * 0.92, pink, label=EARS)


def paint_floppy_ears(canvas: Canvas, pet: Pet) -> None:
    """Paint floppy ears: long and hanging on a dog; small and folded forward on a cat."""
    u, v, a = canvas.frame(_FLOPPY)
    cat, dog, ear = pet.cat, pet.dog, pet.hanging_ear()
    du, dv = a - ear.middle[0], v - ear.middle[1]
    along = np.cos(ear.turn) * dv + np.sin(ear.turn) * du
    across = np.cos(ear.turn) * du - np.sin(ear.turn) * dv
    t = along / ear.length
    radius = np.sqrt(t * t + (across / (ear.width * (1.0 + 0.22 * t * dog))) ** 2)
    distance = (radius - 1.0) * (9.5 * cat + 12.0 * dog)
    distance -= pet.fluffy * (1.0 - 0.8 * np.sin(0.5 * v + 0.3 * a)) * (0.4 + 0.6 * dog)
    shown = np.clip(pet.floppy * 3.0, 0.0, 1.0)
    inside = cover(a - pet.width + 2.0, 4.0) * cover(np.abs(v - HEAD_Y) - 25.0, 6.0)
    canvas.darken(_FLOPPY, 0.30 * shown * inside * bump(np.clip(distance + 1.0, 0.0, 5.0) ** 2 / 25.0))
    coverage = cover(distance) * shown
    shade = 0.76 + 0.14 * np.clip(-distance / 9.0, 0.0, 1.0) - 0.07 * t + 0.08 * pet.light_x * np.sign(u)
    shade += 0.04 * pet.fluffy * np.sin(0.8 * across)
    canvas.paint(_FLOPPY, coverage, [c * shade for c in pet.fur], label=EARS)
