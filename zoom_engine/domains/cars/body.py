"""The car itself: what lies on its planes, and the wheels, seats and people beside them."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from zoom_engine.domains.canvas import Array, smoothstep
from zoom_engine.domains.cars.geometry import Car
from zoom_engine.domains.scenery import light_of
from zoom_engine.domains.solids import Easel, Hit, Rays, corners, least, mixed

_MUD, _DARK, _METAL = (0.46, 0.35, 0.22), (0.06, 0.06, 0.065), (0.24, 0.24, 0.26)


class Painter(Easel):
    """Paints one car from back to front."""

    def __init__(self, car: Car) -> None:
        """Set up the easel and the light."""
        self.car, self.wide = car, (-car.half, car.half)
        self.light = light_of(car.around, car.camera, car.light_x)
        tall = max(car.roof_z, car.wing[1]) + 0.15
        super().__init__(car.camera, corners((car.rear - 0.1, car.front + 0.1), self.wide, (0.0, tall)))
        self.muddy = 0.92 * float(smoothstep(0.1, 0.7, np.asarray(car.dirt)))

    def paint(self) -> None:
        """Paint all of it."""
        car, half = self.car, self.car.half
        self.paint_tyres((0.02 - half, 0.22 - half), below=car.nose_z - 0.2)
        self.paint_tyres((half - 0.25, half - 0.15, half - 0.05), below=2.0)
        for y in (-0.36, 0.36) if car.open > 0.0 else ():
            rays = self.rays.towards(corners((car.screen_x, car.cowl_x), (y, y), (car.deck_z - 0.2, car.roof_z + 0.1)))
            for coverage, colour in self.people(*rays.on_side(y), driver=y > 0.0):
                self.lay(rays, coverage * car.open, colour)
        box = corners((car.rear, car.front), self.wide, (0.0, max(car.deck_z, car.cowl_z) + 0.05))
        self.solid(car.lower_body(), box, self.body_colours)
        box = corners((car.screen_x, car.cowl_x), self.wide, (car.deck_z - 0.1, car.roof_z))
        self.solid(car.cabin(), box, self.cabin_colours)
        self.paint_mounted()
        self.paint_wheels()

    def wheel(self, axle: float, *ys: float) -> Rays:
        """Return the rays towards a wheel between two y."""
        radius = self.car.radius
        return self.rays.towards(corners((axle - radius, axle + radius), (ys[0], ys[-1]), (0.0, 2.0 * radius)))

    def paint_tyres(self, ys: Sequence[float], *, below: float) -> None:
        """Paint the treads of the wheels of one side."""
        car, colour = self.car, self.light.matt((0.075, 0.075, 0.08), (0.0, 0.5, 0.5))
        for axle in car.axles:
            rays = self.wheel(axle, *ys)
            for x, z in (rays.on_side(y) for y in ys):
                self.lay(rays, self.within(car.radius - np.hypot(x - axle, z - car.radius), below - z), colour)

    def paint_wheels(self) -> None:
        """Paint tyres, rims and spokes of the left side."""
        car, size, y = self.car, self.car.radius, self.car.half - 0.035
        rim = (0.62 + 0.12 * car.wheel_size) * size
        for axle in car.axles:
            rays = self.wheel(axle, y)
            x, z = rays.on_side(y)
            u, v, radius = x - axle, z - size, np.hypot(x - axle, z - size)
            spokes = np.clip((0.5 + 0.5 * np.sin(5.0 * np.arctan2(v, u)) - 0.72 * car.rims) * 4.0 + 0.5, 0.0, 1.0)
            metal = np.maximum(spokes, self.over(np.maximum(radius - rim + 0.12 * size, 0.24 * size - radius)))
            shine = 0.76 + 0.5 * v / size + 0.10 * car.light_x * u / size
            colour = mixed((0.10, 0.10, 0.11), (0.80 * shine, 0.81 * shine, 0.84 * shine), metal)
            colour = mixed((0.085, 0.085, 0.09), colour, self.over(rim - radius))
            colour = mixed(colour, (0.25, 0.25, 0.27), self.over(0.09 * size - radius))
            splashed = self.muddy * (0.6 + 0.3 * np.sin(9.0 * u) * np.sin(11.0 * v + 1.0))
            self.lay(rays, self.over(size - radius), self.light.matt(mixed(colour, _MUD, splashed), (0.0, 0.85, 0.35)))

    def people(self, x: Array, z: Array, *, driver: bool) -> list[tuple[Array, list[Array]]]:
        """Compute coverage and colour of seats and driver, where rays meet the middle of a seat."""
        car, matt = self.car, self.light.matt
        at, top = car.roof_front - 0.42 - 0.08 * car.suv, max(car.roof_z - 0.33, car.deck_z + 0.13)
        back = self.blob((x - at + 0.8 + 0.1 * car.estate, 0.08), (z - top + 0.08, 0.14))
        seat = self.blob((x - at + 0.26, 0.09), (z - top + 0.04, 0.17))
        seat = np.maximum(seat, back * ((1.0 - car.sports) * (1.0 - car.open)))
        shown = [(seat, matt((0.22, 0.19, 0.17), (0.0, 0.7, 0.5)))]
        if driver and car.driver > 0.0:
            head = self.blob((x - at, 0.15), (z - top, 0.18))
            chest = self.blob((x - at + 0.06, 0.28), (z - top + 0.42, 0.34))
            skin = mixed((0.86, 0.62, 0.48), (0.20, 0.12, 0.08), self.over(z - top - 0.05 + 0.55 * (x - at)))
            colour = matt(mixed((0.93, 0.55, 0.16), skin, head), (0.0, 0.8, 0.6))
            shown.append((np.maximum(head, chest) * car.driver, colour))
        return shown

    def through(self, colour: list[Array], hit: Hit, share: Array | float) -> list[Array]:
        """Compute what rays see that enter the cabin: in a share of it seats and driver."""
        x, _, z = (at + (0.36 - hit.point[1]) / hit.way[1] * way for at, way in zip(hit.point, hit.way, strict=True))
        for coverage, shown in self.people(x, z, driver=True):
            colour = mixed(colour, shown, coverage * share)
        return colour

    def paint_mounted(self) -> None:
        """Paint roof rack and spoiler."""
        car, light = self.car, self.light
        if car.rack > 0.01:
            middle, length = 0.5 * (car.roof_front + car.roof_rear), 0.5 * (car.roof_front - car.roof_rear) + 0.06
            z, thick, wide = car.roof_z + 0.11 * car.rack, 0.04 * car.rack, car.half - 0.36
            for y in (-wide, wide):
                self.block((middle, y, z), (length, 0.03, thick), light, _METAL)
            for x in (middle - 0.75 * length, middle + 0.75 * length):
                self.block((x, 0.0, z), (0.04, wide, thick), light, (0.34, 0.34, 0.36))
                for y in (-wide, wide):
                    self.block((x, y, z - 0.07), (0.03, 0.03, 0.07), light, _METAL)
        if car.spoiler > 0.01:
            (x, z), black, end = car.wing, (0.13, 0.13, 0.14), car.half - 0.05
            self.block((x, 0.0, z), (0.17, end - 0.01, 0.035 * car.spoiler), light, black)
            for y in (-1.0, 1.0):
                self.block((x, 0.45 * y, z - 0.14), (0.05, 0.03, 0.14 * car.spoiler), light, black)
                self.block((x, end * y, z), (0.19, 0.02, 0.10 * car.spoiler), light, black)

    def mud(self, x: Array, z: Array) -> Array:
        """Compute how much mud lies on the body: most of it low, in splashes."""
        splash = np.sin(5.3 * x + 1.1 * np.sin(7.1 * z)) * np.sin(8.7 * z + 2.0 * np.sin(3.1 * x))
        height = (0.28 + 0.62 * self.car.dirt + 0.13 * splash + 0.08 * np.sin(13.0 * x + 9.0 * z)) * self.car.deck_z
        return np.asarray(self.muddy * smoothstep(0.0, 0.22, height - z))

    def body_colours(self, hit: Hit) -> list[Array]:
        """Compute the colours of the lower body."""
        car, (x, y, z), a, within = self.car, hit.point, np.abs(hit.point[1]), self.within
        up, down = z - car.clearance, car.deck_z - z
        tall, belt = car.deck_z - car.clearance, within(a - car.half + 0.17)
        base = mixed(car.paint, car.second, within(0.42 * tall - up))
        lines = 0.14 * np.exp(-np.square((up - 0.62 * tall) * np.float32(28.0)))
        for line, clear in car.doors:
            lines = np.maximum(lines, within(0.013 - np.abs(x - line), up - 0.15) * (0.75 * clear))
        base = mixed(base, (0.02, 0.02, 0.025), lines * belt)
        for line, clear in car.doors[1:]:
            handle = within(0.075 - np.abs(x - line - 0.13), 0.018 - np.abs(down - 0.15))
            base = mixed(base, (0.82, 0.83, 0.85), handle * belt * (0.85 * clear))
        front, rear = smoothstep(-0.30, -0.16, x - car.front), smoothstep(0.24, 0.12, x - car.rear)
        slats = 0.18 + 0.08 * np.cos((z - car.nose_z) * 80.0)
        grille = 0.085 + 0.05 * car.suv - np.abs(car.nose_z - z - 0.17 - 0.02 * car.suv)
        base = mixed(base, (slats, slats, slats), front * within(0.5 * car.half - a, grille))
        arch = np.sqrt(least(*(np.square(x - axle) + np.square(z - car.radius) for axle in car.axles)))
        hole = within(car.radius + 0.065 - arch, y) * belt
        intake = front * within(0.66 * car.half - a, 0.06 - np.abs(up - 0.19))
        trim = np.maximum(within(0.09 + 0.05 * car.suv - up), within(car.radius + 0.113 - arch) * belt)
        dark = np.maximum(np.maximum(intake, trim), hole)
        base = mixed(base, _DARK, dark)
        plate = np.maximum(front * within(0.055 - np.abs(up - 0.31)), rear * within(0.055 - np.abs(down - 0.38)))
        base = mixed(base, (0.92, 0.92, 0.88), plate * within(0.25 - a))
        back = car.roof_front - 1.55 + 0.6 * car.sports
        cockpit = within(x - back, car.cowl_x - 0.12 - x, car.half - 0.16 - a) * car.open
        mud = self.mud(x, z) * (1.0 - hole)
        shine = 0.62 * (1.0 - 0.8 * dark) * (1.0 - 0.9 * mud) * (1.0 - cockpit)
        colour = self.light.glossy(mixed(mixed(base, (0.13, 0.11, 0.10), cockpit), _MUD, mud), hit, shine)
        for (lamp_x, lamp_y, lamp_z), size, off, on in (
            (car.headlamp, (0.17, 0.20, 0.085), (0.86, 0.90, 0.94), (1.0, 0.97, 0.80)),
            (car.tail_lamp, (0.15, 0.17, 0.085), (0.62, 0.05, 0.06), (1.0, 0.16, 0.12)),
        ):
            arms = x - lamp_x, a - lamp_y, z - lamp_z
            colour = mixed(colour, _DARK, 0.7 * self.blob(*zip(arms, (s + 0.033 for s in size), strict=True)))
            bulb = mixed(off, (1.0, 1.0, 1.0), 0.5 * self.blob((arms[1], 0.09), (arms[2], 0.045)))
            glass = mixed(self.light.glossy(bulb, hit, 0.5), on, car.night)
            colour = mixed(colour, glass, self.blob(*zip(arms, size, strict=True)))
        return self.through(colour, hit, cockpit) if car.open > 0.0 else colour

    def cabin_colours(self, hit: Hit) -> list[Array]:
        """Compute the colours of windows, pillars and roof."""
        car, (x, y, z), light = self.car, hit.point, self.light
        front, rear = (plane.depth(hit.point) for plane in car.screens())
        up = z - car.deck_z
        top, bottom = car.roof_z - 0.115 + 0.02 * car.sports - z, up - 0.045
        pillars = (np.abs(x - line - 0.03) - 0.035 + 0.2 * (1.0 - clear) for line, clear in car.doors[1:])
        side, flat = hit.part("window"), hit.part("windscreen") + hit.part("screen")
        beside = self.within(front - 0.09, rear - 0.08, top, bottom, *pillars)
        across = self.within(top + 0.07, bottom + 0.02, car.half - 0.19 - 0.32 * up - np.abs(y))
        glass = np.minimum(1.15 * (side * beside + flat * across), 1.0)
        trim, mud = self.within(0.055 - np.abs(bottom + 0.03)) * side, self.mud(x, z) * (1.0 - 0.45 * glass)
        base = mixed(mixed(car.second, _DARK, 0.8 * trim), _MUD, mud)
        room = self.through(light.matt((0.11, 0.11, 0.12), (0.0, 0.5, 0.5)), hit, 0.92)
        streak = np.abs(x - 0.45 * up - car.roof_front + 0.72 + 0.2 * car.light_x)
        mirrored = (
            0.05 + 0.13 * side * smoothstep(0.15, 0.10, streak) + 0.4 * flat * smoothstep(0.0, 0.5, hit.normal[2])
        )
        pane = [r + mirrored * s for r, s in zip(room, light.sky, strict=True)]
        colour = light.glossy(base, hit, 0.62 * (1.0 - mud))
        return mixed(colour, mixed(pane, light.matt(_MUD, hit.normal), mud), glass)
