"""``python bench/soak.py --minutes 60 --out FOLDER --json OUT``: does a process that audits for an hour stay as it is?

One process makes the audits of `bench/calls.py` one after another (every classifier of the avatars, seed by seed; those
that FOLDER holds are left out), until the time is over. After each one it tells what it holds: resident memory once
freed pages went back, open files, threads. `growth` are the medians of the last third less those of the first third,
without the first `WARMING` audits, in which models, graphs and pools are made.
"""

from __future__ import annotations

import argparse
import gc
import itertools
import json
import statistics
import threading
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from calls import audit, benchmark_of
from kept_audits import seeds_of
from memory import give_back, resident

from zoom_engine.audit.folder import SUMMARY
from zoom_engine.common.files import atomic
from zoom_engine.common.machine import describe_environment

WARMING = 8


def resources() -> dict[str, float]:
    """Megabytes resident, open files and threads of this process (Linux)."""
    gc.collect()
    give_back()
    return {
        "megabytes": round(resident() / 1e6, 1),
        "files": len(list(Path("/proc/self/fd").iterdir())),
        "threads": threading.active_count(),
        "tasks": len(list(Path("/proc/self/task").iterdir())),
    }


def growth(audits: Sequence[dict[str, Any]]) -> dict[str, float]:
    """By how much each figure of `resources` is more in the last third than in the first."""
    warm = audits[WARMING:]
    third = len(warm) // 3
    if not third:
        raise SystemExit(f"{len(audits)} audits say nothing of growth: {WARMING + 3} at least")
    first, last = warm[:third], warm[-third:]
    return {
        name: round(statistics.median(one[name] for one in last) - statistics.median(one[name] for one in first), 1)
        for name in resources()
    }


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog="python bench/soak.py", description=__doc__)
    parser.add_argument("--minutes", type=float, default=60)
    parser.add_argument("--seeds", default="100-199", help="such as 100-199")
    parser.add_argument("--images", type=int, default=24)
    parser.add_argument("--out", type=Path, required=True, help="folder of the audits")
    parser.add_argument("--json", type=Path, help="write the figures here, after each audit")
    given = parser.parse_args(arguments)
    start, audits, avatars = time.monotonic(), [], benchmark_of("avatars")
    for seed, target in itertools.product(seeds_of(given.seeds), avatars.evaluation.domain.classifier_names()):
        if (minutes := (time.monotonic() - start) / 60) >= given.minutes:
            break
        if (given.out / f"{target}-{seed}" / SUMMARY).is_file():
            continue
        audit(avatars, target, seed, given.images, given.out)
        audits.append({"audit": f"{target}@{seed}", "minute": round(minutes, 2), **resources()})
        print(json.dumps(audits[-1]), flush=True)
        if given.json and len(audits) >= WARMING + 3:
            about = {"images": given.images, "minutes": round((time.monotonic() - start) / 60, 1)}
            document = {**about, "growth": growth(audits), "audits": audits, "environment": describe_environment()}
            atomic.write_json(given.json, document)
    print(json.dumps(growth(audits), indent=1))


if __name__ == "__main__":
    main()
