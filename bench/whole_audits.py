"""Whole default audits, as users type them: from the command to the report, in a process of its own.

A case such as ``1024-audit-8x8-multi-cold`` is ``python -m zoom_engine diagnose`` for 8 images and 8 attributes of the
avatars at the paper's cost (`paper_avatars.py`), with no other option than the mode; without a number in front at
256². *Cold* begins with an empty cache, *warm* with that of an audit of the same attributes and of other images. Before
and after each audit stand gradient steps of the reference's loop: what a user waits for is counted in those.
"""

from __future__ import annotations

import json
import re
import resource
import shutil
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import checkout  # noqa: F401 - finds lab
import paper_avatars

from lab.whole_folders import making
from zoom_engine.audit.folder import MANIFEST, RECORDS

COMMAND = "command"  # the variant
SIZES = ("2x8-cold", "8x8-cold", "8x8-warm", "50x8-warm", "8x8-multi-cold")
CASES = (*(f"audit-{size}" for size in SIZES), *(f"1024-audit-{size}" for size in SIZES))
CASE = re.compile(r"(?:(\d+)-)?audit-(\d+)x(\d+)(-multi)?-(cold|warm)")
RESOLUTION = 256
ROUNDS = 3  # of reference steps, before and after each audit
OTHERS = 1  # images of the audit that warms a cache, where none of another case has
OTHER_SEED = 1  # of warm audits
EVERY = 0.05  # seconds between looks at the records
WATCHED = Path(__file__).with_name("watched.py")

Result = dict[str, Any]


class Whole(NamedTuple):
    """What "1024-audit-8x8-multi-cold" says."""

    resolution: int
    images: int
    attributes: int
    multi: bool
    warm: bool

    @property
    def searches(self) -> int:
        """How many of them the reference does for the same answer."""
        return self.images if self.multi else self.images * self.attributes


class Step(NamedTuple):
    """A gradient step of the reference, in seconds and in seconds of the processor."""

    seconds: float
    cpu_seconds: float


def parse(case: str) -> Whole | None:
    """What a case says; None for what is no whole audit, ValueError for one that is too large."""
    match = CASE.fullmatch(case)
    if match is None:
        return None
    images, attributes = int(match[2]), int(match[3])
    if not images:
        raise ValueError(f"'{case}': at least one image is needed")
    paper_avatars.attributes(attributes)
    return Whole(int(match[1] or RESOLUTION), images, attributes, match[4] is not None, match[5] == "warm")


class Audited(NamedTuple):
    """One run of a command, and the reference's steps on both sides of it."""

    seconds: float
    cpu_seconds: float
    first_record_seconds: float
    watched: Mapping[str, Any]
    evaluations: int
    records: int
    runtimes: Mapping[str, Any]
    before: Sequence[Step]
    after: Sequence[Step]

    @property
    def step(self) -> Step:
        """The median of steps on both sides."""
        steps = [*self.before, *self.after]
        return Step(*(statistics.median(values) for values in zip(*steps, strict=True)))

    @property
    def steps(self) -> float:
        return self.seconds / self.step.seconds

    @property
    def first_record_steps(self) -> float:
        return self.first_record_seconds / self.step.seconds

    @property
    def cpu_steps(self) -> float:
        return self.cpu_seconds / self.step.cpu_seconds


def figures_of(
    case: Whole, reference: Callable[[], Step], *, repeats: int, folder: Path, device: str = "cpu"
) -> tuple[list[float], Result]:
    """Seconds of the reference's step beside each run, and the command's result.

    Numbers are medians, those of parts are of the run with the median number of steps. ``folder`` keeps models and warm
    caches from case to case. Raises RuntimeError where the command fails.
    """
    audits = []
    before = [reference() for _ in range(ROUNDS)]
    for _ in range(repeats):
        figures = audited(case, folder, device)
        after = [reference() for _ in range(ROUNDS)]
        audits.append(Audited(**figures, before=before, after=after))
        before = after
    middle = sorted(audits, key=lambda audit: audit.steps)[(len(audits) - 1) // 2]
    medians = {
        name: round(statistics.median(getattr(audit, name) for audit in audits), 2)
        for name in ("seconds", "steps", "first_record_seconds", "first_record_steps", "cpu_seconds", "cpu_steps")
    }
    command = {
        **medians,
        "rounds": [round(audit.seconds, 2) for audit in audits],
        "steps_of_rounds": [round(audit.steps, 2) for audit in audits],
        "evaluations": middle.evaluations,
        "records": middle.records,
        **middle.watched,
        "peak_memory": statistics.median_low(audit.watched["peak_memory"] for audit in audits),
        "runtimes": middle.runtimes,
        "reference": {
            "seconds": round(middle.step.seconds, 4),
            "cpu_seconds": round(middle.step.cpu_seconds, 4),
            "before": [[round(value, 4) for value in step] for step in middle.before],
            "after": [[round(value, 4) for value in step] for step in middle.after],
        },
    }
    return [audit.step.seconds for audit in audits], command


def audited(case: Whole, folder: Path, device: str) -> dict[str, Any]:
    """Run the command once, and say what it took."""
    models, warm = models_of(case.resolution, folder), warm_cache_of(case, folder)
    if case.warm and not warm.exists():
        others = case._replace(images=OTHERS, warm=False)
        print(f"an audit of {OTHERS} other image warms the cache", file=sys.stderr, flush=True)
        audited(others, folder, device)
    scratch = folder / "run"
    shutil.rmtree(scratch, ignore_errors=True)
    cache, out, watched = scratch / "cache", scratch / "audit", scratch / "watched.json"
    scratch.mkdir(parents=True)
    if case.warm:
        shutil.copytree(warm, cache)
    command = [sys.executable, str(WATCHED), str(watched), *arguments_of(case, models, out, device)]
    environment = {**paper_avatars.environment(models), "ZOOM_ENGINE_CACHE": str(cache)}
    cpu, begun, first = cpu_of_children(), time.perf_counter(), None
    with subprocess.Popen(command, env=environment, cwd=scratch, stdout=subprocess.DEVNULL) as process:
        while process.poll() is None:
            if first is None and (out / RECORDS).exists() and (out / RECORDS).stat().st_size:
                first = time.perf_counter() - begun
            time.sleep(EVERY)
    seconds = time.perf_counter() - begun
    if process.returncode:
        raise RuntimeError(f"the command failed with exit code {process.returncode}")
    records = [json.loads(line) for line in (out / RECORDS).read_text(encoding="utf-8").splitlines()]
    manifest = json.loads((out / MANIFEST).read_text(encoding="utf-8"))
    if not case.warm and not warm.exists():
        cache.rename(warm)
    return {
        "seconds": seconds,
        "cpu_seconds": cpu_of_children() - cpu,
        "first_record_seconds": seconds if first is None else first,
        "watched": json.loads(watched.read_text(encoding="utf-8")),
        "evaluations": sum(record["evaluations"] for record in records),
        "records": len(records),
        "runtimes": {**manifest["config"]["synthesis"], **manifest["environment"]["networks"]},
    }


def arguments_of(case: Whole, models: Path, out: Path, device: str) -> list[str]:
    """What a user types after ``zoom-engine``."""
    arguments = ["diagnose", "--generator", str(models / paper_avatars.GENERATOR), "--quiet"]
    arguments += ["--target", f"{paper_avatars.NAME}:{paper_avatars.TARGET}", "--text-encoder", paper_avatars.NAME]
    for text in paper_avatars.attributes(case.attributes):
        arguments += ["--attribute", text]
    arguments += ["--images", str(case.images), "--out", str(out)]
    arguments += ["--mode", "multi"] if case.multi else []
    arguments += ["--seed", str(OTHER_SEED)] if case.warm else []
    return arguments + ([] if device == "cpu" else ["--device", device])


def models_of(resolution: int, folder: Path) -> Path:
    """The folder with the models of a resolution, written once."""
    models = folder / f"models-{resolution}"
    if not models.exists():
        with making(models) as temporary:
            paper_avatars.write(temporary, resolution)
    return models


def warm_cache_of(case: Whole, folder: Path) -> Path:
    """Where the cache of an audit of the same attributes is kept."""
    return folder / f"cache-{case.resolution}-{case.attributes}-{'multi' if case.multi else 'single'}"


def cpu_of_children() -> float:
    """Seconds of the processor that processes took which have ended."""
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime
