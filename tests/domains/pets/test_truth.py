"""Pets: parameters, labels, interventions and prompts."""

from __future__ import annotations

import numpy as np
import pytest

from zoom_engine.common.errors import ConfigError
from zoom_engine.domains.pets.attributes import ATTRIBUTES, CLEAR_MARGIN, exclusions, intervene, labels, margins
from zoom_engine.domains.pets.parameters import PARAMETER_NAMES, SCHEME, Parameters, parameters_from_latents
from zoom_engine.domains.pets.wording import ATTRIBUTE_PHRASES, WORDS


def pets(n: int, seed: int = 0) -> Parameters:
    return parameters_from_latents(np.random.default_rng(seed).standard_normal((n, 64)))


def anywhere(n: int, seed: int) -> Parameters:
    low, high = SCHEME.bounds
    return Parameters(low + (high - low) * np.random.default_rng(seed).random((n, len(low))))


def test_species_has_a_clear_gap_and_every_attribute_is_common() -> None:
    animals = pets(6000, seed=3)
    assert np.mean(np.abs(animals["species"] - 0.5) < 0.25) < 0.08
    truth = labels(animals)
    for name in ATTRIBUTES:
        assert 0.15 <= truth[name].mean() <= 0.6, name


def test_natural_ties_show_and_planted_attributes_are_free() -> None:
    truth = labels(pets(6000, seed=4))

    def gap(name: str) -> float:
        return float(truth[name][truth["dog"]].mean() - truth[name][~truth["dog"]].mean())

    for name in ("slit_pupils", "pointed_ears", "whiskers", "pink_nose"):
        assert gap(name) < -0.2, name
    assert gap("tongue_out") > 0.2
    for name in ("collar", "on_grass", "ginger_fur", "black_fur"):
        assert abs(gap(name)) < 0.06, name


@pytest.mark.parametrize("attribute", ATTRIBUTES)
@pytest.mark.parametrize("value", [True, False])
def test_an_intervention_sets_its_attribute_clearly_and_keeps_the_rest(attribute: str, value: bool) -> None:
    for animals in (pets(60, seed=1), anywhere(60, seed=2)):
        changed = intervene(animals, attribute, value)
        sign = 1.0 if value else -1.0
        assert (sign * margins(changed)[attribute] >= CLEAR_MARGIN - 1e-6).all()
        before, after = labels(animals), labels(changed)
        for name in set(ATTRIBUTES) - {attribute} - exclusions(attribute):
            assert (before[name] == after[name]).all(), name


def test_white_fur_hides_a_blaze_until_one_is_asked_for() -> None:
    white = Parameters.neutral().replace(fur_brown=0.0, fur_white=1.0, blaze=1.0)
    assert not labels(white)["white_blaze"].any()
    shown = labels(intervene(white, "white_blaze", True))
    assert shown["white_blaze"].all()
    assert not shown["white_fur"].any()


def test_exclusions_are_declared_both_ways() -> None:
    for attribute in ATTRIBUTES:
        for other in exclusions(attribute):
            assert attribute in exclusions(other)
    assert exclusions("collar") == frozenset()


def test_prompts_read_well_and_differ() -> None:
    assert WORDS.zero_shot_prompts("dog") == ("a dog", "a cat")
    assert WORDS.prompt("collar") == "a pet with a collar"
    assert WORDS.zero_shot_prompts("sleepy") == ("a sleepy pet", "an awake pet")
    assert WORDS.zero_shot_prompts("on_grass") == ("a pet on grass", "a pet indoors")
    pairs = [WORDS.zero_shot_prompts(name) for name in ATTRIBUTES]
    assert len({text for pair in pairs for text in pair}) == 2 * len(ATTRIBUTES)
    with pytest.raises(ConfigError, match="unknown pet attribute 'hat'; choose from dog"):
        WORDS.prompt("hat")


def test_every_attribute_has_words() -> None:
    assert set(ATTRIBUTE_PHRASES) == set(ATTRIBUTES)


@pytest.mark.parametrize("bad", [np.nan, 1.01])
def test_a_value_out_of_range_is_one_clear_line(bad: float) -> None:
    with pytest.raises(ConfigError, match=r"pet parameter tilt is .* in row 1; keep it within \[-1, 1\]"):
        Parameters.neutral(3).replace(tilt=[0.0, bad, 0.0])
    with pytest.raises(ConfigError, match=rf"give an array \[n, {len(PARAMETER_NAMES)}\]"):
        Parameters(np.zeros((2, 3)))
