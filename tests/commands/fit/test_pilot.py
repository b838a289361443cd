"""How effects are spread is read off what a target says of unedited images, and a pilot's power has a range."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from simulated import simulated

from zoom_engine.commands.fit.fitness import found_from, share_in_words
from zoom_engine.commands.fit.pilot import (
    Pilot,
    foretold,
    known_effects,
    predict,
    spread_of_outputs,
    spread_of_pilot,
)
from zoom_engine.commands.fit.verdicts import ENOUGH_POWER, IMAGES
from zoom_engine.statistics.power import FEW_UNSURE, FLIPS, Curve, power_of
from zoom_engine.targets import BinaryTask, KeypointsTask, MultiClassTask, MultiLabelTask, RegressionTask

EFFECTS = np.array([0.05, 0.1, 0.2])


def normal(*shape: int) -> torch.Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(3))


def curve_of(task: object, outputs: torch.Tensor) -> Curve:
    curve = spread_of_outputs(task, outputs)
    assert curve is not None
    assert np.all(np.diff(curve.effects) > 0)
    return curve


def test_a_sure_target_flips_on_few_images_and_an_unsure_one_moves_a_little_on_all() -> None:
    sure, unsure = (curve_of(BinaryTask(), scale * normal(256, 1))(EFFECTS) for scale in (40.0, 1.0))
    assert sure.min() > 0.5
    assert unsure.max() < 0.15
    assert np.all(np.diff(unsure) > 0)


def test_a_number_that_is_shifted_alike_is_spread_as_the_shifts_are() -> None:
    phi = curve_of(RegressionTask(range=(20.0, 100.0)), 60 + 5 * normal(256, 1))(EFFECTS)
    assert phi == pytest.approx(EFFECTS / (1 - EFFECTS) / 4, rel=0.05)  # a variance of 1/4 of the squared mean


@pytest.mark.parametrize("task", [MultiClassTask(classes=("a", "b", "c")), MultiLabelTask(classes=("a", "b", "c"))])
def test_classes_and_labels_are_shifted_too(task: object) -> None:
    sure, unsure = (curve_of(task, scale * normal(256, 3))(EFFECTS) for scale in (40.0, 1.0))
    assert np.all(sure > 2 * unsure)


def test_what_is_no_row_of_logits_or_numbers_has_no_curve_and_a_wide_range() -> None:
    task = KeypointsTask(points=("a", "b"))
    assert spread_of_outputs(task, normal(16, 4)) is None
    _, unsure = spread_of_pilot(np.full((8, 20), 0.1), 0.05, None)
    assert unsure == FEW_UNSURE


def test_a_pilot_scales_the_curve_and_where_nothing_moves_the_curve_is_told() -> None:
    curve, random = Curve(np.array([0.01, 0.5]), np.array([0.2, 0.2])), np.random.default_rng(0)
    still, _ = spread_of_pilot(np.zeros((8, 40)), 0.05, curve)
    assert still(EFFECTS) == pytest.approx(0.22)
    for phi in (0.05, 0.4):
        kappa = 1 / phi - 1
        moved = random.beta(0.1 * kappa, 0.9 * kappa, (200, 40))
        spread, _ = spread_of_pilot(moved, 0.05, curve)
        assert spread(EFFECTS) == pytest.approx(1.15 * phi, rel=0.1)


@pytest.mark.parametrize("smallest", [0.05, 0.3, 0.6])
def test_an_attribute_is_judged_by_an_effect_that_audits_can_find(smallest: float) -> None:
    """From 0.5 on it was the smallest one that matters, which none finds: no attribute was fit."""
    pilot = predict(simulated(images=8, baseline=0.01, smallest_effect=smallest), IMAGES)
    for power in pilot.attributes.values():
        largest, share = list(power[-1].sensitive.items())[-1]
        assert float(largest) == pytest.approx(min(4 * smallest, 1))
        share = power[-1].at_least if share is None else share
        assert share is not None
        assert share > ENOUGH_POWER


def test_what_is_known_of_an_effect_ends_where_shifted_outputs_move_the_target_no_further() -> None:
    """A shift flips half of the answers of a balanced target at most, so that no larger effect was measured."""
    low, high = known_effects(np.full((8, 3), 0.9), curve_of(BinaryTask(), 3 * normal(256, 1)))
    assert 0 < low < 0.01
    assert high == pytest.approx(0.5, abs=0.02)
    assert known_effects(np.zeros((8, 3)), curve_of(RegressionTask(range=(20.0, 100.0)), normal(256, 1)))[1] == 1.0


def test_without_a_curve_the_effects_are_known_that_the_pilot_showed() -> None:
    nan = np.nan
    changes = np.array([[0.1, 0.0, 0.4, 0.9, nan], [0.3, 0.0, 0.0, nan, nan]])
    assert known_effects(changes, None) == pytest.approx((0.2, 0.2)), "of one image nothing is known"
    changes[:, 1] = 0.05
    assert known_effects(changes, None) == pytest.approx((0.05, 0.2))
    assert known_effects(np.zeros((8, 3)), None) == (0.0, 0.0)


@settings(max_examples=15, deadline=None)
@given(low=st.floats(0, 0.3), width=st.floats(0, 0.7), smallest=st.floats(0.02, 0.3), phi=st.floats(0.05, 0.9))
def test_power_is_told_for_effects_alone_whose_spread_was_measured(
    low: float, width: float, smallest: float, phi: float
) -> None:
    """Beyond the curve φ was taken to be as at its end, and the power for such an effect was told like any other."""
    curve, sizes = Curve(np.array([low, low + width]), np.array([phi, phi])), (smallest, 2 * smallest, 3 * smallest)
    told = foretold(curve, (1 / 3, 1.8), 40, 8, smallest, sizes, known=known_effects(np.zeros((8, 3)), curve))
    assert told.known == (low, low + width)
    for size in sizes:
        inside = low <= size <= low + width
        assert (told.sensitive[f"{size:g}"] is not None) == inside
        assert (told.ranges[f"{size:g}"] is not None) == inside
    assert told.detectable is None or low <= told.detectable <= low + width
    assert (told.at_least is None) == (low <= sizes[-1] <= low + width)


def test_an_effect_of_unknown_spread_is_judged_as_if_it_were_all_or_nothing() -> None:
    curve, sizes = Curve(np.array([0.01, 0.15]), np.array([0.15, 0.15])), (0.05, 0.1, 0.2)
    told = foretold(curve, (1 / 3, 1.8), 50, 12, 0.05, sizes, known=(0.01, 0.15))
    everywhere = foretold(curve, (1 / 3, 1.8), 50, 12, 0.05, sizes)
    assert [told.sensitive[size] for size in ("0.05", "0.1")] == [
        everywhere.sensitive[size] for size in ("0.05", "0.1")
    ]
    assert told.sensitive["0.2"] is told.ranges["0.2"] is None
    assert told.at_least == power_of(FLIPS, 50, 12, 0.05, sizes=(0.2,), audits=400).sensitive["0.2"]
    assert everywhere.at_least is None
    assert everywhere.sensitive["0.2"] is not None
    assert told.at_least < everywhere.sensitive["0.2"]


def test_it_says_plainly_from_where_on_power_is_not_known() -> None:
    curve = Curve(np.array([0.06, 0.08]), np.array([0.15, 0.15]))
    told = foretold(curve, (1 / 3, 1.8), 50, 12, 0.05, (0.05, 0.1, 0.2), known=(0.06, 0.08))
    assert share_in_words(told) == "not known above 0.08"
    assert found_from(told) == "not known above 0.08"
    assert told.not_known(0.05) == "not known below 0.06"
    assert Pilot(8, 0.05, (told,), {}).covers == (
        "It is known for effects from 0.06 to 0.08, whose spread over images was measured."
    )
    inside = told._replace(sensitive={"0.1": 0.9}, ranges={"0.1": (0.8, 1.0)}, detectable=0.07)
    assert (share_in_words(inside), found_from(inside)) == ("90 % [80 %, 100 %]", "0.07")
    unmoved = told._replace(known=(0.0, 0.0))
    assert Pilot(8, 0.05, (unmoved,), {}).covers == "Nothing moved in the pilot, so power is not known."


def test_the_range_holds_what_is_foretold_and_that_of_a_spread_a_third_as_large() -> None:
    curve = Curve(np.array([0.01, 0.5]), np.array([0.15, 0.15]))
    told = foretold(curve, (1 / 3, 1.8), 48, 11, 0.05, (0.05, 0.1, 0.2))
    for size, share in told.sensitive.items():
        assert share is not None
        low, high = told.ranges[size] or (1.0, 0.0)
        assert 0 <= low <= share <= high <= 1
    less_spread = Curve(curve.effects, curve.phi / 3)
    low, high = told.ranges["0.1"] or (0.0, 0.0)
    assert high == power_of(less_spread, 48, 11, 0.05, sizes=(0.1,), audits=400).sensitive["0.1"]
    assert high - low > 0.2
    assert told.told == ("0.1", told.sensitive["0.1"], told.ranges["0.1"])
