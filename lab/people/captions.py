"""Varied true captions of people, to train a text encoder on."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from lab.captions import TEMPLATES, draw_claims, listed, pick, true_captions
from lab.people.attributes import ATTRIBUTES, margins
from lab.people.parameters import Parameters
from lab.people.wording import ATTRIBUTE_PHRASES
from zoom_engine.domains.wording import with_article
from zoom_engine.text.prompts import words_of

NOUNS: tuple[str, ...] = ("person", "person", "face", "human", "adult")

_COLOR_WORDS = {
    "black_hair": ("black-haired",),
    "brown_hair": ("brown-haired",),
    "blond_hair": ("blond", "blonde"),
    "red_hair": ("red-haired",),
    "gray_hair": ("gray-haired", "grey-haired"),
}
_NEVER_DENIED = ("bald", "dark_picture", "bright_picture")  # nobody says of a picture that it is not so


def vocabulary() -> list[str]:
    """Return all words that a caption can hold, sorted."""
    spoken = [*NOUNS, *TEMPLATES, "a an who has with without and or"]
    spoken += [word for words in _COLOR_WORDS.values() for word in words]
    spoken += [words for wording in ATTRIBUTE_PHRASES.values() for words in (*wording.present, *wording.absent)]
    return sorted({word for text in spoken for word in words_of(text)})


def captions(parameters: Parameters, seed: int, *, templates: Sequence[str] = TEMPLATES, most: int = 4) -> list[str]:
    """Return one true caption per person: up to `most` attributes in varied words, sometimes none ("a person").

    Only attributes whose |margin| is at least 0.1 are spoken of. Deterministic in `seed`.
    """
    table = margins(parameters)
    return true_captions({name: table[name] for name in ATTRIBUTES}, draw_caption, seed, templates, most)


def draw_caption(
    row: Mapping[str, float], rng: np.random.Generator, templates: Sequence[str], most: int
) -> tuple[str, dict[str, bool]]:
    """Draw one true caption for a person with the margins `row`.

    Returns:
        The caption, and the attributes that it claims (present or not).
    """
    speakable = {name: margin for name, margin in row.items() if margin > 0 or name not in _NEVER_DENIED}
    chosen = draw_claims(speakable, rng, most)
    return pick(rng, templates).format(_sentence(chosen, rng)), chosen


def _sentence(chosen: Mapping[str, bool], rng: np.random.Generator) -> str:
    noun = pick(rng, NOUNS)
    adjectives: list[str] = []
    have: list[str] = []
    lack: list[str] = []
    endings: list[str] = []
    for name, is_present in chosen.items():
        wording = ATTRIBUTE_PHRASES[name]
        words = wording.present if is_present else wording.absent
        if wording.kind == "noun":
            noun = pick(rng, words)
        elif wording.kind == "adjective":
            adjectives.append(pick(rng, words))
        elif wording.kind == "place":
            endings.append(pick(rng, words))
        elif is_present and name in _COLOR_WORDS and rng.random() < 0.3:
            adjectives.append(pick(rng, _COLOR_WORDS[name]))
        elif is_present or (words and rng.random() < 0.6):
            have.append(pick(rng, words))
        else:
            lack.append(pick(rng, wording.present))
    rng.shuffle(adjectives)
    rng.shuffle(have)
    sentence = with_article(" ".join([*adjectives, noun]))
    if have:
        sentence += f" {'who has' if rng.random() < 0.1 else 'with'} {listed(have, 'and')}"
    if lack:
        sentence += f" {'and ' if have else ''}without {listed(lack, 'or')}"
    return " ".join([sentence, *endings])
