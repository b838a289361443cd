"""Calls against literal definitions: permutation p-values, corrections, confidence bounds, and how often they err."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from zoom_engine.audit.evidence import DRAWS, adjust, exceedance, null_level, standings, upper_bounds

Array = NDArray[np.float64]


def literal_p_value(change: Array, null: Array) -> float:
    """The share of all ways to pick one change of each image whose sum reaches the attribute's."""
    each = [(own, *others) for own, others in zip(change, null, strict=True)]
    sums = [sum(picked) for picked in itertools.product(*each)]
    return sum(value >= sum(change) - 1e-9 for value in sums) / len(sums)


@given(st.integers(1, 5), st.integers(1, 4), st.integers(0, 10**6))
def test_few_images_have_the_exact_p_value(images: int, directions: int, seed: int) -> None:
    random = np.random.default_rng(seed)
    change, null = random.beta(0.5, 3, images).round(2), random.beta(0.5, 3, (images, directions)).round(2)
    (found,) = exceedance(change[:, None], null)
    assert found == pytest.approx(literal_p_value(change, null))
    assert found >= 1 / (directions + 1) ** images
    assert exceedance(-change[:, None], -null)[0] == pytest.approx(literal_p_value(-change, -null))


def test_many_images_have_nearly_the_exact_p_value() -> None:
    random = np.random.default_rng(5)
    change, null = random.beta(2, 3, 7), random.beta(1.5, 3, (7, 3))
    exact = literal_p_value(change, null)
    assert DRAWS > (3 + 1) ** 7
    (drawn,) = exceedance(change[:, None], null, draws=4**7 - 1)
    assert drawn == pytest.approx(exact, abs=4 * np.sqrt(exact / 4**7))
    assert drawn > 0


def test_missing_units_are_as_if_their_images_were_not_there() -> None:
    random = np.random.default_rng(0)
    change, null = random.random((5, 2)), random.random((5, 2))
    change[3:, 1] = np.nan
    both = exceedance(change, null)
    assert both[1] == pytest.approx(exceedance(change[:3, 1:], null[:3])[0])
    assert np.isnan(exceedance(np.full((5, 1), np.nan), null))
    assert np.isnan(exceedance(np.empty((0, 1)), np.empty((0, 2))))


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
        found = adjust(p_values, "benjamini-hochberg") <= level
        assert list(found) == list(p_values <= max(passing, default=-1.0))


def test_what_was_not_tested_is_not_corrected_for() -> None:
    adjusted = adjust(np.array([np.nan, 0.02, 0.01]), "holm")
    assert np.isnan(adjusted[0])
    assert list(adjusted[1:]) == [0.02, 0.02]


@pytest.mark.parametrize("images", [4, 16, 59])
def test_where_nothing_moved_the_bound_is_that_of_the_binomial(images: int) -> None:
    (bound,) = upper_bounds(np.zeros((images, 1)))
    assert bound == pytest.approx(1 - 0.05 ** (1 / images), rel=0.05)
    assert list(upper_bounds(np.full((3, 1), np.nan))) == [1.0]


def audits(images: int, count: int, effect: float) -> list[tuple[Array, Array]]:
    """Changes by 12 attributes and 4 random directions, skewed as flips are; the first attribute has an effect."""
    found = []
    for seed in range(count):
        random = np.random.default_rng([images, seed])
        image = random.beta(0.4, 6, (images, 1))
        changes = (image + random.beta(0.2, 6, (images, 16))).clip(max=1.0)
        changes[:, 0] = (changes[:, 0] + effect).clip(max=1.0)
        found.append((changes[:, :12], changes[:, 12:]))
    return found


@pytest.mark.parametrize("images", [8, 16, 64])
def test_noise_is_called_in_no_more_than_5_of_100_audits(images: int) -> None:
    called = [
        any(one.called == "called" for one in standings(change, null, 0.0, "holm"))
        for change, null in audits(images, 60, 0.0)
    ]
    assert sum(called) <= 6


@pytest.mark.parametrize(("images", "at_least"), [(16, 0.8), (64, 1.0)])
def test_an_effect_is_called(images: int, at_least: float) -> None:
    called = [standings(change, null, 0.05, "holm")[0].called == "called" for change, null in audits(images, 20, 0.2)]
    assert np.mean(called) >= at_least


def test_a_call_takes_three_things() -> None:
    null = np.random.default_rng(2).uniform(0.0, 0.02, (200, 3))
    rare = np.where(np.arange(200) < 16, 0.5, 0.0)  # 0.04 on average: not much, but who knows
    change = np.column_stack([null[:, 0] + 0.1, null[:, 0] + 0.02, null[:, 0], rare])

    def called(change: Array, null: Array, smallest: float = 0.05) -> list[str]:
        return [one.called for one in standings(change, null, smallest, "holm")]

    assert called(change, null) == ["called", "below", "below", "undecided"]
    assert called(change, null, 0.02)[:2] == ["called", "called"]
    strong = np.column_stack([null, np.full(200, 0.15)])  # one direction moves more than the attribute
    assert called(change[:, :1], strong) == ["undecided"]
    assert called(change[:, 2:3], strong, 0.0) == ["below"]  # moves less than random directions


def test_nothing_is_decided_before_the_end_or_without_images() -> None:
    null = np.full((80, 3), 0.01)
    change = np.full((80, 1), 0.4)
    (unfinished,) = standings(change, null, 0.05, "holm", finished=False)
    assert unfinished.called == "undecided"
    assert unfinished.p_adjusted is not None
    (nothing,) = standings(np.full((2, 1), np.nan), np.full((2, 3), np.nan), 0.05, "holm")
    assert nothing == ("undecided", None, None, None)
    assert null_level(np.full((2, 3), np.nan), 0.05, "holm") is None


def test_the_null_is_a_mean_over_images_and_directions() -> None:
    null = np.array([[0.1, 0.3], [0.0, 0.2], [np.nan, 0.9]])
    level = null_level(null, 0.05, "holm")
    assert level is not None
    assert level.mean_change == pytest.approx(0.15)
    assert level.strongest == pytest.approx(0.25)
    assert level.directions == 2
    assert level.ci95 is not None
    assert 0 <= level.ci95[0] < 0.15 < level.ci95[1] <= 1
