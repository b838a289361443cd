"""Statistics of means over images: against slow literal references, and how often they hold."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from zoom_engine.statistics.intervals import bootstrap_means, column_means, interval, share_first


def test_bootstrap_matches_a_loop_over_resamples() -> None:
    values = np.random.default_rng(1).random((13, 3))
    values[4, 1] = np.nan
    means = bootstrap_means(values, resamples=50, seed=9)
    counts = np.random.default_rng(9).multinomial(13, np.full(13, 1 / 13), size=50)
    for resample, count in enumerate(counts):
        images = np.repeat(np.arange(13), count)
        np.testing.assert_allclose(means[resample], np.nanmean(values[images], axis=0), rtol=1e-12)


def test_the_interval_covers_the_true_mean_about_95_times_in_100() -> None:
    samples = np.random.default_rng(0).beta(2, 5, (60, 300))
    low, high = interval(bootstrap_means(samples, resamples=2000))
    assert 270 <= ((low <= 2 / 7) & (high >= 2 / 7)).sum() <= 297


@settings(max_examples=40, deadline=None)
@given(st.integers(1, 12), st.integers(1, 4), st.integers(0, 2**32 - 1))
def test_intervals_hold_the_mean_and_stay_within_the_values(images: int, columns: int, seed: int) -> None:
    values = np.random.default_rng(seed).random((images, columns))
    means = bootstrap_means(values, resamples=2000, seed=seed)
    low, high = interval(means)
    assert means.shape == (2000, columns)
    assert (values.min(0) <= low).all()
    assert (low <= column_means(values) + 1e-12).all()
    assert (column_means(values) <= high + 1e-12).all()
    assert (high <= values.max(0)).all()
    assert share_first(means).sum() == pytest.approx(1.0)


def test_equal_seeds_equal_intervals() -> None:
    values = np.random.default_rng(3).random((20, 2))
    np.testing.assert_array_equal(bootstrap_means(values, seed=5), bootstrap_means(values, seed=5))
    assert (bootstrap_means(values, seed=5) != bootstrap_means(values, seed=6)).any()


def test_first_places_are_counted_and_ties_are_split() -> None:
    means = np.array([[0.9, 0.1, 0.5], [0.2, 0.7, 0.1], [0.4, 0.4, 0.1], [np.nan, 1.0, 1.0]])
    np.testing.assert_allclose(share_first(means), [0.5, 0.5, 0.0])
    np.testing.assert_array_equal(share_first(np.full((4, 2), np.nan)), [0, 0])
    never = np.full((4, 1), np.nan)  # an attribute that no picture was edited by took the first place from all
    np.testing.assert_allclose(share_first(np.concatenate([means, never], axis=1)), [0.5, 0.5, 0.0, 0.0])


def test_empty_columns_and_no_images_are_nan_without_warnings() -> None:
    values = np.array([[np.nan, 0.5], [np.nan, 0.7]])
    low, _ = interval(bootstrap_means(values))
    assert np.isnan(low[0])
    assert np.isnan(column_means(values)[0])
    assert column_means(values)[1] == pytest.approx(0.6)
    low, high = interval(bootstrap_means(np.empty((0, 2))))
    assert np.isnan(low).all()
    assert np.isnan(high).all()
