"""Strands of hair, brows, lashes and beard: where each begins, and how it grows.

Roots and everything that is drawn by chance are drawn once, for everybody: of two people whose parameters are alike
the strands are alike.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter

from lab.people.mesh import BaseMesh, Points, Surface
from lab.people.shape import Row, smooth
from lab.people.skin import Field, SkinMap

CENTRE = np.array([0.0, 7.35, 0.35])  # of the skull, decimetres of the base mesh


class Strands(NamedTuple):
    """Curves `[s, k, 3]` in decimetres, and the radius of each point `[s, k]`."""

    points: Points
    radii: Field

    def subset(self, keep: NDArray[np.bool_]) -> Strands:
        """Return some of the strands."""
        return Strands(self.points[keep], self.radii[keep])


NO_STRANDS = Strands(np.zeros((0, 6, 3)), np.zeros((0, 6)))


class Roots:
    """Points of a surface where strands begin: chosen once, by area and density."""

    def __init__(self, surface: Surface, rest: Points, density: Field, count: int, seed: int) -> None:
        """Choose quads by area times density, and a place in each."""
        rng = np.random.default_rng(seed)
        corners = rest[surface.quads]
        area = np.linalg.norm(np.cross(corners[:, 2] - corners[:, 0], corners[:, 3] - corners[:, 1]), axis=1)
        weight = area * density[surface.quads].mean(axis=1)
        quads = surface.quads[rng.choice(len(surface.quads), count, p=weight / weight.sum())]
        u, v = rng.random((2, count, 1))
        self.quads = quads
        self.shares = np.stack([(1 - u) * (1 - v), u * (1 - v), u * v, (1 - u) * v], axis=1)
        self.rest = self.of(rest)
        self.chance = rng.random(count)
        self.normal = rng.standard_normal((count, 3))

    def of(self, values: Points) -> Points:
        """Return what fine points have, `[p, …]`, at the roots."""
        return np.asarray((values[self.quads] * self.shares).sum(axis=1))


class Skull:
    """How far the skin is from the middle of the skull, by direction: what hair must not enter."""

    COLUMNS, ROWS = 96, 64

    def __init__(self, points: Points) -> None:
        """Measure the fine points `[p, 3]` of a shaped head."""
        distance, column, row = self._polar(points - CENTRE)
        table = np.zeros((self.COLUMNS, self.ROWS))
        c = np.floor(column).astype(int) % self.COLUMNS
        r = np.clip(np.floor(row).astype(int), 0, self.ROWS - 1)
        np.maximum.at(table, (c, r), distance)
        for _ in range(4):
            tall = np.pad(table, ((0, 0), (1, 1)), mode="edge")  # around it goes on, at the poles it ends
            around = np.stack([np.roll(table, 1, 0), np.roll(table, -1, 0), tall[:, :-2], tall[:, 2:]])
            table = np.where(table > 0, table, around.max(axis=0))
        self.table = table

    def _polar(self, offsets: Points) -> tuple[Field, Field, Field]:
        distance = np.linalg.norm(offsets, axis=-1)
        column = (np.arctan2(offsets[..., 0], offsets[..., 2]) / (2 * np.pi) % 1.0) * self.COLUMNS
        height = np.clip(offsets[..., 1] / np.maximum(distance, 1e-9), -1, 1)
        return distance, column, (np.arcsin(height) / np.pi + 0.5) * self.ROWS

    def radius(self, offsets: Points) -> tuple[Field, Field]:
        """Return how far points are from the middle, and how far the skin is in their directions."""
        distance, column, row = self._polar(offsets)
        column, row = column - 0.5, np.clip(row - 0.5, 0, self.ROWS - 1.001)
        c, r = np.floor(column).astype(int), np.floor(row).astype(int)
        u, v = column - c, row - r
        c0, c1, r1 = c % self.COLUMNS, (c + 1) % self.COLUMNS, np.minimum(r + 1, self.ROWS - 1)
        skin = (1 - u) * ((1 - v) * self.table[c0, r] + v * self.table[c0, r1])
        skin += u * ((1 - v) * self.table[c1, r] + v * self.table[c1, r1])
        return distance, skin

    def softened(self, cells: float) -> Skull:
        """Return the skull as cloth lies on it, smoothed over so many cells."""
        soft = object.__new__(Skull)
        soft.table = gaussian_filter(self.table, cells, mode=("wrap", "nearest"))
        return soft

    def outside(self, points: Points, gap: Field | float) -> Points:
        """Push points out that are less than `gap` above the skin."""
        offsets = points - CENTRE
        distance, skin = self.radius(offsets)
        wanted = np.maximum(distance, skin + gap)
        return np.asarray(CENTRE + offsets * (wanted / np.maximum(distance, 1e-9))[..., None])

    def below(self, points: Points, gap: Field | float, where: NDArray[np.bool_]) -> Points:
        """Press points down to `gap` above the skin, as a hat does, `where` there is one."""
        offsets = points - CENTRE
        distance, skin = self.radius(offsets)
        wanted = np.where(where, np.minimum(distance, skin + gap), distance)
        return np.asarray(CENTRE + offsets * (wanted / np.maximum(distance, 1e-9))[..., None])


class Chest:
    """How high shoulders and chest are, by place: what long hair lies on."""

    SIZE, REACH = 64, 3.0

    def __init__(self, points: Points) -> None:
        """Take the fine points `[p, 3]` of a shaped body below the head."""
        table = np.full((self.SIZE, self.SIZE), -np.inf)
        i, j = self._cell(points)
        np.maximum.at(table, (i, j), points[:, 1])
        table[~np.isfinite(table)] = 0.0
        self.table = np.maximum.reduce([np.roll(table, shift, axis) for axis in (0, 1) for shift in (-1, 0, 1)])

    def _cell(self, points: Points) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        cells = np.clip(((points[..., [0, 2]] / self.REACH + 1) * self.SIZE / 2).astype(int), 0, self.SIZE - 1)
        return cells[..., 0], cells[..., 1]

    def above(self, points: Points, gap: Field) -> Points:
        """Lift points that are less than `gap` above shoulders and chest; those far below are behind or before them."""
        floor = self.table[self._cell(points)] + gap
        lifted = points.copy()
        inside = (points[:, 1] < floor) & (points[:, 1] > floor - 0.35)
        lifted[inside, 1] = floor[inside]
        return lifted


class Hair:
    """All strands of a head."""

    def __init__(self, base: BaseMesh, surface: Surface, skin: SkinMap, *, density: float = 1.0) -> None:
        """Place all roots."""
        rest = skin.rest

        def roots(where: Field, count: int, seed: int) -> Roots:
            return Roots(surface, rest, where, int(count * density), seed)

        self.head = roots(skin.scalp**2, 6500, 11)
        self.beard = roots(skin.beard**2, 3200, 12)
        self.mustache = roots(skin.mustache**2, 1300, 13)
        self.brows = roots(_brows(rest), 900, 14)
        self.guides = _guides(self.head.rest)
        self.base = base
        self.lash_edges = [_lash_edges(base, side) for side in ("l", "r")]

    def on_head(
        self, row: Row, points: Points, normals: Points, skull: Skull, chest: Chest, *, steps: int = 11
    ) -> Strands:
        """Grow the hair of the head."""
        roots = self.head
        rest, chance = roots.rest, roots.chance
        start, normal = roots.of(points), roots.of(normals)
        x, y, z = rest.T
        length_of = row["hair_length"]
        curl = row["curliness"]
        top = smooth(7.3, 8.1, y)
        short = 0.1 + 0.1 * length_of + (0.3 + 0.5 * length_of) * top
        # Long hair ends at about one height, wherever it grows.
        ends = 7.9 - 3.6 * smooth(0.12, 0.95, np.array(length_of))
        long = np.clip(start[:, 1] - ends, 0.25, 4.2) + 0.25 * top
        longer = smooth(0.22, 0.62, np.array(length_of))
        length = (1 - longer) * short + longer * np.maximum(long, short)
        # Ends are uneven: most strands are long, some are far shorter.
        length = length * (0.62 + 0.46 * np.sqrt(chance)) * (1 - 0.28 * curl * longer)
        part = 0.32 * row["hair_part"]
        away = np.sign(x - part) * (0.45 + 0.55 * np.clip(np.abs(x - part) / 0.25, 0, 1))
        fringe = row["bangs"] * smooth(0.45, 0.95, z) * smooth(7.45, 7.75, y)
        back = np.stack([away * (0.4 + 0.6 * top), -0.8 + 0.5 * top, -0.55 - 0.2 * top], axis=1)
        ahead = np.stack([0.6 * away, -0.5 - 0.2 * top, 0.5 + 0 * x], axis=1)
        behind = smooth(0.5, -0.3, z)[:, None]
        crop = ahead * (1 - behind) + np.stack([0.2 * x, -1 + 0 * x, -0.1 + 0 * x], axis=1) * behind
        comb = crop * (1 - longer) + back * longer
        onward = np.stack([0.2 * away, -0.5 + 0 * x, 0.9 + 0 * x], axis=1)
        comb = comb * (1 - fringe[:, None]) + onward * fringe[:, None]
        comb -= (comb * normal).sum(axis=1, keepdims=True) * normal
        comb /= np.maximum(np.linalg.norm(comb, axis=1, keepdims=True), 1e-9)
        fringe_length = np.clip(start[:, 1] - 7.5, 0.12, 0.9) + 0.55 * np.clip(1.25 - z, 0, 1)
        length = length * (1 - fringe) + np.minimum(fringe_length, np.maximum(length, 0.35)) * fringe
        # Short steps where the hair leaves the skull and bends, long ones where it hangs.
        shares = np.linspace(0.3, 1.7, steps - 1) / (steps - 1)
        lift = (0.5 - 0.34 * longer) * (1 - 0.4 * fringe) * (0.4 + 0.6 * top) + 0.55 * curl * (1 - 0.6 * longer)
        direction = normal * lift[:, None] + comb * (1 - 0.5 * curl) + 0.10 * roots.normal
        fall = np.array([0.0, -1.0, 0.0])
        bends = 0.2 + 0.35 * (1 - longer) + (1.6 - 1.3 * longer) * curl  # over so many decimetres
        path = [start + 0.004 * normal]
        thickness = 0.015 + 0.12 * chance * (0.3 + 0.7 * longer) * (0.5 + 0.5 * top)
        side = np.where(np.abs(x - part) < 0.02, 1.0, np.sign(x - part))
        for index, share in enumerate(shares):
            step = length * share
            gravity = 1 - np.exp(-step / bends)[:, None]
            direction = direction / np.linalg.norm(direction, axis=1, keepdims=True)
            following = path[-1] + direction * step[:, None]
            following = skull.outside(following, thickness * min(1.0, index / 3) * (1 - 0.6 * fringe))
            following = chest.above(following, 0.05 + 0.1 * chance)
            # But for a fringe, hair leaves the face free.
            covering = (
                (following[:, 2] > 0.8) & (following[:, 1] < 7.85) & (side * following[:, 0] < 0.66) & (fringe < 0.3)
            )
            following[covering, 0] = 0.66 * side[covering]
            moved = following - path[-1]
            moved *= (step / np.maximum(np.linalg.norm(moved, axis=1), 1e-9))[:, None]
            path.append(path[-1] + moved)
            direction = moved / step[:, None] * (1 - gravity) + fall * gravity
        strands = np.stack(path, axis=1)
        along = np.concatenate([[0.0], np.cumsum(shares)])
        guide = strands[self.guides]
        clump = (0.2 + 0.32 * longer + 0.1 * curl) * along**1.2
        strands = strands + clump[..., None] * (guide - strands)
        strands = self._curled(self._wavy(strands, along, length), along, length, curl, chance)
        strands += 0.012 * along[None, :, None] * roots.normal[:, None]
        strands[:, 2:] = skull.outside(strands[:, 2:], 0.012)
        strands = self._under_hat(row, strands, skull)
        # Baldness takes the front and the top first.
        stays = 1 - 0.75 * smooth(0.0, 1.0, top) - 0.25 * chance
        seen = smooth(-0.02, 0.04, stays - row["baldness"] * 1.06 + 0.02)
        # What would hang over the eyes and the mouth is cut off.
        low = np.where(fringe > 0.3, 7.4, 7.93)[:, None]
        face = (strands[..., 2] > 0.75) & (np.abs(strands[..., 0]) < 0.56) & (strands[..., 1] < low)
        face &= strands[..., 1] > 6.1
        seen = seen * ~face.any(axis=1)
        # Single ones that stand up from the crown are combed away.
        height, skin = skull.radius(strands - CENTRE)
        seen = seen * ~((height - skin > 0.3 + 0.5 * curl) & (strands[..., 1] > 8.0)).any(axis=1)
        radii = 0.0052 * (1 - 0.55 * along**2)[None] * seen[:, None] * (0.8 + 0.4 * chance)[:, None]
        return Strands(strands, radii).subset(seen > 0.05)

    def _wavy(self, strands: Points, along: Field, length: Field) -> Points:
        """Bend strands a little to the sides, those of a guide together: nobody's hair is straight."""
        phase = 2 * np.pi * self.head.chance[self.guides][:, None]
        angle = phase + 2 * np.pi * length[:, None] * along / (0.9 + 0.8 * np.cos(3 * phase) ** 2)
        width = 0.045 * np.minimum(1.0, length)[:, None] * smooth(0.1, 0.6, along)
        sideways = np.stack([np.sin(phase[:, 0] * 5), 0 * length, np.cos(phase[:, 0] * 5)], axis=1)
        return np.asarray(strands + (width * np.sin(angle))[..., None] * sideways[:, None])

    def _curled(self, strands: Points, along: Field, length: Field, curl: float, chance: Field) -> Points:
        if curl < 0.02:
            return strands
        phase = self.head.chance[self.guides] * 2 * np.pi + 0.5 * (chance - 0.5)
        turns = length[self.guides] / (0.34 - 0.1 * curl)
        angle = 2 * np.pi * turns[:, None] * along + phase[:, None]
        width = curl * np.minimum(0.075, 0.3 * length)[:, None] * smooth(0.0, 0.25, along)
        first = np.cross(self.head.rest - CENTRE, [0.0, 1.0, 0.2])
        first /= np.maximum(np.linalg.norm(first, axis=1, keepdims=True), 1e-9)
        out = self.head.rest - CENTRE
        out /= np.linalg.norm(out, axis=1, keepdims=True)
        moved = (width * np.cos(angle))[..., None] * first[:, None] + (width * np.sin(angle))[..., None] * out[:, None]
        return np.asarray(strands + moved)

    def _under_hat(self, row: Row, strands: Points, skull: Skull) -> Points:
        if row["hat"] < 0.5:
            return strands
        below_rim = hat_line(strands) - strands[..., 1]
        return skull.below(strands, 0.02 + 0.3 * np.clip(below_rim - 0.08, 0, None), below_rim < 0.9)

    def on_face(self, row: Row, points: Points, normals: Points) -> Strands:
        """Grow beard and mustache."""
        parts = []
        length = 0.05 + 0.55 * row["beard_length"] ** 1.5
        for roots, amount, reach, steps in (
            (self.beard, row["beard"], length, 6),
            (self.mustache, row["mustache"], 0.16, 6),
        ):
            seen = smooth(0.0, 0.1, amount * 1.1 - roots.chance)
            keep = seen > 0.05
            if row["headscarf"] > 0.5:
                keep &= in_face(roots.rest) < 0.86
                reach = min(reach, 0.14)
            if not keep.any():
                continue
            start, normal = roots.of(points), roots.of(normals)
            side = np.sign(roots.rest[:, 0]) * np.clip(np.abs(roots.rest[:, 0]) / 0.12, 0, 1)
            below = smooth(6.75, 6.35, roots.rest[:, 1]) if roots is self.beard else 0.0
            comb = np.stack(
                [0.45 * side if roots is self.mustache else 0.1 * side, -np.ones_like(side), 0.15 + 0 * side], axis=1
            )
            reach_of = (
                reach
                * (0.6 + 0.7 * roots.normal[:, 0].clip(-0.5, 0.8))
                * (0.3 + 0.7 * below if roots is self.beard else 1.0)
            )
            along = np.linspace(0, 1, steps)
            bend = np.sin(along * 7 + 6.28 * roots.chance[:, None])
            path = (
                start[:, None]
                + (reach_of[:, None] * along)[..., None]
                * (
                    (0.45 if roots is self.beard else 0.15) * normal
                    + 0.75 * comb
                    + (0.16 if roots is self.beard else 0.12) * roots.normal
                )[:, None]
            )
            path += (0.10 * reach_of[:, None] * along * bend)[..., None] * roots.normal[:, None]
            path += normal[:, None] * (0.06 * np.sqrt(along) * np.minimum(1, reach_of[:, None] / 0.15))[..., None]
            radii = 0.0038 * (1 - 0.6 * along)[None] * seen[:, None]
            if row["headscarf"] > 0.5:  # what would grow through it is under it
                keep &= (in_face(path) < 0.98).all(axis=1)
            parts.append((path[keep], radii[keep]))
        if not parts:
            return NO_STRANDS
        return Strands(np.concatenate([path for path, _ in parts]), np.concatenate([radii for _, radii in parts]))

    def brows_and_lashes(self, row: Row, points: Points, normals: Points, vertices: Points) -> Strands:
        """Grow brows, and lashes on the edges of the lids; `vertices` are those of the base mesh."""
        roots = self.brows
        thick = row["brow_thickness"]
        side = np.sign(roots.rest[:, 0])
        place = np.clip((np.abs(roots.rest[:, 0]) - 0.1) / 0.45, 0, 1)
        start, normal = roots.of(points), roots.of(normals)
        comb = np.stack([side * (0.35 + 0.9 * place), 0.95 - 1.25 * place, 0 * place], axis=1)
        along = np.linspace(0, 1, 6)
        length = (0.055 + 0.05 * thick) * (0.7 + 0.6 * roots.chance)
        path = (
            start[:, None]
            + (length[:, None] * along)[..., None] * (comb + 0.28 * normal + 0.12 * roots.normal)[:, None]
        )
        path += normal[:, None] * 0.012
        keep = roots.normal[:, 1] < -0.5 + 2.2 * thick
        if row["headscarf"] > 0.5:
            keep &= in_face(roots.rest) < 0.8
        radii = np.repeat((0.0026 * (1 - 0.55 * along))[None], len(path), axis=0)
        lashes = [self._lashes(row, vertices, edges) for edges in self.lash_edges]
        return Strands(
            np.concatenate([path[keep], *(lash.points for lash in lashes)]),
            np.concatenate([radii[keep], *(lash.radii for lash in lashes)]),
        )

    def _lashes(self, row: Row, vertices: Points, edges: NDArray[np.int64]) -> Strands:
        rng = np.random.default_rng(15)
        count = 130
        pick = rng.integers(0, len(edges) - 1, count)
        share = rng.random((count, 1))
        root = vertices[edges[pick, 0]] * (1 - share) + vertices[edges[pick + 1, 0]] * share
        tip = vertices[edges[pick, 1]] * (1 - share) + vertices[edges[pick + 1, 1]] * share
        close = np.linalg.norm(vertices[edges[pick, 0]] - vertices[edges[pick + 1, 0]], axis=1) < 0.12
        along = np.linspace(0, 1, 6)[None, :, None]
        reach = (0.75 + 0.35 * (1 - row["masculinity"])) * (0.75 + 0.4 * rng.random((count, 1, 1)))
        path = root[:, None] + (tip - root)[:, None] * along * reach
        radii = np.repeat(((0.0022 + 0.0010 * (1 - row["masculinity"])) * (1 - 0.7 * along[..., 0])), count, axis=0)
        return Strands(path[close], radii[close])


def in_face(rest: Points) -> Field:
    """Return for points of the base mesh where they are in the oval that a headscarf leaves free, 1 at its edge."""
    x, y, z = np.moveaxis(rest, -1, 0)
    oval = (x / 0.60) ** 2 + ((y - 7.12) / np.where(y > 7.12, 0.86, 0.93)) ** 2
    return np.asarray(np.where(z > 0.3, oval, np.inf))


def hat_line(points: Points) -> Field:
    """Return the height of the rim of a hat at points `[…, 3]` of a shaped head."""
    return np.asarray(7.55 + 0.22 * (points[..., 2] - 0.2))


def _brows(rest: Points) -> Field:
    """Where brows grow: an arch above each eye, thinner to the outside."""
    x, y, z = rest.T
    side = np.abs(x)
    place = (side - 0.1) / 0.46
    arch = 7.5 + 0.06 * np.sin(np.clip(place, 0, 1) * 2.3) - 0.045 * np.clip(place - 0.7, 0, 1) / 0.3
    half = 0.040 * (1 - 0.72 * np.clip(place, 0, 1) ** 1.6)
    inside = np.clip(1 - np.abs(y - arch) / half, 0, 1) * smooth(-0.05, 0.05, place) * (1 - smooth(0.95, 1.05, place))
    return np.asarray(inside * (z > 1.0))


def _guides(points: Points) -> NDArray[np.int64]:
    """Return for each point the index, among all points, of its nearest guide: some 260 of them, every n-th point."""
    stride = max(1, len(points) // 260)
    distance = ((points[:, None] - points[None, ::stride]) ** 2).sum(axis=-1)
    return np.asarray(distance.argmin(axis=1) * stride)


def _lash_edges(base: BaseMesh, side: str) -> NDArray[np.int64]:
    """Return pairs (root, tip) of vertices of the lashes' helper, along the lids from the nose outward."""
    body = base.vertices[base.group("body")]
    near = body[np.linalg.norm(body - base.vertices[base.group(f"helper-{side}-eye")].mean(axis=0), axis=1) < 0.35]
    pairs = []
    for part in ("1", "2"):
        indices = base.group(f"helper-{side}-eyelashes-{part}")
        points = base.vertices[indices]
        distance = np.sqrt(((points[:, None] - near[None]) ** 2).sum(axis=-1)).min(axis=1)
        roots = np.flatnonzero(distance < 0.35 * distance.max())
        tips = np.flatnonzero(distance > 0.75 * distance.max())
        chosen = [
            (indices[root], indices[tips[np.argmin(np.linalg.norm(points[tips] - points[root], axis=1))]])
            for root in roots
        ]
        pairs += sorted(chosen, key=lambda pair: float(base.vertices[pair[0], 0]))
    return np.array(pairs)
