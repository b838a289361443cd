"""``python -m lab.people.train``: reproduce the weights, from pictures that `lab.people.train.renders` draws."""

from __future__ import annotations

import argparse
import sys
from dataclasses import replace
from functools import cache
from pathlib import Path

from lab.people.parameters import Parameters
from lab.people.train.renders import packed
from lab.people.train.subject import MAPPING_RATE, MAPPING_STEPS, PHASES, RECIPES, SUBJECT, TARGET_WIDTH, sample_of
from lab.training.command import Train, train_parts
from lab.training.generator import prepare_mapping, train_generator
from lab.training.probe import train_probe
from lab.training.subject import TrainingSubject
from lab.training.targets import train_targets
from lab.training.text import train_text
from zoom_engine.domains.people.weights import WEIGHTS


def parts(renders: Path, images: int | None) -> dict[str, Train]:
    """Return the parts, in the order in which they need one another.

    Those that look at pictures see the first `images` of `renders`, or all that are there.
    """

    @cache
    def subject() -> TrainingSubject[Parameters]:
        count = packed(renders, SUBJECT.seed, images)
        print(f"{count} of {SUBJECT.images} pictures, {SUBJECT.held_out} held out", file=sys.stderr, flush=True)
        return replace(SUBJECT, seen=count, stored=renders)

    return {
        "probe": lambda work, out: train_probe(subject(), work, out, steps=4_000),
        "generator": lambda work, out: train_generator(
            subject(), PHASES, work, out, mapping_steps=MAPPING_STEPS, mapping_rate=MAPPING_RATE
        ),
        "mapping": lambda work, out: prepare_mapping(
            SUBJECT, PHASES, work, mapping_steps=MAPPING_STEPS, mapping_rate=MAPPING_RATE
        ),
        "text": lambda work, out: train_text(subject(), work, out, image_steps=2_000, ordinary_english=True),
        "targets": lambda work, out, **only: train_targets(
            sample_of(subject()), RECIPES, work, out, width=TARGET_WIDTH, **only
        ),
    }


if __name__ == "__main__":
    options = argparse.ArgumentParser(add_help=False)
    options.add_argument("--renders", type=Path, default=Path("runs/people/renders"), help="the data set of pictures")
    options.add_argument("--images", type=int, help="see the first so many pictures; by default all that are there")
    given, _ = options.parse_known_args()
    train_parts(
        "people",
        parts(given.renders, given.images),
        WEIGHTS,
        probe=SUBJECT.probe,
        order="the generator needs the probe, and trains the mapping unless that was trained beside it",
        parents=[options],
    )
