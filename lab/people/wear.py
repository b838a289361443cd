"""What a person wears, made of the person: clothes, hat, headscarf, and frames with their lenses."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from lab.people.mesh import BaseMesh, Faces, Points, Surface
from lab.people.shape import Row, smooth
from lab.people.skin import Field, SkinMap
from lab.people.strands import CENTRE, Skull, in_face


class Shell(NamedTuple):
    """A mesh: points `[p, 3]` and quads `[q, 4]`."""

    points: Points
    quads: Faces


def joined(*shells: Shell) -> Shell:
    """Return one mesh of several."""
    offsets = np.cumsum([0, *(len(shell.points) for shell in shells)])
    return Shell(
        np.concatenate([shell.points for shell in shells]),
        np.concatenate([shell.quads + offset for shell, offset in zip(shells, offsets, strict=False)]),
    )


SHIRT, TURTLENECK = 0.4, 0.72  # above which `collar` is one


class Wardrobe:
    """Clothes and scarf as parts of surfaces that the person moves."""

    def __init__(self, base: BaseMesh, skin: SkinMap) -> None:
        """Cut clothes and scarf out of the base mesh."""
        self.base = base
        tights = base.near_head(base.faces_of("helper-tights"))
        self.cloth = Surface(tights, levels=2)  # it ends in a ring around the neck
        self.rest_cloth = self.cloth.points(base.vertices)
        self.around_neck = _around_neck(skin.rest)
        x = self.rest_cloth[:, 0]
        self.shawl = 5.2 + 0.14 * np.abs(x) + 0.1 * x  # how far down a headscarf lies on the shoulders
        _, y, z = skin.rest.T
        self.bare = (skin.ears < 0.2) & (y + 0.3 * z > 5.9)  # what a scarf lies on: it spans the ears

    def clothes(self, row: Row, vertices: Points, skin: Points) -> Shell:
        """Return a pullover or a shirt, for the vertices of the base mesh and the fine points of the skin as held."""
        points = self.cloth.points(vertices)
        normals = self.cloth.normals(points)
        x, y, z = self.rest_cloth.T
        side = np.abs(x)
        folds = 0.02 * np.sin(9 * x + 5 * y + 2 * np.sin(4 * y)) * smooth(5.6, 5.0, y)
        if row["headscarf"] > 0.5:
            return clipped(Shell(points + normals * (0.05 + folds)[:, None], self.cloth.quads), y - self.shawl - 0.2)
        if row["collar"] > TURTLENECK:
            high = smooth(5.45, 5.9, y + 0.25 * side)
            return Shell(points + normals * (0.05 + 0.03 * high + folds)[:, None], self.cloth.quads)
        shirt = row["collar"] > SHIRT
        deep = 0.5 if shirt else 0.45 * smooth(0.12, 0.0, np.array(row["collar"]))  # a few have a V
        opening = np.clip(side / (0.4 if shirt else 0.42), 0, 1)
        line = 5.74 + 0.2 * smooth(0.3, 0.9, side) + 0.25 * smooth(0.3, -0.2, z) - deep * (1 - opening) * (z > 0)
        above = y - line
        seam = 0.0 if shirt else 0.03 * np.exp(-(((above + 0.045) / 0.035) ** 2))
        shell = clipped(Shell(points + normals * (0.035 + folds + seam)[:, None], self.cloth.quads), above)
        return joined(shell, self._collar(skin)) if shirt else shell

    def _collar(self, skin: Points) -> Shell:
        """Return a shirt's collar, which stands around the neck and is folded down."""
        around = skin[self.around_neck]
        count = len(around)
        axis = around.mean(axis=0)
        outward = (around - axis) * np.array([1.0, 0.0, 1.0])
        outward /= np.linalg.norm(outward, axis=1, keepdims=True)
        ends = np.linspace(-1, 1, count)[:, None] ** 6  # where it is open, its points are long
        up = np.array([0.0, 1.0, 0.0])
        profile = [(0.015, -0.12, 0.0), (0.03, 0.1, 0.0), (0.05, 0.17, 0.0), (0.085, 0.18, 0.0), (0.115, 0.12, 0.02)]
        profile += [(0.145, 0.0, 0.14), (0.17, -0.1, 0.3)]
        rows = [
            around + outward * (out + 0.3 * longer * ends) + up * (high - longer * ends)
            for out, high, longer in profile
        ]
        quads = _grid_quads(len(rows), count)
        return Shell(np.concatenate(rows), quads[np.arange(len(quads)) % count != count - 1])

    def cowl(self, vertices: Points) -> Shell:
        """Return the part of a headscarf that lies on the shoulders."""
        points = self.cloth.points(vertices)
        normals = self.cloth.normals(points)
        x, y, z = self.rest_cloth.T
        azimuth = np.arctan2(x, z - 0.2)
        near = smooth(1.9, 0.5, np.abs(x))
        folds = 0.035 * np.sin(7 * azimuth + 9 * y + 1.5 * np.sin(3 * azimuth)) + 0.03 * np.sin(15 * y - 4 * azimuth)
        # At the neck it is under the part around the head.
        thick = (0.14 + folds * (0.4 + 0.6 * near)) * smooth(6.12, 5.8, y)
        return clipped(Shell(points + normals * thick[:, None], self.cloth.quads), self.shawl - y)

    def lining(self, points: Points) -> Skull:
        """Return what a headscarf lies on, for the fine points of a shaped head."""
        return Skull(points[self.bare]).softened(1.6)

    def scarf(self, lining: Skull) -> Shell:
        """Return a headscarf around its `lining`."""
        around, up = 150, 84
        azimuth = np.linspace(0, 2 * np.pi, around, endpoint=False)[None]
        level = np.linspace(0, 1, up)[:, None]
        lowest = np.radians(-66 - 6 * np.cos(azimuth))  # in the collar
        elevation = lowest * (1 - level) + np.radians(89.5) * level
        flat = np.cos(elevation)
        direction = np.stack([flat * np.sin(azimuth), np.sin(elevation), flat * np.cos(azimuth)], axis=-1).reshape(
            -1, 3
        )
        shell = _draped(direction, lining)
        oval = in_face(shell)
        quads = _grid_quads(up, around)
        quads = quads[(oval[quads] > 1).any(axis=1)]
        # Corners that are inside the opening come to its edge, which is smooth then.
        inner = np.flatnonzero(oval < 1)
        middle = np.array([0.0, 7.12])
        edge = shell[inner].copy()
        edge[:, :2] = middle + (edge[:, :2] - middle) / np.sqrt(np.maximum(oval[inner], 0.3))[:, None]
        offsets = edge - CENTRE
        shell[inner] = _draped(offsets / np.linalg.norm(offsets, axis=1, keepdims=True), lining)
        used, compact = np.unique(quads, return_inverse=True)
        return Shell(shell[used], compact.reshape(-1, 4))


def clipped(shell: Shell, above: Field) -> Shell:
    """Return the part of a shell where `above` `[p]` is at most 0; its edge is where that is 0."""
    out = above > 0
    quads = shell.quads[~out[shell.quads].all(axis=1)]
    points = shell.points.copy()
    # Corners that are outside come to the edge, along the quads' sides, or else along their diagonals.
    for steps in ((2,), (1, 3)):
        pairs = np.concatenate(
            [np.stack([quads, np.roll(quads, -step, axis=1)], axis=-1).reshape(-1, 2) for step in steps]
        )
        outer, inner = pairs[out[pairs[:, 0]] & ~out[pairs[:, 1]]].T
        share = (above[inner] / (above[inner] - above[outer]))[:, None]
        meeting = shell.points[inner] + share * (shell.points[outer] - shell.points[inner])
        count = np.bincount(outer, minlength=len(points))
        total = np.stack([np.bincount(outer, meeting[:, axis], len(points)) for axis in range(3)], axis=1)
        points[count > 0] = total[count > 0] / count[count > 0, None]
    used, compact = np.unique(quads, return_inverse=True)
    return Shell(points[used], compact.reshape(-1, 4))


def _around_neck(rest: Points) -> NDArray[np.int64]:
    """Return fine points of the skin around the neck's foot, from one side of the throat around to the other."""
    azimuth = np.radians(np.linspace(9, 351, 60))
    x, y, z = rest.T
    of_point = np.arctan2(x, z - 0.22) % (2 * np.pi)
    height = 5.86 - 0.12 * np.cos(azimuth)
    low = (y > 5.6) & (y < 6.15) & (np.hypot(x, z - 0.22) < 0.95)
    candidates = np.flatnonzero(low)
    apart = np.abs((of_point[candidates][None] - azimuth[:, None] + np.pi) % (2 * np.pi) - np.pi)
    return np.asarray(candidates[(apart + 1.5 * np.abs(y[candidates][None] - height[:, None])).argmin(axis=1)])


def _draped(direction: Points, skull: Skull) -> Points:
    """Return where cloth lies in some directions from the middle of the skull."""
    _, radius = skull.radius(direction)
    azimuth, height = np.arctan2(direction[:, 0], direction[:, 2]), direction[:, 1]
    folds = 0.014 * np.sin(9 * azimuth + 7 * height) + 0.016 * np.sin(14 * height + 4 * azimuth)
    loose = smooth(-0.2, 0.6, height) * smooth(0.5, -0.9, direction[:, 2])
    gap = 0.1 + 1.1 * folds * smooth(0.75, 0.1, height) + 0.14 * loose + 0.2 * smooth(-0.5, -0.85, height)
    # At the edge of its opening it lies on the face.
    gap = 0.02 + (gap - 0.02) * smooth(1.0, 1.35, in_face(CENTRE + direction * radius[:, None]))
    return np.asarray(CENTRE + direction * (radius + gap)[:, None])


def _grid_quads(rows: int, columns: int) -> Faces:
    """Return the quads of a grid whose last column meets the first."""
    i, j = np.meshgrid(np.arange(rows - 1), np.arange(columns), indexing="ij")
    following = (j + 1) % columns
    quads = np.stack(
        [i * columns + j, i * columns + following, (i + 1) * columns + following, (i + 1) * columns + j], axis=-1
    )
    return quads.reshape(-1, 4)


def hat(skull: Skull) -> Shell:
    """Return a knitted hat for a shaped head: a cap with a folded rim."""
    around, up = 96, 26
    azimuth = np.linspace(0, 2 * np.pi, around, endpoint=False)
    rows = []
    for level in np.concatenate([[-0.13, -0.12, 0.0], np.linspace(0.02, 1.0, up)]):
        rim = level <= 0.25
        # Heights run from the rim to the crown; where a row lies on the skull is found by its direction.
        elevation = np.radians(np.clip(12 + 8 * np.cos(azimuth) + level * 78, -12, 89.5))
        direction = np.stack(
            [np.cos(elevation) * np.sin(azimuth), np.sin(elevation), np.cos(elevation) * np.cos(azimuth)], axis=1
        )
        _, skin = skull.radius(direction)
        gap = 0.11 if rim else 0.075
        gap = 0.03 if level == -0.13 else gap
        knit = 0.010 * np.cos(48 * azimuth) * (1 if rim else 0.6)
        slack = 0.10 * max(0.0, level - 0.5)
        rows.append(CENTRE + direction * (skin + gap + knit + slack)[:, None])
    return Shell(np.concatenate(rows), _grid_quads(len(rows), around))


class Glasses(NamedTuple):
    """A frame and its two lenses."""

    frame: Shell
    lenses: Shell


def glasses(row: Row, base: BaseMesh, vertices: Points, points: Points) -> Glasses:
    """Return glasses that sit on a shaped head, of vertices of the base mesh and fine points."""
    dark = row["sunglasses"] > 0.5
    eyes = [vertices[base.group(f"helper-{side}-eye")].mean(axis=0) for side in ("l", "r")]
    apart = abs(eyes[0][0] - eyes[1][0]) / 2
    squareness = 2.0 + 1.1 * (1 + row["frame_shape"])
    width, height = 0.255 + 0.02 * dark, (0.215 - 0.02 * row["frame_shape"]) + 0.02 * dark
    centre_y = (eyes[0][1] + eyes[1][1]) / 2 - 0.03
    near = (
        (np.abs(points[:, 1] - centre_y) < height + 0.03)
        & (np.abs(points[:, 0]) < apart + width)
        & (points[:, 2] > 0.8)
    )
    deep = points[near][:, 2] + 0.28 * np.clip(np.abs(points[near][:, 0]) - 0.1, 0, None) ** 2
    front = float(np.where(np.abs(points[near][:, 0]) > 0.1, deep + 0.035, deep - 0.03).max())
    place = max(apart, width + 0.055)
    thick = 0.016 + 0.012 * (row["wear_hue"] > 0.45) + 0.004 * dark
    angle = np.linspace(0, 2 * np.pi, 48, endpoint=False)
    frames, lenses = [], []
    for sign in (1.0, -1.0):
        c, s = np.cos(angle), np.sin(angle)
        rim = np.stack(
            [
                sign * place + width * np.sign(c) * np.abs(c) ** (2 / squareness),
                centre_y + height * np.sign(s) * np.abs(s) ** (2 / squareness),
                np.zeros_like(c),
            ],
            axis=1,
        )
        rim[:, 2] = front - 0.28 * np.clip(np.abs(rim[:, 0]) - 0.1, 0, None) ** 2
        frames.append(_tube(rim, thick, closed=True))
        middle = np.array([sign * place, centre_y, front - 0.28 * max(0.0, place - 0.1) ** 2 + 0.012])
        rings = [middle + (rim - middle) * share for share in (0.02, 0.5, 1.0)]
        lenses.append(Shell(np.concatenate(rings), _grid_quads(len(rings), len(rim))))
        outer = rim[np.argmax(sign * rim[:, 0])]
        ear = points[
            (sign * points[:, 0] > 0.55)
            & (np.abs(points[:, 1] - centre_y) < 0.12)
            & (np.abs(points[:, 2] - 0.45) < 0.12)
        ]
        wide = float(np.abs(ear[:, 0]).max()) if len(ear) else 0.78
        hinge = outer + np.array([0, 0.07, -0.02])
        temple = np.linspace(0, 1, 12)[:, None]
        end = np.array([sign * (wide - 0.05), centre_y + 0.06, 0.35])
        path = hinge * (1 - temple) + end * temple
        path[:, 0] += sign * 0.025 * np.sin(np.pi * temple[:, 0])
        frames.append(_tube(np.concatenate([outer[None], path]), 0.85 * thick, closed=False))
    inner = place - width
    arch = np.linspace(-1, 1, 9)
    bridge_path = np.stack([inner * arch, centre_y + 0.05 + 0.03 * (1 - arch**2), front + 0.02 * (1 - arch**2)], axis=1)
    frames.append(_tube(bridge_path, 0.9 * thick, closed=False))
    return Glasses(joined(*frames), joined(*lenses))


def _tube(path: Points, radius: float, *, closed: bool, sides: int = 8) -> Shell:
    ahead = np.roll(path, -1, axis=0) - np.roll(path, 1, axis=0)
    if not closed:
        ahead[0], ahead[-1] = path[1] - path[0], path[-1] - path[-2]
    ahead /= np.maximum(np.linalg.norm(ahead, axis=1, keepdims=True), 1e-9)
    helper = np.where(np.abs(ahead[:, 2:3]) < 0.9, np.array([[0.0, 0, 1]]), np.array([[0.0, 1, 0]]))
    first = np.cross(ahead, helper)
    first /= np.linalg.norm(first, axis=1, keepdims=True)
    second = np.cross(ahead, first)
    angle = np.linspace(0, 2 * np.pi, sides, endpoint=False)
    ring = np.cos(angle)[None, :, None] * first[:, None] + np.sin(angle)[None, :, None] * second[:, None]
    points = (path[:, None] + radius * ring).reshape(-1, 3)
    count = len(path)
    rows = np.arange(count if closed else count - 1)
    i, j = np.meshgrid(rows, np.arange(sides), indexing="ij")
    following = (i + 1) % count
    quads = np.stack(
        [i * sides + j, following * sides + j, following * sides + (j + 1) % sides, i * sides + (j + 1) % sides],
        axis=-1,
    )
    return Shell(points, quads.reshape(-1, 4))
