"""What a report shows, gathered from an audit folder: all that the templates need, nothing they must compute.

Of the manifest's `config`, beside what `Diagnosis` needs, these are used where they are there: `neutral` and
`target` (str), `images` (int), `labels` (list of str), `bound` (float, the paper's range), `edit_range`
("calibrated" or "paper"), `calibrated_range` ([low, high] per attribute, edit weights), `target_details`
(`note` and `task.classes`), `search_reason` (str) and `directions` (`strength` and `noise_floor` per attribute).
The rest is shown as it is. Of its `environment`, `notices` (list of str) opens the page.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from zoom_engine.audit_folder import SUMMARY
from zoom_engine.diagnosis import Diagnosis
from zoom_engine.errors import AuditError
from zoom_engine.records import Record
from zoom_engine.report import words
from zoom_engine.report.charts import Axis, Bar, CurvePlot, axis_for, bar_for, curve_plot
from zoom_engine.report.curves import response_curve
from zoom_engine.report.pictures import Budget, Picture, load_picture
from zoom_engine.tables import signed

GALLERY = "gallery.json"


@dataclass(frozen=True)
class Row:
    """One attribute of the histogram and of the table."""

    name: str
    attribute: str
    figures: dict[str, Any]
    value: float | None
    interval: Sequence[float] | None
    bar: Bar


@dataclass(frozen=True)
class Frame:
    """One picture of a strip with the model's output (its corner) and the edit weight, if it has one."""

    picture: Picture
    caption: str
    weight: str | None
    alt: str


@dataclass(frozen=True)
class Strip:
    """One unit's way from the original to the edited picture."""

    name: str
    seed: int
    flipped: bool
    label_kept: bool | None
    ssim: float | None
    before: str
    after: str
    frames: tuple[Frame, ...]


@dataclass(frozen=True)
class Sheet:
    """The pictures of one edit direction: `rows` of images over `weights`."""

    name: str
    weights: tuple[str, ...]
    rows: tuple[tuple[Frame, ...], ...]


@dataclass(frozen=True)
class Curve:
    """One small response plot."""

    name: str
    plot: CurvePlot
    effect: str


@dataclass(frozen=True)
class Page:
    """A whole report."""

    target: str
    output: str
    proof: Strip | None
    headline: str
    verdict: str
    certainty: str
    search: str
    summary: dict[str, Any]
    config: dict[str, Any]
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
    boundary: bool
    finished: bool
    notices: tuple[str, ...]


def read_page(audit: Path, budget: Budget) -> Page:
    """Gather the report of the audit folder `audit`, with pictures within `budget`. Raises `AuditError`."""
    diagnosis = Diagnosis.load(audit)
    manifest, summary, config = diagnosis.manifest, diagnosis.summary(), diagnosis.manifest["config"]
    neutral = str(config.get("neutral") or "")
    names = {attribute: words.short_name(attribute, neutral) for attribute in diagnosis.attributes}
    used = str(config.get("edit_range") or "paper")
    other = next((name for name in ("paper", "calibrated") if _has(summary, name)), None)
    binary = bool(diagnosis.records) and len(diagnosis.records[0]["original_output"]) == 1
    output = _output_name(config, binary)
    gallery = _read_gallery(audit)
    strips, sheets = gallery.get("strips", []), gallery.get("sheets", [])
    order = [row["attribute"] for row in summary["sensitivity"]]
    sheets = sorted(sheets, key=lambda sheet: order.index(sheet["attribute"]) if sheet["attribute"] in order else -1)
    proof = _most_telling(strips, diagnosis.records, order)
    verdict, certainty = words.certainty(summary, names)
    rows = _rows(summary, names)
    images = config.get("images")
    units = len(diagnosis.attributes) if diagnosis.mode == "single" else 1
    expected = images * units if isinstance(images, int) and not isinstance(images, bool) else None
    return Page(
        target=str(config.get("target") or "the model"),
        output=output,
        headline=words.headline(summary, names),
        verdict=verdict,
        certainty=certainty,
        search=words.search_sentence(config),
        summary=summary,
        config=config,
        rows=tuple(rows),
        axis=_axis(summary),
        proof=None if proof is None else _strip(audit, proof, names, budget, output),
        strips=tuple(_strip(audit, strip, names, budget, output) for strip in strips[: budget.strips]),
        more_strips=max(0, len(strips) - budget.strips),
        sheets=tuple(_sheet(audit, sheet, names, budget) for sheet in sheets[: budget.sheets]),
        more_sheets=max(0, len(sheets) - budget.sheets),
        curves=tuple(_curves(diagnosis, order, names, binary)),
        limits=tuple(
            words.limits(summary, config, names, beyond=_beyond(diagnosis.records, used, other), expected=expected)
        ),
        settings=tuple(_flat({key: value for key, value in manifest.items() if key != "format"})),
        range_used=used,
        other_range=other,
        boundary=binary,
        finished=(audit / SUMMARY).exists(),
        notices=words.notices(manifest),
    )


def same_axis(pages: Sequence[Page]) -> list[Page]:
    """The pages with their histograms on one common axis, so that bars of different audits compare by eye."""
    axis = max((page.axis for page in pages), key=lambda axis: axis.end, default=axis_for([]))
    return [
        replace(
            page,
            axis=axis,
            rows=tuple(replace(row, bar=bar_for(axis, row.value, row.interval)) for row in page.rows),
        )
        for page in pages
    ]


def _rows(summary: dict[str, Any], names: dict[str, str]) -> Iterator[Row]:
    axis, single = _axis(summary), summary["mode"] == "single"
    for figures in summary["sensitivity"]:
        value = figures["mean_change"] if single else figures["range_share"]
        interval = figures["ci95"] if single else figures["range_share_ci95"]
        attribute = figures["attribute"]
        yield Row(names[attribute], attribute, figures, value, interval, bar_for(axis, value, interval))


def _axis(summary: dict[str, Any]) -> Axis:
    ends = [row["ci95"] or [row["mean_change"] or 0.0] for row in summary["sensitivity"]]
    if summary["mode"] == "multi":
        ends = [row["range_share_ci95"] or [row["range_share"] or 0.0] for row in summary["sensitivity"]]
    return axis_for([end[-1] for end in ends])


def _curves(
    diagnosis: Diagnosis,
    order: Sequence[str],
    names: dict[str, str],
    binary: bool,
) -> Iterator[Curve]:
    """Response curves in the order of the histogram; none in multi mode, where no attribute moves alone."""
    if diagnosis.mode == "multi":
        return
    config = diagnosis.manifest["config"]
    bound, ranges = float(config.get("bound") or 0.0), config.get("calibrated_range")
    for attribute in order:
        records = [record for record in diagnosis.records if record["attribute"] == attribute]
        column = diagnosis.attributes.index(attribute)
        curve = response_curve(records, column)
        if curve is None:
            continue
        calibrated = ranges[column] if ranges else None
        low, high = calibrated or (curve.weights[0], curve.weights[-1])
        yield Curve(
            names[attribute],
            curve_plot(curve, calibrated=calibrated, boundary=0.5 if binary else None, bound=bound),
            words.effect(curve.change_at(low) if low < 0 else None, curve.change_at(high) if high > 0 else None),
        )


def _most_telling(
    strips: Sequence[dict[str, Any]], records: Sequence[Record], order: Sequence[str]
) -> dict[str, Any] | None:
    """The strip that opens the page: of the most sensitive attribute, flipped if any, the largest change."""
    change = {
        (record["attribute"], record["seed"]): abs(record["output"][0] - record["original_output"][0])
        for record in records
    }
    wanted = [strip for strip in strips if strip["attribute"] in (None, *order[:1])]
    return max(
        wanted,
        key=lambda strip: (strip["flipped"], change.get((strip["attribute"], strip["seed"]), 0.0)),
        default=None,
    )


def _strip(audit: Path, strip: dict[str, Any], names: dict[str, str], budget: Budget, output: str) -> Strip:
    name = names.get(strip["attribute"], "all attributes together")
    frames = []
    for index, frame in enumerate(strip["frames"]):
        picture = load_picture(audit, frame["file"], side=budget.strip_side, quality=budget.quality)
        what = "Original picture" if index == 0 else f"The same picture, edited: {name}"
        weight = None if frame["weight"] is None else signed(frame["weight"])
        frames.append(Frame(picture, frame["caption"], weight, f"{what}. {output}: {frame['caption']}"))
    return Strip(
        name,
        strip["seed"],
        strip["flipped"],
        strip["label_kept"],
        strip["ssim"],
        strip["original_caption"],
        strip["caption"],
        tuple(frames),
    )


def _sheet(audit: Path, sheet: dict[str, Any], names: dict[str, str], budget: Budget) -> Sheet:
    name = names.get(sheet["attribute"], sheet["attribute"])
    weights = tuple(signed(weight) for weight in sheet["weights"])
    rows = []
    for number, files in enumerate(sheet["rows"], start=1):
        pictures = [load_picture(audit, file, side=budget.sheet_side, quality=budget.quality) for file in files]
        rows.append(
            tuple(
                Frame(picture, "", weight, f"Image {number}, {name} at {weight}")
                for picture, weight in zip(pictures, weights, strict=True)
            )
        )
    return Sheet(name, weights, tuple(rows))


def _read_gallery(audit: Path) -> dict[str, Any]:
    path = audit / GALLERY
    try:
        gallery = json.loads(path.read_bytes())
    except FileNotFoundError:
        return {}
    except (OSError, ValueError) as error:
        raise AuditError(f"{path} cannot be read ({error}): run the audit again") from error
    return dict(gallery)


def _output_name(config: dict[str, Any], binary: bool) -> str:
    """What the number in the corner is, in words."""
    classes = ((config.get("target_details") or {}).get("task") or {}).get("classes") or []
    if not binary:
        return "the probability of the class first predicted"
    return f"the probability of “{classes[-1]}”" if classes else "the model’s output"


def _has(summary: dict[str, Any], name: str) -> bool:
    return any(name in row for row in summary["sensitivity"])


def _beyond(records: Sequence[Record], used: str, other: str | None) -> float | None:
    """Of the units that flip within the paper's range, the share that does not within the calibrated one."""
    if other is None or used == other:
        return None
    pairs = [(record["flipped"], (record.get(other) or {}).get("flipped")) for record in records]
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
