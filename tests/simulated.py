"""Audits of several attributes whose changes are drawn, with the spread that those of real classifiers have: most
images hardly move and a few move far."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from zoom_engine.audit.manifest import Manifest
from zoom_engine.audit.records import NOT_EDITED, Point, Record
from zoom_engine.statistics.diagnosis import Diagnosis

ATTRIBUTES = ("a smiling face", "a face with pale skin|a pale face", "a face with a beard", "a face with eyeglasses")
MEANS = (0.01, 0.03, 0.06, 0.3)
_SPREAD = 1.3  # of logarithms, over images


def change_of(seed: int, attribute: str, mean: float, model: int) -> float:
    """That of an image: alike in all models, but for what training again makes of it."""
    of_image = np.random.default_rng([seed, *attribute.encode()]).normal()
    again = np.random.default_rng([seed, model, *attribute.encode()]).normal()
    z = 0.95 * of_image + np.sqrt(1 - 0.95**2) * again
    spread = _SPREAD if mean < 0.2 else 0.3
    return float(np.clip(mean * np.exp(spread * z - spread**2 / 2), 0.0, 1.0))


def record(
    image: int, seed: int, attribute: str | None, change: float, count: int, baseline: int | None = None
) -> Record:
    return Record(
        image=image,
        seed=seed,
        attribute=attribute,
        baseline=baseline,
        edit_weights=(1.0,) * count,
        original_output=(0.2,),
        output=(0.2 + 0.8 * change,),
        change=change,
        flipped=change > 0.4,
        label_kept=None,
        ssim=None,
    )


def simulated(
    *,
    images: int = 100,
    seed: int = 0,
    model: int = 0,
    means: tuple[float, ...] = MEANS,
    attributes: tuple[str, ...] = ATTRIBUTES,
    planted: Mapping[int, float] | None = None,
    baseline: float | None = None,
    done: int | None = None,
    path: Path | None = None,
    **config: Any,
) -> Diagnosis:
    """An audit on `images` images of `seed`; to the attributes of the columns that are `planted` so much is added on
    average. `baseline` is how far two random directions move each image; `done` is how many records there are."""
    count = 0 if baseline is None else 2
    manifest = Manifest.of(
        {
            "mode": "single",
            "search": "scan",
            "attributes": list(attributes),
            "neutral": "a face",
            "target": "avatars:mustache",
            "images": images,
            "seed": seed,
            "random_directions": count,
            "edit_range": "calibrated",
            "generator": "1234",
            **config,
        }
    )
    records = []
    for image in range(images):
        of_image = seed * 100_000 + image
        for column, (attribute, mean) in enumerate(zip(attributes, means, strict=True)):
            change = change_of(of_image, attribute, mean, model)
            more = (planted or {}).get(column, 0.0) * np.random.default_rng([of_image, 9]).beta(2, 2) * 2
            records.append(record(image, of_image, attribute, min(1.0, change + more), len(attributes)))
        for j in range(count if image < config.get("random_images", images) else 0):
            records.append(record(image, of_image, None, (baseline or 0.0) * (0.9 + 0.2 * j), count, baseline=j))
    diagnosis = Diagnosis(manifest, tuple(records[:done]))
    return diagnosis if path is None else Diagnosis.load(diagnosis.save(path))


def simulated_edits(
    attributes: Mapping[str, Sequence[float]],
    change: Callable[[int, str, float], float],
    *,
    images: int = 12,
    controls: Mapping[str, Sequence[float]] | None = None,
    made: Callable[[int, str], bool] = lambda image, name: True,
    kind: str = "pairs",
    path: Path | None = None,
) -> Diagnosis:
    """An audit of edits from elsewhere, by name with their strengths. `change` is that of an image by an edit at a
    strength, where the edit was `made`."""
    controls = controls or {}
    edits = {
        which: [{"name": name, "strengths": list(strengths), "unit": ""} for name, strengths in edits.items()]
        for which, edits in (("attributes", attributes), ("controls", controls))
    }
    manifest = Manifest.of(
        {
            "mode": "single",
            "attributes": list(attributes),
            "target": "red.onnx",
            "target_details": {"content_hash": "ab" * 32, "task": {"task": "binary", "classes": ["no", "yes"]}},
            "images": images,
            "labels": [],
            "bound": 9.0,
            "edits": {
                "kind": kind,
                "images": [str(image) for image in range(images)],
                "records": [images * len(attributes), images * len(controls)],
                "content_hash": "cd" * 32,
                **edits,
            },
        }
    )

    def edited(image: int, name: str, strengths: Sequence[float], column: int, count: int, **whose: Any) -> Record:
        changes = {
            0.0: 0.0,
            **{float(at): change(image, name, at) if made(image, name) else 0.0 for at in sorted(strengths, key=abs)},
        }
        points = tuple(
            Point(
                weights=tuple(at if index == column else 0.0 for index in range(count)),
                output=(0.2 + moved,),
                change=moved,
                label_kept=None,
                ssim=None,
            )
            for at, moved in changes.items()
        )
        furthest = max(points, key=lambda point: point.change)
        return Record(
            image=image,
            seed=image,
            edit_weights=furthest.weights,
            original_output=(0.2,),
            output=furthest.output,
            change=furthest.change,
            flipped=furthest.output[0] >= 0.5,
            label_kept=None,
            ssim=None,
            trajectory=points,
            bounds=(min(0.0, *strengths), max(0.0, *strengths)),
            stop="all strengths" if made(image, name) else NOT_EDITED,
            **whose,
        )

    records = [
        edited(image, name, strengths, column, len(attributes), attribute=name, baseline=None)
        for image in range(images)
        for column, (name, strengths) in enumerate(attributes.items())
    ]
    records += [
        edited(image, name, strengths, column, len(controls), attribute=None, baseline=column)
        for image in range(images)
        for column, (name, strengths) in enumerate(controls.items())
    ]
    diagnosis = Diagnosis(manifest, tuple(records))
    return diagnosis if path is None else Diagnosis.load(diagnosis.save(path))
