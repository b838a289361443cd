"""People: their parameters, what ties them, what is true of them, and the words for it."""

from __future__ import annotations

import re

import numpy as np
import pytest

from lab.people.attributes import ATTRIBUTES, CLEAR_MARGIN, TRUTH, exclusions, intervene, labels, margins
from lab.people.captions import captions, vocabulary
from lab.people.parameters import LATENT_DIM, PARAMETER_NAMES, SCHEME, Parameters, parameters_from_latents
from lab.people.wording import ATTRIBUTE_PHRASES, WORDS
from zoom_engine.text.prompts import words_of


def people(n: int, seed: int = 0) -> Parameters:
    return parameters_from_latents(np.random.default_rng(seed).standard_normal((n, LATENT_DIM)))


def test_each_parameter_has_a_direction_of_the_latents() -> None:
    assert len(PARAMETER_NAMES) <= LATENT_DIM
    assert np.linalg.matrix_rank(SCHEME.factor_matrix) == len(PARAMETER_NAMES)
    assert people(3) == people(3)
    assert np.allclose(people(200).colour_shares().sum(axis=1), 1.0, atol=1e-5)


def test_ties_are_as_written() -> None:
    factors = SCHEME.factors(np.random.default_rng(1).standard_normal((6000, LATENT_DIM)))
    sampled = np.corrcoef(factors.T)
    wanted = SCHEME.factor_matrix.T @ SCHEME.factor_matrix
    assert np.allclose(np.diag(wanted), 1.0)
    assert np.abs(sampled - wanted).max() < 0.06
    beard, man = SCHEME.column("beard"), SCHEME.column("masculinity")
    assert wanted[beard, man] == pytest.approx(0.75)
    untied = SCHEME.column("outdoors"), SCHEME.column("skin_tone")
    assert wanted[untied] == pytest.approx(0.0, abs=1e-9)


def test_every_attribute_is_common_and_can_be_missing() -> None:
    assert len(ATTRIBUTES) >= 20
    for name, seen in labels(people(4000, seed=2)).items():
        assert 0.08 < seen.mean() < 0.6, name


@pytest.mark.parametrize("attribute", ATTRIBUTES)
def test_an_attribute_is_set_alone(attribute: str) -> None:
    before = people(300, seed=3)
    for value in (True, False):
        after = intervene(before, attribute, value)
        assert (labels(after)[attribute] == value).all()
        parameters = {TRUTH.table[attribute].parameter}
        if attribute in TRUTH.colours:
            parameters |= set(SCHEME.colours)
        hiders = [hider for hider, hidden in TRUTH.hides.items() if attribute in hidden]
        side = {TRUTH.table[attribute].side} - {""}
        allowed = parameters | side | {TRUTH.table[hider].parameter for hider in hiders} if value else parameters
        changed = {name for name in PARAMETER_NAMES if not np.array_equal(before[name], after[name])}
        assert changed <= allowed
        if not value:
            related = exclusions(attribute)
            for other, seen in labels(before).items():
                assert other == attribute or other in related or (labels(after)[other] == seen).all()


def test_heads_and_light_have_a_side() -> None:
    before = people(300, seed=5)
    for left, right, either in (
        ("turned_left", "turned_right", "head_turned"),
        ("lit_left", "lit_right", "side_light"),
    ):
        seen = labels(before)
        assert not (seen[left] & seen[right]).any()
        assert (seen[either] >= seen[left] | seen[right]).all()
        turned = labels(intervene(before, left, True))
        assert (turned[left] & turned[either]).all()
        assert not turned[right].any()
        away = labels(intervene(before, left, False))
        assert (away[right] == seen[right])[np.abs(margins(before)[right]) > CLEAR_MARGIN].all()
    assert (intervene(before, "turned_left", True)["turn_side"] < 0).all()


def test_what_is_worn_hides_what_is_under_it() -> None:
    covered = people(200, seed=4).replace(headscarf=1.0, baldness=1.0, hat=1.0, sunglasses=1.0, eyeglasses=1.0)
    seen = labels(covered)
    for name in ("bald", "hat", "long_hair", "gray_hair", "eyeglasses", "eyes_closed"):
        assert not seen[name].any()
    shown = intervene(covered, "long_hair", True)
    assert labels(shown)["long_hair"].all()
    assert not labels(shown)["headscarf"].any()
    assert not labels(shown)["bald"].any()


def test_captions_are_varied_true_and_of_known_words() -> None:
    persons = people(600, seed=6)
    texts, truth = captions(persons, 5), labels(persons)
    assert texts == captions(persons, 5)
    assert len(set(texts)) > 450
    assert {word for text in texts for word in words_of(text)} <= set(vocabulary())
    phrases = {"beard": r"(a beard|a full beard)", "hat": r"(a hat|a cap|a knitted hat)", "bald": r"bald"}
    for row, text in enumerate(texts):
        stated = re.sub(r"without .*", "", text)
        for name, words in phrases.items():
            if re.search(rf"(?<!no ){words}\b", stated) and f"no {name}" not in stated:
                assert truth[name][row], text
        if re.search(r"\b(man|gentleman|guy)\b", stated):
            assert truth["male"][row], text
        if re.search(r"\b(woman|lady)\b", stated):
            assert not truth["male"][row], text


def test_prompts_are_distinct_and_name_their_attribute() -> None:
    assert set(ATTRIBUTE_PHRASES) == set(ATTRIBUTES)
    prompts = [WORDS.prompt(name) for name in ATTRIBUTES]
    assert len(set(prompts)) == len(prompts)
    for name in ATTRIBUTES:
        positive, negative = WORDS.zero_shot_prompts(name)
        assert positive != negative
    assert WORDS.zero_shot_prompts("male") == ("a man", "a woman")
    assert WORDS.prompt("beard") == "a person with a beard"
