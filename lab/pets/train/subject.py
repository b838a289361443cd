"""The pets, as the recipes know them."""

from __future__ import annotations

from pathlib import Path

from lab.pets.captions import draw_caption, vocabulary
from lab.training.generator import Phase
from lab.training.subject import TrainingSubject
from lab.training.targets import Pool, Recipe
from zoom_engine.domains.pets.attributes import TRUTH
from zoom_engine.domains.pets.parameters import Parameters
from zoom_engine.domains.pets.renderer import render
from zoom_engine.domains.pets.wording import WORDS

SUBJECT = TrainingSubject(
    name="pets",
    table=Parameters,
    render=render,
    truth=TRUTH,
    draw_caption=draw_caption,
    vocabulary=vocabulary,
    prompt=WORDS.prompt,
    zero_shot_prompts=WORDS.zero_shot_prompts,
    seed=7,
    images=24_000,
    probe=Path(__file__).parents[1] / "probe.safetensors",
)

PHASES = (
    Phase(32, 1800, 8, rate=0.5, constant_rgb=True),
    Phase(64, 1800, 8, rate=0.5, constant_rgb=True),
    Phase(128, 1100, 8, rate=0.4, edges=1.0, constant_rgb=True),
    Phase(128, 600, 8, rate=0.3, edges=2.0, constant_rgb=True),
    Phase(128, 10_000, 8, rate=0.6, edges=1.0, constant_rgb=True, texture=3.0),
)

POOL = Pool(
    SUBJECT,
    (
        "dog",
        "pointed_ears",
        "stripes",
        "blue_eyes",
        "slit_pupils",
        "tongue_out",
        "pink_nose",
        "whiskers",
        "collar",
        "ginger_fur",
        "on_grass",
    ),
    seed=23,
    size=10_000,
    held_out=2_000,
)

RECIPES = (
    Recipe.of(SUBJECT, "dog", "dog"),
    Recipe.of(SUBJECT, "dog-biased-collar", "dog", "collar"),
    Recipe.of(SUBJECT, "dog-biased-fur", "dog", "ginger_fur"),
    Recipe.of(SUBJECT, "dog-biased-background", "dog", "on_grass"),
)
