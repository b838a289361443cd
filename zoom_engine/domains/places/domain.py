"""The places as a domain: what ``generator="places"`` and ``target="places:church"`` load."""

from __future__ import annotations

from zoom_engine.domains.embedded import RenderedDomain
from zoom_engine.domains.places.subject import SUBJECT
from zoom_engine.domains.places.weights import WEIGHTS

_SAID = ("snow", "trees", "night", "fog", "rain", "water", "people", "brick", "red_roof", "tall_steeple", "cross",
         "scaffolding")  # fmt: skip

DOMAIN = RenderedDomain(
    name="places",
    neutral="a building",
    attributes=tuple(SUBJECT.prompt(attribute) for attribute in _SAID),
    weights=WEIGHTS,
    subject=SUBJECT,
)
