"""What a report shows, gathered from an audit folder: all that the templates need, nothing they must compute.

Of the manifest it uses what `Config` has; the rest is shown as it is.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from zoom_engine.attributes import Attribute, short_name
from zoom_engine.audit.counts import Counts
from zoom_engine.audit.diagnosis import Diagnosis
from zoom_engine.audit.effects import DRAGS
from zoom_engine.audit.folder import RECORDS, SUMMARY
from zoom_engine.audit.gallery_file import Gallery, SheetEntry, StripEntry
from zoom_engine.audit.manifest import Config
from zoom_engine.audit.records import Record
from zoom_engine.audit.summary import GroupChange, Sensitivity
from zoom_engine.errors import AuditError, TargetError
from zoom_engine.gallery import direction_of
from zoom_engine.report import sentences
from zoom_engine.report.calls import Calls, calls, first_called, is_weak, missed, what_now
from zoom_engine.report.charts import FULL, Axis, Bar, CurvePlot, axis_for, bar_for, curve_plot
from zoom_engine.report.curves import Side, response_curve, sides
from zoom_engine.report.heat_map import HeatMap, heat_map
from zoom_engine.report.leak_table import dragged, leak_table
from zoom_engine.report.limits import limits
from zoom_engine.report.photographs import Photographs, read_shown
from zoom_engine.report.pictures import Budget
from zoom_engine.report.strips import Sheet, Strip, load_frames, load_sheet
from zoom_engine.targets import BinaryTask, MultiClassTask, Task, task_from_dict

MOST_DIRECTIONS = 3  # on the first screen


@dataclass(frozen=True)
class Row:
    """One attribute of the histogram and of the table."""

    name: str
    figures: Sensitivity
    counts: Counts | None
    bar: Bar
    drags: tuple[str, ...]


@dataclass(frozen=True)
class Curve:
    """One small response plot. strip: the number of the strip whose pictures lie at the points of the plot, None where
    the page has none; attribute: the place in the histogram."""

    attribute: int
    name: str
    plot: CurvePlot
    effect: str
    strip: int | None


@dataclass(frozen=True)
class Page:
    """A whole report."""

    source: Source
    proof: Strip | None
    directions: tuple[tuple[str, str], ...]
    calls: tuple[Calls, ...]
    missed: str
    next: str
    weak: bool
    rows: tuple[Row, ...]
    axis: Axis
    photographs: Photographs | None
    strips: tuple[Strip, ...]
    more_strips: int
    sheets: tuple[Sheet, ...]
    more_sheets: int
    curves: tuple[Curve, ...]
    heat_map: HeatMap | None
    leaks: HeatMap | None
    drags_from: float
    groups: Sequence[GroupChange]
    signs: bool
    effects: bool
    limits: tuple[tuple[str, str], ...]
    settings: tuple[tuple[str, str], ...]
    range_used: str
    other_range: str | None
    notices: tuple[str, ...]


class Source:
    """An audit folder, finished or not, and what its records come to. Raises `AuditError`."""

    def __init__(self, audit: Path) -> None:
        self.audit = audit
        self.diagnosis = Diagnosis.load(audit)
        self.summary = self.diagnosis.summary()
        self.config = self.diagnosis.config
        self.target = self.config.target or "the model"
        self.names = {a: short_name(a, self.config.neutral) for a in self.diagnosis.attributes}
        self.task = task_of(self.config, self.diagnosis.records)
        self.finished = (audit / SUMMARY).exists()
        gallery, order = Gallery.load(audit), self.order
        self.strips = [strip for strip in gallery.strips if strip.attribute in (None, *order)]
        known = (sheet for sheet in gallery.sheets if sheet.attribute in order)
        self.sheets = sorted(known, key=lambda sheet: order.index(sheet.attribute))

    @cached_property
    def order(self) -> list[Attribute]:
        """The attributes, most sensitive first."""
        return [row.attribute for row in self.summary.sensitivity]

    def sides(self, attribute: Attribute) -> tuple[Side, Side]:
        """What removing and adding the attribute does; of no images in multi mode, where none moves alone."""
        diagnosis = self.diagnosis
        if diagnosis.mode == "multi":
            return Side(()), Side(())
        column = diagnosis.attributes.index(attribute)
        return sides(diagnosis.of(attribute), column, self.task, self.config.ranges[column])

    @cached_property
    def counts(self) -> dict[Attribute | None, Counts]:
        """Under None of the images whatever the attribute; in single mode of each attribute too."""
        diagnosis, least = self.diagnosis, self.config.decisive_change
        attributes = () if diagnosis.mode == "multi" else diagnosis.attributes
        counts: dict[Attribute | None, Counts] = {None: Counts.of(diagnosis.records, least=least)}
        return counts | {attribute: Counts.of(diagnosis.of(attribute), least=least) for attribute in attributes}

    @property
    def expected(self) -> int | None:
        """How many measurements the finished audit has, None where the manifest does not say."""
        config = self.config
        if config.images is None:
            return None
        return sum(config.measurements(config.images))

    @property
    def progress(self) -> str:
        """How far an unfinished audit is."""
        of = "" if self.expected is None else f" of {self.expected}"
        return f"{self.summary.units + len(self.diagnosis.null)}{of} measurements"

    @property
    def records_hash(self) -> str:
        """SHA-256 of the records' file, hex: which evidence a signature is under."""
        return hashlib.sha256((self.audit / RECORDS).read_bytes()).hexdigest()

    @property
    def headline(self) -> str:
        return sentences.headline(self.summary, self.names, self.counts, self.task, unfinished=not self.finished)

    @property
    def audited(self) -> str:
        """What of the model is watched, on what, under which edits."""
        return sentences.audited(self.summary, self.config, self.task)

    @property
    def verdict(self) -> sentences.Verdict:
        return sentences.certainty(self.summary, self.names, self.task, unfinished=not self.finished)

    @property
    def unit(self) -> str:
        """What the bars show."""
        return sentences.unit(self.summary)

    @property
    def search(self) -> str:
        return sentences.search_sentence(self.config)

    def first_strip(self, attribute: Attribute) -> StripEntry | None:
        """The strip that stands for an attribute: the first of it, in multi mode of all."""
        return next((strip for strip in self.strips if strip.attribute in (None, attribute)), None)

    def load(self, strip: StripEntry, budget: Budget, *, ends: bool = False) -> Strip:
        """A strip with its pictures; of `ends` only the first and the last."""
        name = "all attributes together" if strip.attribute is None else self.names[strip.attribute]
        counts = self.counts.get(strip.attribute, self.counts[None])
        standing = sentences.standing(strip, counts, self._alike(strip), self.task, least=self.config.decisive_change)
        frames = load_frames(self.audit, strip, name=name, corner=self.task.corner, budget=budget, ends=ends)
        files = self.config.photographs
        source = f"Seed {strip.seed}" if not files or strip.image is None else f"Photograph {files[strip.image]}"
        return Strip(
            number=next(number for number, one in enumerate(self.strips) if one is strip),
            attribute=None if strip.attribute is None else self.order.index(strip.attribute),
            name=name,
            source=source,
            label_kept=strip.label_kept,
            ssim=strip.ssim,
            standing=standing,
            kind="extreme" if strip.extreme else strip.kind or "example",
            way=sentences.way(strip),
            flips_at=sentences.flips_at(strip),
            shown=1 if ends else len(strip.way) - 1,
            frames=frames,
        )

    def _alike(self, strip: StripEntry) -> int:
        """How many images flip decisively as the strip's does."""
        return sum(
            self.diagnosis.is_decisive(record) and direction_of(record, record.output, self.task) == strip.direction
            for record in self.diagnosis.of(strip.attribute)
        )


def task_of(config: Config, records: Sequence[Record]) -> Task:
    """The task of an audited target. Where the manifest does not describe it the recorded outputs tell: one number is
    a probability, several are those of classes. Raises `AuditError` for a task that is not known here."""
    try:
        if config.task:
            return task_from_dict(config.task)
    except TargetError as error:
        raise AuditError(f"the audit's outputs cannot be read: {error}") from error
    count = len(records[0].original_output) if records else 1
    return BinaryTask() if count == 1 else MultiClassTask(classes=tuple(map(str, range(count))))


def read_page(source: Source, budget: Budget) -> Page:
    """The report of an audit folder, with pictures within `budget`. Raises `AuditError`."""
    summary, config, manifest = source.summary, source.config, source.diagnosis.manifest
    used = config.edit_range
    other = next(
        (name for name in ("paper", "calibrated") if any(row.within(name) for row in summary.sensitivity)), None
    )
    axis = FULL
    called = first_called(summary)
    proof = source.first_strip(source.order[0] if called is None else called.attribute)
    beyond = _beyond(source.diagnosis.records, used, other)
    return Page(
        source=source,
        proof=None if proof is None else source.load(proof, budget, ends=True),
        directions=tuple(_directions(source)),
        missed=missed(summary),
        next=what_now(summary, source.names, unfinished=not source.finished),
        weak=is_weak(summary),
        calls=tuple(calls(summary, source.names, smallest_effect=config.smallest_effect)),
        rows=tuple(_rows(source, axis)),
        axis=axis,
        photographs=read_shown(source.audit, summary, source.names, budget),
        strips=tuple(source.load(strip, budget) for strip in source.strips[: budget.strips]),
        more_strips=max(0, len(source.strips) - budget.strips),
        sheets=tuple(_sheet(source, sheet, budget) for sheet in source.sheets[: budget.sheets]),
        more_sheets=max(0, len(source.sheets) - budget.sheets),
        curves=tuple(_curves(source, budget)),
        effects=any(row.effect is not None for row in summary.sensitivity),
        groups=next((row.groups for row in summary.sensitivity if row.value is not None), ()),
        signs=any(row.signed_change is not None for row in summary.sensitivity),
        drags_from=DRAGS,
        leaks=leak_table(summary, source.names),
        heat_map=heat_map(source.diagnosis, source.task, {a: source.names[a] for a in source.order}),
        limits=tuple(limits(summary, config, source.names, source.counts[None], beyond=beyond)),
        settings=tuple(_flat({key: value for key, value in manifest.to_json().items() if key != "format"})),
        range_used=used,
        other_range=other,
        notices=tuple(f"{text[:1].upper()}{text[1:]}." for text in manifest.notices),
    )


def _rows(source: Source, axis: Axis) -> Iterator[Row]:
    for row in source.summary.sensitivity:
        bar = bar_for(axis, row.value, row.interval, source.summary.null)
        drags = tuple(dragged(source.summary, row.attribute, source.names))
        yield Row(source.names[row.attribute], row, source.counts.get(row.attribute), bar, drags)


def _directions(source: Source) -> Iterator[tuple[str, str]]:
    """In which direction the output moves, of what is called; where nothing is, of what moves it most, unless that is
    below or small. Outputs of several numbers have no direction."""
    summary, task = source.summary, source.task
    if not source.diagnosis.records or len(source.diagnosis.records[0].original_output) > 1:
        return
    rows = [row for row in summary.sensitivity if row.called == "called"]
    if not rows:
        first = summary.sensitivity[:1]
        rows = [row for row in first if row.called != "below" and (row.value or 0.0) >= task.small]
    for row in rows[:MOST_DIRECTIONS]:
        if told := sentences.direction(*source.sides(row.attribute), task.curve, hardly=task.hardly):
            yield source.names[row.attribute], told


def _sheet(source: Source, sheet: SheetEntry, budget: Budget) -> Sheet:
    used = source.config.ranges[source.config.attributes.index(sheet.attribute)]
    place = source.order.index(sheet.attribute)
    return load_sheet(
        source.audit, sheet, attribute=place, name=source.names[sheet.attribute], used=used, budget=budget
    )


def _curves(source: Source, budget: Budget) -> Iterator[Curve]:
    """Response curves in the order of the histogram; none in multi mode, where no attribute moves alone."""
    diagnosis, task = source.diagnosis, source.task
    if diagnosis.mode == "multi":
        return
    bound, ranges = source.config.bound, source.config.calibrated_range
    columns = {attribute: diagnosis.attributes.index(attribute) for attribute in source.order}
    found = {a: response_curve(diagnosis.of(a), column, task) for a, column in columns.items()}
    curves = {attribute: curve for attribute, curve in found.items() if curve is not None}
    axis = task.axis or (0.0, axis_for([*(float(c.high.max()) for c in curves.values()), task.boundary or 0.0]).end)
    for attribute, curve in curves.items():
        number, points = _points_of(source, attribute, budget)
        plot = curve_plot(
            curve,
            calibrated=ranges[columns[attribute]] if ranges else None,
            boundary=task.boundary,
            axis=axis,
            bound=bound,
            points=points,
        )
        told = sentences.effect(*source.sides(attribute), hardly=task.hardly)
        yield Curve(source.order.index(attribute), source.names[attribute], plot, told, number)


def _points_of(source: Source, attribute: Attribute, budget: Budget) -> tuple[int | None, list[tuple[float, float]]]:
    """The number of the first strip of an attribute and its points, (edit weight, output); none where the page does not
    show the strip, and of galleries of older versions."""
    shown = enumerate(source.strips[: budget.strips])
    number, strip = next(((number, strip) for number, strip in shown if strip.attribute == attribute), (None, None))
    points = [
        (frame.weight, frame.followed)
        for frame in (strip.frames if strip else ())
        if frame.weight is not None and frame.followed is not None
    ]
    return (number, points) if strip and len(points) == len(strip.frames) else (None, [])


def _beyond(records: Sequence[Record], used: str, other: str | None) -> float | None:
    """Of the units that flip within the paper's range, the share that does not within the calibrated one."""
    if other is None or used == other:
        return None
    pairs = [(record.flipped, (there := record.within(other)) and there.flipped) for record in records]
    paper = [(mine, there) if other == "paper" else (there, mine) for mine, there in pairs]
    flips = [calibrated for calibrated, wide in paper if wide]
    return sum(not calibrated for calibrated in flips) / len(flips) if flips else None


def _flat(value: Any, key: str = "") -> Iterator[tuple[str, str]]:
    """The manifest as (dotted name, text) pairs."""
    if isinstance(value, dict) and value:
        for name, child in value.items():
            yield from _flat(child, f"{key}.{name}" if key else str(name))
    elif isinstance(value, list) and value and all(isinstance(item, str | int | float) for item in value):
        yield key, ", ".join(str(_rounded(item)) for item in value)
    else:
        yield (
            key,
            (value or "–") if isinstance(value, str) else json.dumps(_rounded(value), ensure_ascii=False),
        )


def _rounded(value: Any) -> Any:
    """Numbers as people read them: six digits; manifest.json has them all."""
    if isinstance(value, list):
        return [_rounded(item) for item in value]
    return float(f"{value:.6g}") if isinstance(value, float) else value
