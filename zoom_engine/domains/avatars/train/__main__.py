"""``python -m zoom_engine.domains.avatars.train``: reproduce the shipped weights."""

from __future__ import annotations

from functools import partial

from zoom_engine.domains.avatars.train.subject import AS_ONNX, PHASES, POOL, RECIPES, SUBJECT
from zoom_engine.domains.avatars.train.tasks import train_tasks
from zoom_engine.domains.avatars.train.word_forms import train_word_forms
from zoom_engine.domains.avatars.weights import WEIGHTS
from zoom_engine.domains.training.command import train_parts
from zoom_engine.domains.training.generator import train_generator
from zoom_engine.domains.training.probe import train_probe
from zoom_engine.domains.training.targets import train_targets
from zoom_engine.domains.training.text import train_text

if __name__ == "__main__":
    train_parts(
        "avatars",
        {
            "probe": partial(train_probe, SUBJECT),
            "generator": partial(train_generator, SUBJECT, PHASES),
            "text": partial(train_text, SUBJECT),
            "words": train_word_forms,
            "targets": partial(train_targets, POOL, RECIPES, as_onnx=AS_ONNX),
            "tasks": train_tasks,
        },
        WEIGHTS,
        order="the generator needs the probe, words the text encoder, the others nothing",
    )
