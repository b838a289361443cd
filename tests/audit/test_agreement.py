"""Kendall's W against its definition, and what it says of raters that agree and that do not."""

from __future__ import annotations

import numpy as np
import pytest

from zoom_engine.audit.agreement import kendalls_w


def test_the_textbook_example_without_ties() -> None:
    ranks = np.array([[1, 6, 3, 2, 5, 4], [1, 5, 6, 2, 4, 3], [6, 3, 2, 5, 4, 1]], dtype=float)
    found = kendalls_w(ranks[:, None, :])
    sums = ranks.sum(axis=0)
    expected = 12 * ((sums - sums.mean()) ** 2).sum() / (9 * (216 - 6))
    assert found is not None
    assert found.w == pytest.approx(expected)
    assert found.low == found.high == found.w  # of one image there is no other draw


def test_ties_are_corrected_for() -> None:
    """Two raters that agree, ties and all, agree wholly."""
    values = np.array([[0.1, 0.1, 0.5, 0.7], [0.2, 0.2, 0.3, 0.9]])[:, None, :]
    found = kendalls_w(values)
    assert found is not None
    assert found.w == pytest.approx(1.0)


@pytest.mark.parametrize(("noise", "low", "high"), [(0.0, 1.0, 1.0), (0.05, 0.9, 1.0), (30.0, 0.0, 0.75)])
def test_raters_agree_as_far_as_noise_lets_them(noise: float, low: float, high: float) -> None:
    random = np.random.default_rng(0)
    values = np.linspace(0, 1, 6) + noise * random.normal(size=(4, 40, 6))
    found = kendalls_w(values, resamples=500)
    assert found is not None
    assert low <= found.low <= found.w <= found.high <= 1 + 1e-12
    assert found.w <= high + 1e-12


def test_missing_units_are_left_out_and_what_cannot_be_told_is_none() -> None:
    random = np.random.default_rng(1)
    values = np.linspace(0, 1, 5) + 0.1 * random.normal(size=(3, 20, 5))
    holes = values.copy()
    holes[1, 3, 2] = np.nan
    assert kendalls_w(holes, resamples=200) is not None
    holes[1, :, 2] = np.nan
    assert kendalls_w(holes) is None
    assert kendalls_w(values[:1]) is None
    assert kendalls_w(values[:, :, :1]) is None
    assert kendalls_w(np.zeros((2, 4, 3))) is None
