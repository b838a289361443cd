"""Varied true captions of people, to train a text encoder on."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from lab.captions import TEMPLATES, draw_claims, pick, sentence, spoken_words, true_captions
from lab.people.attributes import ATTRIBUTES, TRUTH, margins
from lab.people.parameters import Parameters
from lab.people.wording import ATTRIBUTE_PHRASES

NOUNS: tuple[str, ...] = ("person", "person", "face", "human", "adult")

_COLOR_WORDS = {
    "black_hair": ("black-haired",),
    "brown_hair": ("brown-haired",),
    "blond_hair": ("blond", "blonde"),
    "red_hair": ("red-haired",),
    "gray_hair": ("gray-haired", "grey-haired"),
}
# Nobody says of a picture that it is not so.
_NEVER_DENIED = ("bald", "dark_picture", "bright_picture", "lit_left", "lit_right")


def vocabulary() -> list[str]:
    """Return all words that a caption can hold, sorted."""
    return spoken_words(NOUNS, ATTRIBUTE_PHRASES, *(word for words in _COLOR_WORDS.values() for word in words))


def captions(parameters: Parameters, seed: int, *, templates: Sequence[str] = TEMPLATES, most: int = 4) -> list[str]:
    """Return one true caption per person: up to `most` attributes in varied words, sometimes none ("a person").

    Only attributes whose |margin| is at least 0.1 are spoken of. Deterministic in `seed`.
    """
    table = margins(parameters)
    return true_captions({name: table[name] for name in ATTRIBUTES}, draw_caption, seed, templates, most)


def speakable(row: Mapping[str, float]) -> dict[str, float]:
    """Leave out of a person's margins what nobody would deny: straight hair is not said of the bald."""
    hidden = {name for hider, covered in TRUTH.hides.items() if row[hider] > -0.1 for name in covered}
    return {name: margin for name, margin in row.items() if margin > 0 or not (name in hidden or name in _NEVER_DENIED)}


def draw_caption(
    row: Mapping[str, float], rng: np.random.Generator, templates: Sequence[str], most: int
) -> tuple[str, dict[str, bool]]:
    """Draw one true caption for a person with the margins `row`.

    Returns:
        The caption, and the attributes that it claims (present or not).
    """
    chosen = draw_claims(speakable(row), rng, most)
    template = pick(rng, templates)
    return template.format(sentence(chosen, ATTRIBUTE_PHRASES, NOUNS, _COLOR_WORDS, rng, coloured=0.3)), chosen
