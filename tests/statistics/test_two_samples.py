"""Distances between samples: the transport between them, and nothing between halves of one population."""

from __future__ import annotations

import numpy as np
import pytest

from zoom_engine.statistics.two_samples import distance, transport


def costs(one: np.ndarray, other: np.ndarray) -> np.ndarray:
    return np.abs(one[:, None] - other)


def test_of_numbers_the_transport_pairs_them_by_their_order() -> None:
    random = np.random.default_rng(0)
    one, other = random.random(30), random.random(30)
    assert transport(costs(one, other)) == pytest.approx(np.abs(np.sort(one) - np.sort(other)).mean())
    assert transport(costs(one, one[::-1])) == 0


def test_of_one_population_nothing_is_left() -> None:
    random = np.random.default_rng(1)
    inside = []
    for _ in range(20):
        one, other = random.beta(2, 5, 60), random.beta(2, 5, 80)
        result = distance(costs(one, one), costs(one, other), splits=50)
        assert abs(result.excess) < 0.05
        assert result.distance == pytest.approx(result.reference + result.excess)
        inside.append(result.interval[0] <= 0 <= result.interval[1])
    assert np.mean(inside) >= 0.8


def test_a_shift_is_found_in_its_own_unit() -> None:
    random = np.random.default_rng(2)
    one, other = random.normal(0.3, 0.02, 80), random.normal(0.7, 0.02, 50)
    result = distance(costs(one, one), costs(one, other))
    assert result.excess == pytest.approx(0.4, abs=0.02)
    assert result.interval[0] > 0.35
    assert result.interval[1] < 0.45


def test_too_few_are_refused() -> None:
    with pytest.raises(ValueError, match="too few to compare: 3 and 5"):
        distance(np.zeros((3, 3)), np.zeros((3, 5)))
    with pytest.raises(ValueError, match="too few"):
        distance(np.zeros((10, 10)), np.zeros((10, 4)))
