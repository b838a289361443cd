"""Ears, the head with its shading, cheeks, nose and the marks of age."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from zoom_engine.domains.avatars.geometry import EYE_Y, Face
from zoom_engine.domains.avatars.mask_classes import SKIN
from zoom_engine.domains.canvas import Array, Canvas, bump, cover, head_box, within

HEAD = head_box(-37, -44, 37, 45)
_EARS = head_box(-39, -11, 39, 14)
_NOSE = head_box(-12, -12, 12, 18)
_CHEEKS = head_box(-31, -2, 31, 26)
_FOREHEAD = head_box(-18, -29, 18, -11)
_FOLDS = head_box(-18, 7, 18, 33)
_UNDER_EYES = head_box(-30, -9, 30, 9)
_FURROW = head_box(-7, -17, 7, -4)


class Head(NamedTuple):
    """The painted head: signed distance and coverage over `HEAD`."""

    distance: Array
    coverage: Array


def head_distance(face: Face, v: Array, a: Array) -> tuple[Array, Array, Array]:
    """Compute the signed distance (units, about) of the head's outline, and the position inside it on the unit disc."""
    down = np.maximum(v, 0.0) / face.chin
    up = np.minimum(v, 0.0) * (1.0 / face.top)
    s = a / (face.width * (1.0 - face.taper * np.minimum(down * down, 1.4)))
    t = down + up
    s2, t2 = s * s, t * t
    round_norm = np.sqrt(s2 + t2)
    square_norm = np.sqrt(np.sqrt(s2 * s2 + t2 * t2))
    mix = (face.square - 0.26) * np.minimum(down * 3.0, 1.0) + np.float32(0.28)
    norm = round_norm + mix * (square_norm - round_norm)
    return (norm - 1.0) * 32.0, s, t


def paint_ears(canvas: Canvas, face: Face) -> None:
    """Paint ears, shaded on the inside and on the side away from the light."""
    u, v, a = canvas.frame(_EARS)
    du, dv = a - (face.width + 1.0), v - 1.0
    radius = np.sqrt((du / 5.0) ** 2 + (dv / 8.5) ** 2)
    coverage = cover((radius - 1.0) * 5.5)
    side = 0.86 + 0.05 * face.light_x * np.sign(u)
    shade = side - 0.24 * bump(((du - 0.6) / 3.4) ** 2 + (dv / 6.2) ** 2)
    colour = [skin * (1.0 + w * (shade - 1.0)) for skin, w in zip(face.skin, (0.7, 1.1, 1.1), strict=True)]
    canvas.paint(_EARS, coverage, colour, label=SKIN)


def paint_head(canvas: Canvas, face: Face) -> Head:
    """Paint the head as a softly lit ellipsoid."""
    u, v, a = canvas.frame(HEAD)
    distance, s, t = head_distance(face, v, a)
    coverage = cover(distance)
    nx = np.copysign(s, u)
    nx *= 0.88
    ny = t * 0.85
    nz = np.sqrt(np.maximum(1.0 - nx * nx - ny * ny, 0.05))
    depth = 0.5 + 0.7 * face.light
    shade = nx * (0.48 * face.light_x * depth) + ny * (-0.30 * depth) + nz * (0.50 * depth)
    shade += 1.03 - 0.50 * depth
    np.minimum(shade, 1.10, out=shade)
    shade -= 1.0
    weights = (0.84, 1.0, 1.06)
    colour = [skin * (1.0 + np.float32(w) * shade) for skin, w in zip(face.skin, weights, strict=True)]
    canvas.paint(HEAD, coverage, colour, label=SKIN)
    gleam = bump(((u - 9.0 * face.light_x) / 15.0) ** 2 + ((v + 25.0) / 11.0) ** 2)
    canvas.lighten(HEAD, gleam * coverage * (0.06 + 0.16 * face.light))
    return Head(distance, coverage)


def paint_cheeks(canvas: Canvas, face: Face) -> None:
    """Paint a blush, stronger with a smile."""
    _, v, a = canvas.frame(_CHEEKS)
    lift = 11.0 - 2.0 * face.smile
    hill = bump(((a - 17.5) / 11.0) ** 2 + ((v - lift) / 9.0) ** 2)
    hill *= 0.12 + 0.10 * face.smile + 0.13 * face.female
    red = [0.55 * skin + 0.45 * tone for skin, tone in zip(face.skin, (0.92, 0.32, 0.32), strict=True)]
    canvas.paint(_CHEEKS, hill, red)


def paint_nose(canvas: Canvas, face: Face) -> None:
    """Paint the nose by its shadows, nostrils and highlights."""
    u, v, a = canvas.frame(_NOSE)
    size = face.nose
    side = 0.5 - 0.5 * np.sign(u) * face.light_x
    ridge = bump(((a - 4.4 * size) / 3.6) ** 2 + ((v - 2.0) / 11.0) ** 2)
    shadow = ridge * (0.10 + 0.18 * side * (0.5 + 0.5 * face.light))
    shadow += 0.30 * bump((u / (7.5 * size)) ** 2 + ((v - 13.0) / 2.9) ** 2)
    wing = np.sqrt(((a - 3.9 * size) / (2.9 * size)) ** 2 + ((v - 9.9) / 3.3) ** 2)
    shadow += 0.30 * cover(np.abs(wing - 1.0) * 3.0 - 0.2, 1.6) * cover(4.9 * size - a, 2.5) * cover(7.6 - v, 3)
    canvas.darken(_NOSE, shadow)
    nostril = ((a - 3.2 * size) / (1.9 * size)) ** 2 + ((v - 12.0 - 0.16 * (a - 3.2)) / 1.25) ** 2
    canvas.darken(_NOSE, 0.62 * bump(nostril * 0.62), (0.9, 1.0, 1.0))
    tip = bump(((u - 0.9 * face.light_x) / 3.4) ** 2 + ((v - 7.2) / 3.6) ** 2)
    bridge = bump(((u - 0.8 * face.light_x) / 2.4) ** 2 + ((v + 1.0) / 9.0) ** 2)
    canvas.lighten(_NOSE, (0.26 * tip + 0.13 * bridge) * (0.5 + 0.5 * face.light))


def _line(distance: Array, half: float) -> Array:
    """Compute a soft line: 1 on it, 0 beyond `half` units."""
    return bump((distance * (1.0 / half)) ** 2)


def paint_age(canvas: Canvas, face: Face, head: Head) -> None:
    """Paint lines of the forehead, under the eyes, at their corners and beside the mouth; a furrow when angry."""
    old = face.wrinkles
    u, v, _ = canvas.frame(_FOREHEAD)
    bent = v - 0.010 * u * u
    waves = np.cos((bent + 20.4) * (2.0 * np.pi / 4.3))
    np.maximum(waves, 0.0, out=waves)
    window = bump((u / 17.5) ** 4) * bump(((bent + 20.8) / 6.6) ** 4)
    canvas.darken(_FOREHEAD, waves * waves * window * (0.46 * old), (0.8, 1.0, 1.05))

    _, v, a = canvas.frame(_FOLDS)
    fall = v - 8.0
    fold = _line(a - (6.4 + 0.78 * fall - 0.014 * fall * fall + 1.2 * face.smile), 1.8)
    fold *= bump(((v - 16.0) / 9.5) ** 4) * (0.52 * old + 0.16 * face.smile)
    jowl = _line(a - (12.2 + 0.25 * (v - 24.0)), 1.9) * bump(((v - 27.5) / 4.5) ** 2) * (0.26 * old)
    canvas.darken(_FOLDS, (fold + jowl) * within(head.coverage, HEAD, _FOLDS), (0.8, 1.0, 1.05))

    _, v, a = canvas.frame(_UNDER_EYES)
    du, dv = a - face.eye_x, v - EYE_Y
    t = du / face.eye_width
    lower = face.eye_height * 0.62 * (1.0 - t * t)
    bag = _line(dv - 2.9 - lower * 1.05, 1.5) * bump((t / 1.12) ** 4) * (0.52 * old + 0.05)
    reach = du - face.eye_width
    slope = (dv - 0.4) / np.maximum(reach + 4.0, 1.0)  # the lines start beyond reach 0.5
    rays = np.cos(slope * (2.0 * np.pi / 0.62))
    np.maximum(rays, 0.0, out=rays)
    feet = rays * rays * bump(((reach - 4.4) / 3.9) ** 2) * bump((slope / 1.0) ** 4) * (0.60 * old)
    canvas.darken(_UNDER_EYES, (bag + feet) * within(head.coverage, HEAD, _UNDER_EYES), (0.8, 1.0, 1.05))

    u, v, a = canvas.frame(_FURROW)
    furrow = _line(a - 2.7, 1.3) * bump(((v + 10.6) / 5.6) ** 2)
    canvas.darken(_FURROW, furrow * (0.5 * np.maximum(face.angle, 0.0) + 0.12 * old))
