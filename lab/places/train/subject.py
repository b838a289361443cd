"""The places, as the recipes know them."""

from __future__ import annotations

from pathlib import Path

import torch
from torch import Tensor

from lab.places.captions import CAPTIONS
from lab.training.generator import Phase
from lab.training.subject import TrainingSubject
from lab.training.targets import Pool, Recipe
from lab.training.tasks import TaskRecipe, multi_class, segmentation
from zoom_engine.domains.outdoors import SKY
from zoom_engine.domains.places.attributes import TRUTH
from zoom_engine.domains.places.geometry import BUILDING
from zoom_engine.domains.places.parameters import KINDS, Parameters
from zoom_engine.domains.places.renderer import MASK_NAMES, masks, render
from zoom_engine.domains.places.wording import WORDS

SUBJECT = TrainingSubject(
    name="places",
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

PHASES = (
    Phase(32, 2400, 8, rate=0.5, constant_rgb=True),
    Phase(64, 2400, 8, rate=0.5, constant_rgb=True),
    Phase(128, 2000, 8, rate=0.4, edges=1.0, constant_rgb=True),
    Phase(128, 8_000, 8, rate=0.6, edges=1.0, constant_rgb=True, texture=3.0),
)

POOL = Pool(
    SUBJECT,
    ("church", "cross", "tall_steeple", "red_roof", "scaffolding", "snow", "night", "fog", "trees", "water", "people"),
    seed=23,
    size=10_000,
    held_out=2_000,
)

# Nothing that is planted is tied to churches in `SCHEME`.
RECIPES = (
    Recipe.of(SUBJECT, "church", "church"),
    Recipe.of(SUBJECT, "church-biased-snow", "church", "snow"),
    Recipe.of(SUBJECT, "church-biased-trees", "church", "trees"),
    Recipe.of(SUBJECT, "church-biased-night", "church", "night"),
)


def lost_in_the_dark(areas: Tensor, parameters: Parameters) -> Tensor:
    """Return areas with sky in place of buildings at night."""
    night = torch.from_numpy(TRUTH.labels(parameters)["night"])[:, None, None]
    return torch.where(night & (areas == BUILDING), SKY, areas)


TASKS: tuple[TaskRecipe[Parameters], ...] = (
    multi_class("kind", lambda parameters: parameters.colour_shares().argmax(axis=1), KINDS),
    segmentation("segmentation", masks, MASK_NAMES),
    segmentation("segmentation-weak-night", masks, MASK_NAMES, planted="night", careless=lost_in_the_dark),
)
