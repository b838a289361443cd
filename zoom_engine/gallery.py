"""The pictures of an audit: which units stand for the others, and the sheets of the edit directions.

Everything here is drawn again from the records, so a resumed run ends with the same pictures.
"""

from __future__ import annotations

import io
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor

from zoom_engine.attributes import slug
from zoom_engine.audit.diagnosis import PAPER_BOUND, Diagnosis
from zoom_engine.audit.folder import AuditFolder
from zoom_engine.audit.outputs import Counts, OutputReading, evidence
from zoom_engine.audit.records import Point, Record, output_change
from zoom_engine.evaluator import Evaluator
from zoom_engine.generators import StyleRows

STRIP_FRAMES = 4
STRIPS_PER_ATTRIBUTE = 3
DIRECTIONS_OF_FLIPS = 2
MULTI_STRIPS = 8
MULTI_FLIPS = 3  # of each direction
SHEET_ROWS = 2


@dataclass(frozen=True)
class Pick:
    """A unit to show, and the point of its search to draw: `edit_weights` with what the target said there.

    kind: what the unit stands for: "typical" (of all units, the one of median change), "flip" (of the decisive flips
    in its direction, one in the middle) or "extreme". `extreme`: no unit changed more, and the median one far less.
    direction: the classes predicted before and after the edit; `decisive`: they differ, and the output moved enough.
    """

    kind: str
    record: Record
    edit_weights: Sequence[float]
    direction: tuple[int, int]
    decisive: bool
    label_kept: bool | None
    ssim: float | None
    extreme: bool


def png_bytes(image: NDArray[np.uint8]) -> bytes:
    """A uint8 ``[H, W, 3]`` picture as PNG."""
    buffer = io.BytesIO()
    Image.fromarray(image).save(buffer, format="PNG")
    return buffer.getvalue()


def to_pixels(images: Tensor) -> NDArray[np.uint8]:
    """float ``[B, 3, R, R]`` in [-1, 1] → uint8 ``[B, R, R, 3]``, clamped and rounded."""
    pixels = images.float().add(1).mul(127.5).round().clamp(0, 255).to(torch.uint8)
    return np.ascontiguousarray(pixels.permute(0, 2, 3, 1).cpu().numpy())


def picks(diagnosis: Diagnosis) -> list[Pick]:
    """The units to show, most sensitive attribute first; in multi mode one choice among all units.

    Of each attribute first what is typical: where at least half of the images flip decisively the median one of these
    flips, else the unit of median change, and then a decisive flip. Both of the two most frequent directions of a flip
    are shown. The unit of largest change may follow, where it moves the output decisively further than the median.
    Edits beyond what the generator draws are left out.
    """
    config = diagnosis.manifest["config"]
    reading = OutputReading.of(config, diagnosis.records)
    if diagnosis.mode == "multi":
        return list(_picks(evidence(diagnosis.records), reading, MULTI_FLIPS))[:MULTI_STRIPS]
    chosen: list[Pick] = []
    for row in diagnosis.sensitivity:
        units = [record for record in diagnosis.records if record.attribute == row["attribute"]]
        chosen += list(_picks(units, reading, 1))[:STRIPS_PER_ATTRIBUTE]
    return chosen


def _picks(records: Sequence[Record], reading: OutputReading, flips_each: int) -> Iterator[Pick]:
    """Of one attribute's records the units to show, the most telling of the others first."""
    if not records:
        return
    units = sorted(records, key=lambda record: (record.change, record.image))
    typical, extreme = units[(len(units) - 1) // 2], units[-1]
    flips: dict[tuple[int, int], list[Record]] = {}
    for record in units:
        if reading.decisive(record):
            flips.setdefault(reading.direction(record), []).append(record)
    directions = sorted(flips.values(), key=len, reverse=True)[:DIRECTIONS_OF_FLIPS]
    chosen = [record for pool in directions for record in _middle(pool, flips_each)]
    stands_out = extreme.change - typical.change >= reading.decisive_change
    if 2 * Counts.of(units, reading).decisive < len(units):
        yield _peak("typical", typical, reading)
    for record in chosen:
        yield _counterfactual(record, reading, extreme=stands_out and record is extreme)
    if stands_out and not any(record is extreme for record in chosen):
        yield _peak("extreme", extreme, reading)


def _middle(units: Sequence[Record], count: int) -> list[Record]:
    """The units in the middle of `count` equal parts of `units`, the median first."""
    count = min(count, len(units))
    parts = sorted(range(count), key=lambda part: abs(2 * part + 1 - count))
    return [units[((2 * part + 1) * len(units) - 1) // (2 * count)] for part in parts]


def _counterfactual(record: Record, reading: OutputReading, *, extreme: bool) -> Pick:
    """The picture of a decisive flip: what its record holds."""
    direction = reading.direction(record)
    return Pick("flip", record, record.edit_weights, direction, True, record.label_kept, record.ssim, extreme)


def _peak(kind: str, record: Record, reading: OutputReading) -> Pick:
    """The point where the record's change was found: of a flipping unit that is not the counterfactual it reports."""
    points = [point for point in record.trajectory if point.change == record.change and point.label_kept is not False]
    reported = Point(
        weights=record.edit_weights,
        output=record.output,
        change=record.change,
        label_kept=record.label_kept,
        ssim=record.ssim,
    )
    point = min(points, key=lambda point: sum(map(abs, point.weights)), default=reported)
    before, after = record.original_output, point.output
    direction = (reading.predicted(before), reading.predicted(after))
    decisive = direction[0] != direction[1] and output_change(after, before) >= reading.decisive_change
    return Pick(
        kind,
        record,
        point.weights,
        direction,
        decisive,
        point.label_kept,
        point.ssim,
        extreme=kind == "extreme",
    )


def sheet_weights(low: float, high: float) -> list[float]:
    """The columns of an edit sheet: the ends of the range that is used and their halves, around 0; outside them the
    ends of the paper's range, where it goes further."""
    outside = [end for end in (-PAPER_BOUND, PAPER_BOUND) if not low <= end <= high]
    return sorted([low, low / 2, 0.0, high / 2, high, *outside])


def build_gallery(audit: AuditFolder, diagnosis: Diagnosis, *, evaluator: Evaluator, styles: StyleRows) -> None:
    """Write ``images/`` and ``gallery.json`` of a finished search.

    ``styles [I, S]`` are the unedited style vectors; ``Record.image`` is a row of it.
    """
    strips = [_strip(audit, pick, diagnosis, evaluator, styles) for pick in picks(diagnosis)]
    rows = min(SHEET_ROWS, len(styles))
    sheets = [_sheet(audit, index, diagnosis, evaluator, styles[:rows]) for index in range(len(diagnosis.attributes))]
    audit.write_json("gallery.json", {"strips": strips, "sheets": sheets})


def _strip(
    audit: AuditFolder, pick: Pick, diagnosis: Diagnosis, evaluator: Evaluator, styles: StyleRows
) -> dict[str, Any]:
    """Original, intermediate and final images of one unit, with the target's output for each."""
    record = pick.record
    fractions = torch.linspace(0, 1, STRIP_FRAMES)
    weights = fractions[:, None] * torch.tensor(pick.edit_weights, dtype=torch.float32)
    images, captions = _shown(evaluator, styles[record.image].expand(STRIP_FRAMES, -1), weights)
    single = record.attribute is not None
    column = diagnosis.attributes.index(record.attribute) if single else 0
    stem = f"images/strip-{slug(record.attribute or 'all')}-{pick.kind}-{record.seed}"
    frames = []
    for index, (image, caption) in enumerate(zip(images, captions, strict=True)):
        name = f"{stem}-{index}.png"
        audit.write(name, png_bytes(image))
        frames.append({"file": name, "weight": float(weights[index, column]) if single else None, "caption": caption})
    return {
        "kind": pick.kind,
        "attribute": record.attribute,
        "image": record.image,
        "seed": record.seed,
        "direction": list(pick.direction),
        "flipped": pick.direction[0] != pick.direction[1],
        "decisive": pick.decisive,
        "extreme": pick.extreme,
        "label_kept": pick.label_kept,
        "ssim": pick.ssim,
        "original_caption": captions[0],
        "caption": captions[-1],
        "frames": frames,
    }


def _sheet(
    audit: AuditFolder, index: int, diagnosis: Diagnosis, evaluator: Evaluator, styles: Tensor
) -> dict[str, Any]:
    """One row per image, one column per weight."""
    attribute = diagnosis.attributes[index]
    columns = sheet_weights(*diagnosis.ranges()[index].tolist())
    rows = []
    for number, style in enumerate(styles):
        weights = torch.zeros(len(columns), len(evaluator.directions))
        weights[:, index] = torch.tensor(columns)
        images, _ = _shown(evaluator, style.expand(len(columns), -1), weights)
        names = [f"images/sheet-{slug(attribute)}-{number}-{place}.png" for place in range(len(images))]
        for name, image in zip(names, images, strict=True):
            audit.write(name, png_bytes(image))
        rows.append(names)
    return {"attribute": attribute, "weights": columns, "rows": rows}


@torch.no_grad()
def _shown(evaluator: Evaluator, styles: Tensor, weights: Tensor) -> tuple[NDArray[np.uint8], Sequence[str]]:
    images = evaluator.render(styles, weights.to(styles.device))
    outputs = evaluator.target(images)
    return to_pixels(images), [evaluator.target.task.caption(row) for row in outputs]
