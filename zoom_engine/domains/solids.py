"""A small painter of convex bodies in space: rays through the pixels meet their planes, and colours are laid where."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from functools import reduce
from itertools import product
from typing import NamedTuple

import numpy as np

from zoom_engine.domains.canvas import SIZE, Array, Box, Canvas, smoothstep

FINE = 2  # rays per pixel, each way
BEVEL = 0.035  # metres along a ray over which two faces melt into one

Triple = tuple[float, float, float]
Colour = Sequence[Array | float]
_AXES: tuple[Triple, Triple, Triple] = ((1.0, 0.0, 0.0), (0.0, 1.0, 0.0), (0.0, 0.0, 1.0))


def dot(a: Sequence[float], b: Sequence[float]) -> float:
    """Return the product of two triples."""
    return a[0] * b[0] + a[1] * b[1] + a[2] * b[2]


def mixed(colour: Colour, other: Colour, share: Array | float) -> list[Array]:
    """Blend two colours; float32, whatever they are."""
    return [np.asarray(a + share * (b - a), dtype=np.float32) for a, b in zip(colour, other, strict=True)]


def least(*reaches: Array) -> Array:
    """Return the least of each pixel: how far it lies inside of all of several edges."""
    return reduce(np.minimum, reaches)


class Camera:
    """Where a picture is taken from: its place and its axes in metres, z up."""

    def __init__(self, place: Triple, target: Triple, *, focus: float, middle: tuple[float, float]) -> None:
        """Look from `place` at `target`, which is seen at the pixel `middle`; `focus` is in pixels."""
        self.place, self.focus, self.middle = place, focus, middle
        way = [t - p for t, p in zip(target, place, strict=True)]
        self.distance, level = math.sqrt(dot(way, way)), math.hypot(way[0], way[1])
        self.ahead = (way[0] / self.distance, way[1] / self.distance, way[2] / self.distance)
        self.right = (way[1] / level, -way[0] / level, 0.0)
        tilt = -self.ahead[2] / level
        self.up = (way[0] * tilt, way[1] * tilt, level / self.distance)

    def seen(self, point: Triple) -> tuple[float, float]:
        """Return where a point is seen, in pixels of the picture from its left and upper edge."""
        arm = [a - b for a, b in zip(point, self.place, strict=True)]
        scale = self.focus / dot(arm, self.ahead)
        return self.middle[0] + scale * dot(arm, self.right), self.middle[1] - scale * dot(arm, self.up)

    def along(self, vector: Triple, x: Array, y: Array) -> Array:
        """Compute the products of a vector with the rays through pixels at `x` and `y`, which are 1 long ahead."""
        across, down = dot(vector, self.right) / self.focus, dot(vector, self.up) / self.focus
        start = dot(vector, self.ahead) - across * self.middle[0] + down * self.middle[1]
        return np.asarray((start + across * x) - down * y)

    def at_height(self, z: float, x: Array, y: Array) -> tuple[Array, Array]:
        """Compute x and y in metres where pixels show a level plane; far away above the horizon."""
        far = (z - self.place[2]) / np.minimum(self.along(_AXES[2], x, y), np.float32(-0.02))
        return self.place[0] + far * self.along(_AXES[0], x, y), self.place[1] + far * self.along(_AXES[1], x, y)


class Plane(NamedTuple):
    """A half-space: normal · point ≤ offset; `part` is what lies on its face."""

    normal: Triple
    offset: float
    part: str

    def depth(self, point: Sequence[Array]) -> Array:
        """Compute how far points lie inside."""
        return np.asarray(self.offset - sum(n * p for n, p in zip(self.normal, point, strict=True)))


def prism(
    outline: Sequence[tuple[float, float]], axes: tuple[int, int], parts: Sequence[str], cut: float
) -> list[Plane]:
    """Return the planes over the edges of a convex polygon, and those that cut off its corners, the sharper the more.

    Args:
        outline: corners along two axes, the inside to the left of each edge.
        axes: which of x, y and z they are.
        parts: of each edge, from its corner to the next; "" leaves it open.
        cut: how far corners are cut, in metres; they are the part "edge".
    """
    edges = []
    for (a, b), (c, d) in zip(outline, [*outline[1:], outline[0]], strict=True):
        size = math.hypot(c - a, d - b)
        edges.append(((d - b) / size, (a - c) / size))
    planes: list[Plane] = []

    def add(edge: tuple[float, float], corner: tuple[float, float], less: float, part: str) -> None:
        one, other = (_AXES[axis] for axis in axes)
        normal = [edge[0] * a + edge[1] * b for a, b in zip(one, other, strict=True)]
        planes.append(Plane((normal[0], normal[1], normal[2]), edge[0] * corner[0] + edge[1] * corner[1] - less, part))

    for index, part in enumerate(parts):
        before, edge = edges[index - 1], edges[index]
        if part:
            add(edge, outline[index], 0.0, part)
        if part and parts[index - 1] and cut:
            size = math.hypot(before[0] + edge[0], before[1] + edge[1])
            between = (before[0] + edge[0]) / size, (before[1] + edge[1]) / size
            add(between, outline[index], cut * (4.0 - 2.0 * size), "edge")
    return planes


def both_sides(planes: Sequence[Plane]) -> list[Plane]:
    """Return planes, and their mirror images on the other side of y = 0."""
    return [*planes, *(Plane((x, -y, z), offset, part) for (x, y, z), offset, part in planes)]


def corners(*spans: tuple[float, float]) -> list[Triple]:
    """Return the corners of a box by its spans of x, y and z."""
    return [(x, y, z) for x, y, z in product(*spans)]


class Hit(NamedTuple):
    """Where m rays meet a body: the points and the normals there, the shares of its parts, the ways of the rays."""

    point: list[Array]
    normal: list[Array]
    parts: dict[str, Array]
    way: list[Array]

    def part(self, name: str) -> Array:
        """Return the share of a part, `[m]`: 0 of one that is not seen."""
        return self.parts.get(name, np.zeros_like(self.point[0]))


Colours = Callable[[Hit], list[Array]]
"""Where rays meet a body → three planes `[m]`."""


class Light:
    """Light from one side and from everywhere, three numbers each, and the sky that lacquer mirrors."""

    def __init__(self, way: Sequence[float], sun: Colour, everywhere: Colour, sky: Colour) -> None:
        """Take the light that comes from `way`."""
        size = math.sqrt(dot(way, way))
        self.way, self.sun, self.everywhere, self.sky = [v / size for v in way], sun, everywhere, sky

    def matt(self, colour: Colour, normal: Sequence[Array | float]) -> list[Array]:
        """Compute a matt colour on a face with this normal."""
        x, y, z = (np.asarray(n, dtype=np.float32) for n in normal)
        facing = np.maximum(x * self.way[0] + y * self.way[1] + z * self.way[2], 0.0)
        up = 0.62 + 0.38 * z
        lit = (c * (e * up + s * facing) for c, e, s in zip(colour, self.everywhere, self.sun, strict=True))
        return [np.asarray(c, dtype=np.float32) for c in lit]

    def glossy(self, colour: Colour, hit: Hit, shine: Array | float) -> list[Array]:
        """Compute a lacquered colour that rays meet: by `shine` with the sky in it, more so at a grazing angle."""
        normal, way = hit.normal, hit.way
        facing = normal[0] * way[0] + normal[1] * way[1] + normal[2] * way[2]
        up, edge = way[2] - 2.0 * facing * normal[2], np.maximum(1.0 + facing, 0.0)
        share = shine * (0.26 + 0.74 * edge * edge * edge)
        share = share * smoothstep(0.02, 0.16, up) * (1.0 - 0.35 * smoothstep(0.25, 0.95, up))
        return [np.asarray(c * (1.0 - 0.3 * share) + s * share)
                for c, s in zip(self.matt(colour, normal), self.sky, strict=True)]  # fmt: skip


class Rays:
    """Rays through a box of the picture, `FINE` times `FINE` of them per pixel; the box is in rays."""

    def __init__(self, camera: Camera, box: Box) -> None:
        """Point them: `x` `[1, w]` and `y` `[h, 1]` are pixels."""
        self.camera, self.box = camera, box
        y, x = ((np.arange(s.start, s.stop, dtype=np.float32) + np.float32(0.5)) / np.float32(FINE) for s in box)
        self.x, self.y, self.shape = x[None, :], y[:, None], (len(y), len(x))

    def on_side(self, y: float) -> tuple[Array, Array]:
        """Compute x and z in metres where rays meet the plane of a `y`."""
        (x, start, z), along = self.camera.place, self.camera.along
        far = (y - start) / along(_AXES[1], self.x, self.y)
        return x + far * along(_AXES[0], self.x, self.y), z + far * along(_AXES[2], self.x, self.y)

    def towards(self, points: Iterable[Triple]) -> Rays:
        """Return those of them through the smallest box about some points."""
        seen = np.array([self.camera.seen(point) for point in points]) * FINE
        low, high = np.floor(seen.min(axis=0)) - 2, np.ceil(seen.max(axis=0)) + 2
        rows, columns = self.box
        cut = [slice(min(max(int(a), s.start), s.stop - 1), max(min(int(b), s.stop), s.start + 1))
               for a, b, s in zip(low[::-1], high[::-1], (rows, columns), strict=True)]  # fmt: skip
        return Rays(self.camera, Box(*cut))


class Easel:
    """Colours, coverage and depth of the rays through the smallest box of pixels about some points."""

    def __init__(self, camera: Camera, points: Iterable[Triple]) -> None:
        """Start with nothing."""
        self.camera = camera
        smallest = Rays(camera, Box(*[slice(0, SIZE * FINE)] * 2)).towards(points).box
        self.box = Box(*(slice(s.start // FINE, -(-s.stop // FINE)) for s in smallest))
        self.rays = Rays(camera, Box(*(slice(s.start * FINE, s.stop * FINE) for s in self.box)))
        *self.rgb, self.alpha, self.near = np.zeros((5, *self.rays.shape), dtype=np.float32)
        self.edge = np.float32(camera.focus / camera.distance * FINE / 1.6)

    def over(self, reach: Array, edge: float = 0.0) -> Array:
        """Compute the coverage of what reaches further than `edge` (metres), soft over a pixel."""
        return np.asarray(np.clip((reach - edge) * self.edge + 0.5, 0.0, 1.0))

    def within(self, *reaches: Array) -> Array:
        """Compute the coverage of what lies inside of all of several edges, by that many metres."""
        return self.over(least(*reaches))

    def blob(self, *arms: tuple[Array, float]) -> Array:
        """Compute the coverage of an ellipsoid by the distance to its middle and half its size along each axis."""
        square = sum(np.square(arm * (1.0 / size)) for arm, size in arms)
        return self.over((1.0 - np.sqrt(square)) * min(size for _, size in arms))

    def part(self, plane: Array, rays: Rays) -> Array:
        """Return the part of a plane that `rays` go through."""
        (top, left), (rows, columns) = (s.start for s in self.rays.box), rays.box
        return plane[rows.start - top : rows.stop - top, columns.start - left : columns.stop - left]

    def lay(self, rays: Rays, coverage: Array, colour: Colour) -> None:
        """Lay a colour over what there is."""
        for plane, value in zip((*self.rgb, self.alpha), (*colour, 1.0), strict=True):
            below = self.part(plane, rays)
            below += coverage * (value - below)

    def solid(self, planes: Sequence[Plane], points: Iterable[Triple], colours: Colours) -> None:
        """Paint a convex body where it is nearer than those before it; `points` are about it.

        1 / distance to a plane is linear in the pixels: the body is met at the least of those that face the camera, if
        that is more than the greatest of the others.
        """
        rays, camera = self.rays.towards(points), self.camera
        out, near = np.zeros((2, *rays.shape), dtype=np.float32)
        near += np.float32(1e3)
        facing: list[tuple[Plane, Triple]] = []
        for plane in planes:
            inside = plane.offset - dot(plane.normal, camera.place)
            nearness = plane.normal[0] / inside, plane.normal[1] / inside, plane.normal[2] / inside
            at = camera.along(nearness, rays.x, rays.y)
            if inside < 0.0:
                facing.append((plane, nearness))
                np.minimum(near, at, out=near)
            else:
                np.maximum(out, at, out=out)
        nearest = self.part(self.near, rays)
        where = np.nonzero(near > np.maximum(out, nearest))
        at = nearest[where] = near[where]
        x, y = rays.x[0, where[1]], rays.y[where[0], 0]
        way = [camera.along(axis, x, y) for axis in _AXES]
        point = [np.asarray(start + axis / at) for start, axis in zip(camera.place, way, strict=True)]
        hit = Hit(point, *self._faces(facing, at, way), way)
        for layer, value in zip((*self.rgb, self.alpha), (*colours(hit), 1.0), strict=True):
            self.part(layer, rays)[where] = np.asarray(value)

    def block(self, middle: Triple, half: Triple, light: Light, colour: Colour) -> None:
        """Paint a matt box about its middle, as a body."""
        x, y, z = ((m - h, m + h) for m, h in zip(middle, half, strict=True))
        planes = prism([(x[0], y[0]), (x[1], y[0]), (x[1], y[1]), (x[0], y[1])], (0, 1), ["box"] * 4, 0.0)
        planes += [Plane((0.0, 0.0, sign), sign * middle[2] + half[2], "box") for sign in (-1.0, 1.0)]
        self.solid(planes, corners(x, y, z), lambda hit: light.matt(colour, hit.normal))

    def _faces(
        self, facing: Sequence[tuple[Plane, Triple]], near: Array, way: Sequence[Array]
    ) -> tuple[list[Array], dict[str, Array]]:
        """Compute normals `[m]`, rounded over the edges, and the share of each part, of the m rays that meet a body."""
        total, *normal = np.zeros((4, len(near)), dtype=np.float32)
        parts: dict[str, Array] = {}
        for plane, (x, y, z) in facing:
            further = near - (x * way[0] + y * way[1] + z * way[2])
            weight = np.exp(further * np.float32(self.camera.distance**2 / BEVEL))
            total += weight
            for axis, n in zip(normal, plane.normal, strict=True):
                if n:
                    axis += np.float32(n) * weight
            parts[plane.part] = parts[plane.part] + weight if plane.part in parts else weight
        length = 1.0 / np.sqrt(normal[0] ** 2 + normal[1] ** 2 + normal[2] ** 2 + np.float32(1e-9))
        return [axis * length for axis in normal], {part: weight / total for part, weight in parts.items()}

    def show(self, canvas: Canvas) -> None:
        """Lay everything over a canvas of one picture, a pixel as the mean of its rays."""
        height, width = (s.stop - s.start for s in self.box)
        *colour, coverage = (
            plane.reshape(1, height, FINE, width, FINE).mean(axis=(2, 4))
            for plane in (*(plane * self.alpha for plane in self.rgb), self.alpha)
        )
        canvas.paint(self.box, coverage, [plane / np.maximum(coverage, 1e-3) for plane in colour])
