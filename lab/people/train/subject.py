"""The people, as the recipes know them."""

from __future__ import annotations

from pathlib import Path

from lab.people.attributes import TRUTH
from lab.people.captions import draw_caption, vocabulary
from lab.people.parameters import Parameters
from lab.people.renderer import render
from lab.people.wording import prompt, zero_shot_prompts
from lab.training.subject import TrainingSubject

SUBJECT = TrainingSubject(
    name="people",
    table=Parameters,
    render=render,
    truth=TRUTH,
    draw_caption=draw_caption,
    vocabulary=vocabulary,
    prompt=prompt,
    zero_shot_prompts=zero_shot_prompts,
    seed=7,
    images=15_000,
    probe=Path(__file__).parents[1] / "probe.safetensors",
)
