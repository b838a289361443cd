"""``python -m lab.DOMAIN.train PART``: the command line that all domains' recipes share."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Mapping
from pathlib import Path

import torch

Train = Callable[[Path, Path], None]


def train_parts(domain: str, parts: Mapping[str, Train], weights: Path, *, order: str) -> None:
    """Read the command line and train one of ``parts``; ``order`` says what needs what."""
    parser = argparse.ArgumentParser(prog=f"python -m lab.{domain}.train", description="Reproduce the shipped weights.")
    parser.add_argument("part", choices=tuple(parts), help=f"what to train; {order}")
    parser.add_argument("--work", type=Path, default=Path("runs") / domain, help="renders and checkpoints (resumed)")
    parser.add_argument("--out", type=Path, default=weights, help="where the weights are written")
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    parts[options.part](options.work, options.out)
