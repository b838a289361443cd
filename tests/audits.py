"""Records of an audit of three attributes, for tests of what they add up to."""

from __future__ import annotations

from typing import Any

import numpy as np

from zoom_engine.audit.manifest import Manifest
from zoom_engine.audit.records import Record

ATTRIBUTES = ["a smiling face", "a face with pale skin|a pale face", "a face with a beard"]


def manifest(mode: str = "single", **more: Any) -> Manifest:
    config = {"mode": mode, "search": "scan", "attributes": ATTRIBUTES, "target": "avatars:mustache"}
    return Manifest.of({**config, **more})


def single(image: int, column: int, *, labels: bool = True) -> Record:
    random = np.random.default_rng([image, column])
    weights = [0.0] * len(ATTRIBUTES)
    weights[column] = float(random.uniform(-20, 20))
    change = float(random.beta(1 + 6 * (column == 1), 4))
    return Record.from_json(
        {
            "image": image,
            "seed": image,
            "attribute": ATTRIBUTES[column],
            "edit_weights": weights,
            "original_output": [0.2],
            "output": [0.2 + 0.8 * change],
            "change": change,
            "flipped": change > 0.3,
            "decisive": change > 0.5,
            "label_kept": bool(random.random() < 0.9) if labels else None,
            "ssim": float(random.uniform(0.5, 1)),
            "paper": {"change": min(1.0, change + 0.1), "flipped": change > 0.2, "decisive": change > 0.4},
        }
    )
