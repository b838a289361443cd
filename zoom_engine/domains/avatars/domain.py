"""The avatars as a domain: what ``generator="avatars"`` and ``target="avatars:mustache"`` load."""

from __future__ import annotations

from zoom_engine.domains.avatars.subject import SUBJECT
from zoom_engine.domains.avatars.weights import WEIGHTS
from zoom_engine.domains.avatars.wording import prompt
from zoom_engine.domains.embedded import RenderedDomain

DEFAULT_ATTRIBUTES = (
    "eyeglasses",
    "smiling",
    "beard",
    "mustache",
    "bangs",
    "blond_hair",
    "long_hair",
    "curly_hair",
    "pale_skin",
    "bushy_eyebrows",
    "lipstick",
    "old",
)

DOMAIN = RenderedDomain(
    name="avatars",
    neutral="a face",
    attributes=tuple(prompt(attribute) for attribute in DEFAULT_ATTRIBUTES),
    weights=WEIGHTS,
    subject=SUBJECT,
    face_points=((0.392, 0.489), (0.609, 0.489), (0.5, 0.671)),
)
