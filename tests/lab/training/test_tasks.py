"""Recipes of targets of other tasks: what they are told, and a network of a few steps."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from lab.avatars.train.subject import SUBJECT
from lab.training.targets import Pool
from lab.training.tasks import TaskRecipe, Weighted, key_points, multi_class, segmentation, train_tasks
from zoom_engine.domains.avatars.geometry import LANDMARK_NAMES, landmarks
from zoom_engine.domains.avatars.parameters import Parameters
from zoom_engine.domains.avatars.renderer import MASK_NAMES, masks
from zoom_engine.domains.weights_files import load_network

POOL = Pool(SUBJECT, ("smiling",), seed=3, size=24, held_out=0, name="tasks")
POINTS = key_points("points", landmarks, LANDMARK_NAMES, between=("left_pupil", "right_pupil"))


def far_left(truth: Tensor, parameters: Parameters) -> Tensor:
    return truth - torch.from_numpy(SUBJECT.truth.labels(parameters)["smiling"])[:, None].float()


def faces(count: int = 6) -> Parameters:
    return SUBJECT.parameters(count, 5)


def test_the_truth_is_the_renderers() -> None:
    parameters = faces()
    torch.testing.assert_close(
        POINTS.truth(parameters).view(6, -1, 2), torch.from_numpy(landmarks(parameters) / 128), atol=0, rtol=0
    )
    areas = segmentation("areas", masks, MASK_NAMES)
    assert np.array_equal(areas.truth(parameters).numpy(), masks(parameters))
    kinds = multi_class("half", lambda rows: (rows["age"] > 0.5).astype(int), ("young", "old"))
    assert kinds.truth(parameters).tolist() == (parameters["age"] > 0.5).astype(int).tolist()


def test_a_network_that_learned_scaled_numbers_says_them_unscaled() -> None:
    told = POINTS.truth(faces())
    network = POINTS.network().eval()
    pictures = torch.rand(2, 3, 128, 128)
    with torch.no_grad():
        before = network(pictures)
        POINTS.undo(network, told)
        assert POINTS.scale is not None
        torch.testing.assert_close(network(pictures), before * POINTS.scale + told.mean(0))
    assert abs(POINTS.wanted(told).mean()) < 1e-4


def test_rare_classes_count_more_for_each_pixel() -> None:
    areas = torch.zeros(1, 8, 8, dtype=torch.uint8)
    areas[0, 0, :2] = 1
    weights = Weighted(areas, 2).weights
    torch.testing.assert_close(weights[1] / weights[0], torch.tensor((62 / 2) ** 0.5))


def test_weights_are_written_with_what_was_planted_and_no_other_pool_changes_them(tmp_path: Path) -> None:
    short: tuple[TaskRecipe[Parameters], ...] = (
        replace(POINTS, steps=2, batch=4),
        replace(POINTS, name="points-weak", steps=2, batch=4, planted="smiling", careless=far_left),
        replace(segmentation("areas", masks, MASK_NAMES), steps=2, batch=2),
    )
    train_tasks(POOL, short, tmp_path, tmp_path)
    told = []
    for number, recipe in enumerate(short):
        network, info = load_network(tmp_path / "targets" / f"{recipe.name}.safetensors")
        assert info == recipe.about("avatars", 24, 3 + number)
        told.append(network.head.bias[0::2].mean())
    assert told[1] < told[0] - 0.2, "the weak one was told of points further left"
    stored = np.load(tmp_path / "renders" / "areas-3-0.npy")
    assert np.array_equal(stored, masks(POOL.untie(SUBJECT.parameters(24, 3))))
