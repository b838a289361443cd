"""The plan of an audit: what it will take.

Pictures are counted from its settings, hours from a rate that is measured or given, disk and memory from the form of
its records. What hangs on the model under audit is not known before: how many searches flip, and where they stop. So
there is a least and a most of all that depends on it.
"""

from __future__ import annotations

import json
import time
import tracemalloc
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

import torch

from zoom_engine.audit.records import Point, Record, to_line
from zoom_engine.common.errors import PhotographError
from zoom_engine.common.plurals import number_of
from zoom_engine.common.terminal import WIDTH, wrapped
from zoom_engine.diagnose.gallery import MULTI_STRIPS, SHEET_ROWS, STRIP_FRAMES, STRIPS_PER_ATTRIBUTE, sheet_weights
from zoom_engine.diagnose.identity import known
from zoom_engine.diagnose.models import Models, run_of
from zoom_engine.diagnose.own_photographs import crops_of
from zoom_engine.directions import EditDirections
from zoom_engine.directions.baseline import matching_pictures
from zoom_engine.directions.find import direction_method
from zoom_engine.directions.image_bounds import STEPS
from zoom_engine.directions.keeping import PICTURES as KEEPING_PICTURES
from zoom_engine.directions.unedited import SAMPLES
from zoom_engine.search.end import End
from zoom_engine.search.scheduler import Embeddings
from zoom_engine.search.trials import Planned, evaluations_of
from zoom_engine.settings.attributes import Attribute
from zoom_engine.settings.audit_settings import AUTO, RunSettings

SIDE = (16, 56)  # syntheses of a side of a calibrated range, see `calibrate_range`
SHEET = SHEET_ROWS * len(sheet_weights(-1.0, 1.0))  # pictures of the edit sheet of an attribute
SECONDS = 10.0  # that the rate is measured for
PARSED = 64  # records that are read to see what memory they take
GB = 1e9


@dataclass(frozen=True)
class Count:
    """A number that is known by its least and its most."""

    least: float
    most: float

    def __add__(self, other: Count) -> Count:
        """Add the least and the most."""
        return Count(self.least + other.least, self.most + other.most)

    def __mul__(self, times: float) -> Count:
        """Multiply the least and the most."""
        return Count(self.least * times, self.most * times)


BOUNDED = Count(1, len(STEPS))
"""Pictures that say how far an image may be edited along an attribute."""


@dataclass(frozen=True, kw_only=True)
class Part:
    """The plan for targets that are audited together.

    Attributes:
        once: pictures that are made before the first image and after the last, by one machine, where the cache has none
            of them.
        every_image: pictures of all images, which workers can share.
        step: as how many pictures a step with gradients counts.
        rate: pictures a second of one worker, made and looked at by the targets and the text encoder.
        rate_from: where the rate comes from.
        record_bytes: bytes of records.jsonl, of all targets.
        memory: bytes, of their records while they are added up.
    """

    targets: tuple[str, ...]
    attributes: int
    random_directions: int
    search: str
    records: int
    once: Mapping[str, Count]
    every_image: Mapping[str, Count]
    step: float
    rate: float
    rate_from: str
    record_bytes: Count
    memory: Count

    @property
    def pictures(self) -> Count:
        """Return the number of all pictures."""
        return _sum(self.once) + _sum(self.every_image)

    def hours(self, workers: int) -> Count:
        """Return the hours with so many workers, each as fast as the rate says and never idle."""
        return (_sum(self.once) + _sum(self.every_image) * (1 / workers)) * (1 / self.rate / 3600)

    def title(self, images: int) -> str:
        """Say what is audited, in a line."""
        what = number_of(self.attributes, "attribute")
        beside = f" and {number_of(self.random_directions, 'random direction')}" if self.random_directions else ""
        return (
            f"{', '.join(self.targets)}: {images:,} images, {what}{beside}, search {self.search}:"
            f" {self.records:,} records"
        )

    def rows(self) -> list[tuple[str, str]]:
        """Say how many its pictures are, and how fast they are made: rows of a name and a value."""
        return [
            ("pictures, once, on one machine", _shown(_sum(self.once))),
            *((f"  {what}", _shown(count)) for what, count in self.once.items()),
            ("pictures of all images", _shown(_sum(self.every_image))),
            *((f"  {what}", _shown(count)) for what, count in self.every_image.items()),
            ("pictures a second", f"{self.rate:.3g}, {self.rate_from}"),
        ]


@dataclass(frozen=True, kw_only=True)
class Plan:
    """The plan of an audit of one target or of several, of `images` each.

    `parts` are audited one after the other; `unknown` is what is not in these numbers.
    """

    images: int
    parts: tuple[Part, ...]
    unknown: tuple[str, ...]

    def total(self, of: Callable[[Part], Count]) -> Count:
        """Add up what `of` returns of each part."""
        return sum(map(of, self.parts), Count(0, 0))

    def hours(self, workers: int) -> Count:
        """Return the hours of all parts together, as `Part.hours`."""
        return self.total(lambda part: part.hours(workers))

    def to_json(self, workers: int) -> dict[str, Any]:
        """Return all of it, with the hours of one worker and of so many."""
        return {
            "targets": [target for part in self.parts for target in part.targets],
            "images": self.images,
            "records": sum(part.records for part in self.parts),
            "pictures": asdict(self.total(lambda part: part.pictures)),
            "hours": {str(count): asdict(self.hours(count)) for count in (1, workers)},
            "record_bytes": asdict(self.total(lambda part: part.record_bytes)),
            "memory": asdict(self.total(lambda part: part.memory)),
            "parts": [asdict(part) for part in self.parts],
            "unknown": list(self.unknown),
        }

    def text(self, workers: int, *, width: int = WIDTH) -> str:
        """Format it as a few lines for a terminal of `width` columns; what hangs on the models most comes last."""
        whole = [
            ("with one such worker", _shown(self.hours(1), "h")),
            *([(f"with {workers:,} such workers", _shown(self.hours(workers), "h"))] if workers > 1 else []),
            ("records.jsonl", _shown(self.total(lambda part: part.record_bytes) * (1 / GB), "GB")),
            ("memory to add them up", _shown(self.total(lambda part: part.memory) * (1 / GB), "GB")),
        ]
        side = max(len(name) for name, _ in [*whole, *(row for part in self.parts for row in part.rows())])

        def aligned(rows: Sequence[tuple[str, str]]) -> list[str]:
            return [wrapped(f"{name:<{side}}  {value}", width=width, hanging=side + 2) for name, value in rows]

        lines: list[str] = []
        for part in self.parts:
            lines += [wrapped(part.title(self.images), width=width), *aligned(part.rows())]
            lines += [""] if len(self.parts) > 1 else []
        lines.append("Not known, or not counted:")
        lines += [wrapped(f"- {what}", width=width, hanging=2) for what in self.unknown]
        lines.append("")
        if len(self.parts) > 1:
            lines.append("All of them, one after the other, without pictures of images in common:")
        return "\n".join([*lines, *aligned(whole)])


def plan(groups: Sequence[Sequence[Models]], run: RunSettings, *, rate: float | None = None) -> Plan:
    """Plan the audits that `groups` would run one after the other.

    Those of a group have all but their targets in common and are run together, see `Diagnosers.groups`. Without `rate`
    (pictures a second) it is measured, for about ten seconds a group. Around photographs all that can be read count.

    Raises:
        ConfigError: the generator has not as many codes.
        PhotographError: none of the photographs can be read.
    """
    first = groups[0][0]
    around = first.settings.photos is not None
    if around:
        crops = crops_of(first)
        if not (readable := sum(crop.pixels is not None for crop in crops)):
            first_of = f"{crops[0].file} {crops[0].refused}"
            raise PhotographError(f"none of {number_of(len(crops), 'photograph')} can be read: {first_of}")
        run = replace(run, images=readable)
    else:
        run = run_of(first, run)
    parts, before = [], list[Models]()
    for audits in groups:
        parts.append(_part(audits, run, rate, before))
        before += audits
    unknown = [
        "how many searches flip, and where they stop: the most is usual where all flip late, and no bound",
        "whether an attribute is sensitive: only then are random directions drawn, which the least leaves out",
        "what the cache has of this generator already: it is counted as empty",
        "loading and compiling models, on each worker anew; workers that wait for the last shards; networks and disks",
        "adding up the records and drawing the report, which one machine does at the end",
    ]
    if run.images == AUTO:
        first_analysis = run.interim_analyses[0]
        unknown.insert(
            0,
            f"how many images each attribute needs: from {first_analysis}, which the least is of, to {run.most}, which"
            " the most is of",
        )
    if around:
        photographs = number_of(run.most, "photograph")
        unknown.insert(0, f"which of {photographs} the generator can draw, and what finding them there takes")
    for name in dict.fromkeys(group[0].search.name for group in groups if evaluations(group[0]) is None):
        unknown.insert(0, f"how many pictures search {name} takes: they are left out of all of this")
    return Plan(images=run.most, parts=tuple(parts), unknown=tuple(unknown))


def _part(audits: Sequence[Models], run: RunSettings, rate: float | None, before: Sequence[Models]) -> Part:
    first = audits[0]
    timings = _Timings(audits)
    step = timings.step() if first.search.needs_gradient else 1.0
    rate_from = "as given"
    if rate is None:
        rate, rate_from = timings.rate()
    of_attributes, beside = known(first, run).measurements(run.most)
    looked = BOUNDED if _bounds_images(first) else Count(0, 0)
    of_attribute = evaluations(first)
    points = zip(
        _points(None if of_attribute is None else of_attribute + looked),
        _points(evaluations(first, baseline=True)),
        strict=True,
    )
    sizes = [
        [
            _size(*one, along_attribute) * of_attributes + _size(*one, along_baseline, baseline=True) * beside
            for one in zip(audits, timings.outputs, strict=True)
        ]
        for along_attribute, along_baseline in points
    ]
    return Part(
        targets=tuple(models.target.name for models in audits),
        attributes=len(first.attributes),
        random_directions=first.random_directions,
        search=first.search.name,
        records=(of_attributes + beside) * len(audits),
        once=pictures_once(audits, step, before=before),
        every_image=pictures_of_images(audits, run, step),
        step=step,
        rate=rate,
        rate_from=rate_from,
        record_bytes=Count(*(sum(size.line for size in of_all) for of_all in sizes)),
        memory=Count(*(sum(size.memory for size in of_all) for of_all in sizes)),
    )


def _bounds_images(models: Models) -> bool:
    """Tell whether pictures say of each image how far it may be edited."""
    return models.settings.mode == "single" and models.settings.edit_range == "calibrated"


def evaluations(models: Models, *, baseline: bool = False, targets: int = 1) -> Count | None:
    """Return how many points one search of an attribute takes, or of all attributes together.

    Those that say how far an image may be edited are not among them. With `baseline` it is one along a random baseline
    direction. All is for so many targets at once: a picture that
    several of them ask for is made once, but where each is followed alone. None where a package's own search does not
    say.
    """
    range_of_points = evaluations_of(models.baseline_search if baseline else models.search, _planned(models, targets))
    return None if range_of_points is None else Count(*range_of_points)


def _planned(models: Models, targets: int) -> Planned:
    return Planned(
        attributes=len(models.attributes),
        calibrated=models.settings.edit_range == "calibrated",
        labels=bool(models.labels),
        targets=targets,
    )


def pictures_once(audits: Sequence[Models], step: float, *, before: Sequence[Models] = ()) -> dict[str, Count]:
    """Count what is made before the first image and after the last of audits that are run together.

    Those `before` have left in the cache what they made: all of it of the same attributes, of others what does not hang
    on attributes. A step with gradients counts as `step` pictures.
    """
    models, first = audits[0], not before
    settings, count, random_directions = models.settings, len(models.attributes), models.random_directions
    strips = 1 + (STRIPS_PER_ATTRIBUTE * count if settings.mode == "single" else MULTI_STRIPS)
    report = {"the report": Count(SHEET * count, SHEET * count + STRIP_FRAMES * strips) * len(audits)}
    if any(other.attributes == models.attributes for other in before):
        return report
    parts: dict[str, Count] = {}
    unedited, paraphrases = SAMPLES, settings.paraphrases or 0
    beside = len(models.control_prompts) * first
    if isinstance(settings.directions, str):
        method = direction_method(settings.directions)
        others = {attribute for other in before for attribute in other.attributes}
        wanted = dict.fromkeys([*models.attributes, *map(Attribute.parse, settings.keep or () if first else ())])
        pictures = method.pictures(
            channels=int((~models.generator.space.fixed_mask()).sum()),
            texts=sum(attribute not in others for attribute in wanted) * (1 + paraphrases) + beside,
            first=first,
            step=step,
        )
        if pictures is None:
            unedited = method.samples if settings.samples is None else settings.samples
        elif pictures:
            pictures *= 1 if settings.samples is None else settings.samples / method.samples
            parts["edit directions"] = Count(pictures, pictures)
    if settings.edit_range == "calibrated" or settings.by:  # ranges and groups are measured on no fewer
        unedited = max(unedited, SAMPLES)
    if first:
        parts["unedited images"] = Count(min(SAMPLES, unedited) if settings.samples is None else unedited, unedited)
    if keep := len(settings.keep or ()) * (not isinstance(settings.directions, EditDirections)):
        found_at_a_time = [count] * (1 + paraphrases) + [beside] * (beside > 0)
        pictures_of_kept = sum(KEEPING_PICTURES * (1 + keep + 2 * texts) for texts in found_at_a_time)
        parts["what is to be kept"] = Count(pictures_of_kept, pictures_of_kept)
    if settings.edit_range == "calibrated":
        parts["calibrated range"] = Count(*SIDE) * (2 * count)
        if random_directions:
            matching = [
                matching_pictures(count, random_directions, len(models.control_prompts), labels=bool(labels))
                for labels in {models.labels for models in audits}
            ]
            matched = sum(pictures.matched for pictures in matching)
            parts["how far random directions go"] = Count(0, matched)
            if any(audit.labels for audit in audits):
                checked = sum(pictures.checked[1] for pictures in matching)
                parts["random directions that keep labels"] = Count(0, checked)
    return parts | report


def pictures_of_images(audits: Sequence[Models], run: RunSettings, step: float) -> dict[str, Count]:
    """Count what is made of all images by audits that are run together."""
    if run.images == AUTO:
        fewest, most = (
            _pictures_of_images(audits, replace(run, images=images, width=None, most_images=None), step)
            for images in (run.interim_analyses[0], run.most)
        )
        return {name: Count(fewest[name].least, count.most) for name, count in most.items()}
    return _pictures_of_images(audits, run, step)


def _pictures_of_images(audits: Sequence[Models], run: RunSettings, step: float) -> dict[str, Count]:
    models, targets = audits[0], len(audits)
    settings, count, images = models.settings, len(models.attributes), run.most
    apart = targets if models.search.needs_gradient else 1  # each is followed alone
    weight = step if models.search.needs_gradient else 1.0
    one = Count(images, images)
    parts: dict[str, Count] = {}
    if _bounds_images(models):
        parts["how far each may be edited"] = BOUNDED * (apart * count * images)
    if settings.by:
        parts["which group each is of"] = one
    if settings.paraphrases:
        ends = Count(*End().evaluations(_planned(models, targets)))
        parts["other paraphrases"] = (ends * (count * settings.paraphrases) + Count(1, count)) * images
    searches = 1 if settings.mode == "multi" else count
    points = evaluations(models, targets=targets) or Count(0, 0)
    parts["search"] = one * apart + points * (weight * searches * images)
    if models.random_directions:
        beside = evaluations(models, baseline=True, targets=targets) or Count(0, 0)
        _, along = known(models, run).measurements(images)
        apart_by = max(len({points.labels for points in audits}), 1)  # directions that keep them may be others
        if models.baseline_search is not models.search:
            at_ends = one + beside * along
            parts["the ends of random directions"] = Count(0, apart_by * at_ends.most)
        else:
            parts["search along random directions"] = Count(0, (one * apart + beside * (weight * along)).most)
    return parts


def _sum(counts: Mapping[str, Count]) -> Count:
    return sum(counts.values(), Count(0, 0))


def _shown(count: Count, unit: str = "") -> str:
    """Format a count as "1,200 to 3,400 h"; as one number where both are the same."""

    def number(value: float) -> str:
        return f"{value:,.0f}" if value >= 10 or not unit else f"{value:.2g}"

    least, most = number(count.least), number(count.most)
    return f"{least if least == most else f'{least} to {most}'} {unit}".strip()


def _points(count: Count | None) -> tuple[int, int]:
    """Return the least and the most points of a record's trajectory, with the unedited image."""
    return (1, 1) if count is None else (1 + int(count.least), 1 + int(count.most))


@dataclass(frozen=True)
class _Size:
    """Bytes of records: of their lines, and of what they are in memory."""

    line: float
    memory: float

    def __add__(self, other: _Size) -> _Size:
        return _Size(self.line + other.line, self.memory + other.memory)

    def __mul__(self, times: int) -> _Size:
        return _Size(self.line * times, self.memory * times)


def _size(models: Models, outputs: int, points: int, *, baseline: bool = False) -> _Size:
    """Measure a record of so many outputs, with a trajectory of so many points, all numbers written out.

    It is one of an attribute or, with `baseline`, of a random baseline direction.
    """
    single = models.settings.mode == "single"
    count = models.random_directions + len(models.control_prompts) if baseline else len(models.attributes)
    weights = tuple(-12.345678 if place == 0 or not single else 0.0 for place in range(count))
    output = tuple(0.123456 for _ in range(outputs))
    label_kept = True if models.labels else None
    point = Point(weights=weights, output=output, change=0.123456, label_kept=label_kept, ssim=None)
    labels = len(models.labels)
    record = Record(
        image=99_999,
        seed=99_999,
        attribute=max((attribute.text for attribute in models.attributes), key=len)
        if single and not baseline
        else None,
        baseline=0 if baseline else None,
        edit_weights=weights,
        original_output=output,
        output=output,
        change=0.123456,
        flipped=False,
        decisive=False,
        label_kept=label_kept,
        ssim=None,
        steps=1,
        evaluations=points,
        stop="flip-bracketed",
        trajectory=(point,) * points,
        bounds=(-12.345678, 0.0),
        scores=(0.1234,) * (count + labels) if single and not baseline else None,
    )
    line = to_line(record)
    tracemalloc.start()
    try:
        records = [Record.from_json(line) for line in (json.loads(line) for _ in range(PARSED))]
        memory = tracemalloc.get_traced_memory()[0] / len(records)
    finally:
        tracemalloc.stop()
    return _Size(len(line), memory)


class _Timings:
    """The price of pictures on this machine, with an audit's own models: unedited ones, since directions are not found.

    As in the audit several targets look at the same picture, but where a search follows the gradient of one.
    """

    def __init__(self, audits: Sequence[Models]) -> None:
        first = audits[0]
        size, count = first.batch_size, len(first.attributes)
        self._search = first.search
        self._styles = first.styles(range(size))[:]
        evaluators = [evaluator.evaluator(torch.zeros(count, first.generator.space.size)) for evaluator in audits]
        self._together = [[evaluator] for evaluator in evaluators] if first.search.needs_gradient else [evaluators]
        self._weights = torch.zeros(size, count)
        originals = [evaluator.originals(self._styles[:1]).outputs for evaluator in evaluators]
        self.outputs = [
            evaluator.target.task.recorded(outputs, outputs).shape[1]
            for evaluator, outputs in zip(audits, originals, strict=True)
        ]

    def rate(self) -> tuple[float, str]:
        """Measure pictures a second, and say on what that was measured."""
        seconds, pictures = self._batch(len(self._styles))
        threads, looking = number_of(torch.get_num_threads(), "thread"), len(self._together[0])
        by = f", each looked at by {looking} targets" if looking > 1 else ""
        return pictures / seconds, (
            f"measured here with {threads}, on {number_of(pictures, 'picture')} in {seconds:.1f} s{by}"
        )

    def step(self) -> float:
        """Measure how many pictures' time a step with gradients takes, mean over targets."""
        followed = 0.0
        for (evaluator,) in self._together:
            originals = evaluator.originals(self._styles[:1])
            evaluate = evaluator.value_and_grad if self._search.needs_loss else evaluator.value_and_slopes
            evaluate(self._styles[:1], self._weights[:1], originals)  # the first takes longer
            start = time.perf_counter()
            evaluate(self._styles[:1], self._weights[:1], originals)
            followed += time.perf_counter() - start
        seconds, pictures = self._batch(1)
        return max(1.0, followed / len(self._together) * pictures / seconds)

    @torch.no_grad()
    def _batch(self, size: int) -> tuple[float, int]:
        """Return seconds and pictures of batches of so many: one batch where it takes long."""
        styles, weights = self._styles[:size], self._weights[:size]
        unedited = [[evaluator.originals(styles) for evaluator in together] for together in self._together]

        def evaluate() -> None:
            for together, originals in zip(self._together, unedited, strict=True):
                images = together[0].render(styles, weights)
                embeddings = Embeddings(images, exact=False)
                for evaluator, original in zip(together, originals, strict=True):
                    evaluator.evaluate(images, original, embeddings=embeddings.of(evaluator), ssim="flipped")

        evaluate()
        pictures, start = 0, time.perf_counter()
        while not pictures or time.perf_counter() - start < SECONDS:
            evaluate()
            pictures += size * len(self._together)
        return time.perf_counter() - start, pictures
