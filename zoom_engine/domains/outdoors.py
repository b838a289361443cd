"""Pictures of the open air: a canvas on which light falls by time of day and weather; sky, clouds and rain.

A domain's table of parameters has those of `COLUMNS` that it wants, each by its name; the others are 0.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from zoom_engine.domains.canvas import (
    CENTER_X,
    CENTER_Y,
    FULL,
    SCALE,
    SIZE,
    Array,
    Box,
    Canvas,
    Colour,
    bump,
    column,
    smoothstep,
)
from zoom_engine.domains.parameters import STEEP, Parameter, ParameterTable
from zoom_engine.domains.textures import fractal, stars, streaks

SKY, GROUND = 0, 1  # classes of masks; a domain's own follow
COLUMNS = (
    Parameter("night", 0.0, "0 day to 1 night, windows lit", STEEP, 0.30),
    Parameter("sunset", 0.0, "0 none to 1 a low red sun", STEEP, 0.38),
    Parameter("blue", 0.0, "0 an overcast sky to 1 a blue one", STEEP, 0.74),
    Parameter("clouds", 0.0, "0 few to 1 many clouds"),
    Parameter("fog", 0.0, "0 clear to 1 fog", STEEP, 0.26),
    Parameter("rain", 0.0, "0 dry to 1 rain", STEEP, 0.26),
    Parameter("snow", 0.0, "0 none to 1 snow on ground, roofs and trees", STEEP, 0.36),
    Parameter("trees", 0.0, "0 none to 1 trees on both sides", STEEP, 0.45),
    Parameter("conifers", 0.0, "0 round crowns to 1 firs", 8.0, 0.4),
    Parameter("hills", 0.0, "0 flat to 1 high hills"),
    Parameter("grass", 0.0, "0 dry to 1 lush"),
    Parameter("path", 0.0, "0 none to 1 a path to the door", 8.0, 0.5),
    Parameter("water", 0.0, "0 none to 1 a lake in front that mirrors", STEEP, 0.38),
    Parameter("people", 0.0, "0 nobody to 1 five people", STEEP, 0.40),
    Parameter("people_x", -1.0, "-1 they stand further left to 1 right"),
    Parameter("light_x", -1.0, "sun, moon and light from -1 the left to 1 the right", 5.0, 0.5),
)
SWITCHES = ("night", "sunset", "blue", "fog", "rain", "snow", "trees", "conifers", "path", "water", "people")
RANGES = ("clouds", "hills", "grass", "light_x", "people_x")
PLAIN = dict.fromkeys(("night", "sunset", "blue", "fog", "rain", "snow", "trees", "water", "people"), 0.0)

SNOW = (0.94, 0.96, 1.0)
_GRAY = (0.60, 0.65, 0.71), (0.82, 0.84, 0.86)
_RAIN = (0.40, 0.44, 0.50), (0.62, 0.65, 0.69)
_BLUE = (0.16, 0.42, 0.84), (0.66, 0.84, 0.97)
_SUNSET = (0.40, 0.27, 0.50), (1.00, 0.62, 0.28)
_NIGHT = (0.02, 0.03, 0.11), (0.10, 0.13, 0.27)


class Outdoors:
    """Weather and land of n places: `on`, the `SWITCHES` in [0, 1], and the `RANGES`, all `[n, 1, 1]`.

    `sunny` is how strong light and shade are, `tint` the colour of light.
    """

    def __init__(self, parameters: ParameterTable) -> None:
        """Read the columns that there are."""

        def read(name: str) -> Array:
            return column(parameters[name] if name in parameters.scheme.names else np.zeros(len(parameters)))

        self.on = on = {name: smoothstep(0.1, 0.9, read(name)) for name in SWITCHES}
        self.clouds, self.hills, self.grass, self.light_x, self.people_x = (read(name) for name in RANGES)
        sunny = (1.0 - on["night"]) * np.maximum(on["blue"] * (1.0 - on["rain"]), on["sunset"]) * (1.0 - on["fog"])
        self.sunny = np.asarray(sunny)
        red = on["sunset"] * (1.0 - 0.45 * on["fog"])
        self.tint = [
            mix(mix(day, low, red) * (1.0 - 0.16 * on["rain"]), dark, on["night"])
            for day, low, dark in zip((1.0, 1.0, 1.0), (1.06, 0.78, 0.62), (0.33, 0.38, 0.56), strict=True)
        ]


class Scene:
    """A `canvas` of n pictures in the picture's own frame: `u` `[1, 1, 128]`, `v` `[1, 128, 1]`.

    `solid` `[n, 128, 128]` is what covers the sky, on which the light falls when all is painted; `glass` what windows
    cover, which are lit at night.
    """

    def __init__(self, air: Outdoors, count: int, *, classes: bool) -> None:
        """Start with an empty canvas of `count` pictures."""
        still = column(np.zeros(count))
        self.air = air
        self.canvas = Canvas(still, still, still, classes=classes)
        self.u, self.v, _ = self.canvas.at_rest(FULL)
        self.solid = np.zeros((count, SIZE, SIZE), dtype=np.float32)
        self.glass = np.zeros_like(self.solid)

    def frame(self, box: Box) -> tuple[Array, Array]:
        """Return u `[1, 1, w]` and v `[1, h, 1]` over a box."""
        return self.u[:, :, box.columns], self.v[:, box.rows]

    def lay(
        self,
        box: Box,
        coverage: Array,
        colour: Colour,
        *,
        label: int,
        tone: Array | float = 1.0,
        snowy: Array | float | None = None,
    ) -> None:
        """Lay something of this class over the box, and over the windows behind it.

        It is painted in a `tone` of its colour, with snow, where there is any, on the share `snowy` of it.
        """
        shape = (len(self.solid), box.rows.stop - box.rows.start, box.columns.stop - box.columns.start)
        coverage = np.broadcast_to(coverage, shape)
        seen: NDArray[np.bool_] = np.max(coverage, axis=0) > 0.0
        rows, columns = _span(seen, axis=1), _span(seen, axis=0)
        top, left = box.rows.start, box.columns.start
        box = Box(slice(top + rows.start, top + rows.stop), slice(left + columns.start, left + columns.stop))

        def cut(plane: Array | float) -> Array:
            plane = np.asarray(plane, dtype=np.float32)
            wide = plane.ndim == 3
            plane = plane[:, rows] if wide and plane.shape[1] > 1 else plane
            return plane[:, :, columns] if wide and plane.shape[2] > 1 else plane

        coverage = cut(coverage)
        toned: list[Array] = [cut(plane) * cut(tone) for plane in colour]
        if snowy is not None:
            white = self.air.on["snow"] * cut(snowy)
            toned = [mix(plane, snow, white) for plane, snow in zip(toned, SNOW, strict=True)]
        self.canvas.paint(box, coverage, toned, label=label)
        for plane, goal in ((self.solid, 1.0), (self.glass, 0.0)):
            part = plane[:, box.rows, box.columns]
            part += (np.float32(goal) - part) * coverage

    def shine(self, box: Box, coverage: Array) -> None:
        """Let what was laid there be lit at night."""
        part = self.glass[:, box.rows, box.columns]
        np.maximum(part, coverage, out=part)

    def light(self) -> None:
        """Let the light of the time of day fall on all that was laid, and windows shine."""
        for plane, tint in zip(self.canvas.rgb, self.air.tint, strict=True):
            plane *= 1.0 - self.solid * (1.0 - tint)
        self.canvas.paint(FULL, self.glass * self.air.on["night"], (1.0, 0.80, 0.38))

    def veil(self, amount: Array) -> None:
        """Let all that is painted so far fade into fog, on which the light falls too."""
        for plane, tone in zip((*self.canvas.rgb, self.solid), (0.86, 0.88, 0.90, 1.0), strict=True):
            plane += (np.float32(tone) - plane) * amount


def _span(seen: NDArray[np.bool_], *, axis: int) -> slice:
    """Return from the first to the last in which anything is seen along an axis."""
    where = np.flatnonzero(seen.any(axis=axis))
    return slice(int(where[0]), int(where[-1]) + 1) if len(where) else slice(0, 0)


def box_of(left: float, top: float, right: float, bottom: float) -> Box:
    """Return the pixels that a rectangle of the picture's frame covers."""

    def span(low: float, high: float, middle: float) -> slice:
        return slice(max(0, int(low * SCALE + middle) - 1), min(SIZE, int(high * SCALE + middle) + 2))

    return Box(span(top, bottom, CENTER_Y), span(left, right, CENTER_X))


def mix(first: Array | float, second: Array | float, share: Array | float) -> Array:
    """Blend from the `first` to the `second` by a `share` in [0, 1]."""
    return np.asarray(first + share * (second - first), dtype=np.float32)


def paint_sky(scene: Scene) -> None:
    """Paint a gradient by weather and time of day, and what shines in it."""
    air, on = scene.air, scene.air.on
    down = smoothstep(-58.0, 20.0, scene.v)
    ramps = []
    for channel in range(3):
        top, low = (
            mix(
                mix(mix(mix(_GRAY[end][channel], _BLUE[end][channel], on["blue"]), _RAIN[end][channel], on["rain"]),
                    _SUNSET[end][channel], on["sunset"]),
                _NIGHT[end][channel], on["night"],
            )
            for end in (0, 1)
        )  # fmt: skip
        ramps.append(mix(top, low, down))
    scene.canvas.paint(FULL, np.ones_like(scene.solid), ramps, label=SKY)
    day, red = 1.0 - on["night"], on["sunset"] * (1.0 - on["night"])
    clear = (1.0 - on["rain"]) * (1.0 - on["fog"])
    # the sun high and pale in a blue sky, low and large when it sets
    x, y = 40.0 * air.light_x, mix(-42.0, 2.0, red)
    away = (scene.u - x) ** 2 + (scene.v - y) ** 2
    shown = day * np.maximum(on["blue"] * clear, red * (1.0 - on["fog"]))
    halo = bump(away / mix(480.0, 1700.0, red)) * shown
    scene.canvas.paint(FULL, 0.75 * halo, [1.0, mix(0.98, 0.72, red), mix(0.86, 0.35, red)])
    scene.canvas.paint(FULL, smoothstep(1.15, 0.85, away / mix(26.0, 90.0, red)) * shown, [1.0, 0.95, 0.72])
    _paint_clouds(scene)
    scene.canvas.lighten(FULL, stars() * on["night"] * clear * (1.0 - 0.7 * smoothstep(0.3, 0.7, air.clouds)))
    moon = (scene.u - 38.0 * air.light_x) ** 2 + (scene.v + 38.0) ** 2
    shown = on["night"] * clear
    scene.canvas.lighten(FULL, 0.34 * bump(moon / 420.0) * shown)
    face = 1.0 - 0.22 * (fractal(14, 14, 7) > 0.55)
    scene.canvas.paint(FULL, smoothstep(1.1, 0.9, moon / 40.0) * shown, [0.98 * face, 0.97 * face, 0.86 * face])


def _paint_clouds(scene: Scene) -> None:
    air, on = scene.air, scene.air.on
    field = fractal(9, 4, 21) + 0.12 * np.sin(0.09 * scene.v + 0.5)
    level = 0.70 - 0.26 * air.clouds
    body = smoothstep(0.0, 0.16, field - level) * (1.0 - 0.75 * smoothstep(-30.0, 24.0, scene.v))
    lit = np.roll(fractal(9, 4, 21), 3, axis=1) - fractal(9, 4, 21)  # thicker below than above
    white = mix(mix(0.80, 0.99, on["blue"]), 0.56, on["rain"]) - 1.2 * np.maximum(lit, 0.0)
    rose = on["sunset"]
    colours = [
        mix(mix(white, tone, rose), tone_at_night, on["night"])
        for tone, tone_at_night in zip((0.98, 0.56, 0.48), (0.13, 0.15, 0.24), strict=True)
    ]
    scene.canvas.paint(FULL, 0.9 * body, colours)


def paint_rain(scene: Scene) -> None:
    """Paint slanted streaks, and wet air."""
    rain = scene.air.on["rain"]
    for plane, tone in zip(scene.canvas.rgb, (0.58, 0.61, 0.66), strict=True):
        plane += (np.float32(tone) * (1.0 - 0.5 * scene.air.on["night"]) - plane) * (0.16 * rain)
    scene.canvas.lighten(FULL, streaks() * rain * 0.42)
