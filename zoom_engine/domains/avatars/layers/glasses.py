"""Eyeglasses."""

from __future__ import annotations

import numpy as np

from zoom_engine.domains.avatars.geometry import EYE_Y, Face
from zoom_engine.domains.avatars.mask_classes import GLASSES
from zoom_engine.domains.canvas import Canvas, bump, cover, head_box

_GLASSES = head_box(-33, -15, 33, 12)
_HALF_X, _HALF_Y, _ROUNDING = 9.9, 8.2, 5.6


def paint_glasses(canvas: Canvas, face: Face) -> None:
    """Paint dark frames with rounded lenses, a bridge, temples and a slight glint."""
    u, v, a = canvas.frame(_GLASSES)
    du, dv = a - face.eye_x, v - (EYE_Y + 0.9)
    qx = np.maximum(np.abs(du) - (_HALF_X - _ROUNDING), 0.0)
    qy = np.maximum(np.abs(dv) - (_HALF_Y - _ROUNDING), 0.0)
    lens = np.sqrt(qx * qx + qy * qy) - _ROUNDING
    inside = cover(lens) * face.glasses
    canvas.paint(_GLASSES, inside * 0.08, (0.80, 0.90, 1.0))
    slant = du * np.sign(u) * 0.80 + dv * 0.60
    glint = bump(((slant + 3.2) / 2.4) ** 2) + 0.6 * bump(((slant - 0.6) / 1.1) ** 2)
    canvas.lighten(_GLASSES, inside * glint * 0.26)

    frame = np.abs(lens) - 1.15
    bridge = np.maximum(np.abs(dv + 2.6 - 0.10 * a * a + 0.4) - 1.0, a - (face.eye_x - _HALF_X + 0.6))
    beside = np.maximum(face.eye_x + _HALF_X - 0.4 - a, a - face.width - 0.5)
    temple = np.maximum(np.abs(dv + 3.2) - 1.1, beside)
    shape = np.minimum(np.minimum(frame, bridge), temple)
    canvas.darken(_GLASSES, cover(shape - 1.4, 2.4) * face.glasses * 0.20)
    tone = 0.10 + 0.09 * bump(((dv + 7.0) / 5.0) ** 2)
    canvas.paint(_GLASSES, cover(shape) * face.glasses, (tone, tone * 0.95, tone * 1.05), label=GLASSES)
