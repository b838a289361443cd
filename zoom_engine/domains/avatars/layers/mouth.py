"""Lips, teeth, and the hair around the mouth."""

from __future__ import annotations

import numpy as np

from zoom_engine.domains.avatars.geometry import MOUTH_Y, Face
from zoom_engine.domains.avatars.layers.head import HEAD, Head
from zoom_engine.domains.avatars.mask_classes import HAIR, MOUTH
from zoom_engine.domains.canvas import Canvas, bump, cover, head_box

_MOUTH = head_box(-16, 11, 16, 37)
_MUSTACHE = head_box(-16, 9, 16, 25)


def paint_mouth(canvas: Canvas, face: Face) -> None:
    """Paint lips, and the teeth and tongue of an open mouth."""
    u, v, a = canvas.frame(_MOUTH)
    t = a / face.mouth_half
    q = np.maximum(1.0 - t * t, 0.0)
    line = face.mouth_line(u)
    top = line - 0.25 * face.gap * q
    bottom = line + 0.9 * face.gap * q
    bow = bump((a / 4.2) ** 2)
    edge_top = top - face.lip_upper * q * (1.12 - 0.30 * bow)
    edge_bottom = bottom + face.lip_lower * q * (0.75 + 0.25 * q)
    ends = a - face.mouth_half

    canvas.darken(_MOUTH, 0.20 * bump((u / 9.0) ** 2 + ((v - edge_bottom - 1.6) / 2.6) ** 2))
    lips = cover(np.maximum(np.maximum(edge_top - v, v - edge_bottom), ends))
    upper = np.clip(0.5 + (line - v) * 0.5, 0.0, 1.0)
    shade = 1.0 - 0.15 * upper
    paint = (0.80, 0.06, 0.18)
    colour = []
    for skin, weight, pink, red in zip(face.skin, (0.80, 0.56, 0.56), (0.80, 0.38, 0.38), paint, strict=True):
        natural = 0.70 * weight * skin + (0.24 + 0.14 * face.female) * pink * (0.45 + 0.55 * face.skin[0])
        colour.append((natural + face.lipstick * (red - natural)) * shade)
    strength = 0.86 + 0.14 * face.lipstick
    canvas.paint(_MOUTH, lips * strength, colour, label=MOUTH)
    shine = bump((u / 5.0) ** 2 + ((v - 0.5 * (bottom + edge_bottom)) / 1.2) ** 2)
    canvas.lighten(_MOUTH, shine * (0.14 + 0.22 * face.lipstick))

    hole = cover(np.maximum(np.maximum(top - v, v - bottom), ends)) * np.minimum(face.gap, 1.0)
    canvas.paint(_MOUTH, hole, (0.26, 0.07, 0.08), label=MOUTH)
    tongue = bump((u / 6.5) ** 2 + ((v - bottom - 0.8) / 3.2) ** 2)
    canvas.paint(_MOUTH, hole * tongue, (0.78, 0.34, 0.36))
    biting = top + 0.44 * face.gap * (0.35 + 0.65 * q)
    teeth = cover(np.maximum(v - biting, a - 0.86 * face.mouth_half)) * hole
    canvas.paint(_MOUTH, teeth, (0.96, 0.95, 0.92))

    shut = 1.0 - np.minimum(face.gap, 1.0)
    seam = bump(((v - line) / 1.25) ** 2) * cover(a - face.mouth_half - 0.8, 2.0) * shut
    canvas.darken(_MOUTH, seam * 0.62, (0.85, 1.0, 1.0))
    dimple = bump(((a - face.mouth_half - 0.4) / 2.3) ** 2 + ((v - line) / 2.0) ** 2)
    canvas.darken(_MOUTH, dimple * (0.24 + 0.16 * face.smile))


def paint_beard(canvas: Canvas, face: Face, head: Head) -> None:
    """Paint a full beard: cheeks, jaw and a little volume below the chin, darker than the hair."""
    u, v, a = canvas.frame(HEAD)
    rise = np.clip((a - 8.0) / (face.width - 8.0), 0.0, 1.1)
    border = 27.0 - 24.0 * rise * np.sqrt(rise)
    _, y, x = canvas.at_rest(HEAD)
    texture = np.sin(x * 1.15 - 0.25 * y + 0.8 * np.sin(y * 0.55))
    lower_face = np.clip((v - 16.0) / 16.0, 0.0, 1.0)
    outer = head.distance - 3.6 * lower_face
    distance = np.maximum(border - v + 0.7 * texture, outer + 0.35 * texture)
    coverage = cover(distance, 3.0) * (0.93 * face.beard)
    tone = 1.0 + 0.075 * texture - 0.20 * lower_face + 0.10 * face.light_x * (u / 30.0)
    colour = [hair * tone for hair in face.facial_hair]
    canvas.paint(HEAD, coverage, colour, label=HAIR)


def paint_mustache(canvas: Canvas, face: Face) -> None:
    """Paint a broad mustache between the nose and the upper lip."""
    _, v, a = canvas.frame(_MUSTACHE)
    reach = 12.6 + 0.8 * face.smile
    t = a / reach
    droop = (4.6 - 3.6 * face.smile) * t * t - 0.25 * face.gap * (1.0 - t)
    middle = MOUTH_Y - 5.0 + 0.4 * face.smile + droop
    half = 3.1 * np.sqrt(np.maximum(1.0 - t * t, 0.0)) * (1.0 - 0.22 * bump((a / 2.2) ** 2))
    _, y, x = canvas.at_rest(_MUSTACHE)
    texture = np.sin(x * 1.6 - 1.2 * y)
    distance = np.maximum(np.abs(v - middle) - half + 0.25 * texture, a - reach)
    tone = 0.92 + 0.10 * texture - 0.07 * (v - middle)
    colour = [hair * tone for hair in face.facial_hair]
    canvas.darken(_MUSTACHE, cover(distance - 1.0, 3.0) * (0.25 * face.mustache))
    canvas.paint(_MUSTACHE, cover(distance, 1.5) * (0.96 * face.mustache), colour, label=HAIR)
