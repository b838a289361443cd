"""How effects are spread is read off what a target says of unedited images, and a pilot's power has a range."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from simulated import simulated

from zoom_engine.commands.fit.pilot import foretold, predict, spread_of_outputs, spread_of_pilot
from zoom_engine.commands.fit.verdicts import ENOUGH_POWER, IMAGES
from zoom_engine.statistics.power import FEW_UNSURE, Curve, power_of
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
        assert share > ENOUGH_POWER


def test_the_range_holds_what_is_foretold_and_that_of_a_spread_a_third_as_large() -> None:
    curve = Curve(np.array([0.01, 0.5]), np.array([0.15, 0.15]))
    told = foretold(curve, (1 / 3, 1.8), 48, 11, 0.05, (0.05, 0.1, 0.2))
    for size, share in told.sensitive.items():
        low, high = told.ranges[size]
        assert 0 <= low <= share <= high <= 1
    less_spread = Curve(curve.effects, curve.phi / 3)
    assert told.ranges["0.1"][1] == power_of(less_spread, 48, 11, 0.05, sizes=(0.1,), audits=400).sensitive["0.1"]
    assert told.ranges["0.1"][1] - told.ranges["0.1"][0] > 0.2
    assert told.told == ("0.1", told.sensitive["0.1"], told.ranges["0.1"])
