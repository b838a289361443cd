"""Power: the share of audits that find an injected effect is what the summary says."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from audits import ATTRIBUTES, config_of, searches

from zoom_engine.statistics.attribute_tests import attribute_tests, baseline_level
from zoom_engine.statistics.betting import log_wealth_above, log_wealth_below, needed
from zoom_engine.statistics.power import (
    SIZES,
    images_to_settle,
    most_images,
    power,
    power_of,
    spread_of_attribute,
    spread_of_few,
)
from zoom_engine.statistics.random_edits import Dispersion
from zoom_engine.statistics.summarise import summarise


def changes_of(seed: int, images: int, effect: float) -> np.ndarray:
    """Changes by 5 attributes, the first with an effect, and 16 random directions."""
    means = np.array([effect, 0.02, 0.02, 0.1, 0.05, *np.full(16, 0.02)])
    return np.random.default_rng([seed, images]).beta(4 * means, 4 * (1 - means), (images, 21))


@pytest.mark.ci
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
    never = np.full((3, 1), np.nan)  # an attribute that no picture was edited by hides nothing of the others
    assert power(np.concatenate([flips[:, :2], never], axis=1), flips[:, 2:], 0.4, specific_from=1.0) is not None
    assert power(never, flips[:, 2:], 0.4, specific_from=1.0) is None


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
    assert all(120 <= (row.images_to_settle or 0) <= 170 for row in summary.sensitivity)
    unfinished = summarise(config_of(random_directions=2, images=31), [*of_attributes, *baseline])
    assert unfinished.power is None
    without = summarise(config_of(images=30), of_attributes).power
    assert without is not None
    assert without.specific is None


@pytest.mark.ci
@pytest.mark.parametrize("effect", [1e-6, 0.01, 0.02])
def test_as_many_images_as_are_said_settle_what_is_inconclusive_as_often_as_is_said(effect: float) -> None:
    """Eleven attributes of a sound target on 32 images; the audit then goes on with its true effects."""
    known, before = [], []
    for seed in range(3):
        random = np.random.default_rng(seed)
        means = np.array([*np.full(11, effect), *np.full(32, 0.02)])
        drawn = random.beta(6 * means, 6 * (1 - means), (32, 43))
        columns = (0, 5, 10)
        for column, count in zip(columns, images_to_settle(drawn[:, :11], drawn[:, 11:], 0.05, columns), strict=True):
            if count is None:  # what this audit found lies too near to 0.05
                continue
            more = random.beta(6 * effect, 6 * (1 - effect), (count - 32, 25))
            audits = np.concatenate([np.repeat(drawn[:, column, None], 25, axis=1), more])
            for shares, images in ((known, count), (before, round(0.7 * count))):
                wealth = [bet(audits[:images], 0.05) for bet in (log_wealth_above, log_wealth_below)]
                shares.append((np.maximum(*wealth) >= needed(0.05, 11)).mean())
    assert len(known) >= 6
    assert np.mean(known) >= 0.8
    assert np.mean(before) < 0.8


def test_what_moves_nothing_is_settled_by_the_number_that_rules_out_rare_flips() -> None:
    (count,) = images_to_settle(np.zeros((32, 11)), np.full((32, 8), 0.01), 0.05, [3])
    assert count is not None
    assert 119 <= count <= 131, "(1 - 0.05) ** -119 / 2 > 11 / 0.05"


def test_no_number_of_images_settles_an_effect_at_the_smallest_that_matters() -> None:
    change = np.random.default_rng(0).beta(0.3, 5.7, (32, 3))
    change += 0.05 - change.mean(axis=0)
    assert images_to_settle(change.clip(0, 1), change.clip(0, 1), 0.05, [0]) == [None]


def test_an_audit_of_a_thousand_images_is_not_continued() -> None:
    """The draws for twice as many would take gigabytes; what a thousand did not settle is said to be too near."""
    many = np.zeros((1000, 2))
    assert images_to_settle(many, many, 0.05, [0, 1]) == [None, None]
    assert most_images(999) == 1000
    assert most_images(5000) == 5000


@pytest.mark.ci
def test_a_few_images_foretell_the_power_of_many() -> None:
    """By the spread of eight images of the same population; the smallest effect, twice and four times as much."""
    foretold, result = [], []
    for seed in range(15):
        few, many = changes_of(seed, 8, 0.1), changes_of(100 + seed, 100, 0.1)
        told = power_of(spread_of_few(few, 0.05), 100, 5, 0.05)
        large = power(many[:, :5], many[:, 5:], 0.05, specific_from=None)
        assert large is not None
        foretold.append([told.sensitive[f"{size:g}"] for size in SIZES])
        result.append([large.sensitive[f"{size:g}"] for size in SIZES])
    few_say, many_say = np.mean(foretold, axis=0), np.mean(result, axis=0)
    assert (few_say <= many_say + 0.1).all(), "what few images leave open counts against the power"
    assert (many_say - few_say).max() < 0.3


def test_what_moves_the_model_little_is_taken_for_flips() -> None:
    effect = np.array([0.1])
    random = np.random.default_rng(0)
    assert spread_of_few(np.zeros((8, 20)), 0.05)(effect) == pytest.approx(1.0)
    little = 1e-4 * random.random((8, 20))
    assert spread_of_few(little, 0.05)(effect)[0] > 0.95
    much = random.beta(4 * 0.1, 4 * 0.9, (200, 20))  # φ = 1/5
    assert spread_of_few(much, 0.05)(effect)[0] == pytest.approx(0.2, abs=0.03)
    assert 0.2 < spread_of_few(much[:8], 0.05)(effect)[0] < 0.5


def test_an_attributes_own_spread_counts_as_far_as_it_moves_the_model() -> None:
    random, effect = np.random.default_rng(0), np.array([0.1])
    others = Dispersion(0.1, 0.0)
    flips = (random.random(200) < 0.3).astype(float)
    assert spread_of_attribute(flips, others, 0.05)(effect)[0] == pytest.approx(0.93, abs=0.03)
    assert 0.2 < spread_of_attribute(flips[:8], others, 0.05)(effect)[0] < 0.6
    still = np.where(np.arange(200) == 7, 0.2, 0.0)  # a mean of 0.001
    assert spread_of_attribute(still, others, 0.05)(effect)[0] == pytest.approx(0.1, abs=0.03)
    for unmoved in (np.zeros(8), np.full(8, np.nan), np.array([0.4])):
        assert spread_of_attribute(unmoved, others, 0.05) == others
