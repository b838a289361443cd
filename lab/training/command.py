"""``python -m lab.DOMAIN.train PART``: the command line that all domains' recipes share."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Mapping
from pathlib import Path

import torch

Train = Callable[[Path, Path], None]
IN_LAB = ("probe", "prompted")


def train_parts(domain: str, parts: Mapping[str, Train], weights: Path, *, probe: Path, order: str) -> None:
    """Read the command line and train one of ``parts``; ``order`` says what needs what.

    By default the parts `IN_LAB` are written beside the file ``probe``, the others into the folder ``weights``.
    """
    parser = argparse.ArgumentParser(prog=f"python -m lab.{domain}.train", description="Reproduce the shipped weights.")
    parser.add_argument("part", choices=tuple(parts), help=f"what to train; {order}")
    parser.add_argument("--work", type=Path, default=Path("runs") / domain, help="renders and checkpoints (resumed)")
    parser.add_argument("--out", type=Path, help="where the weights are written; by default over those that there are")
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    shipped = probe.parent if options.part in IN_LAB else weights
    parts[options.part](options.work, options.out or shipped)
