"""``python -m zoom_engine.domains.avatars.train``: reproduce the shipped weights."""

from __future__ import annotations

import argparse
from pathlib import Path

import torch

from zoom_engine.domains.avatars.weights import WEIGHTS

PARTS = ("probe", "generator", "text", "words", "targets", "tasks")


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m zoom_engine.domains.avatars.train", description=__doc__)
    parser.add_argument(
        "part",
        choices=PARTS,
        help="what to train; the generator needs the probe, targets need both, words the text encoder, tasks nothing",
    )
    parser.add_argument("--work", type=Path, default=Path("runs/avatars"), help="renders and checkpoints (resumed)")
    parser.add_argument("--out", type=Path, default=WEIGHTS, help="where the weights are written")
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    if options.part == "probe":
        from zoom_engine.domains.avatars.train.probe import train_probe

        train_probe(options.work, options.out)
    elif options.part == "generator":
        from zoom_engine.domains.avatars.train.generator import train_generator

        train_generator(options.work, options.out)
    elif options.part == "text":
        from zoom_engine.domains.avatars.train.text import train_text

        train_text(options.work, options.out)
    elif options.part == "words":
        from zoom_engine.domains.avatars.train.word_forms import train_word_forms

        train_word_forms(options.work, options.out)
    elif options.part == "tasks":
        from zoom_engine.domains.avatars.train.tasks import train_tasks

        train_tasks(options.work, options.out)
    else:
        from zoom_engine.domains.avatars.train.targets import train_targets

        train_targets(options.work, options.out)


if __name__ == "__main__":
    main()
