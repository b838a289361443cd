"""``python -m lab.avatars.train``: reproduce the shipped weights."""

from __future__ import annotations

from functools import partial

from lab.avatars.train import tasks
from lab.avatars.train.subject import PHASES, POOL, RECIPES, SUBJECT
from lab.avatars.train.word_forms import train_word_forms
from lab.training.command import train_parts
from lab.training.generator import train_generator
from lab.training.probe import train_probe
from lab.training.targets import train_targets
from lab.training.tasks import train_tasks
from lab.training.text import train_text
from zoom_engine.domains.avatars.weights import WEIGHTS

if __name__ == "__main__":
    train_parts(
        "avatars",
        {
            "probe": partial(train_probe, SUBJECT),
            "generator": partial(train_generator, SUBJECT, PHASES),
            "text": partial(train_text, SUBJECT),
            "words": train_word_forms,
            "targets": partial(train_targets, POOL, RECIPES),
            "tasks": partial(train_tasks, tasks.POOL, tasks.RECIPES),
        },
        WEIGHTS,
        probe=SUBJECT.probe,
        order="the generator needs the probe, words the text encoder, the others nothing",
    )
