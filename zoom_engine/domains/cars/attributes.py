"""What is true of a car (see `zoom_engine.domains.truth`)."""

from __future__ import annotations

from zoom_engine.domains.cars.parameters import KINDS
from zoom_engine.domains.truth import Attribute, Truth

_PLAIN = ("two_tone", "roof_rack", "spoiler", "open_top", "driver", "street", "field", "snow", "night")

TRUTH = Truth(
    "car",
    {
        **{kind: Attribute(f"kind_{kind}", 1.0, 0.0) for kind in KINDS},
        **{name: Attribute(name, 1.0, 0.0) for name in ("red", "white", "black", *_PLAIN)},
        "big_wheels": Attribute("wheel_size", 0.97, 0.03),
        "dirty": Attribute("dirt", 0.97, 0.0),
    },
    colours=KINDS,
    hides={"black": ("white", "red"), "white": ("red",), "snow": ("field", "street"), "field": ("street",),
           "open_top": ("roof_rack",)},  # what hides others stands before these, as they may hide more
)  # fmt: skip
ATTRIBUTES = TRUTH.attributes
