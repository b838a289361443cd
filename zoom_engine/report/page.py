"""The contents of a report, gathered from an audit folder: all that the templates need, nothing that they must compute.

Of the manifest it uses what `Config` has; the rest is shown as it is.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from zoom_engine.audit.gallery_file import SheetEntry, StripEntry
from zoom_engine.audit.records import Record
from zoom_engine.audit.summary import GroupChange, GroupDifference, Sensitivity
from zoom_engine.report import sentences
from zoom_engine.report.charts import FULL, Axis, Bar, CurvePlot, bar_for, curve_plot, ends_for
from zoom_engine.report.curves import response_curve
from zoom_engine.report.heat_map import HeatMap, heat_map
from zoom_engine.report.image_grid import ImageGrids
from zoom_engine.report.limits import limits
from zoom_engine.report.photographs import Photographs, read_shown
from zoom_engine.report.pictures import LINE_BUDGET, Budget
from zoom_engine.report.provenance import provenance, without_folders
from zoom_engine.report.side_effects import side_effect_table, side_effects_of
from zoom_engine.report.source import Source
from zoom_engine.report.strips import Sheet, Strip, load_sheet
from zoom_engine.report.verdicts import (
    VerdictGroup,
    chances,
    detectable,
    in_units,
    is_weak,
    leading,
    next_steps,
    no_further_than_control,
    verdict_groups,
    weak_from,
)
from zoom_engine.settings.attributes import Attribute
from zoom_engine.statistics.counts import Counts
from zoom_engine.statistics.effects import LARGE_SIDE_EFFECT
from zoom_engine.statistics.table import analyses_in_words, differences_in_words, not_compared

MOST_DIRECTIONS = 3


@dataclass(frozen=True)
class Row:
    """One attribute of the histogram and of the table.

    `control`: see `no_further_than_control`; `in_units`: its figure in the unit of the task, "" where that is the same;
    `images`: the anchor of the grid of its pictures, "" without one.
    """

    name: str
    figures: Sensitivity
    counts: Counts | None
    bar: Bar
    side_effects: tuple[str, ...]
    control: bool
    in_units: str
    images: str


@dataclass(frozen=True)
class Curve:
    """One small response plot.

    Attributes:
        attribute: its index in the histogram.
        name: of the attribute.
        plot: the layout.
        effect: in words.
        strip: the number of the strip whose pictures lie at the points of the plot; None where the page has none.
        scale: what the plot goes over.
        unit: of it, in words; "" where it has none.
    """

    attribute: int
    name: str
    plot: CurvePlot
    effect: str
    strip: int | None
    scale: str
    unit: str = ""


@dataclass(frozen=True)
class Page:
    """A whole report; `alone` where it is to be read without the audit's folder."""

    source: Source
    proof: Strip | None
    typical: Strip | None
    meaning: tuple[str, ...]
    directions: tuple[tuple[str, str], ...]
    verdicts: tuple[VerdictGroup, ...]
    chances: tuple[tuple[str, str], ...]
    detectable: str
    steps: tuple[str, ...]
    looked: str
    weak: bool
    weak_from: float
    rows: tuple[Row, ...]
    axis: Axis
    photographs: Photographs | None
    strips: tuple[Strip, ...]
    more_strips: int
    sheets: tuple[Sheet, ...]
    more_sheets: int
    curves: tuple[Curve, ...]
    heat_map: HeatMap | None
    side_effects: HeatMap | None
    side_effects_from: float
    groups: Sequence[GroupChange]
    differences: Sequence[GroupDifference]
    interactions: tuple[str, ...]
    not_compared: tuple[str, ...]
    signs: bool
    effects: bool
    limits: tuple[tuple[str, str], ...]
    provenance: tuple[tuple[str, str], ...]
    settings: tuple[tuple[str, str], ...]
    range_used: str
    other_range: str | None
    notices: tuple[str, ...]
    images: ImageGrids | None
    alone: bool


def read_page(source: Source, budget: Budget, images: ImageGrids | None = None, *, alone: bool = False) -> Page:
    """Read the report of an audit folder, with pictures within `budget`, and with the grids `images`.

    Raises:
        AuditError: something in the folder cannot be read.
    """
    summary, config, manifest = source.summary, source.config, source.diagnosis.manifest
    used = config.edit_range
    other = next(
        (name for name in ("paper", "calibrated") if any(row.within(name) for row in summary.sensitivity)), None
    )
    axis = FULL
    proof = source.proof
    typical = source.leading and source.first_strip(source.leading)

    def load(strip: StripEntry, budget: Budget, *, ends: bool = False, flips_said: bool = False) -> Strip:
        loaded = source.load(strip, budget, ends=ends, flips_said=flips_said)
        return loaded if images is None else images.linked(loaded)

    beyond = _beyond(source.diagnosis.records, used, other)
    return Page(
        source=source,
        proof=load(proof, budget, ends=True) if proof else None,
        typical=(
            load(typical, LINE_BUDGET, ends=True, flips_said=True)  # by the proof at least
            if typical and typical is not proof
            else None
        ),
        meaning=tuple(source.meaning),
        directions=tuple(_directions(source)),
        chances=tuple(chances(summary, config, source.view)),
        detectable=detectable(summary, source.view),
        steps=tuple(next_steps(summary, config, source.names, unfinished=not source.finished)),
        looked=analyses_in_words(summary),
        weak=is_weak(summary, config),
        weak_from=weak_from(config),
        verdicts=tuple(verdict_groups(summary, config, source.names, source.view, unfinished=not source.finished)),
        rows=tuple(_rows(source, axis, images)),
        axis=axis,
        photographs=read_shown(source.audit, summary, source.names, budget),
        strips=tuple(load(strip, budget) for strip in source.strips[: budget.strips]),
        more_strips=max(0, len(source.strips) - budget.strips),
        sheets=tuple(_sheet(source, sheet, budget) for sheet in source.sheets[: budget.sheets]),
        more_sheets=max(0, len(source.sheets) - budget.sheets),
        curves=tuple(_curves(source, budget)),
        effects=summary.is_judged_at_end,
        groups=_largest([row.groups for row in summary.sensitivity if row.groups]),
        differences=next((row.differences for row in summary.sensitivity if row.value is not None), ()),
        interactions=tuple(differences_in_words(summary, source.names)),
        not_compared=tuple(not_compared(summary)),
        signs=any(row.signed_change is not None for row in summary.sensitivity),
        side_effects_from=LARGE_SIDE_EFFECT,
        side_effects=side_effect_table(summary, source.names, sentences.score(source.config)),
        heat_map=heat_map(source.diagnosis, source.view, {a: source.names[a] for a in source.order}),
        limits=tuple(
            limits(
                summary,
                manifest,
                source.names,
                source.counts[None],
                beyond=beyond,
                edited={attribute: len(source.diagnosis.edited(attribute)) for attribute in source.order},
                not_edited=source.not_edited,
            )
        ),
        provenance=tuple(provenance(manifest)),
        settings=tuple(_flat({k: v for k, v in without_folders(manifest.to_json()).items() if k != "format"})),
        range_used=used,
        other_range=other,
        notices=tuple(f"{text[:1].upper()}{text[1:]}." for text in manifest.notices),
        images=images,
        alone=alone,
    )


def _rows(source: Source, axis: Axis, images: ImageGrids | None) -> Iterator[Row]:
    for row in source.summary.sensitivity:
        bar = bar_for(axis, row.value, row.interval, source.summary.baseline)
        side_effects = tuple(side_effects_of(source.summary, row.attribute, source.names))
        control = no_further_than_control(source.summary, row)
        grid = "" if images is None else images.anchor_of(row.attribute, source.order)
        units = "" if row.value is None or row.mode == "multi" else source.view.change_in_words(row.value)
        told = units and in_units(source.view, row.value or 0.0, row.interval)
        counts = source.counts.get(row.attribute)
        yield Row(source.names[row.attribute], row, counts, bar, side_effects, control, told, grid)


def _largest(groups: Sequence[Sequence[GroupChange]]) -> tuple[GroupChange, ...]:
    """Return each group as the attribute has it that was measured on most of its images."""
    return tuple(max(group, key=lambda one: one.images) for group in zip(*groups, strict=True))


def _directions(source: Source) -> Iterator[tuple[str, str]]:
    """Yield in which direction the output moves, for what a headline names.

    Where that is nothing, it is the attribute that moves the output most, unless that is negligible or small. Outputs
    of several numbers have no direction.
    """
    summary, view = source.summary, source.view
    if not source.diagnosis.records or len(source.diagnosis.records[0].original_output) > 1:
        return
    rows = leading(summary)
    if not rows:
        first = summary.sensitivity[:1]
        rows = [row for row in first if row.verdict != "negligible" and (row.value or 0.0) >= view.negligible_change]
    axis = view.response_axis
    for row in rows[:MOST_DIRECTIONS]:
        if told := sentences.direction(
            *source.sides(row.attribute), axis.label, negligible=axis.negligible, verbs=source.verbs
        ):
            yield source.names[row.attribute], told


def _sheet(source: Source, sheet: SheetEntry, budget: Budget) -> Sheet:
    used = source.config.ranges[source.config.attributes.index(sheet.attribute)]
    place = source.order.index(sheet.attribute)
    return load_sheet(
        source.audit, sheet, attribute=place, name=source.names[sheet.attribute], used=used, budget=budget
    )


def _curves(source: Source, budget: Budget) -> Iterator[Curve]:
    """Yield response curves in the order of the histogram; none in multi mode, where no attribute moves alone."""
    diagnosis, response = source.diagnosis, source.view.response_axis
    if diagnosis.mode == "multi":
        return
    config = source.config
    ranges = config.calibrated_range
    columns = {attribute: diagnosis.attributes.index(attribute) for attribute in source.order}
    by_attribute = {a: response_curve(diagnosis.edited(a), column, source.view) for a, column in columns.items()}
    curves = {attribute: curve for attribute, curve in by_attribute.items() if curve is not None}
    strips = {attribute: _points_of(source, attribute, budget) for attribute in curves}
    axis = ends_for(response, list(curves.values()), [point for _, points in strips.values() for point in points])
    for attribute, curve in curves.items():
        number, points = strips[attribute]
        plot = curve_plot(
            curve,
            calibrated=ranges[columns[attribute]] if ranges else None,
            boundary=response.boundary,
            axis=axis,
            bound=config.bound if config.edits is None else max(map(abs, config.ranges[columns[attribute]])),
            points=points,
        )
        told = sentences.effect(*source.sides(attribute), negligible=response.negligible, verbs=source.verbs)
        scale = "edit weight" if config.edits is None else "strength"
        edit = source.edit_of(attribute)
        unit = "" if edit is None else edit.unit
        yield Curve(source.order.index(attribute), source.names[attribute], plot, told, number, scale, unit)


def _points_of(source: Source, attribute: Attribute, budget: Budget) -> tuple[int | None, list[tuple[float, float]]]:
    """Return the number of the first strip of an attribute and its points (edit weight, output).

    There are none where the page does not show the strip, and in galleries of older versions.
    """
    shown = enumerate(source.strips[: budget.strips])
    number, strip = next(((number, strip) for number, strip in shown if strip.attribute == attribute), (None, None))
    points = [
        (frame.weight, frame.followed)
        for frame in (strip.frames if strip else ())
        if frame.weight is not None and frame.followed is not None
    ]
    return (number, points) if strip and len(points) == len(strip.frames) else (None, [])


def _beyond(records: Sequence[Record], used: str, other: str | None) -> float | None:
    """Return, of the trials that flip within the paper's range, the fraction that does not in the calibrated one."""
    if other is None or used == other:
        return None
    pairs = [(record.flipped, (outcome := record.within(other)) and outcome.flipped) for record in records]
    flips = [calibrated for calibrated, wide in (pair if other == "paper" else pair[::-1] for pair in pairs) if wide]
    return sum(not calibrated for calibrated in flips) / len(flips) if flips else None


def _flat(value: object, key: str = "") -> Iterator[tuple[str, str]]:
    """Yield the manifest as (dotted name, text) pairs."""
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


def _rounded(value: object) -> Any:
    """Round numbers as people read them, to six digits; manifest.json has them all."""
    if isinstance(value, list):
        return [_rounded(item) for item in value]
    return float(f"{value:.6g}") if isinstance(value, float) else value
