"""Cars: parameters, ties, labels, interventions and prompts."""

from __future__ import annotations

import numpy as np
import pytest

from zoom_engine.common.errors import ConfigError
from zoom_engine.diagnose.domain import face_points_of
from zoom_engine.domains.cars.attributes import ATTRIBUTES, TRUTH
from zoom_engine.domains.cars.domain import DOMAIN
from zoom_engine.domains.cars.parameters import KINDS, SCHEME, Parameters
from zoom_engine.domains.cars.wording import ATTRIBUTE_PHRASES, WORDS
from zoom_engine.domains.truth import CLEAR_MARGIN
from zoom_engine.photographs import FFHQ


def cars(n: int, seed: int = 0) -> Parameters:
    return Parameters.from_latents(np.random.default_rng(seed).standard_normal((n, 64)))


def anywhere(n: int, seed: int) -> Parameters:
    low, high = SCHEME.bounds
    return Parameters(low + (high - low) * np.random.default_rng(seed).random((n, len(low))))


def test_every_attribute_is_common_and_most_cars_are_of_one_kind() -> None:
    truth = TRUTH.labels(cars(6000, seed=3))
    for name in ATTRIBUTES:
        assert 0.13 <= truth[name].mean() <= 0.6, name
    assert np.mean([truth[kind] for kind in KINDS], axis=0).sum() / 6000 * len(KINDS) > 0.9


def test_ties_are_as_written_and_what_is_planted_is_free() -> None:
    matrix = SCHEME.factor_matrix
    assert np.linalg.matrix_rank(matrix) == len(SCHEME.names)
    wanted = matrix.T @ matrix
    assert np.allclose(np.diag(wanted), 1.0)
    sports = SCHEME.column("kind_sports")
    assert wanted[SCHEME.column("spoiler"), sports] == pytest.approx(0.5)
    assert wanted[SCHEME.column("open_top"), sports] == pytest.approx(0.4)
    for name in ("red", "white", "black", "street", "field", "snow", "night"):
        assert wanted[SCHEME.column(name), sports] == pytest.approx(0.0, abs=1e-9), name


@pytest.mark.parametrize("attribute", ATTRIBUTES)
@pytest.mark.parametrize("value", [True, False])
def test_an_intervention_sets_its_attribute_clearly_and_keeps_the_rest(attribute: str, value: bool) -> None:
    for rows in (cars(60, seed=1), anywhere(60, seed=2)):
        changed = TRUTH.intervene(rows, attribute, value)
        sign = 1.0 if value else -1.0
        assert (sign * TRUTH.margins(changed)[attribute] >= CLEAR_MARGIN - 1e-6).all()
        before, after = TRUTH.labels(rows), TRUTH.labels(changed)
        for name in set(ATTRIBUTES) - {attribute} - TRUTH.exclusions(attribute):
            assert (before[name] == after[name]).all(), name


def test_what_is_painted_over_or_stands_elsewhere_gives_way_to_what_is_asked_for() -> None:
    row = Parameters.neutral().replace(red=1.0, white=1.0, black=1.0, street=1.0, field=1.0, snow=1.0)
    seen = {name for name, has in TRUTH.labels(row).items() if has[0]}
    assert seen == {"saloon", "black", "snow"}
    for wanted in ("red", "white", "street", "field"):
        asked = {name for name, has in TRUTH.labels(TRUTH.intervene(row, wanted, True)).items() if has[0]}
        assert wanted in asked
        assert len(asked & {"red", "white", "black"}) == len(asked & {"street", "field", "snow"}) == 1


def test_exclusions_are_declared_both_ways() -> None:
    for attribute in ATTRIBUTES:
        for other in TRUTH.exclusions(attribute):
            assert attribute in TRUTH.exclusions(other)
    assert TRUTH.exclusions("spoiler") == frozenset()


def test_prompts_read_well_and_differ() -> None:
    prompt, zero_shot_prompts = WORDS.prompt, WORDS.zero_shot_prompts
    assert set(ATTRIBUTE_PHRASES) == set(ATTRIBUTES)
    assert zero_shot_prompts("sports") == ("a sports car", "a family car")
    assert zero_shot_prompts("driver") == ("a car with a driver", "a car with nobody inside")
    assert zero_shot_prompts("dirty") == ("a dirty car", "a clean car")
    assert zero_shot_prompts("night") == ("a car at night", "a car by day")
    assert prompt("suv") == "an off-roader"
    assert len({zero_shot_prompts(name)[0] for name in ATTRIBUTES}) == len(ATTRIBUTES)
    with pytest.raises(ConfigError, match="unknown car attribute 'hat'; choose from compact"):
        prompt("hat")


def test_the_domain_asks_for_what_is_true_of_its_cars() -> None:
    assert set(DOMAIN.attributes) <= set(DOMAIN.subject.prompts)
    assert len(set(DOMAIN.attributes)) == len(DOMAIN.attributes) >= 12
    assert set(DOMAIN.classifier_names()) == {
        "sports",
        *(f"sports-biased-{name}" for name in ("red", "street", "night")),
    }
    assert face_points_of(DOMAIN) == FFHQ, "cars have no faces"
