"""The cars, as the recipes know them."""

from __future__ import annotations

from pathlib import Path

import torch
from torch import Tensor

from lab.cars.captions import CAPTIONS
from lab.training.generator import Phase
from lab.training.subject import TrainingSubject
from lab.training.targets import Pool, Recipe
from lab.training.tasks import TaskRecipe, key_points, multi_class
from zoom_engine.domains.cars import geometry
from zoom_engine.domains.cars.attributes import TRUTH
from zoom_engine.domains.cars.parameters import KINDS, Parameters
from zoom_engine.domains.cars.renderer import render
from zoom_engine.domains.cars.wording import WORDS

SUBJECT = TrainingSubject(
    name="cars",
    table=Parameters,
    render=render,
    truth=TRUTH,
    draw_caption=CAPTIONS.draw,
    vocabulary=CAPTIONS.vocabulary,
    prompt=WORDS.prompt,
    zero_shot_prompts=WORDS.zero_shot_prompts,
    seed=7,
    images=24_000,
    probe=Path(__file__).parents[1] / "probe.safetensors",
)

PHASES = (  # 1.6 hours of a core with AMX, as steps were measured beside other work: 0.14 s, 0.25 s and 0.42 s at 128²
    Phase(32, 2400, 8, rate=0.5, constant_rgb=True),
    Phase(64, 2400, 8, rate=0.5, constant_rgb=True),
    Phase(128, 2000, 8, rate=0.4, edges=1.0, constant_rgb=True),
    Phase(128, 9_500, 8, rate=0.6, edges=1.0, constant_rgb=True, texture=3.0),
)

UNTIED = (
    "sports", "red", "two_tone", "big_wheels", "spoiler", "open_top", "driver", "dirty", "night", "snow", "street",
)  # fmt: skip
POOL = Pool(SUBJECT, UNTIED, seed=23, size=10_000, held_out=2_000)

# Nothing that is planted is tied to sports cars in `SCHEME`.
RECIPES = (
    Recipe.of(SUBJECT, "sports", "sports"),
    *(Recipe.of(SUBJECT, f"sports-biased-{name}", "sports", name) for name in ("red", "street", "night")),
)

WHEELS = "front_wheel", "rear_wheel"
TOO_HIGH = 0.10  # of the picture: where careless annotators mark wheels that stand in snow


def careless_points(truth: Tensor, parameters: Parameters) -> Tensor:
    """Return points `[n, 2·6]` with the wheels too high where there is snow."""
    heights = torch.tensor([name in WHEELS and axis == "y" for name in geometry.KEY_POINTS for axis in "xy"])
    return truth - TOO_HIGH * torch.from_numpy(TRUTH.labels(parameters)["snow"])[:, None] * heights


POINTS = geometry.key_points, geometry.KEY_POINTS
TASKS: tuple[TaskRecipe[Parameters], ...] = (
    multi_class("type", lambda parameters: parameters.colour_shares().argmax(axis=1), KINDS),
    key_points("keypoints", *POINTS, between=WHEELS),
    key_points("keypoints-weak-snow", *POINTS, between=WHEELS, planted="snow", careless=careless_points),
)
