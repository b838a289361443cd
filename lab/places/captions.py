"""Varied true captions of places, to train a text encoder on."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from lab.captions import draw_claims, pick, sentence, spoken_words
from zoom_engine.domains.places.attributes import TRUTH
from zoom_engine.domains.places.parameters import KINDS
from zoom_engine.domains.places.wording import ATTRIBUTE_PHRASES

NOUNS: tuple[str, ...] = ("building", "building", "structure", "place")
_ADJECTIVES = {"brick": ("brick",), "stone": ("stone",), "snow": ("snowy",)}


def vocabulary() -> list[str]:
    """Return all words that a caption can hold, sorted."""
    return spoken_words(NOUNS, ATTRIBUTE_PHRASES, *(word for words in _ADJECTIVES.values() for word in words))


def draw_caption(
    row: Mapping[str, float], rng: np.random.Generator, templates: Sequence[str], most: int
) -> tuple[str, dict[str, bool]]:
    """Draw one true caption for a place with the margins `row`, and the attributes that it claims (present or not).

    It tells of one kind at most: of the building's own, or of one that it is not. Nobody denies what is hidden.
    """
    silent = {name for hider, covered in TRUTH.hides.items() if row[hider] > -0.1 for name in covered}
    spoken = {name: margin for name, margin in row.items() if margin > 0 or name not in silent | set(KINDS)}
    chosen: dict[str, bool] = {}
    if most and rng.random() < 0.2:
        chosen[pick(rng, [kind for kind in KINDS if row[kind] <= -0.1])] = False
        spoken = {name: margin for name, margin in spoken.items() if name not in KINDS}
    chosen |= draw_claims(spoken, rng, most - len(chosen))
    template = pick(rng, templates)
    return template.format(sentence(chosen, ATTRIBUTE_PHRASES, NOUNS, _ADJECTIVES, rng, coloured=0.4)), chosen
