"""``python -m lab.DOMAIN.train PART``: the command line that all domains' recipes share."""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path

import torch

from zoom_engine.common.errors import ZoomError
from zoom_engine.common.files import atomic

Train = Callable[..., None]  # of the work folder and the folder of the weights; parts of `NAMED` also take `only`
IN_LAB = ("probe", "prompted")
NAMED = ("targets", "tasks")
ALL = "all"


def train_parts(
    domain: str,
    parts: Mapping[str, Train],
    weights: Path,
    *,
    probe: Path,
    order: str,
    parents: Sequence[argparse.ArgumentParser] = (),
) -> None:
    """Read the command line and train one of ``parts``, or all in their order; ``order`` says what needs what.

    By default the parts `IN_LAB` are written beside the file ``probe``, the others into the folder ``weights``.
    ``parents`` are further options, which the parts have read. What each part took is added up in ``times.json`` of the
    work folder, over all calls.
    """
    parser = argparse.ArgumentParser(
        prog=f"python -m lab.{domain}.train", description="Reproduce the shipped weights.", parents=list(parents)
    )
    parser.add_argument("part", choices=(*parts, ALL), help=f"what to train; {order}; all of them in this order")
    parser.add_argument("--work", type=Path, default=Path("runs") / domain, help="renders and checkpoints (resumed)")
    parser.add_argument("--out", type=Path, help="where the weights are written; by default over those that there are")
    parser.add_argument("--only", nargs="+", default=(), metavar="NAME", help="targets or tasks to train [all]")
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    if options.only and options.part not in NAMED:
        parser.error(f"--only requires one of {', '.join(NAMED)}")
    for part in parts if options.part == ALL else [options.part]:
        shipped = probe.parent if part in IN_LAB else weights
        train = partial(parts[part], only=options.only) if options.only else parts[part]
        try:
            timed(part, train, options.work, options.out or shipped)
        except ZoomError as error:
            parser.exit(1, f"error: {error}\n")


def timed(part: str, train: Train, work: Path, out: Path) -> None:
    """Train a part, and add what it took to that of earlier calls: seconds of the clock and of the processor."""
    path = work / "times.json"
    clock, processor = time.monotonic(), time.process_time()
    try:
        train(work, out)
    finally:
        times = json.loads(path.read_text(encoding="utf-8")) if path.is_file() else {}
        before = times.get(part, {"clock": 0.0, "processor": 0.0})
        times[part] = {
            "clock": round(before["clock"] + time.monotonic() - clock, 1),
            "processor": round(before["processor"] + time.process_time() - processor, 1),
        }
        work.mkdir(parents=True, exist_ok=True)
        atomic.write_json(path, times)
        print(f"{part}: {times[part]['processor']:.0f} s of the processor in all", file=sys.stderr, flush=True)
