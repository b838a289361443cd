"""What is true of a place (see `zoom_engine.domains.truth`)."""

from __future__ import annotations

from zoom_engine.domains.places.parameters import KINDS
from zoom_engine.domains.truth import Attribute, Truth

_SWITCHES = {
    "wooden": "wood", "brick": "brick", "stone": "stone", "red_roof": "roof_red", "tall_steeple": "steeple",
    "cross": "cross", "scaffolding": "scaffolding", "night": "night", "sunset": "sunset", "blue_sky": "blue",
    "fog": "fog", "rain": "rain", "snow": "snow", "trees": "trees", "water": "water", "people": "people",
}  # fmt: skip

TRUTH = Truth(
    "place",
    {
        name: Attribute(parameter, 1.0, 0.0)
        for name, parameter in (dict(zip(KINDS, KINDS, strict=True)) | _SWITCHES).items()
    },
    colours=KINDS,
    hides={
        "wooden": ("brick", "stone"),
        "brick": ("stone",),
        "night": ("sunset", "blue_sky"),
        "sunset": ("blue_sky",),
        "fog": ("blue_sky",),
        "rain": ("blue_sky",),
    },
)
