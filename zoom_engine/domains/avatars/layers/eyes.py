"""Eyes, lids, lashes and brows."""

from __future__ import annotations

import numpy as np

from zoom_engine.domains.avatars.geometry import EYE_Y, Face
from zoom_engine.domains.avatars.mask_classes import BROWS, EYES
from zoom_engine.domains.canvas import Canvas, bump, cover, head_box

_EYES = head_box(-27, -14, 27, 8)
_BROWS = head_box(-25, -24, 25, -1)


def paint_eyes(canvas: Canvas, face: Face) -> None:
    """Paint eyeballs, irises, pupils with a glint, lids and lashes."""
    u, v, a = canvas.frame(_EYES)
    du, dv = a - face.eye_x, v - EYE_Y
    dv = dv + 0.05 * du
    t = du / face.eye_width
    q = 1.0 - t * t
    squint = 1.0 - 0.16 * np.maximum(face.angle, 0.0)
    upper = dv + face.eye_height * squint * q  # positive below the upper lid
    lower = face.eye_height * 0.62 * q - dv  # positive above the lower lid
    canvas.darken(_EYES, 0.20 * bump((du / 11.0) ** 2 + ((dv + 4.6) / 6.0) ** 2))
    lid = np.clip(1.0 - np.abs(upper + 1.6) / 2.6, 0.0, 1.0) * bump((t / 1.15) ** 4)
    canvas.darken(_EYES, lid * (0.30 * face.female), (0.75, 1.1, 0.8))
    crease = bump(((upper + 2.5) / 1.5) ** 2) * bump((t / 1.05) ** 4)
    canvas.darken(_EYES, crease * 0.30)

    opening = cover(-np.minimum(upper, lower))
    shade = 0.965 - 0.26 * np.clip(1.0 - upper / 3.2, 0.0, 1.0) - 0.07 * t * t
    canvas.paint(_EYES, opening, (shade, shade * 0.985, shade * 0.965), label=EYES)
    mid = dv + 0.5
    radius = np.sqrt((du + 0.3) ** 2 + mid * mid)
    inside = cover(radius - face.iris) * opening
    tone = 0.80 + 0.11 * mid - 0.45 * cover(np.abs(radius - face.iris) - 0.2, 1.6)
    tone -= 0.22 * np.clip(1.0 - upper / 3.0, 0.0, 1.0)
    canvas.paint(_EYES, inside, [colour * tone + 0.02 for colour in face.iris_colour])
    canvas.paint(_EYES, cover(radius - 0.47 * face.iris) * opening, (0.05, 0.04, 0.05))
    glint_u = du * np.sign(u) - 1.3 * face.light_x
    glint = cover(np.sqrt(glint_u**2 + (dv + 1.7) ** 2) - 1.05, 1.2) * opening
    canvas.paint(_EYES, glint * 0.95, (1.0, 1.0, 1.0))

    # Lids: a dark line above, thicker and with lashes on a woman's face, a faint one below.
    wing = np.maximum(t - 0.45, 0.0)
    line = dv + face.eye_height * squint * np.maximum(q, -0.3)
    line += face.female * (2.6 * wing + 2.2 * wing * wing)
    grow = np.clip(0.75 + 0.55 * t, 0.1, 1.0)
    spikes = (0.55 + 0.45 * np.sin(du * 2.5 + 0.6)) * np.clip(t + 0.55, 0.0, 1.0)
    thick = (0.62 + 0.55 * face.female) * grow
    lash = np.maximum(-line - thick - face.female * spikes * 2.1, line - thick * 0.9)
    ends = np.maximum(t - 1.02 - 0.26 * face.female, -t - 1.04) * face.eye_width
    canvas.paint(_EYES, cover(np.maximum(lash, ends)) * (0.72 + 0.22 * face.female), (0.10, 0.07, 0.07))
    under_eye = bump(((lower + 0.25) / 1.25) ** 2) * bump(t**4)
    canvas.darken(_EYES, under_eye * (0.34 + 0.22 * face.female), (0.85, 1.0, 1.0))


def paint_brows(canvas: Canvas, face: Face) -> None:
    """Paint brows in the colour of the facial hair."""
    _, v, a = canvas.frame(_BROWS)
    du = a - face.eye_x
    t = du * (1.0 / 9.2)
    middle = face.brow_line(du)
    shape = 1.0 - 0.16 * (t + 1.0) - 0.09 * (t + 1.0) ** 3
    half = face.brow_half * np.maximum(shape, 0.12)
    ragged = 0.25 * np.sin(du * 1.5 + 0.6 * v)
    distance = np.maximum(np.abs(v - middle) - half + ragged * np.minimum(half * 0.5, 0.9), np.abs(du) - 9.2)
    coverage = cover(distance, 1.3)
    strokes = 0.92 + 0.07 * np.sin(du * 1.4 - 0.9 * (v - middle))
    canvas.paint(_BROWS, coverage * 0.95, [hair * 0.86 * strokes for hair in face.facial_hair], label=BROWS)
