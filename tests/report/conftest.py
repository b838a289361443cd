"""A synthetic audit folder: smooth pictures, outputs from a formula, names that try to break out."""

from __future__ import annotations

import functools
import io
import shutil
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import pytest
from PIL import Image

from zoom_engine.audit.folder import AuditFolder
from zoom_engine.audit.manifest import Manifest
from zoom_engine.audit.records import Record
from zoom_engine.settings.attributes import slug
from zoom_engine.statistics.diagnosis import Diagnosis

ATTRIBUTES = ("a face with pale skin|a pale face", "a smiling face", "a face with a beard")


class MakeAudit(Protocol):
    def __call__(self, name: str, **options: Any) -> Path: ...


@functools.lru_cache(maxsize=512)
def picture(seed: int, strength: float, size: int = 64) -> bytes:
    """A smooth random picture as PNG, brighter with `strength`."""
    coarse = np.random.default_rng(seed).integers(40, 200, (4, 4, 3)).astype(np.float64) + 1.5 * strength
    image = Image.fromarray(np.clip(coarse, 0, 255).astype(np.uint8)).resize((size, size), Image.Resampling.BICUBIC)
    buffer = io.BytesIO()
    image.save(buffer, format="PNG")
    return buffer.getvalue()


def output(image: int, column: int, weight: float, gain: float = 1.0) -> float:
    """The stand-in target: logistic in the edit weight, less so for later attributes."""
    bias = np.random.default_rng(image).normal()
    return float(1 / (1 + np.exp(-(bias + gain * 0.25 * weight / (1 + 3 * column)))))


def one_record(image: int, column: int, attributes: tuple[str, ...], *, labels: bool, gain: float) -> Record:
    weights = [float(w) for w in np.linspace(-12, 12, 7)] + [-30.0, 30.0]
    original = output(image, column, 0.0, gain)
    points = []
    for weight in weights:
        vector = [0.0] * len(attributes)
        vector[column] = weight
        value = output(image, column, weight, gain)
        points.append(
            {
                "weights": vector,
                "output": [value],
                "change": abs(value - original),
                "label_kept": True,
                "ssim": None,
            }
        )
    near = points[:7]
    best = max(near, key=lambda point: point["change"])
    flips = [point for point in points if (point["output"][0] > 0.5) != (original > 0.5)]
    near_flips = [point for point in near if point in flips]
    shown = near_flips[0] if near_flips else best
    return Record.from_json(
        {
            "image": image,
            "seed": image,
            "attribute": attributes[column],
            "edit_weights": shown["weights"],
            "original_output": [original],
            "output": shown["output"],
            "change": best["change"],
            "flipped": bool(near_flips),
            "label_kept": True if labels else None,
            "ssim": 0.9 if near_flips else None,
            "trajectory": points,
            "bounds": [-12.0, 12.0],
            "groups": [image % 3 == 0],
            "scores": [1.0 if other == column else 0.4 * (other == 0) for other in range(len(attributes))]
            + [0.0, 0.0] * labels,
            "paper": {"change": max(point["change"] for point in points), "flipped": bool(flips)},
        }
    )


RANDOM = 8


@pytest.fixture(scope="session")
def audits_made(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, Path]]:
    """A folder, and in it the audits that were made before, by their options."""
    return tmp_path_factory.mktemp("audits"), {}


@pytest.fixture
def make_audit(tmp_path: Path, audits_made: tuple[Path, dict[str, Path]]) -> MakeAudit:
    """Make an audit folder inside tmp_path, see `made`: a copy, which costs a tenth, of one of equal options."""
    folder, known = audits_made

    def make(name: str, **options: Any) -> Path:
        key = repr(sorted(options.items()))
        if key not in known:
            made(folder / str(len(known)), **options)
            known[key] = folder / str(len(known))
        return Path(shutil.copytree(known[key], tmp_path / name))

    return make


def made(
    path: Path,
    *,
    attributes: tuple[str, ...] = ATTRIBUTES,
    target: str = "avatars:mustache",
    images: int = 12,
    labels: bool = True,
    gain: float = 1.0,
    mode: str = "single",
    size: int = 64,
    finish: bool = True,
    done: int | None = None,
    strips_each: int = 2,
    classes: tuple[str, ...] = ("no mustache", "mustache"),
    task: dict[str, Any] | None = None,
    calibrated: bool = True,
    older: bool = False,
    baseline: float | None = None,
    by_control: float | None = None,
    method: str | None = None,
    purpose: str | None = None,
    photographs: int = 0,
    grid: bool = False,
    notices: tuple[str, ...] = (),
    **about: str,
) -> None:
    """Make the folder of an audit; `size` is its pictures', `gain` how much the target moves.

    An audit that is not to `finish` has `done` records, half of them by default. An `older` one has a gallery that
    does not say why its pictures were chosen. `baseline` is how far random directions move, if there are any,
    and `by_control` how far a control prompt does. Edit directions were found by the `method`.
    The target is of the `task`, or decides between `classes`. The run told `notices`. With `photographs` the first
    images are their inversions, and one more was refused. With a `grid` each trial has its picture.
    """
    config = {
        "mode": mode,
        "search": "scan" if mode == "single" else "sgd",
        "attributes": list(attributes),
        "neutral": "a face",
        "target": target,
        "target_details": {
            "task": task or {"task": "binary" if len(classes) == 2 else "multiclass", "classes": list(classes)},
            "note": "",
        },
        "labels": ["a face with a mustache", "a face without a mustache"] if labels else [],
        "images": images,
        "random_directions": 0 if baseline is None else RANDOM,
        **({} if by_control is None else {"control_prompts": {"prompts": ["the face of the picture"]}}),
        **({"by": ["a face with eyeglasses"]} if mode == "single" else {}),
        "bound": 30.0,
        "edit_range": "calibrated" if calibrated else "paper",
        "calibrated_range": [[-12.0, 12.0]] * len(attributes) if calibrated else None,
        "directions": {
            **({} if method is None else {"method": method}),
            "strength": [0.4] * len(attributes),
            "noise_floor": [0.1] * len(attributes),
        },
    }
    environment = {"torch": "2.13", "machine": "<b>here</b>", "notices": list(notices)}
    manifest = Manifest.of(config, environment, purpose=purpose, **about)
    columns = range(len(attributes))
    records = [one_record(i, c, attributes, labels=labels, gain=gain) for i in range(images) for c in columns]
    if mode == "multi":
        records = [
            replace(
                record,
                attribute=None,
                paper=None,
                groups=None,
                scores=None,
                bounds=None,
                edit_weights=tuple(3.0 / (1 + c) + 0.1 * i for c in columns),
            )
            for i, record in enumerate(records[:: len(attributes)])
        ]
    if task is not None:
        records = [of_task(record, str(task["task"])) for record in records]
    elif len(classes) > 2:
        records = [of_several_classes(record, len(classes)) for record in records]
    if baseline is not None:
        records += [baseline_record(records[0], i, j, baseline) for i in range(images) for j in range(RANDOM)]
    if by_control is not None:
        along = replace(baseline_record(records[0], 0, 0, 0.0), change=by_control)
        records = [replace(r, edit_weights=(*r.edit_weights, 0.0)) if r.baseline is not None else r for r in records]
        along = replace(along, baseline=RANDOM, edit_weights=(*(0.0,) * RANDOM, 9.0))
        records += [replace(along, image=i, seed=i) for i in range(images)]
    if not finish:
        records = records[: len(records) // 2 if done is None else done]
    with AuditFolder.create(path, manifest) as folder:
        folder.append(records)
        if photographs:
            folder.write_json("photographs.json", {"photographs": photographed(folder, photographs, size)})
        if finish:
            pictures = gallery(folder, records, attributes, size, strips_each)
            if grid:
                pictures["pictures"] = grid_pictures(folder, records, size)
            if task is not None:
                for strip in pictures["strips"]:
                    strip["direction"] = [0, int(strip["flipped"])]
            if older:
                for strip in pictures["strips"]:
                    for new in ("kind", "direction", "decisive", "shown", "flip_weight"):
                        del strip[new]
                    strip["frames"] = [
                        {k: v for k, v in frame.items() if k not in ("followed", "flipped", "label_kept")}
                        for frame in strip["frames"]
                    ]
            folder.write_json("gallery.json", pictures)
            folder.finish(Diagnosis(manifest, tuple(records)).summary())


def baseline_record(plain: Record, image: int, direction: int, change: float) -> Record:
    """That of one of `RANDOM` random directions, all of which move each image by nearly `change`."""
    weights = tuple(12.0 * (place == direction) for place in range(RANDOM))
    moved = {"change": change * (0.9 + 0.2 * direction / (RANDOM - 1)), "edit_weights": weights}
    still = {"flipped": False, "decisive": False, "flip_weight": None, "bounds": None, "paper": None, "trajectory": ()}
    return replace(plain, image=image, seed=image, attribute=None, baseline=direction, **moved, **still)


def of_several_classes(record: Record, count: int) -> Record:
    """The record of a target that decides between the last two of `count` classes; the first ones never move."""
    first = [0.05 / (count - 2)] * (count - 2)

    def several(output: tuple[float, ...]) -> tuple[float, ...]:
        return (*first, 0.95 * (1 - output[0]), 0.95 * output[0])

    points = tuple(replace(point, output=several(point.output)) for point in record.trajectory)
    return replace(
        record, original_output=several(record.original_output), output=several(record.output), trajectory=points
    )


def of_task(record: Record, task: str) -> Record:
    """The record of a target of another task whose output moves as far."""
    before = record.original_output[0]

    def read(output: tuple[float, ...]) -> tuple[float, ...]:
        moved = abs(output[0] - before)
        return {
            "multilabel": (output[0], 0.3, 0.8),
            "regression": (80 * output[0],),
            "keypoints": (0.3, 0.3, 0.7, 0.3 + 0.4 * moved),
            "segmentation": (1 - moved, 1 - moved),
            "detection": (0.2, 0.2, 0.6, 0.6, output[0], 1.0),
            "embedding": (1 - moved, (2 * moved) ** 0.5),
        }[task]

    points = tuple(replace(point, output=read(point.output)) for point in record.trajectory)
    original, output = read(record.original_output), read(record.output)
    return replace(record, original_output=original, output=output, trajectory=points)


def photographed(folder: AuditFolder, count: int, size: int) -> list[dict[str, Any]]:
    """`count` photographs with their inversions, and one that was refused."""
    results: list[dict[str, Any]] = []
    for number in range(count + 1):
        names = {"picture": f"images/photograph-{number}.png", "inversion": f"images/inversion-{number}.png"}
        for place, name in enumerate(names.values()):
            folder.write(name, picture(number, 4 * place, size))
        about = {"file": f"{number}.jpg", "image": number, "seen": 0.2, "pixels": 0.3, "output": "0.2"}
        results.append({**about, **names, "inverted_output": "0.25"})
    results[-1] |= {"image": None, "inversion": None, "refused": "is not what the generator draws"}
    return results


def grid_pictures(folder: AuditFolder, records: list[Record], size: int) -> list[dict[str, Any]]:
    """A picture of each trial, brighter than the unedited one."""
    entries = []
    for record in records:
        if record.baseline is None:
            original, file = (
                f"images/image-{record.image}.png",
                f"images/{record.image}-{slug(record.attribute or '')}.png",
            )
            folder.write(original, picture(record.seed, 0, size))
            folder.write(file, picture(record.seed, 30, size))
            entries.append({"image": record.image, "attribute": record.attribute, "file": file, "original": original})
    return entries


def predicted(output: Sequence[float]) -> int:
    return int(output[0] >= 0.5) if len(output) == 1 else int(np.argmax(output))


def gallery(
    folder: AuditFolder, records: list[Record], attributes: tuple[str, ...], size: int, strips_each: int
) -> dict[str, Any]:
    """Strips of the first records of each attribute, and a sheet each, with their pictures."""
    strips, sheets = [], []
    for attribute in {record.attribute: None for record in records if record.baseline is None}:
        for record in [r for r in records if r.attribute == attribute][:strips_each]:
            frames = []
            for step in range(4):
                name = f"images/strip-{slug(str(attribute))}-{record.seed}-{step}.png"
                folder.write(name, picture(record.seed, 20 * step, size))
                seen = {"followed": 0.21 + step / 10, "flipped": record.flipped and step >= 2, "label_kept": True}
                weight = None if attribute is None else 4.0 * step
                frames.append({"file": name, "weight": weight, "caption": f"0.{2 + step}1", **seen})
            shown = 2 if record.flipped else 3
            strips.append(
                {
                    "kind": "flip" if record.flipped else "typical",
                    "direction": [predicted(record.original_output), predicted(record.output)],
                    "decisive": record.flipped,
                    "attribute": attribute,
                    "seed": record.seed,
                    "flipped": record.flipped,
                    "label_kept": record.label_kept,
                    "ssim": record.ssim,
                    "shown": shown,
                    "flip_weight": frames[2]["weight"] if record.flipped else None,
                    "original_caption": frames[0]["caption"],
                    "caption": frames[shown]["caption"],
                    "frames": frames,
                }
            )
    for attribute in attributes:
        names = [f"images/sheet-{slug(attribute)}-{place}.png" for place in range(7)]
        for place, name in enumerate(names):
            folder.write(name, picture(7, 30 * place, size))
        sheets.append({"attribute": attribute, "weights": [-30, -12, -6, 0, 6, 12, 30], "rows": [names]})
    return {"strips": strips, "sheets": sheets}
