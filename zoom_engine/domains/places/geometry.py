"""What the parameters mean in units and colours: one place that all layers read.

A building is a body with its gable towards us and one side in three-quarter view, a turret with a cap or spire, and a
dome. Its kinds differ in these sizes alone, so that one kind becomes another step by step.
"""

from __future__ import annotations

import numpy as np

from zoom_engine.domains.canvas import Array, column, smoothstep
from zoom_engine.domains.outdoors import Outdoors
from zoom_engine.domains.places.parameters import Parameters

BUILDING = 2
MASK_NAMES: tuple[str, ...] = ("sky", "ground", "building")
BASE = 29.0  # where buildings stand, in units below the middle

# Units, or shares, of a church, a mosque, a house, a tower and a ruin.
_FORMS: dict[str, tuple[float, float, float, float, float]] = {
    "half": (14.0, 21.0, 20.0, 9.0, 20.0),
    "wall": (21.0, 17.0, 18.0, 11.0, 20.0),
    "gable": (15.0, 0.6, 13.0, 6.0, 12.0),
    "depth": (24.0, 10.0, 18.0, 12.0, 20.0),
    "dome": (0.0, 14.5, 0.0, 0.0, 0.0),
    "turret": (7.4, 3.2, 5.8, 12.5, 7.5),
    "turret_height": (39.0, 42.0, 27.0, 45.0, 30.0),
    "turret_away": (0.80, 1.14, 0.74, 0.55, 0.72),
    "cap": (9.0, 7.0, 9.0, 1.0, 1.5),
    "extra": (21.0, 18.0, 26.0, 22.0, 24.0),
    "twin": (0.0, 1.0, 0.0, 0.0, 0.0),
    "battlements": (0.0, 0.0, 0.0, 1.0, 0.0),
    "broken": (0.0, 0.0, 0.0, 0.0, 1.0),
    "pointed": (1.0, 0.8, 0.0, 0.4, 0.7),
    "storeys": (0.0, 0.0, 1.0, 0.0, 0.0),
    "rose": (1.0, 0.0, 0.0, 0.0, 0.6),
    "door": (3.4, 4.4, 2.9, 2.6, 4.0),
}
_PLASTER = np.array([[238, 234, 224], [232, 206, 148], [222, 172, 150], [170, 190, 206]]) / 255.0
_SWITCHES = ("steeple", "cross", "scaffolding", "wood", "brick", "stone", "roof_red")


class Place:
    """Sizes (units) and colours of n places, every field `[n, 1, 1]`: those of the forms by their names."""

    def __init__(self, parameters: Parameters) -> None:
        """Compute the fields of n rows of parameters."""
        self.air = Outdoors(parameters)
        self.on = self.air.on | {name: column(smoothstep(0.1, 0.9, parameters[name])) for name in _SWITCHES}
        shares = smoothstep(0.1, 0.9, parameters.colour_shares())
        shares = shares / shares.sum(axis=1, keepdims=True)
        self.form = {name: column(shares @ np.array(sizes, dtype=np.float32)) for name, sizes in _FORMS.items()}
        for name, lengths in (("width", ("half", "turret")), ("height", ("wall", "turret_height"))):
            for length in lengths:
                self.form[length] *= 1.0 + 0.11 * column(parameters[name])
        self.middle = 5.0 * column(parameters["place_x"])
        turn = column(parameters["turn"])
        self.side, self.seen = np.sign(turn) + (turn == 0), self.depth * np.abs(turn)
        self.facing = np.clip(3.0 * turn, -1.0, 1.0)
        self.turret_x = self.half * self.turret_away * column(parameters["tower_x"])
        self.spire = self.cap + self.extra * self.on["steeple"]
        at = np.linspace(0.0, 1.0, len(_PLASTER))
        self.plaster = [column(np.interp(parameters["plaster"], at, _PLASTER[:, rgb])) for rgb in range(3)]

    def __getattr__(self, name: str) -> Array:
        """Return a size of the forms."""
        if name not in _FORMS:
            raise AttributeError(name)
        return self.form[name]
