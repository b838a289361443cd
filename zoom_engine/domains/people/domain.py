"""The people as a domain: what ``generator="people"`` and ``target="people:smiling"`` load."""

from __future__ import annotations

from zoom_engine.domains.embedded import EmbeddedDomain
from zoom_engine.domains.people.weights import WEIGHTS

DOMAIN = EmbeddedDomain(
    name="people",
    neutral="a person",
    attributes=(
        "a smiling person",
        "a person with an open mouth",
        "a person with eyeglasses",
        "a person with a beard",
        "a person with lipstick",
        "a person with long hair",
        "a person with dark skin",
        "an old person",
        "a man",
        "a person with a hat",
        "a person with the head turned to the left",
        "a person lit from the left",
        "a person outdoors",
    ),
    weights=WEIGHTS,
    face_points=((0.395, 0.421), (0.608, 0.426), (0.494, 0.668)),
)
