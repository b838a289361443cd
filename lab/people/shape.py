"""The shape of a person: which targets of the base mesh a parameter moves, and how the head is held."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from lab.people.mesh import BaseMesh, Points, combined

Row = Mapping[str, float]

# parameter → targets that its negative and its positive half move, each with the weight at the end of the range;
# a name with {} stands for both sides of the face.
TARGETS: dict[str, tuple[dict[str, float], dict[str, float]]] = {
    "face_width": (
        {"head/head-oval": 0.5, "head/head-scale-horiz-decr": 0.35, "head/head-rectangular": 0.3},
        {"head/head-round": 0.85, "head/head-scale-horiz-incr": 0.35},
    ),
    "fullness": (
        {"head/head-fat-decr": 0.5, "cheek/{}-cheek-volume-decr": 0.6},
        {"head/head-fat-incr": 0.35, "cheek/{}-cheek-volume-incr": 0.4, "neck/neck-double-incr": 0.3},
    ),
    "jaw": (
        {"head/head-invertedtriangular": 0.45, "chin/chin-width-decr": 0.5},
        {"head/head-square": 0.6, "chin/chin-width-incr": 0.45, "chin/chin-bones-incr": 0.4},
    ),
    "chin": (
        {"chin/chin-prominent-decr": 0.6, "chin/chin-height-decr": 0.4},
        {"chin/chin-prominent-incr": 0.6, "chin/chin-height-incr": 0.4},
    ),
    "cheekbones": ({"cheek/{}-cheek-bones-decr": 0.8}, {"cheek/{}-cheek-bones-incr": 0.8}),
    "forehead": ({"forehead/forehead-scale-vert-decr": 0.7}, {"forehead/forehead-scale-vert-incr": 0.7}),
    "nose_size": (
        {"nose/nose-volume-decr": 0.6, "nose/nose-scale-vert-decr": 0.5, "nose/nose-scale-depth-decr": 0.4},
        {"nose/nose-volume-incr": 0.6, "nose/nose-scale-vert-incr": 0.5, "nose/nose-scale-depth-incr": 0.4},
    ),
    "nose_width": (
        {"nose/nose-width1-decr": 0.5, "nose/nose-width3-decr": 0.6, "nose/nose-flaring-decr": 0.5},
        {"nose/nose-width1-incr": 0.5, "nose/nose-width3-incr": 0.7, "nose/nose-flaring-incr": 0.6},
    ),
    "nose_bridge": (
        {"nose/nose-hump-decr": 0.6, "nose/nose-curve-concave": 0.5},
        {"nose/nose-hump-incr": 0.6, "nose/nose-curve-convex": 0.4},
    ),
    "lips": (
        {"mouth/mouth-upperlip-volume-decr": 0.7, "mouth/mouth-lowerlip-volume-decr": 0.7,
         "mouth/mouth-upperlip-height-decr": 0.6, "mouth/mouth-lowerlip-height-decr": 0.5},
        {"mouth/mouth-upperlip-volume-incr": 0.8, "mouth/mouth-lowerlip-volume-incr": 0.8,
         "mouth/mouth-upperlip-height-incr": 0.8, "mouth/mouth-lowerlip-height-incr": 0.6},
    ),
    "mouth_width": ({"mouth/mouth-scale-horiz-decr": 0.7}, {"mouth/mouth-scale-horiz-incr": 0.7}),
    "eye_size": ({"eyes/{}-eye-scale-decr": 0.6}, {"eyes/{}-eye-scale-incr": 0.6}),
    "eye_spacing": ({"eyes/{}-eye-trans-in": 0.6}, {"eyes/{}-eye-trans-out": 0.6}),
    "eye_slant": ({"eyes/{}-eye-corner2-down": 0.7}, {"eyes/{}-eye-corner2-up": 0.7}),
    "ear_size": ({"ears/{}-ear-scale-decr": 0.6}, {"ears/{}-ear-scale-incr": 0.6}),
    "brow_thickness": ({}, {"eyebrows/eyebrows-trans-down": 0.25}),
    "asymmetry": (
        {"asym/asym-brown-1-l": 0.3, "asym/asym-cheek-1-l": 0.3, "asym/asym-jaw-1-l": 0.25, "asym/asym-mouth-1-l": 0.25,
         "asym/asym-nose-2-l": 0.3, "asym/asym-eye-4-l": 0.25},
        {"asym/asym-brown-1-r": 0.3, "asym/asym-cheek-2-r": 0.3, "asym/asym-jaw-2-r": 0.25, "asym/asym-mouth-1-r": 0.25,
         "asym/asym-nose-1-r": 0.3, "asym/asym-eye-4-r": 0.25},
    ),
    "smile": (
        {},
        {"faceunits/mouthSmileLeft": 1.05, "faceunits/mouthSmileRight": 1.05, "faceunits/cheekSquintLeft": 0.6,
         "faceunits/cheekSquintRight": 0.6, "faceunits/eyeSquintLeft": 0.25, "faceunits/eyeSquintRight": 0.25,
         "faceunits/mouthDimpleLeft": 0.2, "faceunits/mouthDimpleRight": 0.2},
    ),
    "mouth_open": (
        {},
        {"faceunits/jawOpen": 0.36, "faceunits/mouthUpperUpLeft": 0.8, "faceunits/mouthUpperUpRight": 0.8,
         "faceunits/mouthLowerDownLeft": 0.25, "faceunits/mouthLowerDownRight": 0.25},
    ),
    "brow_raise": (
        {},
        {"faceunits/browInnerUp": 0.9, "faceunits/browOuterUpLeft": 1.5, "faceunits/browOuterUpRight": 1.5,
         "eyebrows/eyebrows-trans-up": 1.0, "faceunits/eyeWideLeft": 0.5, "faceunits/eyeWideRight": 0.5},
    ),
    "eyes_closed": ({}, {"faceunits/eyeBlinkLeft": 1.0, "faceunits/eyeBlinkRight": 1.0}),
}  # fmt: skip

MEAN_SHAPES = ("african", "asian", "caucasian")
TURN, TILT, NOD = np.radians(40.0), np.radians(6.0), np.radians(7.0)
PIVOT = np.array([0.0, 6.45, 0.25])  # between the first vertebrae, decimetres of the base mesh
SHOULDERS = 0.25  # of the head's turn the shoulders make so much


class Figure(NamedTuple):
    """A person in his picture: vertices of the base mesh `[v, 3]` as shaped and as held, in decimetres; `place` maps
    points of the shaped head to where they are held."""

    shaped: Points
    posed: Points
    head: NDArray[np.float64]
    shift: Points

    def place(self, points: Points) -> Points:
        """Hold points of the head `[…, 3]` as the head is held."""
        return np.asarray((points - PIVOT) @ self.head.T + PIVOT + self.shift)


class Shaper:
    """The base mesh and all offsets that parameters ask for."""

    def __init__(self, base: BaseMesh) -> None:
        """Read the targets, once."""
        self.base = base
        names = {name for pair in TARGETS.values() for half in pair for name in _sides(half)}
        names |= {name for gender in (0.0, 1.0) for age in (0.0, 1.0) for name in _means(gender, age, (1.0, 1.0, 1.0))}
        self.offsets = {name: base.target(name) for name in sorted(names)}
        self.with_head = share_of_head(base.vertices)

    def figure(self, row: Row) -> Figure:
        """Return the person of a row of parameters."""
        shaped = combined(self.offsets, weights(row), self.base.vertices)
        # Targets change how tall a body is; heads are compared between their eyes.
        shaped = shaped + self._between_eyes(self.base.vertices) - self._between_eyes(shaped)
        turn = TURN * row["head_turn"] * np.tanh(1.5 * row["turn_side"])
        head = rotation(turn, NOD * row["head_nod"], TILT * row["head_tilt"])
        body = rotation(SHOULDERS * turn, 0.0, 0.0)
        share = self.with_head[:, None]
        around = shaped - PIVOT
        posed = share * (around @ head.T) + (1 - share) * (around @ body.T) + PIVOT
        moved = (self._between_eyes(shaped) - PIVOT) @ head.T + PIVOT
        shift = np.array([-0.75 * moved[0], 0.6 * (self._between_eyes(shaped)[1] - moved[1]), 0.0])
        return Figure(shaped, posed + shift, head, shift)

    def _between_eyes(self, vertices: Points) -> Points:
        both = [vertices[self.base.group(f"helper-{side}-eye")].mean(axis=0) for side in ("l", "r")]
        return np.asarray((both[0] + both[1]) / 2)


def weights(row: Row) -> dict[str, float]:
    """Compute the weight of each target for a row of parameters."""
    first, second = row["shape_first"] ** 2, row["shape_second"] ** 2
    total = first + second + 0.35
    result = _means(row["masculinity"], row["age"], (first / total, second / total, 0.35 / total))
    for parameter, (negative, positive) in TARGETS.items():
        value = row[parameter]
        half = positive if value >= 0 else negative
        for name, weight in _sides(half).items():
            result[name] = result.get(name, 0.0) + weight * abs(value)
    # The base mesh's eyes are small, its lids hang, and its brows frown.
    result["faceunits/browInnerUp"] += 0.15
    for side, tall in (("l", "Left"), ("r", "Right")):
        larger = f"eyes/{side}-eye-scale-incr"
        result[larger] = result.get(larger, 0.0) + 0.4
        result[f"faceunits/eyeWide{tall}"] += 0.3 * (1 - row["eyes_closed"])
    # Lips that are stretched over an open mouth would meet the teeth.
    result["faceunits/mouthSmileLeft"] *= 1 - 0.25 * row["mouth_open"]
    result["faceunits/mouthSmileRight"] *= 1 - 0.25 * row["mouth_open"]
    return result


def _means(masculinity: float, age: float, shapes: tuple[float, float, float]) -> dict[str, float]:
    result: dict[str, float] = {}
    for gender, of_gender in (("male", masculinity), ("female", 1 - masculinity)):
        for years, of_years in (("old", 0.95 * age), ("young", 1 - 0.95 * age)):
            result[f"macrodetails/universal-{gender}-{years}-averagemuscle-averageweight"] = of_gender * of_years
            for shape, share in zip(MEAN_SHAPES, shapes, strict=True):
                result[f"macrodetails/{shape}-{gender}-{years}"] = of_gender * of_years * share
    return result


def _sides(half: Mapping[str, float]) -> dict[str, float]:
    return {
        name.format(side): weight for name, weight in half.items() for side in (("l", "r") if "{}" in name else ("",))
    }


def share_of_head(points: Points) -> NDArray[np.float64]:
    """Return how far points `[p, 3]` of the base mesh turn with the head, 1, and not with the shoulders, 0."""
    return smooth(5.72, 6.5, points[:, 1] + 0.35 * points[:, 2])


def rotation(turn: float, nod: float, tilt: float) -> NDArray[np.float64]:
    """Return the matrix that turns to the left of the picture (negative) or the right, lifts the chin and tilts."""
    c, s = np.cos(turn), np.sin(turn)
    around_y = np.array([[c, 0, s], [0, 1, 0], [-s, 0, c]])
    c, s = np.cos(-nod), np.sin(-nod)
    around_x = np.array([[1, 0, 0], [0, c, -s], [0, s, c]])
    c, s = np.cos(-tilt), np.sin(-tilt)
    around_z = np.array([[c, -s, 0], [s, c, 0], [0, 0, 1]])
    return np.asarray(around_z @ around_y @ around_x)


def smooth(low: float, high: float, x: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return 0 below `low`, 1 above `high`, and Hermite's cubic between."""
    t = np.clip((x - low) / (high - low), 0.0, 1.0)
    return np.asarray(t * t * (3 - 2 * t))
