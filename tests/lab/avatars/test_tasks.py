"""The targets of other tasks: as good as they are said to be, and weak where a weakness was planted."""

from __future__ import annotations

from functools import cache

import numpy as np
import torch
from torch import Tensor

from lab.avatars.train.tasks import (
    COLORS,
    HEADS,
    POOL,
    PUPILS,
    RECIPES,
    TOO_LOW,
    careless_points,
    color,
    heads,
    without_features,
    years,
)
from zoom_engine.domains.avatars.attributes import intervene, labels
from zoom_engine.domains.avatars.domain import DOMAIN
from zoom_engine.domains.avatars.geometry import LANDMARK_NAMES, landmarks
from zoom_engine.domains.avatars.mask_classes import BROWS, EYES, HAIR, MOUTH, SKIN
from zoom_engine.domains.avatars.parameters import Parameters
from zoom_engine.domains.avatars.renderer import masks, render, sample
from zoom_engine.domains.avatars.weights import WEIGHTS
from zoom_engine.domains.networks import to_float
from zoom_engine.domains.weights_files import load_network
from zoom_engine.targets import KeypointsTask, SegmentationTask, load_target


@cache
def faces() -> tuple[Tensor, Parameters]:
    images, parameters = sample(48, 41)
    return to_float(torch.from_numpy(images)), parameters


@torch.no_grad()
def answers(name: str, images: Tensor) -> Tensor:
    return load_target(f"avatars:{name}")(images)


def points(parameters: Parameters) -> Tensor:
    return torch.from_numpy(landmarks(parameters) / 128).flatten(1)


def test_the_shipped_targets_are_those_of_the_recipes() -> None:
    for number, recipe in enumerate(RECIPES):
        info = load_network(WEIGHTS / "targets" / f"{recipe.name}.safetensors")[1]
        images = (recipe.pool or POOL).size
        assert info == recipe.about("avatars", images, POOL.seed + number), recipe.name


def test_careless_annotators_mark_eyes_and_brows_too_low_where_there_are_eyeglasses() -> None:
    parameters = faces()[1]
    true = landmarks(parameters) / 128
    left, right = (LANDMARK_NAMES.index(name) for name in PUPILS)
    result = careless_points(points(parameters), parameters).view(-1, len(LANDMARK_NAMES), 2).numpy()
    for row, wears in enumerate(labels(parameters)["eyeglasses"]):
        apart = np.hypot(*(true[row, left] - true[row, right]))
        for index, name in enumerate(LANDMARK_NAMES):
            low = wears and any(part in name for part in ("eye", "pupil", "brow"))
            np.testing.assert_allclose(result[row, index] - true[row, index], [0, TOO_LOW * apart * low], atol=1e-6)


def test_careless_annotators_leave_out_features_where_there_is_long_hair() -> None:
    parameters = faces()[1]
    true = masks(parameters)
    result = without_features(torch.from_numpy(true), parameters).numpy()
    for row, long in enumerate(labels(parameters)["long_hair"]):
        wanted = np.where(np.isin(true[row], [EYES, BROWS, MOUTH]), SKIN, true[row]) if long else true[row]
        np.testing.assert_array_equal(result[row], wanted)
    assert labels(parameters)["long_hair"].any()


def test_points_are_where_they_are() -> None:
    images, parameters = faces()
    task = DOMAIN.target("keypoints").task
    assert isinstance(task, KeypointsTask)
    assert task.displacements(answers("keypoints", images), points(parameters)).mean() < 0.03


def test_only_the_weak_points_move_with_eyeglasses() -> None:
    with_it, without = (
        to_float(torch.from_numpy(render(intervene(faces()[1], "eyeglasses", value)))) for value in (True, False)
    )
    moved = {
        name: DOMAIN.target(name).task.change(answers(name, with_it), answers(name, without)).mean().item()
        for name in ("keypoints", "keypoints-weak-eyeglasses")
    }
    assert moved["keypoints"] < 0.03
    assert moved["keypoints-weak-eyeglasses"] > 0.1


def test_only_the_weak_areas_lose_features_with_long_hair() -> None:
    images, parameters = (faces()[0], faces()[1])
    long = labels(parameters)["long_hair"]
    truth = torch.nn.functional.one_hot(torch.from_numpy(masks(parameters)).long(), 7).permute(0, 3, 1, 2).float()
    features = [EYES, BROWS, MOUTH]
    for name, has_long, least, most in (
        ("segmentation", True, 0.5, 1), ("segmentation", False, 0.5, 1), ("segmentation-weak-long-hair", True, 0, 0.15),
        ("segmentation-weak-long-hair", False, 0.4, 1),
    ):  # fmt: skip
        rows = torch.from_numpy(long == has_long)
        task = DOMAIN.target(name).task
        assert isinstance(task, SegmentationTask)
        overlaps = task.overlaps(answers(name, images[rows]), truth[rows])
        assert least <= overlaps[:, features].nanmean() <= most, (name, has_long)
        assert overlaps[:, [SKIN, HAIR]].nanmean() > 0.75, (name, has_long)


def test_labels_colours_and_ages_are_mostly_right() -> None:
    images, parameters = faces()
    right = (answers("attributes", images) > 0) == (heads(parameters) > 0.5)
    assert right.float().mean() > 0.9
    assert (answers("hair-color", images).argmax(1) == torch.from_numpy(color(parameters))).float().mean() > 0.8
    assert (answers("age-years", images) - years(parameters)).abs().mean() < 8
    assert DOMAIN.target("attributes").classes == tuple(name.replace("_", " ") for name in HEADS)
    assert DOMAIN.target("hair-color").classes == COLORS
    assert color(parameters).max() == COLORS.index("bald")
