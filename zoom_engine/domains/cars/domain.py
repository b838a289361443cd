"""The cars as a domain: what ``generator="cars"`` and ``target="cars:sports"`` load."""

from __future__ import annotations

from zoom_engine.domains.cars.attributes import TRUTH
from zoom_engine.domains.cars.parameters import Parameters
from zoom_engine.domains.cars.renderer import render
from zoom_engine.domains.cars.weights import WEIGHTS
from zoom_engine.domains.cars.wording import WORDS
from zoom_engine.domains.embedded import RenderedDomain
from zoom_engine.domains.subject import Subject

_SAID = ("red", "white", "two_tone", "big_wheels", "roof_rack", "spoiler", "open_top", "driver", "dirty", "street",
         "field", "snow", "night")  # fmt: skip

DOMAIN = RenderedDomain(
    name="cars",
    neutral="a car",
    attributes=tuple(WORDS.prompt(attribute) for attribute in _SAID),
    weights=WEIGHTS,
    subject=Subject(table=Parameters, render=render, truth=TRUTH, prompt=WORDS.prompt),
)
