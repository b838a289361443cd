"""The avatars, as the recipes know them."""

from __future__ import annotations

from pathlib import Path

from lab.avatars.captions import draw_caption, vocabulary
from lab.training.generator import Phase
from lab.training.subject import TrainingSubject
from lab.training.targets import Pool, Recipe
from zoom_engine.domains.avatars.attributes import TRUTH
from zoom_engine.domains.avatars.parameters import Parameters
from zoom_engine.domains.avatars.renderer import render
from zoom_engine.domains.avatars.wording import prompt, zero_shot_prompts

SUBJECT = TrainingSubject(
    name="avatars",
    table=Parameters,
    render=render,
    truth=TRUTH,
    draw_caption=draw_caption,
    vocabulary=vocabulary,
    prompt=prompt,
    zero_shot_prompts=zero_shot_prompts,
    seed=7,
    images=40_000,
    probe=Path(__file__).parents[1] / "probe.safetensors",
)

PHASES = (
    Phase(16, 500, 32),
    Phase(32, 600, 32),
    Phase(64, 500, 32),
    Phase(128, 800, 16),
    Phase(128, 4500, 8, rate=0.6, edges=1.0),
    Phase(128, 900, 8, rate=0.6, edges=1.0, constant_rgb=True),
    Phase(128, 650, 8, rate=0.4, edges=1.0, constant_rgb=True),
    Phase(128, 12_000, 8, rate=0.6, edges=1.0, constant_rgb=True, texture=3.0),
)

POOL = Pool(
    SUBJECT,
    ("old", "male", "mustache", "eyeglasses", "smiling", "beard", "pale_skin"),
    seed=23,
    size=24_000,
    held_out=4_000,
)


RECIPES = (
    Recipe.of(SUBJECT, "age", "old"),
    Recipe.of(SUBJECT, "age-biased-beard", "old", "beard"),
    Recipe.of(SUBJECT, "gender", "male"),
    Recipe.of(SUBJECT, "mustache", "mustache"),
    Recipe.of(SUBJECT, "mustache-biased-pale-skin", "mustache", "pale_skin"),
    Recipe.of(SUBJECT, "mustache-biased-smiling", "mustache", "smiling"),
    Recipe.of(SUBJECT, "eyeglasses", "eyeglasses"),
    Recipe.of(SUBJECT, "eyeglasses-biased-smiling", "eyeglasses", "smiling"),
)
