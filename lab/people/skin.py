"""Skin, point by point: its colour, its gloss and the height of its wrinkles. No picture of anybody's skin is used."""

from __future__ import annotations

from functools import cached_property
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from lab.people.mesh import BaseMesh, Points, Surface
from lab.people.shape import Row, smooth

Field = NDArray[np.float64]

# Albedos along the Monk scale (tone 1 is 0.0, tone 10 is 1.0), linear RGB, of skin in daylight.
TONES = np.array([0.0, 0.22, 0.44, 0.6, 0.75, 0.9, 1.0])
ALBEDO = np.array(
    [
        [0.63, 0.425, 0.335],
        [0.59, 0.375, 0.275],
        [0.51, 0.31, 0.205],
        [0.36, 0.205, 0.125],
        [0.205, 0.110, 0.068],
        [0.100, 0.054, 0.037],
        [0.060, 0.034, 0.025],
    ]
)
LIPSTICK = np.array([0.36, 0.02, 0.035])
HAIR_COLOURS = {
    "hair_black": (0.028, 0.022, 0.020),
    "hair_brown": (0.155, 0.085, 0.050),
    "hair_blond": (0.86, 0.62, 0.37),
    "hair_red": (0.56, 0.15, 0.04),
    "hair_gray": (0.70, 0.68, 0.66),
}


class Skin(NamedTuple):
    """Colour `[p, 3]` in linear RGB, roughness and height (decimetres) of each point, `[p]`."""

    colour: Points
    roughness: Field
    height: Field


class SkinMap:
    """What is where on the fine points of the head, in the base mesh's own coordinates."""

    def __init__(self, base: BaseMesh, surface: Surface) -> None:
        """Find the parts of the face and the noise that colours them; the same for everybody."""
        self.rest = surface.points(base.vertices)
        texture = surface.points(_texture_coordinates(base))
        self.lips, self.lids, self.ears, self.inside = (
            _mask(base, name, texture) for name in ("lips", "eyelids", "ears", "inside-mouth")
        )
        x, y, z = self.rest.T
        self.inside = np.maximum(
            self.inside, smooth(0.05, 0.2, 1.42 - z) * (np.abs(x) < 0.3) * (np.abs(y - 6.57) < 0.16)
        )

    def blob(self, place: tuple[float, float, float], radius: float) -> Field:
        """Return a Gaussian bump around a place and its mirror image."""
        x, y, z = self.rest.T
        distance = np.sqrt((np.abs(x) - abs(place[0])) ** 2 + (y - place[1]) ** 2 + (z - place[2]) ** 2)
        return np.asarray(np.exp(-((distance / radius) ** 2)))

    def noise(self, wavelength: float, seed: int, waves: int = 40) -> Field:
        """Return noise of unit variance: waves of about one length in random directions."""
        rng = np.random.default_rng(seed)
        directions = rng.standard_normal((waves, 3))
        directions /= np.linalg.norm(directions, axis=1, keepdims=True)
        k = directions * (2 * np.pi / wavelength) * rng.uniform(0.7, 1.4, (waves, 1))
        angles = self.rest @ k.T + rng.uniform(0, 2 * np.pi, waves)
        return np.asarray(np.cos(angles).sum(axis=1) * np.sqrt(2 / waves))

    @cached_property
    def blotches(self) -> Field:
        return 0.6 * self.noise(0.35, 1) + 0.4 * self.noise(0.12, 2)

    @cached_property
    def grain(self) -> Field:
        return self.noise(0.045, 3)

    @cached_property
    def ruddy(self) -> Field:
        """Where blood shows: cheeks, tip of the nose, ears, chin."""
        return np.clip(
            0.9 * self.blob((0.42, 6.95, 1.32), 0.24)
            + 0.8 * self.blob((0.0, 6.93, 1.66), 0.14)
            + 0.5 * self.ears
            + 0.35 * self.blob((0.0, 6.3, 1.45), 0.16),
            0,
            1,
        )

    @cached_property
    def sockets(self) -> Field:
        return np.clip(self.blob((0.31, 7.13, 1.38), 0.14) + 0.7 * self.blob((0.16, 7.3, 1.38), 0.1) + self.lids, 0, 1)

    @cached_property
    def spots(self) -> Field:
        """Freckles: small round patches, denser on cheeks and nose."""
        rng = np.random.default_rng(4)
        where = np.clip(self.blob((0.36, 7.0, 1.4), 0.34) + self.blob((0.0, 7.05, 1.6), 0.25), 0, 1)
        where += 0.25 * self.blob((0.2, 7.7, 1.4), 0.5)
        candidates = np.flatnonzero(where > 0.08)
        centres = rng.choice(candidates, 420, replace=True, p=where[candidates] / where[candidates].sum())
        result = np.zeros(len(self.rest))
        for centre in centres:
            near = np.flatnonzero(np.abs(self.rest[:, 1] - self.rest[centre, 1]) < 0.05)
            distance = np.linalg.norm(self.rest[near] - self.rest[centre], axis=1)
            result[near] = np.maximum(
                result[near], rng.uniform(0.4, 1.0) * np.exp(-((distance / rng.uniform(0.014, 0.024)) ** 2))
            )
        return result

    @cached_property
    def age_spots(self) -> Field:
        return smooth(1.5, 2.1, self.noise(0.16, 5)) * smooth(6.9, 7.6, self.rest[:, 1])

    @cached_property
    def beard(self) -> Field:
        """Where a beard grows: jaw, chin, cheeks below a line from mouth to ear, throat."""
        x, y, z = self.rest.T
        side = np.abs(x)
        line = 6.66 + 0.44 * smooth(0.34, 0.74, side)  # the upper edge climbs to the ear
        up = smooth(0.0, 0.12, line - y)
        back = smooth(0.28, 0.55, z)
        throat = smooth(5.95, 6.25, y + 0.1 * z)
        free = (1 - self.lips) * (1 - self.ears) * (1 - smooth(0.0, 0.09, 0.24 - side) * smooth(6.6, 6.66, y))
        patch = 1 - 0.8 * np.exp(-(((side - 0.17) / 0.07) ** 2 + ((y - 6.42) / 0.06) ** 2))
        return np.asarray(np.clip(up * back * throat * free * patch * (1 - self.inside), 0, 1))

    @cached_property
    def mustache(self) -> Field:
        x, y, z = self.rest.T
        side = np.abs(x)
        low = 6.675 - 0.25 * np.clip(side - 0.17, 0, None)
        high = 6.81 - 0.18 * side
        inside = smooth(0, 0.03, y - low) * smooth(0, 0.03, high - y) * smooth(0, 0.05, 0.3 - side) * (z > 1.3)
        return np.asarray(np.clip(inside * (1 - self.lips) * (1 - self.inside), 0, 1))

    @cached_property
    def scalp(self) -> Field:
        """Where hair grows: above a line around the head."""
        x, y, z = self.rest.T
        azimuth = np.degrees(np.arctan2(np.abs(x), z - 0.35))  # 0 to the front, 90 at the ears, 180 behind
        line = np.interp(
            azimuth,
            [0, 18, 32, 48, 62, 80, 96, 115, 140, 180],
            [8.02, 8.03, 7.93, 7.66, 7.42, 7.14, 7.3, 6.85, 6.5, 6.42],
        )
        return smooth(-0.05, 0.05, y - line) * (1 - self.ears)

    @cached_property
    def forehead_lines(self) -> Field:
        x, y, z = self.rest.T
        bend = 0.03 * np.cos(3 * x) + 0.02 * self.noise(0.6, 6)
        lines = -np.exp(-(((np.mod((y + bend) / 0.105, 1.0) - 0.5) / 0.16) ** 2))
        return np.asarray(
            lines * smooth(7.55, 7.68, y) * (1 - smooth(7.95, 8.1, y)) * (1 - smooth(0.35, 0.55, np.abs(x))) * (z > 0.9)
        )

    @cached_property
    def wrinkles(self) -> Field:
        """Crow's feet, folds under the eyes, lines around the mouth and on the throat."""
        x, y, z = self.rest.T
        side = np.abs(x)
        angle = np.arctan2(y - 7.26, side - 0.36)
        feet = -np.exp(-(((np.mod(angle / 0.33, 1.0) - 0.5) / 0.2) ** 2)) * np.exp(
            -(((side - 0.6) / 0.1) ** 2) - ((y - 7.24) / 0.16) ** 2
        )
        under = (
            -np.exp(-(((y - 7.1 + 0.35 * (side - 0.32) ** 2) / 0.035) ** 2))
            * np.exp(-(((side - 0.33) / 0.14) ** 2))
            * (z > 1.1)
        )
        fold = (
            -np.exp(-(((side - 0.2 - 0.36 * (6.85 - y)) / 0.038) ** 2))
            * smooth(6.5, 6.6, y)
            * (1 - smooth(6.82, 6.9, y))
            * (z > 1.2)
        )
        throat = (
            -np.exp(-(((np.mod(y / 0.13, 1.0) - 0.5) / 0.15) ** 2)) * (1 - smooth(6.1, 6.25, y)) * smooth(5.6, 5.8, y)
        )
        return np.asarray(feet + 0.9 * under + 1.1 * fold + 0.5 * throat)

    def skin(self, row: Row, hair: Points) -> Skin:
        """Return the skin of a row of parameters; `hair` `[3]` is the colour of the hair, which darkens its roots."""
        tone = row["skin_tone"]
        albedo = np.array([np.interp(tone, TONES, ALBEDO[:, channel]) for channel in range(3)])
        pale = 1 - smooth(0.3, 0.9, np.array(tone))
        colour = np.repeat(albedo[None], len(self.rest), axis=0)
        melanin = 1 + 0.05 * self.blotches + 0.035 * self.grain
        colour *= melanin[:, None]
        blood = (0.5 + 0.5 * row["skin_redness"]) * (0.35 + 0.65 * pale)
        flush = np.clip(blood * (0.12 + self.ruddy * (0.75 + 0.15 * self.blotches)), 0, 1)
        colour *= 1 - flush[:, None] * np.array([0.05, 0.30, 0.27])
        colour *= 1 - (0.16 + 0.12 * row["age"]) * self.sockets[:, None] * np.array([0.8, 1.0, 0.95])
        freckles = row["freckles"] * self.spots * (0.25 + 0.75 * pale)
        colour *= 1 - freckles[:, None] * np.array([0.45, 0.66, 0.76])
        marks = row["age"] ** 2 * self.age_spots
        colour *= 1 - marks[:, None] * np.array([0.22, 0.32, 0.36])
        # What is deep is dark: more is seen of a wrinkle by its colour than by its height.
        old = smooth(0.2, 1.0, np.array(row["age"]))
        brows_up = np.clip(-self.forehead_lines, 0, 1) * np.maximum(0.8 * old, 0.6 * row["brow_raise"])
        creases = np.clip(np.clip(-self.wrinkles, 0, 1) * old + brows_up, 0, 1)
        colour *= 1 - creases[:, None] * np.array([0.24, 0.32, 0.34])
        # Where hair is shaven or grows, its roots show.
        roots = 0.8 * self.scalp * (1 - row["baldness"])
        shadow = 0.22 * row["masculinity"] * (1 - row["hair_gray"]) * np.maximum(self.beard, self.mustache)
        shadow = np.maximum(shadow, 0.5 * self.beard * row["beard"])
        shadow = np.maximum(shadow, 0.5 * self.mustache * row["mustache"])
        shown = np.maximum(roots, shadow)[:, None]
        colour = colour * (1 - shown) + np.minimum(hair * 0.6 + 0.01, albedo) * shown
        lips = self.lips[:, None]
        natural = albedo * np.array([0.86, 0.52, 0.52]) + np.array([0.03, 0.0, 0.005])
        painted = row["lipstick"] * LIPSTICK + (1 - row["lipstick"]) * natural
        colour = colour * (1 - 0.85 * lips) + painted * 0.85 * lips
        inside = self.inside[:, None]
        colour = colour * (1 - inside) + np.array([0.14, 0.03, 0.028]) * inside
        oily = self.blob((0.0, 7.8, 1.45), 0.3) + self.blob((0.0, 7.0, 1.65), 0.2)
        roughness = 0.5 - 0.06 * np.clip(oily, 0, 1) + 0.03 * self.grain
        roughness = roughness * (1 - self.lips) + (0.38 - 0.14 * row["lipstick"]) * self.lips
        height = 0.011 * old * self.wrinkles + (0.009 * old + 0.008 * row["brow_raise"]) * self.forehead_lines
        height += 0.0005 * self.grain
        height -= 0.002 * self.lips * np.abs(np.sin(self.rest[:, 0] * 75))
        return Skin(np.clip(colour, 0.004, 0.9), np.clip(roughness, 0.2, 0.8), height)


def hair_colour(shares: dict[str, float]) -> Points:
    """Return the colour of hair, linear RGB `[3]`, by the shares of the five, mixed as pigments are."""
    logs = sum(share * np.log(np.array(HAIR_COLOURS[name])) for name, share in shares.items())
    return np.asarray(np.exp(logs))


def _texture_coordinates(base: BaseMesh) -> Points:
    """Return a place `[v, 2]` in the unit square of textures for each vertex of the base mesh."""
    coordinates: list[list[float]] = []
    result = np.zeros((len(base.vertices), 2))
    with (base.folder / "mpfb2" / "3dobjs" / "base.obj").open() as lines:
        for line in lines:
            if line.startswith("vt "):
                coordinates.append([float(field) for field in line.split()[1:3]])
            elif line.startswith("f "):
                for corner in line.split()[1:]:
                    vertex, texture = corner.split("/")[:2]
                    result[int(vertex) - 1] = coordinates[int(texture) - 1]
    return result


def _mask(base: BaseMesh, name: str, texture: Points) -> Field:
    with Image.open(base.folder / "mpfb2" / "textures" / f"mpfb_{name}.jpg") as picture:
        values = np.asarray(picture.convert("L"), dtype=np.float64) / 255
    height, width = values.shape
    columns = np.clip((texture[:, 0] * width).astype(int), 0, width - 1)
    rows = np.clip(((1 - texture[:, 1]) * height).astype(int), 0, height - 1)
    return np.asarray(values[rows, columns])
