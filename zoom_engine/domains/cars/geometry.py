"""What the parameters mean in metres: one car, the camera before it, and where its wheels and lamps are seen.

x points to the front, y to the car's left, z up; the middle of the car stands above (0, 0, 0). The camera looks at its
left side.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from zoom_engine.domains.canvas import smoothstep
from zoom_engine.domains.cars.parameters import SCHEME, Parameters
from zoom_engine.domains.scenery import Surroundings
from zoom_engine.domains.solids import Camera, Plane, Triple, both_sides, prism

MAX_TURN = 32.0 * math.pi / 180.0
DISTANCE, CAMERA_Z, TARGET_Z = 9.0, 2.1, 0.62
FOCUS, MIDDLE = 222.0, (64.0, 79.0)  # pixels
HORIZON = MIDDLE[1] - FOCUS * (CAMERA_Z - TARGET_Z) / DISTANCE

# By kind: front and rear (x); clearance and height of the nose; cowl (x, z); front, rear (x) and height of the roof;
# foot of the rear screen (x) and height of the deck; half the width; axles (x) and radius of the wheels.
_SHAPES = np.array([
    [1.82, -1.82, 0.24, 0.86, 0.98, 1.00, 0.36, -1.28, 1.54, -1.74, 0.97, 0.83, 1.17, -1.14, 0.31],
    [2.22, -2.22, 0.22, 0.78, 0.98, 0.97, 0.28, -0.86, 1.46, -1.46, 0.98, 0.88, 1.35, -1.30, 0.32],
    [2.22, -2.26, 0.22, 0.78, 1.02, 0.97, 0.36, -1.90, 1.50, -2.20, 0.97, 0.88, 1.37, -1.36, 0.32],
    [2.12, -2.12, 0.40, 1.08, 1.02, 1.18, 0.56, -1.78, 1.84, -2.06, 1.17, 0.93, 1.33, -1.32, 0.38],
    [2.20, -2.14, 0.15, 0.68, 0.54, 0.88, -0.08, -0.76, 1.28, -1.70, 0.90, 0.93, 1.36, -1.34, 0.33],
])  # fmt: skip
_LENGTHS, _HEIGHTS = [0, 1, 4, 6, 7, 9, 12, 13], [3, 5, 8, 10]
_PAINTS = np.array([[32, 76, 176], [22, 132, 140], [48, 112, 62], [214, 160, 44], [164, 172, 182]]) / 255.0
_COATS = {"red": (0.80, 0.07, 0.07), "white": (0.93, 0.93, 0.91), "black": (0.055, 0.055, 0.065)}
_CROWN = 0.035  # how much the roof rises to its middle


class Car:
    """Sizes (metres), shares in [0, 1] and colours of one car.

    `doors` are x of their edges and how clear each is: a sports car has one a side. Lamps are the middles of the left
    ones. The `wing` is (x, z) of the spoiler, over the tail or over the end of a long roof.
    """

    def __init__(self, parameters: Parameters) -> None:
        """Compute the fields of the one row of `parameters`."""
        get = dict(zip(SCHEME.names, parameters.values[0].astype(float).tolist(), strict=True))
        shares = parameters.colour_shares()[0].astype(float)
        self.compact, self.saloon, self.estate, self.suv, self.sports = shares.tolist()
        shape = shares @ _SHAPES
        shape[_LENGTHS] *= 1.0 + 0.06 * get["length"]
        shape[_HEIGHTS] *= 1.0 + 0.05 * get["height"]
        (self.front, self.rear, self.clearance, self.nose_z, self.cowl_x, self.cowl_z, self.roof_front, self.roof_rear,
         self.roof_z, self.screen_x, self.deck_z, self.half, *axles, radius) = shape.tolist()  # fmt: skip
        self.axles, self.radius = axles, radius * (0.88 + 0.34 * get["wheel_size"])
        self.clearance += 0.06 * get["wheel_size"]
        self.wheel_size, self.rims, self.dirt = get["wheel_size"], get["rims"], get["dirt"]
        self.spoiler, self.open, self.driver = (_ramp(get[name]) for name in ("spoiler", "open_top", "driver"))
        self.rack = _ramp(get["roof_rack"]) * (1.0 - self.open)
        street, field, snow, self.night = (_ramp(get[name]) for name in ("street", "field", "snow", "night"))
        light, warmth, tint = (get[f"background_{name}"] for name in ("lightness", "warmth", "tint"))
        self.light_x = get["light_x"]
        self.around = Surroundings(street, field, snow, self.night, light, warmth, tint, HORIZON)

        self.headlamp = self.front - 0.10, self.half * 0.74, self.nose_z - 0.15 - 0.04 * self.suv
        self.tail_lamp = self.rear + 0.08, self.half * 0.78, self.deck_z - 0.20
        middle = self.roof_front - 0.78 - 0.12 * self.sports
        self.doors = [(self.cowl_x - 0.12, 1.0), (middle, 1.0), (middle - 0.86, 1.0 - self.sports)]
        long_roof = self.compact + self.estate + self.suv
        over_roof = self.roof_z - self.deck_z - 0.12 - self.open * (self.roof_z - self.deck_z - 0.05)
        wing_x = self.rear + 0.24 + long_roof * (self.roof_rear - 0.29 - self.rear)
        self.wing = wing_x, self.deck_z + 0.24 + long_roof * over_roof

        stops = np.linspace(0.0, 1.0, len(_PAINTS))
        paint = np.array([np.interp(get["hue"], stops, channel) for channel in _PAINTS.T])
        for name, coat in _COATS.items():
            paint += _ramp(get[name]) * (coat - paint)
        pale = _ramp(2.0 * float(paint.mean()) - 0.5)
        second = np.array((0.92, 0.90, 0.84)) * (1.0 - pale) + np.array((0.16, 0.17, 0.20)) * pale
        self.paint = paint.tolist()
        self.second = (paint + _ramp(get["two_tone"]) * (second - paint)).tolist()

        sin, cos = (DISTANCE * turned(get["turn"] * MAX_TURN) for turned in (math.sin, math.cos))
        self.camera = Camera((sin, cos, CAMERA_Z), (0.0, 0.0, TARGET_Z), focus=FOCUS, middle=MIDDLE)

    def lower_body(self) -> list[Plane]:
        """Return the planes of the body up to the windows."""
        f, r, low, w, belt = self.front, self.rear, self.clearance, self.half, self.deck_z
        bonnet = [(f, low + 0.20), (f - 0.07, self.nose_z), (self.cowl_x, self.cowl_z), (self.screen_x, belt)]
        profile = [(r + 0.16, low), (f - 0.20, low), *bonnet, (r + 0.06, belt - 0.07), (r, belt - 0.29)]
        section = [(w - 0.08, low), (w, low + 0.26), (w - 0.015, belt - 0.22), (w - 0.12, belt + 0.03)]
        plan = [(f - 0.02, w * 0.66), (f - 0.20, w * 0.90), (f - 0.62, w),
                (r + 0.62, w), (r + 0.20, w * 0.92), (r + 0.02, w * 0.72)]  # fmt: skip
        ends = prism(plan, (0, 1), ["end", "end", "", "end", "end", ""], 0.0)
        sides = prism(section, (1, 2), ["side", "side", "side", ""], 0.02)
        return prism(profile, (0, 2), ["body"] * len(profile), 0.16) + both_sides(sides + ends)

    def cabin(self) -> list[Plane]:
        """Return the planes of windows and roof: what `open` leaves of them, down to the windscreen alone."""
        low, w, roof = self.deck_z - 0.05, self.half - 0.10, self.roof_z
        profile = [(self.screen_x, low), (self.cowl_x, self.cowl_z - 0.05), (self.roof_front, roof - _CROWN),
                   (0.5 * (self.roof_front + self.roof_rear), roof), (self.roof_rear, roof - _CROWN)]  # fmt: skip
        planes = prism(profile, (0, 2), ["floor", "windscreen", "roof", "roof", "screen"], 0.10)
        narrow = w - 0.20 - 0.04 * self.sports
        section = [(w, self.deck_z - 0.02), (narrow, roof - 0.02), (narrow - 0.2, roof + 0.05)]
        planes += both_sides(prism(section, (1, 2), ["window", "roof", ""], 0.03))
        (x, y, z), offset, _ = self.screens()[0]
        thick = 0.09 + (1.0 - self.open) * (self.cowl_x - self.screen_x + 0.6)
        return [*planes, Plane((-x, -y, -z), thick - offset, "roof")]

    def screens(self) -> list[Plane]:
        """Return the planes of windscreen and rear screen."""
        crown = self.roof_z - _CROWN
        outline = [(self.cowl_x, self.cowl_z - 0.05), (self.roof_front, crown),
                   (self.roof_rear, crown), (self.screen_x, self.deck_z - 0.05)]  # fmt: skip
        return prism(outline, (0, 2), ["windscreen", "", "screen", ""], 0.0)


def _ramp(x: float) -> float:
    """Return a smooth step of a parameter that is nearly always 0 or 1."""
    return float(smoothstep(0.15, 0.85, np.asarray(x)))


KEY_POINTS: tuple[str, ...] = (
    "front_wheel", "rear_wheel", "left_headlamp", "right_headlamp", "left_tail_lamp", "right_tail_lamp",
)  # fmt: skip


def key_points(parameters: Parameters) -> NDArray[np.float32]:
    """Compute where wheels and lamps lie, float32 `[n, 6, 2]`: (x, y) in pixels, in the order of `KEY_POINTS`.

    Wheels are those of the left side, which is seen; left and right are the car's. A lamp that is turned away is where
    it would be seen through the body.
    """
    rows = []
    for row in parameters:
        car = Car(row)
        points: list[Triple] = [(x, car.half, car.radius) for x in car.axles]
        for x, y, z in (car.headlamp, car.tail_lamp):
            points += [(x, y, z), (x, -y, z)]
        rows.append([car.camera.seen(point) for point in points])
    return np.array(rows, dtype=np.float32).reshape(-1, len(KEY_POINTS), 2)
