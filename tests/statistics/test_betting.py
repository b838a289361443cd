"""Betting: against literal definitions, and how often it errs at whatever number of images somebody stops."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from zoom_engine.statistics.betting import (
    ABOVE,
    BELOW,
    beta_points,
    closed,
    log_wealth_above,
    log_wealth_below,
    mean_intervals,
    needed,
    typical_log_wealth,
)

Array = NDArray[np.float64]
ANALYSES = (24, 32, 40, 48, 64, 80, 96, 128)


def literal_wealth(values: list[float], limit: float, *, above: bool) -> float:
    """The wealth of a gambler who bets on one image after the other."""
    wealth = 0.0
    for fraction, weight in (ABOVE if above else BELOW).items():
        money = weight
        for value in values:
            gain = (value - limit) / limit if above else (limit - value) / (1 - limit)
            money *= 1 + fraction * gain
        wealth += money
    return wealth


@settings(max_examples=60)
@given(st.lists(st.floats(0, 1), max_size=12), st.floats(0.01, 0.99))
def test_wealth_is_what_a_gambler_has_at_the_end(values: list[float], limit: float) -> None:
    columns = np.array([values], dtype=np.float64).T
    for above, log_wealth in ((True, log_wealth_above), (False, log_wealth_below)):
        expected = literal_wealth(values, limit, above=above)
        (wealth,) = np.exp(log_wealth(columns.reshape(-1, 1), limit))
        assert wealth == pytest.approx(expected, rel=1e-9, abs=1e-12)


def test_both_gamblers_begin_with_1() -> None:
    assert sum(ABOVE.values()) == pytest.approx(1.0)
    assert sum(BELOW.values()) == pytest.approx(1.0)
    assert list(log_wealth_above(np.full((3, 1), np.nan), 0.1)) == pytest.approx([0.0])


@given(st.lists(st.floats(-20, 20) | st.just(-math.inf), min_size=1, max_size=6))
def test_closed_testing_takes_the_smallest_mean_over_all_sets(logs: list[float]) -> None:
    wealth, indices = np.exp(logs), range(len(logs))
    sets = [list(one) for size in range(1, len(logs) + 1) for one in itertools.combinations(indices, size)]
    expected = [min(wealth[one].mean() for one in sets if index in one) for index in indices]
    np.testing.assert_allclose(np.exp(closed(np.array(logs))), expected, rtol=1e-9, atol=1e-300)


def test_together_more_is_rejected_than_by_holm() -> None:
    logs = np.log([21.0, 25.0, 22.0, 60.0, 0.001])
    holm = [w >= (5 - rank) / 0.05 for rank, w in enumerate(sorted(np.exp(logs), reverse=True))]
    assert not any(holm)
    assert list(closed(logs) >= needed(0.05)) == [False, False, False, True, False]
    assert list(closed(logs[:4]) >= needed(0.05)) == [True] * 4


@pytest.mark.parametrize("images", [20, 40, 80])
def test_where_nothing_moves_the_interval_ends_where_the_larger_stake_says(images: int) -> None:
    low, high = mean_intervals(np.zeros((images, 1)))
    assert low == 0.0
    assert (1 - 0.025) ** 0 / 2 * (1 - high[0]) ** -images <= 2 / 0.05 * 1.001
    exact = 1 - (0.025 / 1.0) ** (1 / images)
    assert exact < high[0] < 1 - (0.025 / 2) ** (1 / images) + 1e-3


@settings(max_examples=40, deadline=None)
@given(st.integers(1, 12), st.integers(0, 2**32 - 1))
def test_missing_values_are_as_if_they_were_not_there(images: int, seed: int) -> None:
    values = np.random.default_rng(seed).random((images, 2))
    values[:, 1] = np.where(np.arange(images) % 2, np.nan, values[:, 0])
    low, high = mean_intervals(values)
    alone = mean_intervals(values[::2, :1])
    assert (low[1], high[1]) == pytest.approx((alone[0][0], alone[1][0]))
    assert (low <= np.nanmean(values, axis=0)).all()
    assert (high >= np.nanmean(values, axis=0)).all()
    assert np.isnan(mean_intervals(np.full((images, 1), np.nan))).all()


@settings(max_examples=30)
@given(st.integers(2, 40), st.floats(0.05, 0.9), st.integers(0, 2**32 - 1))
def test_an_interval_holds_the_limits_that_are_not_rejected(images: int, limit: float, seed: int) -> None:
    values = np.random.default_rng(seed).beta(0.3, 1.0, (images, 1))
    low, high = mean_intervals(values, level=0.9)
    assert (log_wealth_above(values, limit)[0] >= needed(0.05)) == (limit <= low[0])
    assert (log_wealth_below(values, limit)[0] >= needed(0.05)) == (limit >= high[0])


def flips(count: int, images: int, mean: float, size: float) -> Array:
    """Changes `[images, count]`: most images hardly move, a few move by about `size`."""
    random = np.random.default_rng([count, images, round(1000 * mean)])
    rare = random.random((images, count)) < (mean - 0.002) / size
    return np.where(rare, random.beta(60 * size, 60 * (1 - size), rare.shape), random.beta(1, 499, rare.shape))


@pytest.mark.parametrize("mean", [0.02, 0.1, 0.4])
@pytest.mark.parametrize("size", [0.45, 0.9])
def test_an_interval_holds_its_mean_wherever_somebody_looks(mean: float, size: float) -> None:
    """Of 400 audits at most 5 % may miss at any of eight looks."""
    drawn, ever = flips(400, ANALYSES[-1], mean, size), np.zeros(400, dtype=bool)
    true = (mean - 0.002) + (1 - (mean - 0.002) / size) * 0.002
    for images in ANALYSES:
        low, high = mean_intervals(drawn[:images])
        ever |= (low > true) | (high < true)
    assert ever.mean() <= 0.05


@pytest.mark.parametrize("spread", [0.0, 0.05, 0.3])
def test_the_typical_wealth_is_that_of_about_half_of_the_audits(spread: float) -> None:
    points = beta_points(0.04, spread)
    assert points.mean() == pytest.approx(0.04, abs=2e-3)
    random = np.random.default_rng(0)
    drawn = random.choice(points, (60, 400))
    typical = typical_log_wealth(points, 60, 0.1, above=False)
    assert 0.3 <= (log_wealth_below(drawn, 0.1) >= typical - 1e-9).mean() <= (1.0 if not spread else 0.75)
