"""What the parameters mean in units and colours: one place that drawing and landmarks both read."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from zoom_engine.domains.canvas import (
    CENTER_X,
    CENTER_Y,
    MAX_SHIFT_X,
    MAX_SHIFT_Y,
    MAX_TILT,
    PIVOT,
    SCALE,
    Array,
    column,
    smoothstep,
)
from zoom_engine.domains.pets.parameters import PARAMETER_NAMES, Parameters

HEAD_Y = 3.0  # the middle of the head

_FUR = np.array([[44, 42, 48], [244, 240, 232], [226, 142, 62], [142, 148, 158], [126, 82, 52]]) / 255.0
_SECOND = np.array([[236, 230, 222], [92, 74, 64], [250, 236, 212], [66, 68, 78], [62, 40, 30]]) / 255.0
_EYES = np.array([[92, 54, 26], [206, 140, 40], [126, 168, 70], [78, 160, 214]]) / 255.0
_COLLAR = np.array([[206, 36, 44], [40, 92, 200], [30, 150, 96]]) / 255.0


def _ramp(stops: NDArray[np.float64], t: NDArray[np.floating]) -> list[Array]:
    """Compute a colour at t `[n]` in [0, 1] along equally spaced stops, three columns `[n, 1, 1]`."""
    at = np.linspace(0.0, 1.0, len(stops))
    return [column(np.interp(t, at, stops[:, channel])) for channel in range(3)]


class PointedEar(NamedTuple):
    """Corners (|u|, v) of the triangle, and the height of the head where it sits."""

    inner: tuple[Array, Array]
    tip: tuple[Array, Array]
    outer: tuple[Array, Array]
    base: Array


class HangingEar(NamedTuple):
    """A turned ellipse: its middle (|u|, v), its angle from the vertical outward, and half its axes."""

    middle: tuple[Array, Array]
    turn: Array
    length: Array
    width: Array

    @property
    def tip(self) -> tuple[Array, Array]:
        """Return the lower end."""
        (u, v), turn = self.middle, self.turn
        return np.asarray(u + np.sin(turn) * self.length), np.asarray(v + np.cos(turn) * self.length)


class Pet:
    """Sizes (units of the head's frame) and colours of n pets, every field `[n, 1, 1]`."""

    def __init__(self, parameters: Parameters) -> None:
        """Compute the fields of n rows of parameters."""
        get = {name: column(parameters[name]) for name in PARAMETER_NAMES}
        self.dog = smoothstep(0.05, 0.95, get["species"])
        self.cat = 1.0 - self.dog
        self.snout = get["snout"]
        self.fluffy = get["fur_length"]
        self.stripes = smoothstep(0.2, 0.8, get["stripes"])
        self.patch = smoothstep(0.2, 0.8, get["patch"])
        self.patch_side = get["patch_side"]
        self.blaze = smoothstep(0.2, 0.8, get["blaze"])
        self.slit = get["pupil"]
        self.open = get["mouth_open"]
        self.tongue = smoothstep(0.15, 0.85, get["tongue"])
        self.pink = smoothstep(0.2, 0.8, get["nose_pink"])
        self.whiskers = smoothstep(0.15, 0.85, get["whiskers"])
        self.collar = smoothstep(0.2, 0.8, get["collar"])
        self.outdoors = smoothstep(0.1, 0.9, get["outdoors"])
        self.light_x, self.light = get["light_x"], get["light_strength"]
        self.lightness = get["background_lightness"]
        self.warmth, self.tint = get["background_warmth"], get["background_tint"]
        self.head_x, self.head_y, self.tilt = get["head_x"], get["head_y"], get["tilt"]

        cat, dog = self.cat, self.dog
        self.width = 34.5 * cat + 28.5 * dog + 1.6 * get["head_width"]
        self.top = 29.0 * cat + 33.0 * dog
        self.bottom = 27.0 * cat + (31.0 + 4.0 * self.snout) * dog + 1.5 * self.open
        self.widening = 0.10 * cat - (0.16 + 0.10 * self.snout) * dog

        size = get["eye_size"]
        self.eye_x = 14.8 * cat + 12.4 * dog
        self.eye_y = -2.0 * cat - 7.0 * dog
        self.eye_width = 8.2 * cat + 5.9 * dog + 1.3 * size
        self.eye_height = 7.0 * cat + 5.5 * dog + 1.3 * size
        self.slant = 0.16 * cat - 0.04 * dog
        self.lid = 1.0 - 0.62 * get["sleepy"]

        self.nose_y = 10.6 * cat + 8.0 * dog + (1.8 * cat + 6.0 * dog) * self.snout
        self.nose_width = 4.6 * cat + (8.0 + 1.4 * self.snout) * dog
        self.nose_height = 3.3 * cat + (5.8 + 0.8 * self.snout) * dog
        self.mouth_y = self.nose_y + 5.4 * cat + (10.4 + 1.0 * self.snout) * dog
        self.mouth_half = 8.4 * cat + 12.4 * dog
        self.muzzle_x = 6.2 * cat + (5.5 + 0.5 * self.snout) * dog
        self.muzzle_y = self.nose_y + 4.6 * cat + 4.0 * dog
        self.muzzle_width = (8.0 + 1.2 * self.snout) * cat + (12.5 + 1.5 * self.snout) * dog
        self.muzzle_height = (6.6 + 1.0 * self.snout) * cat + (13.0 + 2.5 * self.snout) * dog
        self.gap = 8.5 * self.open * (0.8 * cat + dog)
        self.tongue_half = 3.9 * cat + 5.6 * dog
        self.tongue_length = (7.5 * cat + 13.5 * dog) * self.tongue

        grow = 1.0 + 0.14 * get["ear_size"]
        fold = get["ear_fold"]
        self.upright = (1.0 - smoothstep(0.15, 0.75, fold)) * grow
        self.floppy = smoothstep(0.3, 0.85, fold) * grow

        shares = parameters.colour_shares()
        self.fur = [column(shares @ _FUR[:, channel]) for channel in range(3)]
        self.second = [column(shares @ _SECOND[:, channel]) for channel in range(3)]
        self.bright = np.asarray(sum(self.fur) / 3.0)
        self.iris = _ramp(_EYES, parameters["eye_color"])
        self.collar_colour = _ramp(_COLLAR, parameters["collar_hue"])

    def pointed_ear(self) -> PointedEar:
        """Return the shape of the upright ears."""
        cat, dog, size = self.cat, self.dog, self.upright
        base = HEAD_Y - 0.66 * self.top
        return PointedEar(
            inner=(self.width * (0.16 * cat + 0.30 * dog), base - 6.0),
            tip=(26.5 * cat + 22.0 * dog + 3.0 * (size - 1.0), base - (26.0 * cat + 28.0 * dog) * size),
            outer=(self.width * (0.98 * cat + 0.96 * dog), base + 13.0 * cat + 9.0 * dog),
            base=base,
        )

    def hanging_ear(self) -> HangingEar:
        """Return the shape of the floppy ears."""
        cat, dog, size = self.cat, self.dog, self.floppy
        return HangingEar(
            middle=(22.5 * cat + (self.width + 2.5) * dog, HEAD_Y - 23.5 * cat - 4.0 * dog),
            turn=0.75 * cat - 0.24 * dog,
            length=(7.0 * cat + 25.0 * dog) * size + 0.5,
            width=(12.5 * cat + 10.5 * dog) * size + 0.5,
        )

    def mouth_line(self, a: Array) -> Array:
        """Compute the height of the closed mouth at |u| = a: two arcs that meet below the nose."""
        t = a / self.mouth_half
        return np.asarray(
            self.mouth_y + (3.4 * self.cat + 3.0 * self.dog) * np.sin(np.pi * np.clip(t, 0.0, 1.15) ** 0.8)
        )

    def to_image(self, u: Array, v: Array) -> tuple[Array, Array]:
        """Turn the head's frame into pixel coordinates of the picture (0 is the left or upper edge)."""
        angle = self.tilt * np.float32(MAX_TILT)
        arm = v - PIVOT
        x = np.cos(angle) * u - np.sin(angle) * arm + self.head_x * MAX_SHIFT_X
        y = np.sin(angle) * u + np.cos(angle) * arm + PIVOT + self.head_y * MAX_SHIFT_Y
        return np.asarray(x * SCALE + CENTER_X), np.asarray(y * SCALE + CENTER_Y)


LANDMARK_NAMES: tuple[str, ...] = (
    "left_eye_outer", "left_eye_inner", "left_pupil", "right_eye_outer", "right_eye_inner", "right_pupil",
    "nose", "left_nostril", "right_nostril", "mouth_left", "mouth_middle", "mouth_right", "chin",
    "left_ear_base", "left_ear_tip", "right_ear_base", "right_ear_tip", "forehead",
)  # fmt: skip


def landmarks(parameters: Parameters) -> Array:
    """Compute the key points of each pet, float32 `[n, 18, 2]`: (x, y) in pixels, in the order of `LANDMARK_NAMES`.

    Left and right are the picture's. The tip of an ear is that of the pointed ear, or where a floppy one ends.
    """
    pet = Pet(parameters)
    zero = np.zeros_like(pet.width)
    points: list[tuple[Array, Array]] = []
    for side in (-1.0, 1.0):
        for du in (pet.eye_width, -pet.eye_width):
            points.append((side * (pet.eye_x + du), pet.eye_y - pet.slant * du))
        points.append((side * pet.eye_x, pet.eye_y))
    points.append((zero, pet.nose_y))
    points += [(side * 0.46 * pet.nose_width, pet.nose_y + 0.22 * pet.nose_height) for side in (-1.0, 1.0)]
    points += [(at * pet.mouth_half, pet.mouth_line(np.abs(at * pet.mouth_half))) for at in (-1.0, 0.0, 1.0)]
    points.append((zero, HEAD_Y + pet.bottom))
    pointed, hanging = pet.pointed_ear(), pet.hanging_ear()
    folded = pet.floppy > pet.upright
    for side in (-1.0, 1.0):
        points.append((side * pointed.outer[0], pointed.outer[1]))
        tip = [np.where(folded, b, a) for a, b in zip(pointed.tip, hanging.tip, strict=True)]
        points.append((side * tip[0], tip[1]))
    points.append((zero, HEAD_Y - 0.7 * pet.top))
    return np.stack([np.concatenate(pet.to_image(u + zero, v + zero), axis=2)[:, 0] for u, v in points], axis=1)
