"""Background, neck, shoulders and clothes."""

from __future__ import annotations

import numpy as np

from zoom_engine.domains.avatars.geometry import Face
from zoom_engine.domains.avatars.mask_classes import BACKGROUND, SKIN
from zoom_engine.domains.canvas import FULL, Canvas, body_box, bump, cover

_NECK = body_box(-30, 14, 30, 63)
_CLOTHES = body_box(-68, 40, 68, 63)


def paint_background(canvas: Canvas, face: Face) -> None:
    """Paint a soft gradient, lighter on the light's side and around the head."""
    x, y = canvas.body(FULL)
    slope = 0.98 - 0.0016 * y + (0.0014 * face.light_x) * x
    glow = 0.12 * bump(x * x / 6400.0 + (y + 8.0) ** 2 / 6400.0)
    level = slope + glow
    for plane, colour in zip(canvas.rgb, face.background, strict=True):
        np.multiply(level, colour, out=plane)


def paint_neck(canvas: Canvas, face: Face) -> None:
    """Paint the neck and the skin inside the neckline, in the shadow of the chin."""
    x, y = canvas.body(_NECK)
    low = np.maximum(y - 36.0, 0.0)
    coverage = cover(np.abs(x) - (face.neck + 0.035 * low * low))
    side = x * (face.light_x * 0.006)
    shade = np.clip(0.66 + 0.016 * np.maximum(y - 38.0, 0.0), 0.0, 0.92) + side - 0.0006 * x * x
    shade -= 1.0
    colour = [skin * (1.0 + weight * shade) for skin, weight in zip(face.skin, (0.8, 1.0, 1.1), strict=True)]
    canvas.paint(_NECK, coverage, colour, label=SKIN)


def paint_clothes(canvas: Canvas, face: Face) -> None:
    """Paint shoulders under a garment with a round neckline and a darker collar."""
    x, y = canvas.body(_CLOTHES)
    far = np.abs(x)
    over = np.maximum(far - (38.0 + 12.0 * face.male), 0.0)
    line = 46.0 + (0.0050 - 0.0014 * face.male) * far * far + 0.05 * over * over
    neckline = np.sqrt((x / (face.neck + 4.5)) ** 2 + ((y - 43.0) / 11.5) ** 2) - 1.0
    neckline = neckline * 13.0
    coverage = cover(np.maximum(line - y, -neckline))
    shade = 0.98 - 0.011 * (y - line) + (0.005 * face.light_x) * x - 0.00008 * x * x
    shade -= 0.16 * cover(np.abs(neckline - 1.5) - 1.6)
    canvas.paint(_CLOTHES, coverage, [colour * shade for colour in face.clothes], label=BACKGROUND)
