"""Words for cars: ways to say each attribute."""

from __future__ import annotations

from zoom_engine.domains.cars.attributes import TRUTH
from zoom_engine.domains.wording import Wording, Words

ATTRIBUTE_PHRASES: dict[str, Wording] = {
    "compact": Wording("noun", ("compact car", "hatchback", "small car"), ("car that is no compact car",)),
    "saloon": Wording("noun", ("saloon", "sedan"), ("car that is no saloon",)),
    "estate": Wording("noun", ("estate car", "station wagon"), ("car that is no estate car",)),
    "suv": Wording("noun", ("off-roader", "suv", "jeep"), ("car that is no off-roader",)),
    "sports": Wording("noun", ("sports car", "racing car"), ("family car", "everyday car")),
    "red": Wording("with", ("red paint", "a red body"), ()),
    "white": Wording("with", ("white paint", "a white body"), ()),
    "black": Wording("with", ("black paint", "a black body"), ()),
    "two_tone": Wording("with", ("two-tone paint", "a roof in another color"), ("paint in one color", "plain paint")),
    "big_wheels": Wording("with", ("big wheels", "large wheels"), ("small wheels",)),
    "roof_rack": Wording("with", ("a roof rack", "rails on the roof"), ("a bare roof",)),
    "spoiler": Wording("with", ("a spoiler", "a rear wing"), ("no spoiler",)),
    "open_top": Wording("with", ("an open top", "the roof down"), ("a closed roof", "the roof up")),
    "driver": Wording("with", ("a driver", "somebody at the wheel"), ("nobody inside", "no driver")),
    "dirty": Wording("adjective", ("dirty", "muddy"), ("clean", "spotless")),
    "street": Wording("place", ("on a street", "in a city", "before houses"), ("away from houses",)),
    "field": Wording("place", ("in a field", "on a meadow", "on grass"), ("away from grass",)),
    "snow": Wording("place", ("in the snow", "in winter", "before snowy firs"), ("away from snow",)),
    "night": Wording("place", ("at night", "in the dark", "with the lamps lit"), ("by day", "in daylight")),
}

WORDS = Words(TRUTH, "car", ATTRIBUTE_PHRASES, ("two_tone", "big_wheels", "roof_rack", "open_top", "driver"))
