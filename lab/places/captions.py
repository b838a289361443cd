"""Varied true captions of places, to train a text encoder on."""

from __future__ import annotations

from lab.captions import Captions
from zoom_engine.domains.places.parameters import KINDS
from zoom_engine.domains.places.wording import WORDS

CAPTIONS = Captions(
    WORDS,
    nouns=("building", "building", "structure", "place"),
    adjectives={"brick": ("brick",), "stone": ("stone",), "snow": ("snowy",)},
    coloured=0.4,
    denied=KINDS,
    denials=0.2,
)
