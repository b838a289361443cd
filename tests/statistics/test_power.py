"""Power: the share of audits that find an injected effect is what the summary says."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from audits import ATTRIBUTES, config_of, searches

from zoom_engine.statistics.attribute_tests import attribute_tests, baseline_level
from zoom_engine.statistics.power import SIZES, power
from zoom_engine.statistics.summarise import summarise


def changes_of(seed: int, images: int, effect: float) -> np.ndarray:
    """Changes by 5 attributes, the first with an effect, and 16 random directions."""
    means = np.array([effect, 0.02, 0.02, 0.1, 0.05, *np.full(16, 0.02)])
    return np.random.default_rng([seed, images]).beta(4 * means, 4 * (1 - means), (images, 21))


@pytest.mark.parametrize(("images", "effect"), [(24, 0.2), (24, 0.1), (100, 0.1)])
def test_power_is_the_share_of_audits_that_find_such_an_effect(images: int, effect: float) -> None:
    foretold, result, specific, so = [], [], [], []
    for seed in range(25):
        drawn = changes_of(seed, images, effect)
        level = baseline_level(drawn[:, 5:], 0.05, "holm", attributes=5, images=images)
        assert level is not None
        told = power(drawn[:, :5], drawn[:, 5:], 0.05, specific_from=level.specific_from)
        assert told is not None
        assert told.specific is not None
        foretold.append(told.sensitive[f"{effect:g}"])
        so.append(told.specific[f"{effect:g}"])
        one = attribute_tests(drawn[:, :5], drawn[:, 5:], 0.05, "holm")[0]
        result.append(one.verdict == "sensitive")
        specific.append((one.verdict, one.specificity) == ("sensitive", "specific"))
    assert np.mean(foretold) == pytest.approx(np.mean(result), abs=0.2)
    assert np.mean(so) == pytest.approx(np.mean(specific), abs=0.2)


def test_power_grows_with_the_effect_and_the_images() -> None:
    few, many = (power(*np.split(changes_of(1, n, 0.1), [5], axis=1), 0.05, specific_from=None) for n in (24, 200))
    assert few is not None
    assert many is not None
    assert list(few.sensitive) == [f"{size:g}" for size in SIZES]
    assert few.sensitive["0.05"] <= few.sensitive["0.1"] <= few.sensitive["0.2"] <= many.sensitive["0.2"]
    assert few.specific is None
    assert many.detectable is not None
    assert 0.05 < many.detectable < (few.detectable or 1.0)


def test_the_smallest_that_matters_is_never_found() -> None:
    """An interval that lies above it is none that holds it."""
    result = power(*np.split(changes_of(2, 200, 0.1), [5], axis=1), 0.05, specific_from=None)
    assert result is not None
    assert result.sensitive["0.05"] <= 0.05


def test_an_audit_that_can_find_nothing_says_so() -> None:
    flips = (np.random.default_rng(0).random((3, 4)) < 0.5).astype(np.float64)
    result = power(flips[:, :2], flips[:, 2:], 0.4, specific_from=1.0)
    assert result is not None
    assert result.detectable is None
    assert power(flips[:1, :2], flips[:1, 2:], 0.05, specific_from=None) is None


def test_a_summary_says_how_much_it_could_have_missed() -> None:
    of_attributes = searches(0.0, 0.0, 0.0, images=30, noise=0.01)
    baseline = [
        replace(one, attribute=None, baseline=j)
        for one in of_attributes
        if one.attribute == ATTRIBUTES[0]
        for j in range(2)
    ]
    summary = summarise(config_of(random_directions=2, images=30), [*of_attributes, *baseline])
    assert summary.power is not None
    assert summary.power.sensitive["0.2"] == 1.0
    assert (
        summarise(config_of(random_directions=2, images=30), [*of_attributes, *baseline[:-1]]).power is None
    )  # not finished
    without = summarise(config_of(images=30), of_attributes).power
    assert without is not None
    assert without.specific is None
