"""``python bench/workers.py --images 1000 --workers 0 1 2 --json OUT``: many avatars, here and by workers of a cluster.

The same audit (a biased target, all 12 attributes of the domain, `--cores` to each worker) by this process alone (0)
and by so many workers of a Ray cluster of this machine. What all images have in common is in the cache before; models
are loaded, and the report is drawn, in the time that is told. `rate` is of units a second between the first records and
the last, without what comes before and after; `memory` are megabytes resident in this process and all workers, by
minute, the median of each; `alike` is the share of units that decide as those of the first run, and `apart` the largest
difference of their edit weights.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import tempfile
import threading
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from memory import resident

from zoom_engine import Diagnoser, Diagnosis
from zoom_engine.audit.folder import RECORDS
from zoom_engine.common.files import atomic
from zoom_engine.common.machine import describe_environment
from zoom_engine.common.progress import forced
from zoom_engine.domains.avatars.domain import DOMAIN

TARGET = "avatars:gender"
WORKER = b"ray::_Worker"


class Watch(threading.Thread):
    """What processes hold, and how many records there are, each second."""

    def __init__(self, records: Path) -> None:
        super().__init__(daemon=True)
        self._records, self._over = records, threading.Event()
        self.begun = time.monotonic()
        self.seen: list[tuple[float, float, int]] = []

    def run(self) -> None:
        while not self._over.wait(1.0):
            written = self._records.read_bytes().count(b"\n") if self._records.is_file() else 0
            self.seen.append((time.monotonic() - self.begun, resident_memory() / 1e6, written))

    def stop(self) -> None:
        self._over.set()
        self.join()

    def by_minute(self) -> list[float]:
        """Megabytes."""
        minutes: dict[int, list[float]] = {}
        for second, megabytes, _ in self.seen:
            minutes.setdefault(int(second // 60), []).append(megabytes)
        return [round(statistics.median(resident_memory), 1) for resident_memory in minutes.values()]

    def rate(self) -> float:
        """Records a second, between the first and the last second in which some came."""
        came = [after for before, after in zip(self.seen, self.seen[1:], strict=False) if after[2] > before[2]]
        if len(came) < 2:
            raise SystemExit(f"{self.seen[-1][2]} records came within a second: take more images")
        return round((came[-1][2] - came[0][2]) / (came[-1][0] - came[0][0]), 2)


def resident_memory() -> int:
    """Bytes resident in this process and in workers of a cluster on this machine."""
    total = 0
    for process in Path("/proc").iterdir():
        try:
            if process.name == str(os.getpid()) or (process / "cmdline").read_bytes().startswith(WORKER):
                total += resident(process.name)
        except (OSError, StopIteration):  # it is gone, or no process
            continue
    return total


def audited(images: int, workers: int, cores: int, out: Path) -> tuple[Diagnosis, dict[str, Any]]:
    """The audit, and what it took."""
    options: dict[str, Any] = {"cluster": "ray", "workers": workers, "worker_cores": cores} if workers else {}
    watch = Watch(out / RECORDS)
    watch.start()
    diagnosis = Diagnoser(
        generator="avatars", target=TARGET, attributes=DOMAIN.attributes, progress=forced, **options
    ).run(images=images, seed=100, out=out)
    seconds = time.monotonic() - watch.begun
    watch.stop()
    about = {"workers": workers, "units": len(diagnosis.records), "seconds": round(seconds, 1)}
    return diagnosis, {**about, "rate": watch.rate(), "memory": watch.by_minute()}


def beside(first: Diagnosis, other: Diagnosis) -> dict[str, float]:
    """How far `other` agrees with `first`, unit by unit."""
    others = {record.trial: record for record in other.records}
    pairs = [(record, others[record.trial]) for record in first.records]
    alike = [(one.flipped, one.decisive) == (two.flipped, two.decisive) for one, two in pairs]
    apart = [float(np.abs(np.subtract(one.edit_weights, two.edit_weights)).max()) for one, two in pairs]
    return {"alike": round(statistics.fmean(alike), 4), "apart": round(max(apart), 6)}


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog="python bench/workers.py", description=__doc__)
    parser.add_argument("--images", type=int, default=1000)
    parser.add_argument("--workers", type=int, nargs="+", default=[0, 1, 2], help="0 is this process alone")
    parser.add_argument("--cores", type=int, default=1, help="of each worker, and of this process alone")
    parser.add_argument("--json", type=Path, help="write the figures here, after each run")
    given = parser.parse_args(arguments)
    torch.set_num_threads(given.cores)
    runs: list[dict[str, Any]] = []
    first: Diagnosis | None = None
    with tempfile.TemporaryDirectory() as folder:
        audited(4, 0, given.cores, Path(folder) / "before")
        for number, workers in enumerate(given.workers):
            diagnosis, run = audited(given.images, workers, given.cores, Path(folder) / str(number))
            runs.append(run if first is None else {**run, **beside(first, diagnosis)})
            first = first or diagnosis
            print(json.dumps(runs[-1]), flush=True)
            if given.json:
                about = {"target": TARGET, "images": given.images, "cores": given.cores}
                atomic.write_json(given.json, {**about, "runs": runs, "environment": describe_environment()})


if __name__ == "__main__":
    main()
