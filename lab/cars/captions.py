"""Varied true captions of cars, to train a text encoder on."""

from __future__ import annotations

from lab.captions import Captions
from zoom_engine.domains.cars.parameters import KINDS
from zoom_engine.domains.cars.wording import WORDS

CAPTIONS = Captions(
    WORDS,
    nouns=("car", "car", "vehicle", "automobile", "motorcar"),
    adjectives={color: (color,) for color in ("red", "white", "black")},
    coloured=0.5,
    denied=KINDS,
    denials=0.2,
)
