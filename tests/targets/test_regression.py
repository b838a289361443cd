"""A number in a unit of its own."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from zoom_engine.common.errors import TargetError
from zoom_engine.targets import RegressionTask, Task, load_target, save_onnx, task_from_dict

AGE = RegressionTask(range=(0.0, 100.0), threshold=5.0, unit="years")
YEARS = st.floats(-20, 120).map(lambda value: round(value, 2))


@given(before=YEARS, after=YEARS)
def test_flips_changes_and_states_are_of_the_difference(before: float, after: float) -> None:
    original, edited = torch.tensor([[before]]), torch.tensor([[after]])
    moved = after - before
    assert AGE.change(edited, original).item() == pytest.approx(min(abs(moved) / 100, 1), abs=1e-5)
    if abs(abs(moved) - 5) > 1e-3:
        assert bool(AGE.flipped(edited, original)) == (abs(moved) >= 5)
        assert (AGE.view.state([after], [before]) != AGE.view.state([before], [before])) == (abs(moved) >= 5)
    assert AGE.margin(original, original).item() == 5


@pytest.mark.parametrize(("ends", "before", "after"), [((1.0, 5.0), 3.0, 3.4), ((0.0, 1.0), 0.5, 0.6)])
def test_numbers_of_one_decimal_flip_in_words_where_they_flip(
    ends: tuple[float, float], before: float, after: float
) -> None:
    task = RegressionTask(range=ends)
    assert task.flipped(torch.tensor([[after]]), torch.tensor([[before]])).item()
    assert task.view.state_name(task.view.state([after], [before])) == "a higher number"


def test_words_are_in_the_numbers_own_unit() -> None:
    assert isinstance(AGE, Task)
    assert AGE.view.caption(torch.tensor([41.26]), torch.tensor([40.0])) == "41 years"
    assert RegressionTask(range=(0.0, 1.0)).view.caption(torch.tensor([0.126]), torch.tensor([0.1])) == "0.13"
    assert AGE.view.change_in_words(0.052) == "5 years"
    below = RegressionTask(range=(-1.0, 1.0)).view.caption(torch.tensor([-0.5]), torch.tensor([0.0]))
    assert below == "−0.50", "as the edit weight that is told beside it"
    assert AGE.view.caption_label == AGE.view.response_axis.label == "the model’s output in years"
    assert AGE.view.response_axis.ends == (0.0, 100.0)
    states = [AGE.view.state([value], [40.0]) for value in (41, 20, 60)]
    assert [AGE.view.state_name(state) for state in states] == ["", "a lower number", "a higher number"]
    assert task_from_dict(AGE.to_dict()) == AGE
    assert RegressionTask(range=(0.0, 50.0)).least == 5.0


@pytest.mark.parametrize(("start", "toward", "sign"), [(20.0, None, -1), (80.0, None, 1), (80.0, 100.0, -1)])
def test_the_loss_has_a_slope_where_nothing_moved(start: float, toward: float | None, sign: int) -> None:
    task = RegressionTask(range=(0.0, 100.0), toward=toward)
    original = torch.tensor([[start]])
    moving = original.clone().requires_grad_(True)
    (slope,) = torch.autograd.grad(task.loss(moving, original).sum(), moving)
    assert np.sign(slope.item()) == sign


@pytest.mark.parametrize(
    ("options", "complaint"),
    [
        ({"range": [1, 1]}, "rising"),
        ({"range": [0, float("inf")]}, "rising"),
        ({"range": [0, 1e-6]}, "six decimals"),  # flips were between two numbers that records have as 0
        ({"range": [0, 1], "threshold": 0}, "threshold"),
        ({"range": [0, 1], "head": -1}, "head"),
        ({}, "range"),
        ({"range": [0, 1], "colour": 3}, "colour"),
    ],
)
def test_impossible_options_are_refused_in_one_line(options: dict[str, Any], complaint: str) -> None:
    with pytest.raises(TargetError, match=complaint) as caught:
        task_from_dict({"task": "regression", **options})
    assert "\n" not in str(caught.value)


def test_of_several_numbers_none_is_taken_that_nobody_named() -> None:
    raw = torch.tensor([[20.0, 70.0], [30.0, 80.0]])
    with pytest.raises(TargetError, match="returns 2 numbers per image: say which of them is meant"):
        AGE.outputs(raw)
    with pytest.raises(TargetError, match="returns 12 numbers"):
        AGE.outputs(torch.zeros(2, 3, 2, 2))
    for head in range(2):
        assert RegressionTask(range=(0.0, 100.0), head=head).outputs(raw).tolist() == raw[:, head : head + 1].tolist()
    assert AGE.outputs(raw[:, 0]).tolist() == AGE.outputs(raw[:, :1]).tolist() == [[20.0], [30.0]]


def test_an_onnx_file_of_a_number_is_the_same_target(tmp_path: Path) -> None:
    torch.manual_seed(0)
    network = nn.Sequential(nn.AdaptiveAvgPool2d(2), nn.Flatten(), nn.Linear(12, 2))
    second = RegressionTask(range=(-1.0, 1.0), unit="points", head=1)
    from_module = load_target(network, task=second, resolution=16)
    save_onnx(from_module, tmp_path / "number.onnx", resolution=16)
    images = torch.rand(3, 3, 16, 16, generator=torch.Generator().manual_seed(5)) * 2 - 1
    for read in (load_target(tmp_path / "number.onnx"), load_target(tmp_path / "number.onnx", task=second)):
        assert read.task == second
        assert read.differentiable
        torch.testing.assert_close(read(images), from_module(images), atol=1e-5, rtol=1e-5)
    torch.testing.assert_close(from_module(images)[:, 0], network((images + 1) / 2)[:, 1])


def test_what_is_small_is_so_in_the_numbers_own_unit() -> None:
    assert (AGE.view.negligible_change, AGE.view.response_axis.negligible) == (0.025, 0.5)
    tenth = RegressionTask(range=(0.0, 1.0))
    assert (tenth.view.negligible_change, tenth.view.response_axis.negligible) == pytest.approx((0.05, 0.01))
    assert RegressionTask(range=(0.0, 1.0), threshold=5.0).view.negligible_change == 1.0


def test_a_plain_function_is_audited_as_one() -> None:
    def age(pictures: np.ndarray) -> np.ndarray:
        return pictures.mean((1, 2, 3)) / 2.55

    target = load_target(age, task={"task": "regression", "range": [0, 100], "unit": "years"})
    result = target(torch.zeros(2, 3, 8, 8))
    torch.testing.assert_close(result, torch.full((2, 1), 50.2), atol=0.01, rtol=0)
    with pytest.raises(TargetError, match="no head 2"):
        load_target(age, task=RegressionTask(range=(0.0, 1.0), head=2))
