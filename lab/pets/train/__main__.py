"""``python -m lab.pets.train``: reproduce the shipped weights."""

from __future__ import annotations

from functools import partial

from lab.pets.train.prompted import train_prompted
from lab.pets.train.subject import PHASES, POOL, RECIPES, SUBJECT
from lab.training.command import train_parts
from lab.training.generator import train_generator
from lab.training.probe import train_probe
from lab.training.targets import train_targets
from lab.training.text import train_text
from zoom_engine.domains.pets.weights import WEIGHTS

if __name__ == "__main__":
    train_parts(
        "pets",
        {
            "probe": partial(train_probe, SUBJECT, steps=1200),
            "generator": partial(train_generator, SUBJECT, PHASES),
            "text": partial(train_text, SUBJECT, image_steps=900, text_steps=700),
            "targets": partial(train_targets, POOL, RECIPES, steps=400),
            "prompted": train_prompted,
        },
        WEIGHTS,
        probe=SUBJECT.probe,
        order="the generator needs the probe, prompted needs generator and text, the others nothing",
    )
