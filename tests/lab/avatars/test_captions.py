"""Captions: grammatical, varied, and true."""

from __future__ import annotations

import re

import numpy as np
import pytest

from lab.avatars.captions import captions, vocabulary
from lab.captions import HELD_OUT_TEMPLATES, TEMPLATES
from zoom_engine.domains.avatars.attributes import ATTRIBUTES, HAIR_ATTRIBUTES, labels
from zoom_engine.domains.avatars.parameters import LATENT_DIM, Parameters, parameters_from_latents
from zoom_engine.domains.avatars.wording import ATTRIBUTE_PHRASES, zero_shot_prompts
from zoom_engine.text.prompts import words_of


def faces(n: int, seed: int = 0) -> Parameters:
    return parameters_from_latents(np.random.default_rng(seed).standard_normal((n, LATENT_DIM)))


def says(words: tuple[str, ...], text: str) -> bool:
    """Whether one of these phrases stands in the text and is not preceded by "no"."""
    return any(re.search(rf"(?<!\bno )\b{re.escape(word)}(?![\w-])", text) for word in words)


def test_captions_are_deterministic_and_varied() -> None:
    people = faces(400)
    texts = captions(people, 5)
    assert texts == captions(people, 5)
    assert texts != captions(people, 6)
    assert len(set(texts)) > 300
    assert any(re.fullmatch(r"(a|an) (face|person|avatar|character)", text) for text in captions(faces(2000), 1))


@pytest.mark.ci
def test_captions_are_true() -> None:
    """What is said after "with" is present, after "without" or "no" absent; adjectives and nouns hold."""
    people = faces(3000, seed=8)
    truth = labels(people)
    spoken = dict.fromkeys(ATTRIBUTES, 0)
    for row, text in enumerate(captions(people, 2)):
        stated, _, denied = text.partition("without ")
        for name, wording in ATTRIBUTE_PHRASES.items():
            if says(wording.absent, stated):
                assert not truth[name][row], (name, text)
            if says(wording.present, stated):
                assert truth[name][row], (name, text)
                spoken[name] += 1
            if says(wording.present, denied):
                assert not truth[name][row], (name, text)
    assert min(spoken.values()) > 15, spoken


def test_nobody_bald_has_short_or_straight_hair() -> None:
    bald = faces(300).replace(baldness=1.0)
    for text in captions(bald, 3):
        stated = text.partition("without ")[0]
        assert not re.search(r"\bhair\b", stated.replace("no hair", "")), text
    assert not any(labels(bald)[name].any() for name in HAIR_ATTRIBUTES)


def test_grammar() -> None:
    for text in captions(faces(2000, seed=9), 4):
        assert not re.search(r"\ba [aeiou]", text), text
        assert not re.search(r"\ban [^aeiou]", text), text
        assert not re.search(r"  |, and without|\bwith without\b", text), text


def test_templates_can_be_held_out() -> None:
    assert not set(TEMPLATES) & set(HELD_OUT_TEMPLATES)
    texts = captions(faces(50), 0, templates=("here is {}",), most=1)
    assert all(text.startswith(("here is a", "here is the face of")) for text in texts)


def test_the_vocabulary_is_what_captions_hold() -> None:
    stated = {word for seed in range(20) for text in captions(faces(400, seed), seed) for word in words_of(text)}
    assert stated <= set(vocabulary())
    assert set(vocabulary()) <= stated
    for name in ATTRIBUTES:
        assert {word for text in zero_shot_prompts(name) for word in words_of(text)} <= set(vocabulary())
