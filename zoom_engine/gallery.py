"""The pictures of an audit: which counterfactuals are worth showing, and the sheets of the edit directions.

Everything here is drawn again from the records, so a resumed run ends with the same pictures.
"""

from __future__ import annotations

import io
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor

from zoom_engine.attributes import slug
from zoom_engine.audit_folder import AuditFolder
from zoom_engine.diagnosis import Diagnosis
from zoom_engine.generators import StyleRows
from zoom_engine.records import Record
from zoom_engine.search import Evaluator

WEAK = 0.5  # a direction of the flip whose best counterfactual tells less than this share of the best is not shown
SHEET_WEIGHTS = (-30.0, -15.0, 0.0, 15.0, 30.0)
STRIP_FRAMES = 4
STRIPS_PER_ATTRIBUTE = 2
SHEET_ROWS = 2
MULTI_STRIPS = 8


def png_bytes(image: NDArray[np.uint8]) -> bytes:
    """A uint8 ``[H, W, 3]`` picture as PNG."""
    buffer = io.BytesIO()
    Image.fromarray(image).save(buffer, format="PNG")
    return buffer.getvalue()


def to_pixels(images: Tensor) -> NDArray[np.uint8]:
    """float ``[B, 3, R, R]`` in [-1, 1] → uint8 ``[B, R, R, 3]``, clamped and rounded."""
    pixels = images.float().add(1).mul(127.5).round().clamp(0, 255).to(torch.uint8)
    return np.ascontiguousarray(pixels.permute(0, 2, 3, 1).cpu().numpy())


def telling_records(diagnosis: Diagnosis, *, per_attribute: int = STRIPS_PER_ATTRIBUTE) -> list[Record]:
    """The records to show, most sensitive attribute first.

    Of each attribute: the counterfactuals (flipped, label kept) whose output changed most for how little the picture
    did (change · SSIM), of both directions of the flip where the best of each tells about as much; without any, the
    unit whose output changed most. In multi mode the same over all units.
    """
    if diagnosis.mode == "multi":
        return _best(list(diagnosis.records), MULTI_STRIPS)
    chosen: list[Record] = []
    for row in diagnosis.sensitivity:
        units = [r for r in diagnosis.records if r["attribute"] == row["attribute"]]
        if units:
            chosen += _best(units, per_attribute)
    return chosen


def _best(records: list[Record], count: int) -> list[Record]:
    flipped = [r for r in records if r["flipped"]]
    if not flipped:
        return sorted(records, key=lambda r: (-r["change"], r["image"]))[:1]
    rising = [r for r in flipped if r["output"][0] > r["original_output"][0]]
    falling = [r for r in flipped if r["output"][0] <= r["original_output"][0]]
    pools = sorted((sorted(pool, key=_order) for pool in (rising, falling) if pool), key=lambda pool: _order(pool[0]))
    pools = [pool for pool in pools if _telling(pool[0]) >= WEAK * _telling(pools[0][0])]
    ordered: list[Record] = []
    for index in range(max(len(pool) for pool in pools)):
        ordered += [pool[index] for pool in pools if index < len(pool)]
    return ordered[:count]


def _telling(record: Record) -> float:
    """A clear change of the output in a picture that hardly changed tells most."""
    moved: float = max(abs(a - b) for a, b in zip(record["output"], record["original_output"], strict=True))
    return moved * float(record["ssim"] or 0.0)


def _order(record: Record) -> tuple[float, int]:
    return -_telling(record), record["image"]


def build_gallery(audit: AuditFolder, diagnosis: Diagnosis, *, evaluator: Evaluator, styles: StyleRows) -> None:
    """Write ``images/`` and ``gallery.json`` of a finished search.

    ``styles [I, S]`` are the unedited style vectors; ``Record["image"]`` is a row of it.
    """
    strips = [_strip(audit, record, diagnosis, evaluator, styles) for record in telling_records(diagnosis)]
    rows = min(SHEET_ROWS, len(styles))
    sheets = [
        _sheet(audit, index, attribute, evaluator, styles[:rows])
        for index, attribute in enumerate(diagnosis.attributes)
    ]
    audit.write_json("gallery.json", {"strips": strips, "sheets": sheets})


def _strip(
    audit: AuditFolder, record: Record, diagnosis: Diagnosis, evaluator: Evaluator, styles: StyleRows
) -> dict[str, Any]:
    """Original, intermediate and final images of one unit, with the target's output for each."""
    fractions = torch.linspace(0, 1, STRIP_FRAMES)
    weights = fractions[:, None] * torch.tensor(record["edit_weights"], dtype=torch.float32)
    images, captions = _shown(evaluator, styles[record["image"]].expand(STRIP_FRAMES, -1), weights)
    single = record["attribute"] is not None
    column = diagnosis.attributes.index(record["attribute"]) if single else 0
    stem = f"images/strip-{slug(record['attribute'] or 'all')}-{record['seed']}"
    frames = []
    for index, (image, caption) in enumerate(zip(images, captions, strict=True)):
        name = f"{stem}-{index}.png"
        audit.write(name, png_bytes(image))
        frames.append({"file": name, "weight": float(weights[index, column]) if single else None, "caption": caption})
    return {
        "attribute": record["attribute"],
        "seed": record["seed"],
        "flipped": record["flipped"],
        "label_kept": record["label_kept"],
        "ssim": record["ssim"],
        "original_caption": captions[0],
        "caption": captions[-1],
        "frames": frames,
    }


def _sheet(audit: AuditFolder, index: int, attribute: str, evaluator: Evaluator, styles: Tensor) -> dict[str, Any]:
    """One row per image, one column per weight of ``SHEET_WEIGHTS``."""
    rows = []
    for number, style in enumerate(styles):
        weights = torch.zeros(len(SHEET_WEIGHTS), len(evaluator.directions))
        weights[:, index] = torch.tensor(SHEET_WEIGHTS)
        images, _ = _shown(evaluator, style.expand(len(SHEET_WEIGHTS), -1), weights)
        names = [f"images/sheet-{slug(attribute)}-{number}-{place}.png" for place in range(len(images))]
        for name, image in zip(names, images, strict=True):
            audit.write(name, png_bytes(image))
        rows.append(names)
    return {"attribute": attribute, "weights": list(SHEET_WEIGHTS), "rows": rows}


@torch.no_grad()
def _shown(evaluator: Evaluator, styles: Tensor, weights: Tensor) -> tuple[NDArray[np.uint8], Sequence[str]]:
    images = evaluator.render(styles, weights.to(styles.device))
    outputs = evaluator.target(images)
    return to_pixels(images), [evaluator.target.task.caption(row) for row in outputs]
