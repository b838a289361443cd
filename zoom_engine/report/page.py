"""What a report shows, gathered from an audit folder: all that the templates need, nothing they must compute.

Of the manifest's `config`, beside what `Diagnosis` needs, these are used where they are there: `neutral` and
`target` (str), `images` (int), `labels` (list of str), `bound` (float, the paper's range), `edit_range`
("calibrated" or "paper"), `calibrated_range` ([low, high] per attribute, edit weights), `decisive_change` (float),
`target_details` (`note` and `task`), `search_reason` (str) and `directions` (`strength` and `noise_floor` per
attribute). The rest is shown as it is. Of its `environment`, `notices` (list of str) opens the page.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from zoom_engine.audit.diagnosis import Diagnosis
from zoom_engine.audit.folder import SUMMARY
from zoom_engine.audit.outputs import Counts, OutputReading
from zoom_engine.audit.records import Record
from zoom_engine.report import sentences
from zoom_engine.report.charts import Axis, Bar, CurvePlot, axis_for, bar_for, curve_plot
from zoom_engine.report.curves import response_curve
from zoom_engine.report.limits import limits
from zoom_engine.report.pictures import Budget
from zoom_engine.report.strips import Sheet, Strip, load_frames, load_sheet, read_gallery


@dataclass(frozen=True)
class Row:
    """One attribute of the histogram and of the table."""

    name: str
    attribute: str
    figures: dict[str, Any]
    counts: Counts | None
    value: float | None
    interval: Sequence[float] | None
    bar: Bar


@dataclass(frozen=True)
class Curve:
    """One small response plot."""

    name: str
    plot: CurvePlot
    effect: str


@dataclass(frozen=True)
class Page:
    """A whole report."""

    source: Source
    proof: Strip | None
    rows: tuple[Row, ...]
    axis: Axis
    strips: tuple[Strip, ...]
    more_strips: int
    sheets: tuple[Sheet, ...]
    more_sheets: int
    curves: tuple[Curve, ...]
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
        self.config: dict[str, Any] = self.diagnosis.manifest["config"]
        self.target = str(self.config.get("target") or "the model")
        neutral = str(self.config.get("neutral") or "")
        self.names = {a: sentences.short_name(a, neutral) for a in self.diagnosis.attributes}
        self.reading = OutputReading.of(self.config, self.diagnosis.records)
        self.finished = (audit / SUMMARY).exists()
        self.strips, self._sheets = read_gallery(audit)

    @property
    def order(self) -> list[str]:
        """The attributes, most sensitive first."""
        return [row["attribute"] for row in self.summary["sensitivity"]]

    @property
    def sheets(self) -> list[dict[str, Any]]:
        order = self.order
        return sorted(
            (sheet for sheet in self._sheets if sheet["attribute"] in order), key=lambda s: order.index(s["attribute"])
        )

    @cached_property
    def counts(self) -> dict[str | None, Counts]:
        """Under None of the images whatever the attribute; in single mode of each attribute too."""
        attributes = () if self.diagnosis.mode == "multi" else self.diagnosis.attributes
        found: dict[str | None, list[Record]] = {None: list(self.diagnosis.records), **{a: [] for a in attributes}}
        for record in self.diagnosis.records if attributes else ():
            found[record.attribute].append(record)
        return {attribute: Counts.of(records, self.reading) for attribute, records in found.items()}

    @property
    def expected(self) -> int | None:
        """How many measurements the finished audit has, None where the manifest does not say."""
        images = self.config.get("images")
        units = len(self.diagnosis.attributes) if self.diagnosis.mode == "single" else 1
        return images * units if isinstance(images, int) and not isinstance(images, bool) else None

    @property
    def progress(self) -> str:
        """How far an unfinished audit is."""
        of = "" if self.expected is None else f" of {self.expected}"
        return f"{self.summary['units']}{of} measurements"

    @property
    def headline(self) -> str:
        return sentences.headline(self.summary, self.names, self.counts, unfinished=not self.finished)

    @property
    def verdict(self) -> sentences.Verdict:
        return sentences.certainty(self.summary, self.names, unfinished=not self.finished)

    @property
    def unit(self) -> str:
        """What the bars show."""
        return sentences.unit(self.summary)

    @property
    def search(self) -> str:
        return sentences.search_sentence(self.config)

    def values(self) -> dict[str, tuple[float | None, Sequence[float] | None]]:
        """What each attribute is ranked by, with its interval."""
        return {row["attribute"]: sentences.value_of(row) for row in self.summary["sensitivity"]}

    def first_strip(self, attribute: str) -> dict[str, Any] | None:
        """The strip that stands for an attribute: the first of it, in multi mode of all."""
        return next((strip for strip in self.strips if strip["attribute"] in (None, attribute)), None)

    def load(self, strip: dict[str, Any], budget: Budget, *, ends: bool = False) -> Strip:
        """A strip with its pictures; of `ends` only the first and the last."""
        name = self.names.get(strip["attribute"], "all attributes together")
        counts = self.counts.get(strip["attribute"], self.counts[None])
        standing = sentences.standing(strip, counts, self._alike(strip), self.reading)
        frames = load_frames(self.audit, strip, name=name, corner=self.reading.corner, budget=budget, ends=ends)
        return Strip(name, strip["seed"], strip["label_kept"], strip["ssim"], standing, frames)

    def _alike(self, strip: dict[str, Any]) -> int:
        """How many images flip decisively as the strip's does."""
        return sum(
            record.attribute == strip["attribute"]
            and self.reading.decisive(record)
            and list(self.reading.direction(record)) == strip.get("direction")
            for record in self.diagnosis.records
        )


def read_page(source: Source, budget: Budget) -> Page:
    """The report of an audit folder, with pictures within `budget`. Raises `AuditError`."""
    summary, config = source.summary, source.config
    used = str(config.get("edit_range") or "paper")
    other = next((name for name in ("paper", "calibrated") if _has(summary, name)), None)
    axis = axis_of([source])
    proof = source.first_strip(source.order[0])
    beyond = _beyond(source.diagnosis.records, used, other)
    change = source.reading.decisive_change
    return Page(
        source=source,
        proof=None if proof is None else source.load(proof, budget),
        rows=tuple(_rows(source, axis)),
        axis=axis,
        strips=tuple(source.load(strip, budget) for strip in source.strips[: budget.strips]),
        more_strips=max(0, len(source.strips) - budget.strips),
        sheets=tuple(_sheet(source, sheet, budget) for sheet in source.sheets[: budget.sheets]),
        more_sheets=max(0, len(source.sheets) - budget.sheets),
        curves=tuple(_curves(source)),
        limits=tuple(limits(summary, config, source.names, source.counts[None], decisive_change=change, beyond=beyond)),
        settings=tuple(_flat({key: value for key, value in source.diagnosis.manifest.items() if key != "format"})),
        range_used=used,
        other_range=other,
        notices=sentences.notices(source.diagnosis.manifest),
    )


def axis_of(sources: Sequence[Source]) -> Axis:
    """One axis for the histograms of all, so that their bars compare by eye."""
    values = [one for source in sources for one in source.values().values()]
    return axis_for([interval[-1] if interval else value or 0.0 for value, interval in values])


def _rows(source: Source, axis: Axis) -> Iterator[Row]:
    for figures in source.summary["sensitivity"]:
        attribute = figures["attribute"]
        value, interval = sentences.value_of(figures)
        bar = bar_for(axis, value, interval)
        yield Row(source.names[attribute], attribute, figures, source.counts.get(attribute), value, interval, bar)


def _sheet(source: Source, sheet: dict[str, Any], budget: Budget) -> Sheet:
    attribute = sheet["attribute"]
    used = source.diagnosis.ranges()[source.diagnosis.attributes.index(attribute)].tolist()
    return load_sheet(source.audit, sheet, name=source.names[attribute], used=used, budget=budget)


def _curves(source: Source) -> Iterator[Curve]:
    """Response curves in the order of the histogram; none in multi mode, where no attribute moves alone."""
    diagnosis, reading = source.diagnosis, source.reading
    if diagnosis.mode == "multi":
        return
    bound, ranges = float(source.config.get("bound") or 0.0), source.config.get("calibrated_range")
    for attribute in source.order:
        records = [record for record in diagnosis.records if record.attribute == attribute]
        column = diagnosis.attributes.index(attribute)
        curve = response_curve(records, column, reading)
        if curve is None:
            continue
        calibrated = ranges[column] if ranges else None
        low, high = calibrated or (curve.weights[0], curve.weights[-1])
        yield Curve(
            source.names[attribute],
            curve_plot(curve, calibrated=calibrated, boundary=reading.boundary, bound=bound),
            sentences.effect(curve.change_at(low) if low < 0 else None, curve.change_at(high) if high > 0 else None),
        )


def _has(summary: dict[str, Any], name: str) -> bool:
    return any(name in row for row in summary["sensitivity"])


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
