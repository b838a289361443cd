"""Varied true captions of pets, to train a text encoder on."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from lab.captions import TEMPLATES, draw_claims, listed, pick, true_captions
from zoom_engine.domains.pets.attributes import ATTRIBUTES, margins
from zoom_engine.domains.pets.parameters import Parameters
from zoom_engine.domains.pets.wording import ATTRIBUTE_PHRASES
from zoom_engine.domains.wording import with_article
from zoom_engine.text.prompts import words_of

NOUNS: tuple[str, ...] = ("pet", "pet", "animal", "creature")

_COLOR_WORDS = {f"{color}_fur": (color,) for color in ("black", "white", "brown")} | {
    "ginger_fur": ("ginger", "orange"),
    "gray_fur": ("gray", "grey"),
}


def vocabulary() -> list[str]:
    """All words that a caption can hold, sorted."""
    spoken = [*NOUNS, *TEMPLATES, "a an who has with without and or"]
    spoken += [word for words in _COLOR_WORDS.values() for word in words]
    spoken += [words for wording in ATTRIBUTE_PHRASES.values() for words in (*wording.present, *wording.absent)]
    return sorted({word for text in spoken for word in words_of(text)})


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
    return pick(rng, templates).format(_sentence(chosen, rng)), chosen


def _sentence(chosen: Mapping[str, bool], rng: np.random.Generator) -> str:
    noun, place = pick(rng, NOUNS), ""
    adjectives: list[str] = []
    have: list[str] = []
    lack: list[str] = []
    for name, is_present in chosen.items():
        wording = ATTRIBUTE_PHRASES[name]
        words = wording.present if is_present else wording.absent
        if wording.kind == "noun":
            noun = pick(rng, words)
        elif wording.kind == "adjective":
            adjectives.append(pick(rng, words))
        elif wording.kind == "place":
            place = f" {pick(rng, words)}"
        elif is_present and name in _COLOR_WORDS and rng.random() < 0.4:
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
    return sentence + place
