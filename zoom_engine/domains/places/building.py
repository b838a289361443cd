"""The building: turret and minarets, body and side, roof and dome, windows, cross and scaffolding."""

from __future__ import annotations

from functools import reduce

import numpy as np

from zoom_engine.domains.canvas import Array, Colour, bump, cover, smoothstep
from zoom_engine.domains.outdoors import Scene, box_of, mix
from zoom_engine.domains.places.geometry import BASE, BUILDING, Place
from zoom_engine.domains.textures import blocks, fractal

BOX = box_of(-47, -59, 47, 31)
_STONE, _BRICK, _MORTAR, _BOARD = (0.66, 0.63, 0.57), (0.70, 0.31, 0.22), (0.80, 0.72, 0.66), (0.50, 0.33, 0.19)
_SLATE, _RED, _GOLD = (0.36, 0.38, 0.43), (0.76, 0.25, 0.16), (0.95, 0.76, 0.22)
_WEAVES = (9, 6, 1), (6, 3, 2), (64, 4, 3), (5, 4, 4)  # of stones, bricks, boards and tiles


def _inside(*distances: Array | float) -> Array:
    """Compute the signed distance of what lies within all of these."""
    return np.asarray(reduce(np.maximum, distances))


def _above(x: Array, y: Array, start: tuple[Array | float, Array], end: tuple[Array, Array]) -> Array:
    """Compute how far (x, y) lies above the line from `start` to `end`, which lies further right; y points up."""
    dx, dy = end[0] - start[0], end[1] - start[1]
    return np.asarray(((y - start[1]) * dx - (x - start[0]) * dy) / (np.sqrt(dx * dx + dy * dy) + 1e-3))


class Builder:
    """Paints the building of each place, in its own frame: `p` to the right, `q` up from the ground."""

    def __init__(self, scene: Scene, place: Place) -> None:
        """Compute the frame, and the colours of walls and roofs before light."""
        self.scene, self.place, on = scene, place, place.on
        u, v = scene.frame(BOX)
        self.p, self.q = u - place.middle, BASE - v
        where = (slice(None), *BOX)
        (stones, joints), (bricks, mortar), (boards, gaps), (tiles, lines) = (
            [plane[where] for plane in blocks(*weave)] for weave in _WEAVES
        )
        rough, self.drift, self.holes = (fractal(n, n, n)[where] - 0.5 for n in (40, 20, 8))
        self.walls = []
        for plaster, grey, red, pale, brown in zip(place.plaster, _STONE, _BRICK, _MORTAR, _BOARD, strict=True):
            stone = grey * (1.0 + 0.17 * stones + 0.2 * rough) * (1.0 - 0.34 * joints)
            brick = mix(red * (1.0 + 0.16 * bricks), pale, 0.7 * mortar)
            board = brown * (1.0 + 0.12 * boards + 0.3 * rough) * (1.0 - 0.45 * gaps)
            wall = mix(plaster * (1.0 + 0.12 * rough), stone, on["stone"])
            self.walls.append(mix(mix(wall, brick, on["brick"]), board, on["wood"]))
        rows = 1.0 + 0.10 * tiles - 0.22 * lines
        self.roof = [mix(s, r, on["roof_red"]) * rows for s, r in zip(_SLATE, _RED, strict=True)]

    def lit(self, toward: Array | float) -> Array:
        """Compute the brightness of what is turned right (1) or left (-1)."""
        air = self.place.air
        return np.asarray(0.92 + (0.10 + 0.22 * air.sunny) * toward * air.light_x)

    def lay(self, coverage: Array, colour: Colour, tone: Array | float = 1.0, *, snowy: Array | None = None) -> None:
        """Lay something in a tone of its colour, with snow on the share `snowy` of it."""
        self.scene.lay(BOX, coverage, colour, label=BUILDING, tone=tone, snowy=snowy)

    def window(self, across: Array, up: Array, half: Array, tall: Array, inside: Array) -> None:
        """Paint a window, its arch pointed or its top straight, with a pale frame, where the wall is."""
        arch = self.place.pointed * 0.55 * np.maximum(up - 0.2 * tall, 0.0)
        edge = np.maximum(across - half + arch, np.abs(up) - tall)
        pane = cover(edge)
        self.lay(cover(edge - 0.9) * inside, [mix(0.85, c, pane) for c in (0.22, 0.27, 0.34)])
        self.scene.shine(BOX, pane * inside * (1.0 - self.place.broken))

    def storey(self, up: Array) -> Array:
        """Fold heights about the middle of a wall, where it has two rows of windows."""
        return mix(up, np.abs(up) - 0.23 * self.place.wall, self.place.storeys)

    def turret(self, x: Array, height: Array, spire: Array) -> None:
        """Paint a turret at `x`: shaft, windows, battlements or a minaret's balcony, and cap or spire."""
        place, q = self.place, self.q
        away, half = self.p - x, place.turret
        a, shown = np.abs(away), smoothstep(1.0, 3.0, height)
        teeth = place.battlements * 3.0 * smoothstep(-0.25, 0.25, np.sin(1.08 * away + 1.57))
        jag = place.broken * (3.0 + 3.0 * np.sin(0.8 * away + 1.0) + 1.5 * np.sin(2.1 * away))
        flared = half + 1.5 * place.battlements * smoothstep(6.5, 5.0, height - q)
        shaft = cover(_inside(a - flared, q - height - teeth + jag, -q)) * shown
        tone = self.lit(np.clip(away / half, -1.0, 1.0)) - 0.10 * smoothstep(0.25, 0.45, away * place.facing / half)
        tone = tone - 0.18 * bump(((height - q - 1.0) / 2.5) ** 2) * (1.0 - place.broken)
        self.lay(shaft, self.walls, tone, snowy=0.9 * cover(height + teeth - jag - 1.6 - q, 1.5))
        for level in (0.50, 0.80):
            self.window(a, q - level * height, 0.20 * half + 0.4, 0.32 * half + 1.2, shaft)
        ring = np.maximum(a - 1.7 * half, np.abs(q - 0.74 * height) - 1.2)
        self.lay(cover(ring) * place.twin, self.walls, 1.08 * self.lit(0.0))
        base = height - 0.5 - 2.0 * place.broken
        slope = 1.22 * half * (1.0 - (q - base) / np.maximum(spire, 0.5))
        roof = cover(_inside((a - slope) * 0.95, base - q)) * smoothstep(1.5, 4.0, spire) * shown
        snowy = 0.9 * smoothstep(0.1, -0.1, away / half * place.air.light_x + self.drift)
        self.lay(roof, self.roof, self.lit(np.clip(2.5 * away / half, -1.0, 1.0)), snowy=snowy)

    def wing(self, ruined: Array) -> None:
        """Paint the side in three-quarter view, with its windows and roof; of ruins what is left."""
        place, q = self.place, self.q
        half, wall, deep, top = place.half, place.wall, place.seen, place.wall + place.gable
        m, shown = self.p * place.side, smoothstep(0.5, 3.0, deep)
        eave = _above(m, q, (half, wall), (half + deep, wall - 0.16 * deep))
        ground = _above(m, q, (half, 0.0 * half), (half + deep, 0.10 * deep))
        side = cover(_inside(half - m, m - half - deep, eave, -ground, ruined)) * shown
        self.lay(side, self.walls, self.lit(place.facing) - 0.10)
        across = np.abs((m - half) / np.maximum(deep, 1.0) * 3.0 % 1.0 - 0.5) * deep / 3.0
        up, tall = self.storey(q - 0.50 * wall - 0.03 * (m - half)), (0.24 - 0.10 * place.storeys) * wall
        self.window(across, up, 0.075 * deep + 0.3, tall, side)
        ridge, eaves = (deep, top - 0.22 * deep), (half, wall - 1.4)
        far = (half + deep, wall - 1.4 - 0.16 * deep)
        roof = _inside(
            _above(m, q, (0.0, top), ridge), -_above(m, q, eaves, far), -_above(m, q, (-0.6, top), eaves),
            _above(m, q, ridge, (far[0] + 0.8, far[1])), ruined - 6.0,
        )  # fmt: skip
        left = (1.0 - place.broken * smoothstep(-0.06, 0.0, self.holes)) * smoothstep(1.0, 4.0, place.gable)
        snowy = smoothstep(-0.30, -0.16, self.drift)
        self.lay(cover(roof) * shown * left, self.roof, self.lit(0.7 * place.facing) + 0.02, snowy=snowy)

    def front(self, ruined: Array) -> None:
        """Paint the front with its gable, windows and door."""
        place, p, q = self.place, self.p, self.q
        half, wall, whole, a = place.half, place.wall, 1.0 - place.broken, np.abs(p)
        gable = _above(a, q, (0.0, wall + place.gable), (half, wall))
        front = cover(_inside(a - half, gable, -q, ruined))
        shade = 1.0 - 0.20 * bump((gable / 6.0) ** 2) + 0.004 * q
        snowy = 0.8 * place.broken * cover(-2.0 - ruined, 2.0)
        self.lay(front, self.walls, self.lit(-0.3 * place.facing) * shade, snowy=snowy)
        tall = (0.24 - 0.10 * place.storeys) * wall
        self.window(np.abs(a - 0.56 * half), self.storey(q - 0.52 * wall), 0.105 * half + 0.3, tall, front)
        circle = np.sqrt(p * p + (q - wall - 0.20 * place.gable) ** 2) - 0.24 * place.gable
        rose = cover(circle) * front * place.rose
        self.lay(cover(circle - 1.0) * front * place.rose, (0.80, 0.77, 0.70))
        self.lay(rose, (0.24, 0.26, 0.40))
        self.scene.shine(BOX, rose * whole)
        high = 1.5 * place.door + 4.0
        arch = np.maximum(a - place.door + place.pointed * 0.6 * np.maximum(q - 0.5 * high, 0.0), q - high)
        self.lay(cover(arch - 0.9) * front, self.walls, self.lit(0.0) * 0.72)
        self.lay(cover(arch) * front, (0.30, 0.19, 0.12), 1.0 - 0.4 * place.broken + 0.1 * np.sin(2.2 * p))
        trim = _inside(np.abs(gable - 0.4) - 1.5, a - half - 2.0, ruined, wall - 2.6 - q)
        trimmed = cover(trim) * (1.0 - 0.6 * place.broken)
        self.lay(trimmed, self.roof, self.lit(0.0) * 0.95, snowy=smoothstep(0.0, 0.4, gable))

    def dome(self) -> None:
        """Paint a mosque's dome on its drum, with a crescent."""
        place, p = self.place, self.p
        size, shown = np.maximum(place.dome, 0.01), smoothstep(1.0, 5.0, place.dome)
        up = self.q - place.wall - 2.5
        tone = self.lit(np.clip(1.1 * p / size, -1.0, 1.0))
        self.lay(cover(_inside(np.abs(p) - 0.92 * size, -up - 3.0, up - 0.5)) * shown, self.walls, tone)
        radius = np.sqrt(p * p + up * up) - size - 1.6 * bump((p / 5.0) ** 2)
        tone = tone + 0.22 * bump(((p - 5.0 * place.air.light_x) ** 2 + (up - 8.0) ** 2) / 40.0)
        tone = tone * (1.0 - 0.10 * bump((np.abs(p) - 0.5 * size) ** 2))
        snowy = smoothstep(0.30, 0.5, up / size + 0.6 * self.drift)
        self.lay(cover(np.maximum(radius, -up)) * shown, self.roof, tone, snowy=snowy)
        high = up - size - 4.2
        moon = np.maximum(np.sqrt(p * p + high * high) - 2.6, 2.1 - np.sqrt((p - 1.1) ** 2 + (high - 0.7) ** 2))
        self.lay(cover(np.minimum(moon, _inside(np.abs(p) - 0.5, -high - 4.7, high + 2.0))) * shown, _GOLD)

    def cross(self) -> None:
        """Paint a golden cross, dark at its edge, on top of the turret."""
        a = np.abs(self.p - self.place.turret_x)
        up = self.q - self.place.turret_height - self.place.spire + 1.5
        shape = np.minimum(_inside(a - 1.05, -up, up - 12.0), np.maximum(a - 4.2, np.abs(up - 8.2) - 1.05))
        self.lay(cover(shape - 0.75) * self.place.on["cross"], (0.24, 0.18, 0.10))
        self.lay(cover(shape) * self.place.on["cross"], (0.99, 0.82, 0.30))

    def scaffolding(self) -> None:
        """Paint poles, planks and braces before the front."""
        p, q = self.p, self.q
        inside = cover(_inside(np.abs(p) - self.place.half - 3.0, q - self.place.wall - 6.0, -q))
        inside = inside * self.place.on["scaffolding"]
        pole = cover(np.abs((p + 60.0) % 8.0 - 4.0) - 0.42) * 0.95
        brace = cover(np.abs((p + q + 60.0) % 16.0 - 8.0) * 0.7 - 0.30) * 0.7
        self.lay(np.maximum(pole, brace) * inside, (0.52, 0.55, 0.60))
        self.lay(cover(np.abs((q + 1.0) % 8.0 - 4.0) - 0.75) * inside, (0.86, 0.66, 0.34))

    def paint(self) -> None:
        """Paint all of it, from back to front."""
        place, p = self.place, self.p
        self.turret(-place.turret_x, place.turret_height * place.twin, place.cap * place.twin)
        self.turret(place.turret_x, place.turret_height, place.spire)
        self.cross()
        self.dome()
        jagged = place.wall * (0.80 + 0.30 * np.sin(0.36 * p + 1.0) + 0.12 * np.sin(1.15 * p))
        ruined = self.q - jagged - 60.0 * (1.0 - place.broken)
        self.wing(ruined)
        self.front(ruined)
        self.scaffolding()
