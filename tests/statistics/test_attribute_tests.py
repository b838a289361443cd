"""Verdicts against literal definitions: p-values, corrections, confidence bounds, and how often they err."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from zoom_engine.statistics.attribute_tests import (
    adjust,
    attribute_tests,
    baseline_level,
    lower_bounds,
)

Array = NDArray[np.float64]


@given(st.lists(st.floats(0, 1), min_size=1, max_size=8))
def test_corrections_are_those_of_their_authors(values: list[float]) -> None:
    p_values = np.array(values)
    count = len(values)
    for level in (0.01, 0.05, 0.3):
        rejected: set[int] = set()
        for step, which in enumerate(np.argsort(p_values, kind="stable")):  # Holm: step down while it holds
            if p_values[which] * (count - step) > level:
                break
            rejected.add(int(which))
        assert set(np.flatnonzero(adjust(p_values, "holm") <= level)) == rejected
        rising = np.sort(p_values)  # Benjamini and Hochberg: all up to the last that holds
        passing = [p for rank, p in enumerate(rising, start=1) if p * count / rank <= level]
        result = adjust(p_values, "benjamini-hochberg") <= level
        assert list(result) == list(p_values <= max(passing, default=-1.0))


def test_what_was_not_tested_is_not_corrected_for() -> None:
    adjusted = adjust(np.array([np.nan, 0.02, 0.01]), "holm")
    assert np.isnan(adjusted[0])
    assert list(adjusted[1:]) == [0.02, 0.02]


@pytest.mark.parametrize("images", [4, 16, 59])
def test_where_all_moved_the_bound_is_that_of_the_binomial(images: int) -> None:
    (bound,) = lower_bounds(np.ones((images, 1)))
    assert 0.9 * (0.05 / 5) ** (1 / images) <= bound <= 0.05 ** (1 / images), "the bold stake is a fifth of all"
    assert list(lower_bounds(np.full((3, 1), np.nan))) == [0.0]


def audits(images: int, count: int, effect: float, spread: float = 0.5) -> Iterator[tuple[Array, Array]]:
    """Changes by 12 attributes and 32 random directions whose mean effects differ alike, skewed as flips are; the first
    attribute has an effect beside."""
    for seed in range(count):
        random = np.random.default_rng([images, seed])
        means = (0.05 * np.exp(spread * random.standard_normal(44) - spread**2 / 2)).clip(max=0.9)
        means[0] = (means[0] + effect).clip(max=0.9)
        changes = random.beta(2 * means, 2 * (1 - means), (images, 44))
        yield changes[:, :12], changes[:, 12:]


@pytest.mark.ci
@pytest.mark.parametrize("images", [24, 100])
def test_what_is_exchangeable_with_random_edits_is_seldom_specific(images: int) -> None:
    """However many images: more of them say nothing more of directions."""
    false = [
        any(
            (one.verdict, one.specificity) == ("sensitive", "specific") for one in attribute_tests(*audit, 0.05, "holm")
        )
        for audit in audits(images, 40, 0.0)
    ]
    assert sum(false) <= 5


def permuted_within_images(change: Array, baseline: Array, draws: int = 500) -> Array:
    """The p-value of each column, if one of an image's changes could as well be the attribute's."""
    random, images = np.random.default_rng(0), np.arange(len(change))
    p_values = []
    for column in change.T:
        candidates = np.column_stack([column, baseline])
        sums = [candidates[images, random.integers(candidates.shape[1], size=len(images))].sum() for _ in range(draws)]
        p_values.append((1 + np.sum(sums >= column.sum() - 1e-9)) / (1 + draws))
    return np.array(p_values)


def test_the_permutation_test_within_images_would_err_more_with_more_images() -> None:
    """Why directions, not images, are what is sampled."""
    false = [
        bool((adjust(permuted_within_images(change, baseline[:, :4]), "holm") < 0.05).any())
        for change, baseline in audits(100, 20, 0.0)
    ]
    assert np.mean(false) > 0.3


def test_an_effect_of_its_own_is_sensitive_and_specific() -> None:
    results = [attribute_tests(*audit, 0.05, "holm")[0] for audit in audits(100, 12, 0.5, spread=0.3)]
    assert [one.verdict for one in results] == ["sensitive"] * 12
    assert sum(one.specificity == "specific" for one in results) >= 11


@pytest.mark.ci
@pytest.mark.parametrize("mean", [0.05, 0.1])
def test_intervals_of_all_attributes_hold_at_once(mean: float) -> None:
    random, missed, wrong = np.random.default_rng(3), 0, 0
    for _ in range(100):
        change = random.beta(2 * mean, 2 * (1 - mean), (50, 8))
        results = attribute_tests(change, change[:, :0], mean, "holm")
        assert all(one.interval is not None for one in results)
        missed += any(not (one.interval or (0, 1))[0] <= mean <= (one.interval or (0, 1))[1] for one in results)
        wrong += any(one.verdict != "inconclusive" for one in results)  # the effect is what matters, exactly
    assert missed == wrong
    assert missed <= 8


def test_the_size_is_told_by_the_interval_alone() -> None:
    random = np.random.default_rng(2)
    baseline = random.uniform(0.0, 0.02, (200, 16))
    rare = np.where(np.arange(200) < 16, 0.5, 0.0)  # 0.04 on average: not much, but who knows
    change = np.column_stack([baseline[:, 0] + 0.1, baseline[:, 0] + 0.01, baseline[:, 0], rare])

    def sizes(change: Array, baseline: Array, smallest: float = 0.05) -> list[str]:
        return [one.verdict for one in attribute_tests(change, baseline, smallest, "holm")]

    assert sizes(change, baseline) == ["sensitive", "negligible", "negligible", "inconclusive"]
    assert sizes(change, baseline, 0.015)[:2] == ["sensitive", "sensitive"]
    assert sizes(change, baseline + 0.2) == sizes(change, baseline), "random edits have no say in the size"


def test_what_random_edits_do_too_is_unspecific_and_of_few_nothing_is_known() -> None:
    random = np.random.default_rng(7)
    change = random.uniform(0.2, 0.4, (60, 1))
    weak, strong = random.uniform(0.0, 0.02, (60, 16)), random.uniform(0.1, 0.5, (60, 16))
    (test,) = attribute_tests(change, weak, 0.05, "holm")
    assert (test.verdict, test.specificity, test.as_far) == ("sensitive", "specific", 0)
    (shared,) = attribute_tests(change, strong, 0.05, "holm")
    assert (shared.verdict, shared.specificity) == ("sensitive", "unspecific")
    assert shared.as_far is not None
    assert shared.as_far > 0
    assert attribute_tests(change, weak[:, :2], 0.05, "holm")[0].specificity == "unknown"
    assert attribute_tests(change, weak[:, :0], 0.05, "holm")[0].specificity is None


def test_directions_tried_on_parts_of_the_images_count() -> None:
    random = np.random.default_rng(8)
    change, baseline = random.uniform(0.2, 0.4, (48, 1)), random.uniform(0.0, 0.02, (48, 16))
    baseline[np.arange(48)[:, None], (np.arange(48)[:, None] + np.arange(12)) % 16] = np.nan
    (result,) = attribute_tests(change, baseline, 0.05, "holm")
    assert result.specificity == "specific"
    assert result.baseline == pytest.approx(0.01, abs=0.003)


def test_nothing_is_decided_before_the_end_or_without_images() -> None:
    baseline = np.full((80, 3), 0.01)
    change = np.full((80, 1), 0.4)
    (unfinished,) = attribute_tests(change, baseline, 0.05, "holm", finished=False)
    assert (unfinished.verdict, unfinished.specificity) == ("inconclusive", "unknown")
    assert unfinished.p_adjusted is not None
    (untested,) = attribute_tests(np.full((2, 1), np.nan), np.full((2, 3), np.nan), 0.05, "holm")
    assert untested == ("inconclusive", None, None, None, None, None, None)
    assert baseline_level(np.full((2, 3), np.nan), 0.05, "holm", attributes=1, images=2) is None


def test_the_null_is_a_mean_over_directions() -> None:
    baseline = np.array([[0.1, 0.3], [0.0, 0.2], [np.nan, 0.1]])
    level = baseline_level(baseline, 0.05, "holm", attributes=3, images=3)
    assert level is not None
    assert level.mean_change == pytest.approx((0.05 + 0.2) / 2)
    assert level.strongest == pytest.approx(0.2)
    assert level.directions == 2
    assert level.ci95 is not None
    assert 0 <= level.ci95[0] < 0.125 < level.ci95[1] <= 1
    assert 0.2 < level.specific_from <= 1
