"""Places: labels, interventions, exclusions, ties and prompts."""

from __future__ import annotations

import numpy as np
import pytest

from zoom_engine.common.errors import ConfigError
from zoom_engine.domains.places.attributes import TRUTH
from zoom_engine.domains.places.parameters import KINDS, SCHEME, Parameters
from zoom_engine.domains.places.wording import ATTRIBUTE_PHRASES, WORDS
from zoom_engine.domains.truth import CLEAR_MARGIN


def buildings(n: int, seed: int = 0) -> Parameters:
    return Parameters.from_latents(np.random.default_rng(seed).standard_normal((n, 64)))


def anywhere(n: int, seed: int) -> Parameters:
    low, high = SCHEME.bounds
    return Parameters(low + (high - low) * np.random.default_rng(seed).random((n, len(low))))


def test_kinds_are_mostly_clear_and_every_attribute_is_common() -> None:
    some = buildings(6000, seed=3)
    assert np.mean(some.colour_shares().max(axis=1) < 0.75) < 0.25
    truth = TRUTH.labels(some)
    for name in TRUTH.attributes:
        assert 0.15 <= truth[name].mean() <= 0.6, name


def test_ties_show_and_planted_attributes_are_free() -> None:
    truth = TRUTH.labels(buildings(6000, seed=4))

    def gap(name: str) -> float:
        return float(truth[name][truth["church"]].mean() - truth[name][~truth["church"]].mean())

    for name in ("cross", "tall_steeple"):
        assert gap(name) > 0.2, name
    for name in ("snow", "trees", "night", "fog", "rain", "people", "water", "sunset"):
        assert abs(gap(name)) < 0.06, name


@pytest.mark.parametrize("attribute", TRUTH.attributes)
@pytest.mark.parametrize("value", [True, False])
def test_an_intervention_sets_its_attribute_clearly_and_keeps_the_rest(attribute: str, value: bool) -> None:
    for some in (buildings(60, seed=1), anywhere(60, seed=2)):
        changed = TRUTH.intervene(some, attribute, value)
        sign = 1.0 if value else -1.0
        assert (sign * TRUTH.margins(changed)[attribute] >= CLEAR_MARGIN - 1e-6).all()
        before, after = TRUTH.labels(some), TRUTH.labels(changed)
        for name in set(TRUTH.attributes) - {attribute} - TRUTH.exclusions(attribute):
            assert (before[name] == after[name]).all(), name


def test_kinds_exclude_each_other_and_nothing_else() -> None:
    for kind in KINDS:
        assert TRUTH.exclusions(kind) == frozenset(KINDS) - {kind}
    for attribute in TRUTH.attributes:
        for other in TRUTH.exclusions(attribute):
            assert attribute in TRUTH.exclusions(other)
    assert TRUTH.exclusions("snow") == TRUTH.exclusions("trees") == frozenset()


def test_what_lies_over_others_gives_way_to_what_is_asked_for() -> None:
    covered = Parameters.neutral().replace(wood=1.0, brick=1.0, night=1.0, sunset=1.0, rain=1.0, fog=1.0)
    stone = TRUTH.labels(TRUTH.intervene(covered, "stone", True))
    assert stone["stone"].all()
    assert not (stone["wooden"] | stone["brick"]).any()
    blue = TRUTH.labels(TRUTH.intervene(covered, "blue_sky", True))
    assert blue["blue_sky"].all()
    assert not any(blue[name].any() for name in ("night", "sunset", "rain", "fog"))


def test_prompts_read_well_and_differ() -> None:
    assert WORDS.zero_shot_prompts("church") == ("a church", "a building that is no church")
    assert WORDS.prompt("cross") == "a building with a cross"
    assert WORDS.zero_shot_prompts("snow") == ("a building in the snow", "a building without snow")
    assert WORDS.zero_shot_prompts("wooden") == ("a wooden building", "a masonry building")
    pairs = [WORDS.zero_shot_prompts(name) for name in TRUTH.attributes]
    assert len({text for pair in pairs for text in pair}) == 2 * len(TRUTH.attributes)
    with pytest.raises(ConfigError, match="unknown place attribute 'hat'; choose from church"):
        WORDS.prompt("hat")
    assert set(ATTRIBUTE_PHRASES) == set(TRUTH.attributes)
