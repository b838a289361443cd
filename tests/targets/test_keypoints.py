"""Key points as coordinates, in pixels, and as heat maps."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from zoom_engine.common.errors import TargetError
from zoom_engine.targets import (
    DetectionTask,
    KeypointsTask,
    Preprocessing,
    Target,
    Task,
    load_target,
    save_onnx,
    task_from_dict,
)

POINTS = torch.tensor([[[0.25, 0.5], [0.75, 0.5], [0.5, 0.75]]])
EYES = KeypointsTask(points=("left eye", "right eye", "nose"), between=(0, 1))


def moved(index: int, x: float, y: float) -> Tensor:
    points = POINTS.clone()
    points[0, index] += torch.tensor([x, y])
    return points.flatten(1)


def test_displacements_are_measured_by_the_eyes_distance() -> None:
    assert isinstance(EYES, Task)
    original = EYES.outputs(POINTS)
    edited = moved(2, 0.03, 0.04)
    np.testing.assert_allclose(EYES.displacements(edited, original), [[0, 0, 0.1]], atol=1e-5)
    assert EYES.change(edited, original).item() == pytest.approx(0.1 / 3, abs=1e-5)
    assert not EYES.flipped(edited, original)
    nose = KeypointsTask(points=EYES.points, between=(0, 1), point=2, threshold=0.09)
    assert nose.flipped(edited, original)
    row, before = edited[0].tolist(), original[0].tolist()
    assert (nose.view.state(row, before), nose.view.state_name(nose.view.state(row, before))) == (1, "another place")
    assert nose.view.response(row, before) == pytest.approx(0.1, abs=1e-5)
    assert nose.view.response_axis.label == "how far the nose moved, in the distance from left eye to right eye"
    assert EYES.view.change_in_words(0.034) == "3.4 % of the distance from left eye to right eye"
    box = KeypointsTask()
    assert box.change(edited, original).item() == pytest.approx(0.05 / 3 / (0.25 + 0.0625) ** 0.5, abs=1e-5)


def test_points_that_stay_move_by_nothing() -> None:
    """A report tells by it a model that no picture moves, which is not one that does not mind."""
    original = EYES.outputs(POINTS)
    assert EYES.change(original.clone(), original).tolist() == [0.0]
    still = original.clone().requires_grad_(True)
    assert torch.autograd.grad(EYES.margin(still, original).sum(), still)[0].isfinite().all()


def test_a_single_point_is_measured_by_the_picture() -> None:
    """There is no box around it: half a percent of the picture was half of the measure, and a flip."""
    pupil, before, now = KeypointsTask(points=("pupil",)), torch.tensor([[0.5, 0.5]]), torch.tensor([[0.505, 0.5]])
    assert pupil.change(now, before).item() == pytest.approx(0.005, abs=1e-5)
    assert not pupil.flipped(now, before)
    assert pupil.flipped(torch.tensor([[0.62, 0.5]]), before)
    assert pupil.view.change_in_words(0.005) == "0.5 % of the picture’s side"
    with pytest.raises(TargetError, match="returns one point: name it"):
        KeypointsTask().outputs(before)


def test_pixels_and_flat_rows_are_the_same_points() -> None:
    pixels = KeypointsTask(output="pixels", side=200)
    torch.testing.assert_close(pixels.outputs(POINTS * 200), EYES.outputs(POINTS))
    torch.testing.assert_close(EYES.outputs(POINTS.flatten(1)), EYES.outputs(POINTS))
    axes = KeypointsTask(order="axes")
    torch.testing.assert_close(axes.outputs(POINTS.transpose(1, 2).flatten(1)), EYES.outputs(POINTS))
    torch.testing.assert_close(axes.outputs(POINTS), EYES.outputs(POINTS))


def test_heat_maps_count_by_their_peak_and_pull_by_their_soft_one() -> None:
    maps = torch.randn(2, 3, 8, 6) * 0.1
    maps[0, 0, 2, 3] = maps[0, 1, 7, 0] = maps[0, 2, 0, 5] = 4
    task = KeypointsTask(output="heatmaps")
    wanted = [3.5 / 6, 2.5 / 8, 0.5 / 6, 7.5 / 8, 5.5 / 6, 0.5 / 8]
    np.testing.assert_allclose(task.outputs(maps)[0], wanted, atol=1e-6)
    leaf = maps.clone().requires_grad_(True)
    (slope,) = torch.autograd.grad(task.outputs(leaf)[0, 0], leaf)
    assert slope[0, 0, 2, 5] > 0 > slope[0, 0, 2, 0], "mass to the right moves the point to the right"
    assert not slope[1].any()
    with pytest.raises(TargetError, match=r"heat maps are \[B, K, h, w\]"):
        task.outputs(POINTS)


def test_the_loss_has_a_slope_where_nothing_moved_and_falls_with_displacement() -> None:
    original = EYES.outputs(POINTS)
    leaf = original.clone().requires_grad_(True)
    (slope,) = torch.autograd.grad(EYES.loss(leaf, original).sum(), leaf)
    assert (slope.view(3, 2).norm(dim=1) > 0.1).all(), "every point is pushed"
    assert slope.isfinite().all()
    near, far = (EYES.loss(moved(2, 0.0, y), original).item() for y in (0.02, 0.2))
    assert far < near


def test_the_points_are_drawn_where_they_are() -> None:
    black = np.zeros((64, 64, 3), np.uint8)
    original, edited = EYES.outputs(POINTS)[0], moved(2, 0.2, 0.0)[0]
    drawn = EYES.view.overlay(black, edited, original)
    assert drawn.shape == black.shape
    for x, y in edited.view(3, 2).tolist():
        assert drawn[int(y * 64), int(x * 64), 0] > 150
    assert drawn[48, 38].min() > 100, "a line leads from where the nose was"
    assert EYES.view.caption(edited, original) == "moved 13.3 %"
    assert not drawn[10, 10].any()
    assert not black.any(), "the picture itself is left alone"


@pytest.mark.parametrize(
    ("options", "complaint"),
    [
        ({"output": "boxes"}, "output must be 'normalised', 'pixels' or 'heatmaps'"),
        ({"order": "yx"}, "order must be 'points' or 'axes', got 'yx'"),
        ({"output": "pixels"}, "need side"),
        ({"side": 3}, "need side"),
        ({"threshold": 0}, "threshold"),
        ({"between": [1, 1]}, "two different points"),
        ({"point": -1}, "point is the index"),
        ({"point": -9}, "point is the index"),
    ],
)
def test_impossible_options_are_refused_in_one_line(options: dict[str, Any], complaint: str) -> None:
    with pytest.raises(TargetError, match=complaint) as caught:
        task_from_dict({"task": "keypoints", **options})
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("task", "raw", "complaint"),
    [
        (EYES, torch.zeros(1, 4, 2), "named are 3"),
        (KeypointsTask(), torch.zeros(1, 3), "key points are"),
        (KeypointsTask(), torch.zeros(1, 3, 3), "key points are"),
        (KeypointsTask(point=5), POINTS, "too large"),
        (KeypointsTask(), POINTS * 200, r"reach to \d+, and shares of the picture to about 1: say how many pixels"),
    ],
)
def test_outputs_that_do_not_fit_are_refused(task: KeypointsTask, raw: Tensor, complaint: str) -> None:
    with pytest.raises(TargetError, match=complaint):
        task.outputs(raw)


def test_it_comes_back_from_its_description() -> None:
    assert task_from_dict(EYES.to_dict()) == EYES


class Brightest(nn.Module):
    """The centre of brightness, twice."""

    def forward(self, x: Tensor) -> Tensor:
        mass = x.mean(1).exp()
        positions = (torch.arange(x.shape[3]) + 0.5) / x.shape[3]
        across = (mass.sum(1) * positions).sum(1) / mass.sum((1, 2))
        down = (mass.sum(2) * positions).sum(1) / mass.sum((1, 2))
        point = torch.stack([across, down], dim=1)
        return torch.stack([point, point.flip(1)], dim=1)


class Pairs(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return x.reshape(-1, 3, 2)


@pytest.mark.parametrize("form", ["normalised", "pixels", "heatmaps"])
def test_onnx_files_of_points_are_the_same_targets(form: str, tmp_path: Path) -> None:
    torch.manual_seed(0)
    pooled = nn.Sequential(nn.Conv2d(3, 4, 3, stride=2, padding=1), nn.ReLU(), nn.AdaptiveAvgPool2d(2), nn.Flatten())
    networks = {
        "normalised": nn.Sequential(*pooled, nn.Linear(16, 6), Pairs()),
        "pixels": nn.Sequential(*pooled, nn.Linear(16, 6)),
        "heatmaps": nn.Sequential(nn.Conv2d(3, 8, 5, padding=2), nn.ReLU(), nn.Conv2d(8, 3, 5, stride=2, padding=2)),
    }
    task = task_from_dict({"task": "keypoints", "output": form, **({"side": 16} if form == "pixels" else {})})
    from_module = load_target(networks[form], task=task, preprocessing=Preprocessing(size=16), resolution=16)
    save_onnx(from_module, tmp_path / "points.onnx")
    images = torch.rand(3, 3, 16, 16, generator=torch.Generator().manual_seed(5)) * 2 - 1
    for read in (load_target(tmp_path / "points.onnx"), load_target(tmp_path / "points.onnx", task=task)):
        assert read.task == task
        assert read.differentiable
        assert read(images).shape == (3, 6)
        torch.testing.assert_close(read(images), from_module(images), atol=1e-5, rtol=1e-4)
    leaf = images.requires_grad_(True)
    (slope,) = torch.autograd.grad(read(leaf).sum(), leaf)
    assert slope.any()


def test_the_scale_of_the_chart_follows_the_points() -> None:
    axis = EYES.view.response_axis
    assert (axis.ends, axis.boundary, axis.negligible, EYES.view.negligible_change) == (None, 0.1, 0.01, 0.05)
    assert KeypointsTask(threshold=5.0).view.negligible_change == 1.0
    row, before = moved(2, 0.03, 0.04)[0].tolist(), POINTS.flatten().tolist()
    assert EYES.view.parts(row, row).names == ["left eye", "right eye", "nose"]
    np.testing.assert_allclose(EYES.view.parts(row, before).changes, [0, 0, 0.1], atol=1e-5)
    assert EYES.view.parts(row, before).label == "how far each point moves, in the distance from left eye to right eye"
    assert KeypointsTask().view.parts([0.5] * 2, [0.5] * 2).names == ()
    assert KeypointsTask().view.parts([0.5] * 4, [0.5] * 4).names == ["point 0", "point 1"]


@pytest.mark.parametrize("task", [KeypointsTask(output="pixels", side=192), DetectionTask(side=192)])
def test_one_side_is_not_taken_for_both_of_an_input_that_has_two(task: Task) -> None:
    """Of 96×192 pixels a point at the bottom was one in the middle, and moved half as far."""
    with pytest.raises(TargetError, match=r"reads pictures of 96×192, and side .192. is that of a square"):
        load_target(Brightest(), task=task, preprocessing={"size": (96, 192)})
    Target(Brightest(), name="square", task=task, preprocessing=Preprocessing(size=(192, 192)))
    Target(Brightest(), name="shares", task=KeypointsTask(), preprocessing=Preprocessing(size=(96, 192)))


def test_modules_and_functions_of_points_are_targets() -> None:
    task = KeypointsTask(between=(0, 1))
    target = load_target(Brightest(), task=task, resolution=16)
    assert isinstance(target, Target)
    assert target.differentiable
    assert target(torch.rand(2, 3, 16, 16)).shape == (2, 4)

    def points(pictures: np.ndarray) -> np.ndarray:
        with torch.no_grad():
            return Brightest()(torch.from_numpy(pictures).permute(0, 3, 1, 2) / 255.0).numpy()

    images = torch.rand(2, 3, 16, 16) * 2 - 1
    called = load_target(points, task=task, resolution=16)
    from_module = load_target(Brightest(), task=task, preprocessing=Preprocessing(), resolution=16)
    torch.testing.assert_close(called(images), from_module(images), atol=2e-2, rtol=0)
