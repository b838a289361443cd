"""``python bench/cost.py [--json OUT]``: what random directions, side effects and power add to an audit's time.

The same audit is made with them and without, each in a process of its own with an empty cache, by turns; then again on
other images, with what the first one measured. What counts is the seconds of the processor from the models' loading to
the report's end, which hang less on what else the machine does than seconds on a clock: these are told beside them.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any
from unittest import mock

from zoom_engine import Diagnoser
from zoom_engine.common.files import atomic
from zoom_engine.common.machine import describe_environment
from zoom_engine.diagnose import measurements

HALVES = ("with", "without")
PARTS = ("first audit", "second audit")


def timed(half: str, generator: str, target: str, images: int, folder: Path) -> dict[str, list[float]]:
    """Seconds of the processor, and on a clock, of an audit with an empty cache, and of another one after it."""
    seconds = {}
    for number, part in enumerate(PARTS):
        before = time.process_time(), time.perf_counter()
        options: dict[str, Any] = {"random_directions": 0} if half == "without" else {}
        no_side_effects = mock.patch.object(measurements, "_score_scale", return_value=None)
        with no_side_effects if half == "without" else contextlib.nullcontext():
            run = Diagnoser(generator=generator, target=target, cache=folder / "cache", **options)
            run.run(images=images, seed=100 + number, out=folder / str(number))
        seconds[part] = [round(time.process_time() - before[0], 2), round(time.perf_counter() - before[1], 2)]
    return seconds


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog="python bench/cost.py", description=__doc__)
    parser.add_argument("--generator", default="avatars")
    parser.add_argument("--target", default="avatars:mustache-biased-smiling")
    parser.add_argument("--images", type=int, default=48)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--half", choices=HALVES, help="measure this one alone, here, and print it")
    parser.add_argument("--json", type=Path, help="write the figures here")
    given = parser.parse_args(arguments)
    audited = ["--generator", given.generator, "--target", given.target, "--images", str(given.images)]
    if given.half:
        with tempfile.TemporaryDirectory() as folder:
            print(json.dumps(timed(given.half, given.generator, given.target, given.images, Path(folder))))
        return
    rounds: list[dict[str, dict[str, list[float]]]] = []
    for _ in range(given.rounds):
        command = [sys.executable, __file__, *audited, "--half"]
        runs = {half: subprocess.run([*command, half], check=True, capture_output=True, text=True) for half in HALVES}
        rounds.append({half: json.loads(run.stdout.splitlines()[-1]) for half, run in runs.items()})
        print(json.dumps(rounds[-1]), flush=True)
    added = {
        part: {
            unit: round(statistics.median(one["with"][part][k] / one["without"][part][k] for one in rounds) - 1, 3)
            for k, unit in enumerate(("processor", "clock"))
        }
        for part in PARTS
    }
    print(json.dumps(added, indent=1))
    if given.json:
        about = {name: getattr(given, name) for name in ("generator", "target", "images")}
        result = {**about, "added": added, "rounds": rounds, "environment": describe_environment()}
        atomic.write_json(given.json, result)


if __name__ == "__main__":
    main()
