"""Eyes, mouth, tongue, nose and whiskers."""

from __future__ import annotations

import numpy as np

from zoom_engine.domains.canvas import Canvas, bump, cover, head_box, smoothstep
from zoom_engine.domains.pets.geometry import Pet
from zoom_engine.domains.pets.mask_classes import EYES, MOUTH, NOSE

_EYES = head_box(-29, -20, 29, 11)
_MOUTH = head_box(-20, 8, 20, 52)
_NOSE = head_box(-13, 0, 13, 26)
_WHISKERS = head_box(-47, 0, 47, 40)


def paint_eyes(canvas: Canvas, pet: Pet) -> None:
    """Paint dark rims, irises, pupils round or slit, glints, and lids where the pet is sleepy."""
    u, v, a = canvas.frame(_EYES)
    du = a - pet.eye_x
    dv = v - pet.eye_y + pet.slant * du
    t = du / pet.eye_width
    q = 1.0 - np.abs(t) ** 2.4
    height = pet.eye_height
    top = dv + height * (2.0 * pet.lid - 1.0) * np.maximum(q, -0.4)  # positive below the upper lid
    ball = dv + height * np.maximum(q, -0.4)
    lower = 0.92 * height * np.maximum(q, -0.4) - dv
    whole = np.maximum(-np.minimum(ball, lower), np.abs(du) - 1.15 * pet.eye_width)
    rim = cover(whole - 1.7, 1.4)
    canvas.paint(_EYES, rim, (0.07, 0.05, 0.05), label=EYES)
    inside = cover(whole + 0.3)
    tone = 0.82 + 0.045 * dv - 0.10 * np.clip(-dv / height, 0.0, 1.0)
    radius = np.sqrt(du * du + dv * dv)
    halo = bump((radius / (1.25 * height)) ** 2)
    canvas.paint(_EYES, inside, [np.clip(c * (tone + 0.28 * halo), 0.0, 1.0) for c in pet.iris], label=EYES)
    narrow = (0.60 - 0.40 * pet.slit) * height
    tall = (0.60 + 0.24 * pet.slit) * height
    pupil = np.sqrt((du / narrow) ** 2 + (dv / tall) ** 2)
    canvas.paint(_EYES, cover((pupil - 1.0) * np.minimum(narrow, 3.0)) * inside, (0.04, 0.03, 0.04))
    glint_u = du * np.sign(u) - 1.8 - 1.0 * pet.light_x
    glint = cover(np.sqrt(glint_u**2 + (dv + 0.36 * height) ** 2) - 1.55, 1.2) * inside
    canvas.paint(_EYES, glint * 0.95, (1.0, 1.0, 1.0))
    spark = cover(np.sqrt((glint_u + 4.0) ** 2 + (dv - 0.34 * height) ** 2) - 0.8, 1.4) * inside
    canvas.paint(_EYES, spark * 0.5, (1.0, 1.0, 1.0))
    closed = smoothstep(1.0, 0.86, pet.lid)
    lid = cover(np.maximum(top, whole - 2.4)) * closed
    canvas.paint(_EYES, lid, [c * (0.90 + 0.012 * dv) for c in pet.fur])
    edge = bump((top / 1.5) ** 2) * cover(whole - 1.2) * closed
    canvas.paint(_EYES, edge, (0.07, 0.05, 0.05))


def paint_mouth(canvas: Canvas, pet: Pet) -> None:
    """Paint two dark arcs below the nose; open, a dark hole below them; and a tongue."""
    u, v, a = canvas.frame(_MOUTH)
    line = pet.mouth_line(a)
    ends = a - pet.mouth_half
    inner = 0.78 * pet.mouth_half
    q = np.maximum(1.0 - (a / inner) ** 2, 0.0)
    jaw = line + pet.gap * np.sqrt(q)
    lip = cover(np.maximum(line - 1.0 - v, v - jaw - 2.0) + 6.0 * np.maximum(a - inner - 1.0, 0.0), 1.5)
    shut = smoothstep(0.4, 2.0, pet.gap)
    canvas.paint(
        _MOUTH, lip * shut * 0.75, [0.50 * c + 0.25 * w for c, w in zip(pet.fur, (0.5, 0.4, 0.4), strict=True)]
    )
    hole = cover(np.maximum(np.maximum(line - v, v - jaw), a - inner)) * shut
    canvas.paint(_MOUTH, hole, (0.34, 0.08, 0.10), label=MOUTH)
    bed = bump((u / (0.75 * pet.mouth_half)) ** 2 + ((v - jaw - 0.5) / np.maximum(0.6 * pet.gap, 0.8)) ** 2)
    canvas.paint(_MOUTH, hole * np.minimum(1.6 * bed, 1.0), (0.90, 0.46, 0.50))

    start = pet.mouth_y + 0.8
    end = start + 1.5 + 0.55 * pet.gap + pet.tongue_length
    half = pet.tongue_half * (0.88 + 0.12 * np.clip((v - start) / 8.0, 0.0, 1.0))
    round_end = np.sqrt(u * u + np.maximum(v - end + half, 0.0) ** 2) - half
    shape = np.maximum(np.maximum(a - half, round_end), start - v)
    shown = smoothstep(0.05, 0.3, pet.tongue)
    canvas.darken(_MOUTH, 0.30 * shown * cover(shape - 1.2, 2.5), (0.8, 1.0, 1.0))
    tone = (
        1.0
        - 0.16 * bump((u / 1.5) ** 2) * cover(v - end + 3.5, 3.0)
        - 0.15 * np.clip(1.0 - (v - start) / 4.0, 0.0, 1.0)
    )
    canvas.paint(_MOUTH, cover(shape) * shown, [c * tone for c in (0.96, 0.50, 0.56)], label=MOUTH)

    ink = bump(((v - line) / 1.5) ** 2) * cover(ends, 2.0)
    stem = bump((u / 1.2) ** 2) * cover(np.maximum(pet.nose_y - v, v - pet.mouth_y - 0.8), 1.5)
    canvas.paint(_MOUTH, np.maximum(ink, stem) * 0.86, (0.13, 0.08, 0.08), label=MOUTH)


def paint_nose(canvas: Canvas, pet: Pet) -> None:
    """Paint the nose, dark or pink, with nostrils and a shine."""
    u, v, a = canvas.frame(_NOSE)
    dv = (v - pet.nose_y) / pet.nose_height
    half = pet.nose_width * (1.0 - (0.46 * pet.cat + 0.26 * pet.dog) * np.clip(dv, -1.0, 1.0))
    radius = ((a / half) ** 2.6 + np.abs(dv) ** 2.6) ** (1.0 / 2.6)
    distance = (radius - 1.0) * (3.4 * pet.cat + 5.2 * pet.dog)
    canvas.darken(_NOSE, 0.20 * cover(distance - 1.2, 3.0), (1.0, 1.0, 1.0))
    tone = 1.0 - 0.14 * dv
    colour = [(d + pet.pink * (p - d)) * tone for d, p in zip((0.15, 0.12, 0.13), (0.94, 0.56, 0.58), strict=True)]
    canvas.paint(_NOSE, cover(distance), colour, label=NOSE)
    nostril = bump(((a - 0.46 * pet.nose_width) / (0.30 * pet.nose_width)) ** 2 + ((dv - 0.22) / 0.36) ** 2)
    canvas.darken(_NOSE, 0.62 * nostril, (1.0, 1.0, 1.0))
    shine = bump(((u - 0.2 * pet.light_x * pet.nose_width) / (0.55 * pet.nose_width)) ** 2 + ((dv + 0.55) / 0.32) ** 2)
    canvas.lighten(_NOSE, shine * (0.26 + 0.14 * pet.light))


def paint_whiskers(canvas: Canvas, pet: Pet) -> None:
    """Paint three long bright hairs on each side, dark ones on bright fur."""
    _, v, a = canvas.frame(_WHISKERS)
    start = pet.muzzle_x + 3.0
    run = a - start
    lines = np.zeros_like(a)
    for offset, slope in ((-2.5, -0.16), (0.5, 0.04), (3.5, 0.24)):
        height = pet.muzzle_y + offset + slope * run + 0.0022 * run * run
        lines = np.maximum(lines, bump(((v - height) / 1.25) ** 2))
    ends = smoothstep(0.0, 3.0, run) * (1.0 - smoothstep(24.0, 33.0, run))
    dark = smoothstep(0.45, 0.75, pet.bright)
    tone = 1.0 - 0.78 * dark
    canvas.paint(_WHISKERS, lines * ends * pet.whiskers * 0.95, [tone * c for c in (1.0, 0.99, 0.96)])
