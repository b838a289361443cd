"""The head with its coat, and the muzzle."""

from __future__ import annotations

import numpy as np

from zoom_engine.domains.canvas import Array, Canvas, bump, cover, head_box, smoothstep
from zoom_engine.domains.pets.geometry import HEAD_Y, Pet
from zoom_engine.domains.pets.mask_classes import FUR

HEAD = head_box(-46, -38, 46, 47)
_MUZZLE = head_box(-26, -6, 26, 46)
_WHITE = (0.97, 0.96, 0.94)


def _outline(pet: Pet, u: Array, v: Array, a: Array) -> tuple[Array, Array, Array]:
    """Compute the signed distance (units, about), and the position inside on the unit disc."""
    w = v - HEAD_Y
    down, up = np.maximum(w, 0.0) / pet.bottom, np.minimum(w, 0.0) / pet.top
    s = a / (pet.width * (1.0 + pet.widening * np.clip(w / 24.0, -1.0, 1.2)))
    t = down + up
    s2, t2 = s * s, t * t
    round_norm = np.sqrt(s2 + t2)
    square_norm = np.sqrt(np.sqrt(s2 * s2 + t2 * t2))
    norm = round_norm + 0.30 * (square_norm - round_norm)
    distance = (norm - 1.0) * 30.0
    # tufts on the cheeks, longer with the fur
    cheek = bump(((w - 10.0) / 20.0) ** 2) * smoothstep(0.5, 0.95, s)
    tufts = (1.0 + 5.5 * pet.fluffy) * (0.8 * pet.cat + 0.6 * pet.dog)
    distance -= cheek * tufts * (0.62 + 0.38 * np.sin(0.62 * w - 0.5))
    return distance, s, t


def _coat(pet: Pet, u: Array, v: Array, a: Array) -> list[Array]:
    """Compute the colour of the fur before light: stripes, a patch around an eye, a blaze."""
    w = v - HEAD_Y
    brow = np.sin(0.62 * a + 1.57) * bump(((w + 24.0) / 15.0) ** 4) * bump((a / 20.0) ** 4)
    cheek = np.sin(0.58 * (w - 0.30 * a) + 0.6) * bump(((w - 5.0) / 22.0) ** 4) * smoothstep(19.0, 27.0, a)
    dark = pet.stripes * (smoothstep(0.05, 0.6, brow) + smoothstep(0.05, 0.6, cheek))
    deep = smoothstep(0.3, 0.1, pet.bright)
    dark = np.asarray(np.minimum(dark, 1.0) * (0.52 - 0.16 * deep))
    light = 0.16 * pet.stripes * deep
    side = u * pet.patch_side / np.maximum(np.abs(pet.patch_side), 0.05)
    spot = bump(0.42 * ((side - pet.eye_x - 1.0) / 12.0) ** 2 + 0.42 * ((v - pet.eye_y) / 13.0) ** 2)
    spot = smoothstep(0.25, 0.42, spot) * pet.patch * np.minimum(np.abs(pet.patch_side) * 3.0, 1.0)
    line = 4.2 * smoothstep(-32.0, -10.0, w) + 0.10 * np.maximum(w + 8.0, 0.0) ** 1.25 - 1.0
    white = smoothstep(1.2, -1.2, a - line) * pet.blaze
    brows = bump(((a - 9.5) / 5.6) ** 2 + ((v - pet.eye_y + 10.5) / 3.6) ** 2) * (0.75 * pet.dog)
    white = np.maximum(white, brows * (0.65 - 0.35 * pet.bright))
    out: list[Array] = []
    for base, second, pale in zip(pet.fur, pet.second, _WHITE, strict=True):
        colour = base * (1.0 - dark) + light
        colour = colour + spot * (second - colour)
        out.append(np.asarray(colour + white * (pale - colour)))
    return out


def paint_head(canvas: Canvas, pet: Pet) -> None:
    """Paint a softly lit ellipsoid of fur."""
    u, v, a = canvas.frame(HEAD)
    distance, s, t = _outline(pet, u, v, a)
    coverage = cover(distance)
    nx = np.copysign(np.minimum(s, 1.1), u) * 0.86
    ny = np.clip(t, -1.1, 1.1) * 0.80
    nz = np.sqrt(np.maximum(1.0 - nx * nx - ny * ny, 0.05))
    depth = 0.5 + 0.6 * pet.light
    shade = nx * (0.36 * pet.light_x * depth) - ny * (0.22 * depth) + nz * (0.44 * depth) + 1.03 - 0.46 * depth
    shade += (0.012 + 0.030 * pet.fluffy) * np.sin(0.55 * u + 0.9 * np.sin(0.16 * v)) * np.sin(0.20 * v)
    np.clip(shade, 0.0, 1.10, out=shade)
    coat = [c * shade for c in _coat(pet, u, v, a)]
    canvas.paint(HEAD, coverage, coat, label=FUR)
    gleam = bump((u - 10.0 * pet.light_x) ** 2 / 300.0 + (v + 20.0) ** 2 / 130.0)
    canvas.lighten(HEAD, gleam * coverage * (0.04 + 0.10 * pet.light))
    sockets = bump(((a - pet.eye_x) / (pet.eye_width + 5.0)) ** 2 + ((v - pet.eye_y) / (pet.eye_height + 5.0)) ** 2)
    canvas.darken(HEAD, 0.22 * sockets, (1.0, 1.0, 1.0))


def paint_muzzle(canvas: Canvas, pet: Pet) -> None:
    """Paint two soft puffs on a cat; on a dog a broad snout that stands out from the face."""
    u, v, a = canvas.frame(_MUZZLE)
    du, dv = (a - pet.muzzle_x) / pet.muzzle_width, (v - pet.muzzle_y) / pet.muzzle_height
    radius = np.sqrt(du * np.maximum(du, 0.0) + dv * dv + pet.cat * np.maximum(-du, 0.0) ** 2 * 0.6)
    bridge_half = 6.0 + 0.25 * (v - pet.eye_y)
    bridge = np.maximum(np.abs(a) - bridge_half, np.maximum(pet.eye_y + 2.0 - v, v - pet.muzzle_y)) / 9.0 + 1.0
    radius = np.where(pet.dog > 0.02, np.minimum(radius, np.maximum(bridge + 2.5 * pet.cat, 0.0)), radius)
    size = 7.0 * pet.cat + 11.0 * pet.dog
    distance = (radius - 1.0) * size
    canvas.darken(_MUZZLE, (0.12 + 0.26 * pet.dog) * bump(np.clip(distance / 5.0, 0.0, 1.0) ** 2) *
                  smoothstep(-1.0, 1.0, distance + 1.0), (1.0, 1.0, 1.0))  # fmt: skip
    coverage = cover(distance, 3.0)
    pale = 0.26 + 0.26 * pet.dog + (0.60 - 0.26 * pet.dog) * pet.blaze
    light = 1.04 - 0.010 * (v - pet.muzzle_y) - 0.10 * np.clip(radius, 0.0, 1.2) ** 2 * (0.6 + 0.6 * pet.dog)
    light += 0.08 * pet.light_x * u / 20.0 * (0.5 + pet.light)
    colour = [np.clip((c + pale * (w - c)) * light, 0.0, 1.0) for c, w in zip(pet.fur, _WHITE, strict=True)]
    canvas.paint(_MUZZLE, coverage * 0.9, colour, label=FUR)
