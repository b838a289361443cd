"""Captions of pets."""

from __future__ import annotations

import re

import numpy as np

from lab.pets.captions import captions, vocabulary
from zoom_engine.domains.pets.attributes import labels
from zoom_engine.domains.pets.parameters import Parameters, parameters_from_latents
from zoom_engine.text.prompts import words_of


def pets(n: int, seed: int = 0) -> Parameters:
    return parameters_from_latents(np.random.default_rng(seed).standard_normal((n, 64)))


def test_captions_are_varied_true_and_of_known_words() -> None:
    animals = pets(500, seed=6)
    texts, truth = captions(animals, 5), labels(animals)
    assert texts == captions(animals, 5)
    assert len(set(texts)) > 400
    assert {word for text in texts for word in words_of(text)} <= set(vocabulary())
    for row, text in enumerate(texts):
        stated = re.sub(r"without .*", "", text)
        if re.search(r"\b(dog|puppy|hound)\b", stated):
            assert truth["dog"][row], text
        if re.search(r"\b(cat|kitten|kitty)\b", stated):
            assert not truth["dog"][row], text
        if re.search(r"(?<!no )\b(a collar)\b", stated):
            assert truth["collar"][row], text
        if "no collar" in stated:
            assert not truth["collar"][row], text
