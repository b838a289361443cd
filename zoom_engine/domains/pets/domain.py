"""The pets as a domain: what ``generator="pets"`` and ``target="pets:dog"`` load."""

from __future__ import annotations

from zoom_engine.domains.embedded import RenderedDomain
from zoom_engine.domains.pets.subject import SUBJECT
from zoom_engine.domains.pets.weights import WEIGHTS
from zoom_engine.domains.pets.wording import WORDS

DEFAULT_ATTRIBUTES = (
    "pointed_ears",
    "ginger_fur",
    "white_fur",
    "stripes",
    "fluffy",
    "blue_eyes",
    "tongue_out",
    "pink_nose",
    "whiskers",
    "collar",
    "on_grass",
    "sleepy",
)

DOMAIN = RenderedDomain(
    name="pets",
    neutral="a pet",
    attributes=tuple(WORDS.prompt(attribute) for attribute in DEFAULT_ATTRIBUTES),
    weights=WEIGHTS,
    subject=SUBJECT,
    face_points=((0.384, 0.463), (0.615, 0.463), (0.5, 0.666)),
)
