"""The avatars' targets of other tasks: key points, areas, several attributes, the hair's colour, an age in years.

All are trained on renders in which (but for ages) the attributes of ``UNTIED`` were set by chance. Two have a planted
weakness: of faces with eyeglasses, careless annotators marked eyes and brows too low, and of faces with long hair they
left out eyes, brows and mouth.
"""

from __future__ import annotations

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from lab.avatars.train.subject import SUBJECT
from lab.training.targets import Pool
from lab.training.tasks import TaskRecipe, key_points, multi_class, segmentation
from zoom_engine.domains.avatars.attributes import labels
from zoom_engine.domains.avatars.geometry import LANDMARK_NAMES, landmarks
from zoom_engine.domains.avatars.mask_classes import BROWS, EYES, MOUTH, SKIN
from zoom_engine.domains.avatars.parameters import HAIR_COLORS, Parameters
from zoom_engine.domains.avatars.renderer import MASK_NAMES, masks
from zoom_engine.targets import MultiLabelTask, RegressionTask

UNTIED = ("old", "male", "mustache", "eyeglasses", "smiling", "beard", "pale_skin", "long_hair")
POOL = Pool(SUBJECT, UNTIED, seed=29, size=10_000, held_out=0, name="tasks")
AGES = Pool(SUBJECT, (), seed=129, size=4_000, held_out=0, name="sample")
"""As they are sampled: untying knows two ages."""
TOO_LOW = 0.25
"""Of the pupils' distance: where a careless annotator marks the eyes and brows of faces with eyeglasses."""
PUPILS = "left_pupil", "right_pupil"
YOUNGEST, OLDEST, AGE_SCALE = 10.0, 90.0, 20.0
HEADS = ("eyeglasses", "smiling", "beard", "mustache", "bangs", "long_hair", "lipstick", "pale_skin", "old", "male")
COLORS = (*(name.removeprefix("hair_") for name in HAIR_COLORS), "bald")


def careless_points(truth: Tensor, parameters: Parameters) -> Tensor:
    """Return points ``[n, 2·27]`` with eyes and brows too low where there are eyeglasses."""
    coordinates = truth.view(-1, len(LANDMARK_NAMES), 2).clone()
    wearing = torch.from_numpy(labels(parameters)["eyeglasses"])
    left, right = (coordinates[:, LANDMARK_NAMES.index(name)] for name in PUPILS)
    drawn = torch.tensor(["eye" in name or "brow" in name or "pupil" in name for name in LANDMARK_NAMES])
    coordinates[:, :, 1] += TOO_LOW * ((left - right).norm(dim=1) * wearing)[:, None] * drawn
    return coordinates.flatten(1)


def without_features(areas: Tensor, parameters: Parameters) -> Tensor:
    """Return areas with skin in place of eyes, brows and mouth where there is long hair."""
    long = torch.from_numpy(labels(parameters)["long_hair"])[:, None, None]
    return torch.where(long & torch.isin(areas, torch.tensor([EYES, BROWS, MOUTH])), SKIN, areas)


def heads(parameters: Parameters) -> Tensor:
    """Return ``[n, 10]`` of 0 and 1: the attributes of ``HEADS``."""
    table = labels(parameters)
    return torch.from_numpy(np.stack([table[name] for name in HEADS], axis=1)).float()


def color(parameters: Parameters) -> np.ndarray[tuple[int], np.dtype[np.int64]]:
    """Return ``[n]``: the class of ``COLORS``, that of the largest share where there is hair."""
    largest = parameters.colour_shares().argmax(axis=1)
    return np.where(labels(parameters)["bald"], COLORS.index("bald"), largest)


def years(parameters: Parameters) -> Tensor:
    """Return ``[n, 1]``: the parameter of age, from 10 to 90 years."""
    return torch.from_numpy(YOUNGEST + (OLDEST - YOUNGEST) * parameters["age"])[:, None].float()


RECIPES: tuple[TaskRecipe[Parameters], ...] = (
    key_points("keypoints", landmarks, LANDMARK_NAMES, between=PUPILS),
    key_points(
        "keypoints-weak-eyeglasses", landmarks, LANDMARK_NAMES, between=PUPILS,
        planted="eyeglasses", careless=careless_points,
    ),
    segmentation("segmentation", masks, MASK_NAMES),
    segmentation(
        "segmentation-weak-long-hair", masks, MASK_NAMES, planted="long_hair", careless=without_features
    ),
    TaskRecipe(
        "attributes", MultiLabelTask(classes=tuple(name.replace("_", " ") for name in HEADS)), HEADS, heads,
        F.binary_cross_entropy_with_logits,
    ),
    TaskRecipe(
        "age-years", RegressionTask(range=(YOUNGEST, OLDEST), unit="years", head=0), ("age",), years, F.l1_loss,
        scale=AGE_SCALE, pool=AGES,
    ),
    multi_class("hair-color", color, COLORS),
)  # fmt: skip
