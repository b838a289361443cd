"""Varied true captions of pets, to train a text encoder on."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from lab.captions import TEMPLATES, draw_claims, pick, sentence, spoken_words, true_captions
from zoom_engine.domains.pets.attributes import ATTRIBUTES, margins
from zoom_engine.domains.pets.parameters import Parameters
from zoom_engine.domains.pets.wording import ATTRIBUTE_PHRASES

NOUNS: tuple[str, ...] = ("pet", "pet", "animal", "creature")

_COLOR_WORDS = {f"{color}_fur": (color,) for color in ("black", "white", "brown")} | {
    "ginger_fur": ("ginger", "orange"),
    "gray_fur": ("gray", "grey"),
}


def vocabulary() -> list[str]:
    """All words that a caption can hold, sorted."""
    return spoken_words(NOUNS, ATTRIBUTE_PHRASES, *(word for words in _COLOR_WORDS.values() for word in words))


def captions(parameters: Parameters, seed: int, *, templates: Sequence[str] = TEMPLATES, most: int = 4) -> list[str]:
    """One true caption per pet: up to `most` of its attributes in varied words, sometimes none ("a pet").

    Only attributes whose |margin| is at least 0.1 are spoken of. Deterministic in `seed`.
    """
    table = margins(parameters)
    return true_captions({name: table[name] for name in ATTRIBUTES}, draw_caption, seed, templates, most)


def draw_caption(
    row: Mapping[str, float], rng: np.random.Generator, templates: Sequence[str], most: int
) -> tuple[str, dict[str, bool]]:
    """One true caption for a pet with the margins `row`, and the attributes that it claims (present or not)."""
    chosen = draw_claims(row, rng, most)
    template = pick(rng, templates)
    return template.format(sentence(chosen, ATTRIBUTE_PHRASES, NOUNS, _COLOR_WORDS, rng, coloured=0.4)), chosen
