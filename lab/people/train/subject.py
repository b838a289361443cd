"""The people, as the recipes know them."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from lab.people import word_forms
from lab.people.attributes import TRUTH
from lab.people.parameters import Parameters
from lab.people.renderer import render
from lab.people.together import MIRRORED, together
from lab.people.wording import WORDS
from lab.training.generator import Phase
from lab.training.subject import GENERATOR, TrainingSubject
from lab.training.targets import Recipe, Sample

SUBJECT = TrainingSubject(
    name="people",
    table=Parameters,
    render=render,
    truth=TRUTH,
    draw_caption=word_forms.draw_text,
    vocabulary=word_forms.WORDS.known_words,
    prompt=WORDS.prompt,
    zero_shot_prompts=WORDS.zero_shot_prompts,
    seed=7,
    images=15_000,
    held_out=500,
    probe=Path(__file__).parents[1] / "probe.safetensors",
    text_encoder={
        "embed_dim": 128,
        "vision_cfg": {"image_size": 128, "layers": [1, 2, 2, 1], "width": 24, "head_width": 48},
        "text_cfg": {"context_length": 40, "vocab_size": 49408, "width": 96, "heads": 3, "layers": 3},
    },
    generator=replace(GENERATOR, mapping_layers=6),
    together=together,
    mirrored=MIRRORED,
)

# 128² as the other domains: 15,000 pictures of 256² take seven hours of a core and their generator four, too long to be
# made again when something of them changes.
PHASES = (
    Phase(16, 4_000, 32, constant_rgb=True, w="learned"),
    Phase(32, 4_000, 32, rate=0.8, constant_rgb=True, w="learned"),
    Phase(32, 4_000, 32, rate=0.6, constant_rgb=True, w="learned"),
    Phase(64, 4_000, 16, rate=0.6, constant_rgb=True),
    Phase(128, 3_000, 8, rate=0.5, edges=1.0, constant_rgb=True),
    Phase(128, 5_000, 8, rate=0.6, edges=1.0, constant_rgb=True, w="mapped", strands=3.0),
)
MAPPING_STEPS, MAPPING_RATE = 30_000, 5e-3


def sample_of(subject: TrainingSubject[Parameters]) -> Sample:
    """Return the pictures that targets are trained on: those of the other recipes."""
    return Sample(subject, seed=23)


# Nothing that is planted is tied to the own attribute in `SCHEME`, or hides it.
RECIPES = (
    Recipe.of(SUBJECT, "age", "old"),
    Recipe.of(SUBJECT, "age-biased-smiling", "old", "smiling"),
    Recipe.of(SUBJECT, "gender", "male"),
    Recipe.of(SUBJECT, "gender-biased-eyeglasses", "male", "eyeglasses"),
    Recipe.of(SUBJECT, "smiling", "smiling"),
    Recipe.of(SUBJECT, "smiling-biased-hat", "smiling", "hat"),
    Recipe.of(SUBJECT, "beard", "beard"),
    Recipe.of(SUBJECT, "beard-biased-dark-skin", "beard", "dark_skin"),
    Recipe.of(SUBJECT, "eyeglasses", "eyeglasses"),
    Recipe.of(SUBJECT, "eyeglasses-biased-outdoors", "eyeglasses", "outdoors"),
)
TARGET_WIDTH = 12
