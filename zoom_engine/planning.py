"""What an audit will take: pictures counted from its settings, hours from a rate that is measured or given, disk and
memory from the form of its records.

What hangs on the model under audit is not known before: how many searches flip, and where they stop. So there is a
least and a most of all that depends on it.
"""

from __future__ import annotations

import json
import math
import time
import tracemalloc
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import torch

from zoom_engine.audit.manifest import PAPER_BOUND
from zoom_engine.audit.records import Point, Record, to_line
from zoom_engine.audit.settings import AUTO, RunSettings
from zoom_engine.diagnoser import Diagnoser
from zoom_engine.directions import NULL_PICTURES, EditDirections
from zoom_engine.directions.find import DEFAULT_SAMPLES
from zoom_engine.directions.gradient_relevance import RANDOM_TEXTS
from zoom_engine.directions.keeping import PICTURES as KEEPING_PICTURES
from zoom_engine.directions.unedited import SAMPLES
from zoom_engine.gallery import MULTI_STRIPS, SHEET_ROWS, STRIP_FRAMES, STRIPS_PER_ATTRIBUTE, sheet_weights
from zoom_engine.search import CMAES, Minimal, Scan
from zoom_engine.search.gradient_descent import GradientSearch

SIDE = (60, 90)  # syntheses of a side of a calibrated range, see `calibrate_range`
SHEET = SHEET_ROWS * len(sheet_weights(-1.0, 1.0))  # pictures of the edit sheet of an attribute
SECONDS = 10.0  # that the rate is measured for
PARSED = 64  # records that are read to see what memory they take
GB = 1e9


@dataclass(frozen=True)
class Count:
    """How many, at least and at most."""

    least: float
    most: float

    def __add__(self, other: Count) -> Count:
        return Count(self.least + other.least, self.most + other.most)

    def __mul__(self, times: float) -> Count:
        return Count(self.least * times, self.most * times)


@dataclass(frozen=True, kw_only=True)
class Plan:
    """What an audit will take.

    once: pictures that are made before the first image and after the last, by one machine, where the cache has none of
        them; images: those of all images, which can be shared. A step with gradients counts as `step` pictures.
    rate: pictures a second of one worker, made and looked at by target and text encoder; `rate_from` says whence.
    record_bytes: of records.jsonl; memory: bytes, of all records while they are added up.
    unknown: what is not in these numbers.
    """

    target: str
    images: int
    attributes: int
    null: int
    search: str
    records: int
    once: Mapping[str, Count]
    every_image: Mapping[str, Count]
    step: float
    rate: float
    rate_from: str
    record_bytes: Count
    memory: Count
    unknown: tuple[str, ...]

    def hours(self, workers: int) -> Count:
        """With so many workers, each as fast as the rate says and never idle."""
        return (_sum(self.once) + _sum(self.every_image) * (1 / workers)) * (1 / self.rate / 3600)

    def to_json(self, workers: int) -> dict[str, Any]:
        """All of it, with the hours of one worker and of so many."""
        hours = {str(count): asdict(self.hours(count)) for count in (1, workers)}
        return {**asdict(self), "pictures": asdict(_sum(self.once) + _sum(self.every_image)), "hours": hours}

    def text(self, workers: int) -> str:
        """A few lines for a terminal."""
        hours = {count: _shown(self.hours(count), "h") for count in (1, workers)}
        size, memory = (_shown(count * (1 / GB), "GB") for count in (self.record_bytes, self.memory))
        rows = [
            ("pictures, once, on one machine", _shown(_sum(self.once))),
            *((f"  {what}", _shown(count)) for what, count in self.once.items()),
            ("pictures of all images", _shown(_sum(self.every_image))),
            *((f"  {what}", _shown(count)) for what, count in self.every_image.items()),
            ("pictures a second", f"{self.rate:.3g}, {self.rate_from}"),
            ("with one such worker", hours[1]),
            *([(f"with {workers:,} such workers", hours[workers])] if workers > 1 else []),
            ("records.jsonl", size),
            ("memory to add them up", memory),
        ]
        width = max(len(name) for name, _ in rows)
        beside = f" and {self.null} random directions" if self.null else ""
        return "\n".join(
            [
                f"{self.target}: {self.images:,} images, {self.attributes} attributes{beside}, search {self.search}:"
                f" {self.records:,} records",
                *(f"{name:<{width}}  {value}" for name, value in rows),
                "Not known, or not counted:",
                *(f"- {what}" for what in self.unknown),
            ]
        )


def plan(diagnoser: Diagnoser, run: RunSettings, *, rate: float | None = None) -> Plan:
    """Of the audit that ``diagnoser`` would run. Without ``rate`` it is measured, for about ten seconds."""
    settings, search = diagnoser.settings, diagnoser.search
    each = evaluations(diagnoser)
    measured = _Measured(diagnoser)
    step = measured.step() if search.needs_gradient else 1.0
    rate_from = "as given"
    if rate is None:
        rate, rate_from = measured.rate()
    attributes = len(diagnoser.attributes)
    sizes = [_size(measured, settings.mode == "single", points) for points in _points(each)]
    records = sum(diagnoser.measurements(run, run.most))
    unknown = [
        "how many searches flip, and where they stop: the most is where each flips as late as it can",
        "what the cache has of this generator already: it is counted as empty",
        "loading and compiling models, on each worker anew; workers that wait for the last shards; networks and disks",
        "adding up the records and drawing the report, which one machine does at the end",
    ]
    if run.images == AUTO:
        planned = ", ".join(map(str, run.looks))
        unknown.insert(0, f"after which of {planned} images the audit ends: these are of all")
    if each is None:
        unknown.insert(0, f"how many pictures search {search.name} takes: they are left out of all of this")
    return Plan(
        target=diagnoser.target.name,
        images=run.most,
        attributes=attributes,
        null=diagnoser.null,
        search=search.name,
        records=records,
        once=pictures_once(diagnoser, step),
        every_image=pictures_of_images(diagnoser, run, each, step),
        step=step,
        rate=rate,
        rate_from=rate_from,
        record_bytes=Count(*(records * size.line for size in sizes)),
        memory=Count(*(records * size.memory for size in sizes)),
        unknown=tuple(unknown),
    )


def evaluations(diagnoser: Diagnoser, *, null: bool = False) -> Count | None:
    """Of one search of an attribute (``null``: of a random direction), or of all attributes together; None where it is
    not known of a package's own search."""
    search, calibrated = diagnoser.search, diagnoser.settings.edit_range == "calibrated"
    if isinstance(search, Scan):
        outer = search.outer_points if calibrated and not null else 0
        least = search.points if search.monotone is None else math.ceil(search.points / 2)
        sides, reach = (1, PAPER_BOUND) if calibrated else (2, 2 * PAPER_BOUND)
        cells = 1 if search.tolerance is None else math.ceil(reach / search.points / search.tolerance)
        return Count(least + outer, search.points + outer + sides * math.ceil(math.log2(cells)))
    if isinstance(search, GradientSearch):
        return Count(2, search.steps + 1)
    if isinstance(search, Minimal):
        return Count(1, 2 * search.steps + search.polish)
    if isinstance(search, CMAES):
        population = search.population or 4 + math.floor(3 * math.log(max(len(diagnoser.attributes), 1)))
        most = population * search.steps
        return Count(most if search.patience is None else population, most)
    return None


def pictures_once(diagnoser: Diagnoser, step: float) -> dict[str, Count]:
    """What is made before the first image and after the last."""
    settings, count, null = diagnoser.settings, len(diagnoser.attributes), diagnoser.null
    single = settings.mode == "single"
    found: dict[str, Count] = {}
    unedited = SAMPLES
    if settings.directions == "regression":
        unedited = DEFAULT_SAMPLES["regression"]
    elif settings.directions == "sampled":
        pushed = 2 * DEFAULT_SAMPLES["sampled"] * int((~diagnoser.generator.space.fixed_mask()).sum())
        found["edit directions"] = Count(pushed, pushed)
    elif settings.directions == "gradient":
        followed = DEFAULT_SAMPLES["gradient"] * (count + RANDOM_TEXTS) * step
        found["edit directions"] = Count(followed, followed)
    found["unedited images"] = Count(unedited, unedited)
    if keep := len(settings.keep or ()) * (not isinstance(settings.directions, EditDirections)):
        kept = KEEPING_PICTURES * (1 + keep + 2 * count)
        found["what is to be kept"] = Count(kept, kept)
    if settings.edit_range == "calibrated":
        found["calibrated range"] = Count(*SIDE) * (2 * count)
        if null:
            prompts = len(diagnoser.nothing)
            matched = NULL_PICTURES * (3 + count + 2 * null + (2 + 2 * prompts if prompts else 0))
            found["how far random directions go"] = Count(matched, matched)
    strips = STRIPS_PER_ATTRIBUTE * count if single else MULTI_STRIPS
    found["the report"] = Count(SHEET * count, SHEET * count + STRIP_FRAMES * strips)
    return found


def pictures_of_images(diagnoser: Diagnoser, run: RunSettings, each: Count | None, step: float) -> dict[str, Count]:
    """What is made of all images."""
    settings, count, images = diagnoser.settings, len(diagnoser.attributes), run.most
    held = settings.null_images(count, images)
    weight = step if diagnoser.search.needs_gradient else 1.0
    one = Count(images, images)
    found: dict[str, Count] = {}
    if settings.mode == "single" and settings.edit_range == "calibrated":
        found["how far each may be edited"] = Count(1 + count, 1 + 3 * count) * images
    if settings.by:
        found["which group each is of"] = one
    if settings.wordings:
        found["other wordings"] = one * (2 * count * settings.wordings)
    searches = 1 if settings.mode == "multi" else count
    found["search"] = one + (each or Count(0, 0)) * (weight * searches * images)
    beside = evaluations(diagnoser, null=True)
    if diagnoser.null:
        _, along = diagnoser.measurements(run, images)
        found["search along null directions"] = Count(held, held) + (beside or Count(0, 0)) * (weight * along)
    return found


def _sum(counts: Mapping[str, Count]) -> Count:
    return sum(counts.values(), Count(0, 0))


def _shown(count: Count, unit: str = "") -> str:
    """ "1,200 to 3,400 h"; one number where both are the same."""

    def number(value: float) -> str:
        return f"{value:,.0f}" if value >= 10 or not unit else f"{value:.2g}"

    least, most = number(count.least), number(count.most)
    return f"{least if least == most else f'{least} to {most}'} {unit}".strip()


def _points(each: Count | None) -> tuple[int, int]:
    """Of a record's trajectory, with the unedited image."""
    return (1, 1) if each is None else (1 + int(each.least), 1 + int(each.most))


@dataclass(frozen=True)
class _Size:
    """Bytes of a record: of its line, and of what it is in memory."""

    line: float
    memory: float


def _size(measured: _Measured, single: bool, points: int) -> _Size:
    """Of a record with a trajectory of so many points, all numbers written out."""
    count = len(measured.diagnoser.attributes)
    weights = tuple(-12.345678 if place == 0 or not single else 0.0 for place in range(count))
    output = tuple(0.123456 for _ in range(measured.outputs))
    kept = True if measured.diagnoser.labels else None
    point = Point(weights=weights, output=output, change=0.123456, label_kept=kept, ssim=None)
    labels = len(measured.diagnoser.labels)
    record = Record(
        image=99_999,
        seed=99_999,
        attribute=max((attribute.text for attribute in measured.diagnoser.attributes), key=len) if single else None,
        edit_weights=weights,
        original_output=output,
        output=output,
        change=0.123456,
        flipped=False,
        decisive=False,
        label_kept=kept,
        ssim=None,
        steps=1,
        evaluations=points,
        stop="flip-bracketed",
        trajectory=(point,) * points,
        bounds=(-12.345678, 0.0),
        scores=(0.1234,) * (count + labels) if single else None,
    )
    line = to_line(record)
    tracemalloc.start()
    try:
        held = [Record.from_json(each) for each in (json.loads(line) for _ in range(PARSED))]
        memory = tracemalloc.get_traced_memory()[0] / len(held)
    finally:
        tracemalloc.stop()
    return _Size(len(line), memory)


class _Measured:
    """What pictures cost on this machine, with an audit's own models: unedited ones, since directions are not found."""

    def __init__(self, diagnoser: Diagnoser) -> None:
        self.diagnoser = diagnoser
        size = diagnoser.settings.batch_size
        self._styles = diagnoser.styles(range(size))[:]
        self._evaluator = diagnoser.evaluator(torch.zeros(len(diagnoser.attributes), diagnoser.generator.space.size))
        self._weights = torch.zeros(size, len(diagnoser.attributes))
        originals = self._evaluator.originals(self._styles[:1])
        self.outputs = diagnoser.target.task.recorded(originals.outputs, originals.outputs).shape[1]

    def rate(self) -> tuple[float, str]:
        """Pictures a second, and on what that was measured."""
        seconds, pictures = self._look(len(self._styles))
        what = "picture" if pictures == 1 else "pictures"
        threads = torch.get_num_threads()
        where = f"{threads} thread{'s' * (threads > 1)}"
        return pictures / seconds, f"measured here with {where}, on {pictures} {what} in {seconds:.1f} s"

    def step(self) -> float:
        """How many pictures' time a step with gradients takes."""
        originals = self._evaluator.originals(self._styles[:1])
        look = self._evaluator.value_and_grad if self.diagnoser.search.needs_loss else self._evaluator.value_and_slopes
        look(self._styles[:1], self._weights[:1], originals)  # the first takes longer
        start = time.perf_counter()
        look(self._styles[:1], self._weights[:1], originals)
        one_step = time.perf_counter() - start
        seconds, pictures = self._look(1)
        return max(1.0, one_step * pictures / seconds)

    def _look(self, size: int) -> tuple[float, int]:
        """Seconds, and pictures of batches of so many: one batch where it takes long."""
        originals = self._evaluator.originals(self._styles[:size])
        with torch.no_grad():
            self._evaluator.value(self._styles[:size], self._weights[:size], originals, ssim="flipped")
            pictures, start = 0, time.perf_counter()
            while not pictures or time.perf_counter() - start < SECONDS:
                self._evaluator.value(self._styles[:size], self._weights[:size], originals, ssim="flipped")
                pictures += size
        return time.perf_counter() - start, pictures
