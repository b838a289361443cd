"""Hair behind and in front of the head."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from zoom_engine.domains.avatars.geometry import Face
from zoom_engine.domains.avatars.layers.head import HEAD, Head
from zoom_engine.domains.avatars.mask_classes import HAIR
from zoom_engine.domains.canvas import Array, Canvas, bump, cover, head_box, smoothstep, within

_HAIR = head_box(-49, -58, 49, 63)


class Mane(NamedTuple):
    """All hair over its box: distance, position in the cap, lumps of the outline, curls inside, presence."""

    distance: Array
    norm: Array
    locks: Array
    curls: Array
    presence: Array


def hair_outline(canvas: Canvas, face: Face) -> Mane:
    """Compute the signed distance of everything that is hair, as if the face were not there."""
    _, v, a = canvas.frame(_HAIR)
    x, y, _ = canvas.at_rest(_HAIR)
    locks = np.sin(0.50 * x + 0.8 * np.sin(0.25 * y)) * np.sin(0.48 * y + 0.8 * np.sin(0.27 * x + 0.8))
    curls = np.sin(0.52 * x + 1.7 * np.sin(0.44 * y)) * np.sin(0.50 * y + 1.7 * np.sin(0.41 * x + 0.8))
    full = np.minimum(face.length * 3.0, 1.0)
    radius_x = face.width + 1.4 + 4.0 * full + 1.6 * face.length + 2.4 * face.curl - 8.0 * face.bald
    radius_y = 41.5 + 1.0 * full + 2.5 * face.curl - 10.0 * face.bald
    lift = np.minimum(v + 6.0, 0.0)
    flare = np.maximum(v + 6.0, 0.0)
    swell = 3.4 * np.sin(np.minimum(flare, 44.0) * 0.052)
    wide = radius_x + face.length * swell - 0.25 * (1.0 - full) * flare
    norm = np.sqrt((a / wide) ** 2 + (lift / radius_y) ** 2)
    end = -4.0 + 61.0 * face.length - 16.0 * face.bald
    tip = a - face.width + 4.0
    bottom = v - end + (0.15 - 0.09 * full) * tip * np.abs(tip)
    distance = np.maximum((norm - 1.0) * 34.0, bottom) - (1.9 * face.curl) * locks
    return Mane(distance, norm, locks, curls, 1.0 - smoothstep(0.4, 0.6, face.bald))


def paint_back_hair(canvas: Canvas, face: Face, mane: Mane) -> None:
    """Paint the hair behind head and neck, in shade."""
    tone = 0.60 + 0.10 * face.curl * mane.curls
    canvas.paint(_HAIR, cover(mane.distance) * mane.presence, [hair * tone for hair in face.hair], label=HAIR)


def paint_front_hair(canvas: Canvas, face: Face, mane: Mane, head: Head) -> None:
    """Paint the hair around the face, with its shadow on the forehead, strands and a highlight."""
    u, v, a = canvas.frame(_HAIR)
    x, y, _ = canvas.at_rest(_HAIR)
    bangs = face.bangs * (1.0 - face.bald)
    part_u = 9.0 * face.part
    loose = (1.0 - bangs) * (1.0 - face.curl) * (1.0 - face.bald)
    swept = v + (0.10 * face.part * (1.0 - bangs)) * u - 8.0
    fringe = 1.3 * np.sin(x * 0.72 + 1.0) + 0.8 * np.sin(x * 1.55 + 2.0)
    peak = bump(((u - part_u) / 19.0) ** 2) * (3.2 * loose)
    open_y = 33.6 + 1.5 * face.male - 8.8 * bangs + 24.0 * face.bald + bangs * fringe + peak
    inward = np.maximum(v - 22.0, 0.0) * face.length
    open_x = face.width - 0.6 - 2.6 * face.length - np.minimum(0.42 * inward, 11.0)
    s, t = a / open_x, np.minimum(swept, 0.0) / open_y
    s2, t2 = s * s, t * t
    round_norm = np.sqrt(s2 + t2)
    square_norm = np.sqrt(np.sqrt(s2 * s2 + t2 * t2))
    opening = (round_norm + (0.25 + 0.6 * bangs) * (square_norm - round_norm) - 1.0) * 28.0
    opening += (1.6 * face.curl) * mane.locks
    distance = np.maximum(mane.distance, -opening)

    shadow = np.clip(1.0 - distance / 5.0, 0.0, 1.0)
    shadow *= mane.presence * 0.26
    canvas.darken(HEAD, within(shadow, _HAIR, HEAD) * head.coverage)

    straight = 1.0 - face.curl
    flow = x * (34.0 / (np.maximum(y + 46.0, 0.0) + 24.0))
    strands = np.sin(flow * 1.25 + 0.7 * np.sin(0.10 * y)) + 0.6 * np.sin(flow * 2.9 + 1.0)
    tone = 0.93 + (0.045 * straight) * strands + (0.16 * face.curl) * mane.curls
    parting = bump(((u - part_u) / 1.8) ** 2) * np.clip((-v - 22.0) * 0.1, 0.0, 1.0)
    tone -= 0.30 * parting * loose
    tone += (0.16 * face.light_x) * (u / 36.0) - 0.0026 * np.maximum(v + 10.0, 0.0)
    tone -= 0.17 * np.clip(1.0 - opening * 0.16, 0.0, 1.0)
    tone -= 0.10 * np.clip(1.0 + mane.distance * 0.3, 0.0, 1.0)
    coverage = cover(distance) * mane.presence
    canvas.paint(_HAIR, coverage, [hair * tone for hair in face.hair], label=HAIR)
    gloss = bump(((mane.norm - 0.84) / 0.13) ** 2) * np.clip(-0.03 * v + 0.1, 0.0, 1.0)
    gloss *= np.clip(0.72 + 0.020 * face.light_x * u, 0.1, 1.2) * (0.92 + 0.12 * strands)
    canvas.lighten(_HAIR, coverage * gloss * (0.20 + 0.14 * face.light) * (0.55 + 0.45 * straight))
