"""The population of random edits: what one more of them would do, against literal draws and by how it must behave."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from zoom_engine.statistics.random_edits import Dispersion, RandomEdits, variation


def exact(logs: np.ndarray) -> np.ndarray:
    """Changes on 400 images that are all the same: mean effects without noise."""
    return np.tile(np.exp(logs), (400, 1))


def p_value(edits: RandomEdits, mean: float, images: int = 400) -> float:
    return float(edits.p_values(np.array([mean]), np.array([images]), np.zeros(1))[0])


def test_without_noise_it_is_the_prediction_interval_of_students_t() -> None:
    logs = -3 + 0.5 * stats.norm.ppf((np.arange(20) + 0.5) / 20)
    edits, spread = RandomEdits(exact(logs)), logs.std(ddof=1)
    for beyond in (1.0, 2.0, 3.0):
        mean = np.exp(logs.mean() + beyond * spread)
        literal = stats.t.sf(beyond / np.sqrt(1 + 1 / 20), df=19)
        assert literal < p_value(edits, mean) < 2 * literal + 0.01, "a flat spread is a little wider than Jeffreys'"


def test_noise_is_no_spread() -> None:
    """Of directions that are all alike, seen on few images, one more is expected to be alike."""
    random = np.random.default_rng(0)
    noisy = RandomEdits(random.beta(0.1, 1.9, (16, 32)))
    taken_for_effects = RandomEdits(exact(np.log(noisy.means.clip(min=1e-3))))
    assert p_value(noisy, 0.2, images=400) < 0.5 * p_value(taken_for_effects, 0.2)


def test_more_images_make_the_random_edits_no_narrower_than_they_are() -> None:
    random = np.random.default_rng(1)
    means = 0.05 * np.exp(0.8 * random.standard_normal(32))
    reach = [RandomEdits(random.beta(3 * means, 3 * (1 - means), (n, 32))).reach(0.005, n) for n in (50, 200, 1000)]
    assert min(reach) > np.quantile(means, 0.9)


@settings(max_examples=10, deadline=None)
@given(st.integers(0, 10**6), st.integers(1, 40), st.integers(2, 60))
def test_p_values_fall_with_the_mean_and_the_reach_is_where_they_pass(seed: int, directions: int, images: int) -> None:
    random = np.random.default_rng(seed)
    baseline = random.beta(0.3, 4, (images, directions))
    edits = RandomEdits(baseline)
    grid = np.linspace(0.0, 1.0, 12)
    result = edits.p_values(grid, np.full(12, images), np.zeros(12))
    assert (result[:-1] >= result[1:] - 1e-9).all()
    assert ((result >= 0) & (result <= 1 + 1e-9)).all()
    reach = edits.reach(0.02, images)
    if reach < 1:
        assert p_value(edits, reach, images) <= 0.02 + 1e-9
    shuffled = RandomEdits(baseline[:, random.permutation(directions)])
    assert shuffled.reach(0.02, images) == pytest.approx(reach, rel=0.1)


def test_what_was_not_tried_is_left_out() -> None:
    random = np.random.default_rng(4)
    baseline = random.beta(0.3, 4, (30, 8))
    padded = np.concatenate([baseline, np.full((30, 2), np.nan)], axis=1)
    assert p_value(RandomEdits(padded), 0.3) == pytest.approx(p_value(RandomEdits(baseline), 0.3))
    with pytest.raises(ValueError, match="no random direction"):
        RandomEdits(np.full((3, 2), np.nan))
    assert np.isnan(RandomEdits(baseline).p_values(np.array([np.nan]), np.array([0]), np.zeros(1)))


@pytest.mark.parametrize(("shape", "slope"), [("flips", 0.0), ("factors", 1.0)])
def test_the_dispersion_is_that_of_what_was_drawn(shape: str, slope: float) -> None:
    random = np.random.default_rng(5)
    means = np.geomspace(0.01, 0.4, 24)
    drawn = {
        "flips": random.random((4000, 24)) < means,
        "factors": means * random.uniform(0.0, 2.0, (4000, 24)),
    }[shape].astype(np.float64)
    result = Dispersion.of_changes(drawn)
    assert result.slope == pytest.approx(slope, abs=0.15)
    for column in (4, 12, 20):
        dispersion = drawn[:, column].var() / (means[column] * (1 - means[column]))
        assert float(result(means[[column]])[0]) == pytest.approx(min(dispersion, 1.0), rel=0.5)
    assert variation(drawn)[12] == pytest.approx(min(drawn[:, 12].var() / (means[12] * (1 - means[12])), 1.0), rel=0.1)


@pytest.mark.parametrize("level", [0.97, 0.985, 1.0])
def test_where_all_random_edits_change_nearly_everything_one_more_does_too(level: float) -> None:
    """The grid of effects ends below 1: what lay beyond was impossible, though each direction that was tried did it."""
    edits = RandomEdits(np.full((100, 16), level))
    assert p_value(edits, level, images=100) > 0.2
    assert edits.reach(0.05, 100) == 1.0
    assert p_value(RandomEdits(np.full((100, 16), 0.05)), level, images=100) < 1e-4
