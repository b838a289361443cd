"""What the parameters mean in pixels and colours: one place that drawing and landmarks both read."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from zoom_engine.domains.avatars.parameters import Parameters
from zoom_engine.domains.canvas import (
    CENTER_X,
    CENTER_Y,
    MAX_SHIFT_X,
    MAX_SHIFT_Y,
    MAX_TILT,
    PIVOT,
    SCALE,
    Array,
    bump,
    column,
    smoothstep,
)

EYE_Y = -1.4
BROW_Y = -11.6
NOSE_Y = 10.6
MOUTH_Y = 21.3

_SKIN = np.array([[252, 226, 208], [238, 190, 158], [190, 132, 96], [98, 62, 44]]) / 255.0
_HAIR = np.array([[36, 31, 36], [104, 66, 42], [228, 190, 112], [184, 76, 34], [182, 183, 188]]) / 255.0
_EYES = np.array([[70, 42, 26], [124, 84, 40], [88, 124, 72], [70, 132, 190]]) / 255.0


def _ramp(stops: NDArray[np.float64], t: NDArray[np.floating]) -> list[Array]:
    """Compute a colour at t `[n]` in [0, 1] along equally spaced stops, three columns `[n, 1, 1]`."""
    at = np.linspace(0.0, 1.0, len(stops))
    return [column(np.interp(t, at, stops[:, channel])) for channel in range(3)]


def _tint(lightness: Array, warmth: Array, tint: Array, strength: float) -> list[Array]:
    """Compute a colour from lightness, blue-orange and green-pink axes; three columns `[n, 1, 1]` in [0, 1]."""
    axes = ((0.9, 0.5), (0.1, -0.65), (-1.0, 0.4))
    return [np.clip(lightness + strength * (w * warmth + t * tint), 0.0, 1.0) for w, t in axes]


class Face:
    """Sizes (units of the head's frame) and colours of n faces, every field `[n, 1, 1]`."""

    def __init__(self, parameters: Parameters) -> None:
        """Compute the fields of n rows of parameters."""
        get = {name: column(parameters[name]) for name in _NEEDED}
        self.male = get["masculinity"]
        self.female = 1.0 - self.male
        self.age = get["age"]
        self.wrinkles = smoothstep(0.15, 0.85, self.age)
        self.smile, self.open = get["smile"], get["mouth_open"]
        self.lipstick = smoothstep(0.3, 0.7, get["lipstick"])
        self.angle = get["brow_angle"]
        self.glasses = smoothstep(0.35, 0.65, get["eyeglasses"])
        self.beard = smoothstep(0.25, 0.75, get["beard"])
        self.mustache = smoothstep(0.25, 0.75, get["mustache"])
        self.bangs = smoothstep(0.05, 0.95, get["bangs"])
        self.bald, self.length, self.curl = get["baldness"], get["hair_length"], get["curliness"]
        self.part = get["hair_part"]
        self.light_x, self.light = get["light_x"], get["light_strength"]
        self.head_x, self.head_y, self.tilt = get["head_x"], get["head_y"], get["tilt"]

        self.width = 29.0 + 2.0 * get["face_width"] + 2.4 * (self.male - 0.5)
        self.top = 40.0
        self.chin = 37.0 + 3.0 * (self.male - 0.5) + 1.6 * self.open
        self.square = np.clip(0.08 + 0.50 * self.male + 0.16 * get["jaw"], 0.0, 0.9)
        self.taper = 0.32 - 0.20 * self.male - 0.05 * get["jaw"] - 0.03 * self.wrinkles
        self.neck = 11.0 + 7.0 * self.male

        size = get["eye_size"]
        self.eye_x = 12.8 + 0.7 * get["eye_spacing"]
        self.eye_width = 7.3 + 1.2 * size
        self.eye_height = (4.5 + 1.75 * size - 0.5 * self.male) * (1.0 - 0.10 * self.smile)
        self.iris = 3.8 + 0.9 * size
        self.brow_y = BROW_Y - 0.7 * size + 1.1 * np.maximum(self.angle, 0.0)
        self.brow_half = 0.80 + 2.3 * get["brow_thickness"] + 0.3 * self.male
        self.nose = 1.0 + 0.14 * get["nose_size"] + 0.20 * (self.male - 0.5)
        self.mouth_half = 9.6 + 2.9 * self.smile + 0.8 * get["mouth_width"]
        self.gap = 6.0 * self.open
        self.lip_upper = 1.4 + 1.4 * self.female + 0.4 * self.lipstick
        self.lip_lower = 2.0 + 1.6 * self.female + 0.4 * self.lipstick

        self.skin = self._skin(parameters)
        weights = parameters.colour_shares()
        self.hair = [column(weights @ _HAIR[:, channel]) for channel in range(3)]
        self.facial_hair = self._facial_hair()
        self.iris_colour = _ramp(_EYES, parameters["eye_color"])
        self.background = _tint(
            0.42 + 0.44 * get["background_lightness"], get["background_warmth"], get["background_tint"], 0.13
        )
        self.clothes = _tint(0.16 + 0.62 * get["clothes_lightness"], get["clothes_warmth"], get["clothes_tint"], 0.17)

    def _skin(self, parameters: Parameters) -> list[Array]:
        warmth = column(parameters["skin_warmth"])
        tone = _ramp(_SKIN, parameters["skin_tone"])
        shift = (0.0, 0.014, -0.022)
        fade = 0.06 * self.wrinkles
        mean = sum(tone) / 3.0
        mixed = (((c + s * warmth) * (1 - fade) + fade * mean) for c, s in zip(tone, shift, strict=True))
        return [np.asarray(c) for c in mixed]

    def _facial_hair(self) -> list[Array]:
        """Compute the colour of brows, beard and mustache: the hair's, greyer with age, darker if like the skin."""
        grey = 0.22 * self.wrinkles
        contrast = np.asarray(0.75 * sum(self.hair) - sum(self.skin))
        likeness = bump((contrast / 0.9) ** 2)
        tone = 0.78 - 0.36 * likeness
        warm = (1.0, 0.94, 0.86)
        aged = ((hair * (1.0 - grey) + grey * 0.62) * w for hair, w in zip(self.hair, warm, strict=True))
        return [np.asarray(colour * tone) for colour in aged]

    def mouth_line(self, u: Array) -> Array:
        """Compute the height of the line between the lips at `u` (the corners rise with a smile)."""
        t = u / self.mouth_half
        return np.asarray(MOUTH_Y + 1.0 * self.smile + (0.6 - 5.0 * self.smile) * t * t)

    def brow_line(self, du: Array) -> Array:
        """Compute the height of the middle of a brow, `du` units outward from the middle of the eye."""
        t = du / 9.0
        arch = 1.3 + 0.9 * self.female - 0.5 * self.angle
        return np.asarray(self.brow_y - arch * (1.0 - t * t) - t * (0.4 + 3.4 * self.angle))

    def to_image(self, u: Array, v: Array) -> tuple[Array, Array]:
        """Turn the head's frame into pixel coordinates of the picture (0 is the left or upper edge)."""
        angle = self.tilt * np.float32(MAX_TILT)
        arm = v - PIVOT
        x = np.cos(angle) * u - np.sin(angle) * arm + self.head_x * MAX_SHIFT_X
        y = np.sin(angle) * u + np.cos(angle) * arm + PIVOT + self.head_y * MAX_SHIFT_Y
        return np.asarray(x * SCALE + CENTER_X), np.asarray(y * SCALE + CENTER_Y)


_NEEDED = (
    "masculinity", "age", "smile", "mouth_open", "lipstick", "brow_angle", "brow_thickness", "eyeglasses",
    "beard", "mustache", "bangs", "baldness", "hair_length", "curliness", "hair_part", "light_x",
    "light_strength", "head_x", "head_y", "tilt", "face_width", "jaw", "eye_size", "eye_spacing", "nose_size",
    "mouth_width",
    "background_lightness", "background_warmth", "background_tint", "clothes_lightness", "clothes_warmth",
    "clothes_tint",
)  # fmt: skip

LANDMARK_NAMES: tuple[str, ...] = (
    "left_eye_outer", "left_eye_inner", "left_pupil", "left_eye_top", "left_eye_bottom",
    "right_eye_outer", "right_eye_inner", "right_pupil", "right_eye_top", "right_eye_bottom",
    "left_brow_outer", "left_brow_middle", "left_brow_inner",
    "right_brow_outer", "right_brow_middle", "right_brow_inner",
    "nose_bridge", "nose_tip", "left_nostril", "right_nostril",
    "mouth_left", "mouth_right", "upper_lip", "lower_lip", "chin", "left_cheek", "right_cheek",
)  # fmt: skip


def landmarks(parameters: Parameters) -> Array:
    """Compute the key points of each face, float32 `[n, 27, 2]`: (x, y) in pixels, in the order of `LANDMARK_NAMES`.

    Left and right are the picture's. Points hidden by hair or glasses are given too.
    """
    face = Face(parameters)
    zero = np.zeros_like(face.width)
    eye_y = zero + EYE_Y
    points: list[tuple[Array, Array]] = []
    for side in (-1.0, 1.0):
        points += [
            (side * (face.eye_x + face.eye_width), eye_y),
            (side * (face.eye_x - face.eye_width), eye_y),
            (side * face.eye_x, eye_y),
            (side * face.eye_x, eye_y - face.eye_height),
            (side * face.eye_x, eye_y + 0.62 * face.eye_height),
        ]
    for side in (-1.0, 1.0):
        points += [(side * (face.eye_x + du), face.brow_line(zero + du)) for du in (9.0, 0.0, -9.0)]
    points += [(zero, eye_y), (zero, zero + NOSE_Y - 2.0)]
    points += [(side * 3.4 * face.nose, zero + NOSE_Y + 1.2) for side in (-1.0, 1.0)]
    points += [(side * face.mouth_half, face.mouth_line(face.mouth_half)) for side in (-1.0, 1.0)]
    line = face.mouth_line(zero)
    points += [
        (zero, line - 0.25 * face.gap - face.lip_upper),
        (zero, line + 0.9 * face.gap + face.lip_lower),
    ]
    points += [(zero, face.chin - 0.5)]
    points += [(side * (face.width - 9.0), zero + 10.0) for side in (-1.0, 1.0)]
    placed = [np.stack(face.to_image(u, v), axis=-1)[:, 0, 0, :] for u, v in points]
    return np.stack(placed, axis=1).astype(np.float32)
