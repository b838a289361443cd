"""Records of an audit of three attributes, for tests of what they add up to."""

from __future__ import annotations

from typing import Any

import numpy as np

from zoom_engine.audit.manifest import Config, Manifest
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


LABELS = ["a cat", "a dog"]
DRAGGED = np.array([[0.9, 0.6, 0.0], [0.1, 1.0, 0.0], [0.0, 0.0, 0.8]])
"""What each edit does to the three attributes' scores, on average."""


def config_of(**more: Any) -> Config:
    return manifest(labels=LABELS, **more).config


def search_of(image: int, column: int, effect: np.ndarray, *, noise: float = 0.0) -> Record:
    """A search on a target whose output is `effect` · what the edit does to the scores."""
    random = np.random.default_rng([image, column])
    bound = float(random.uniform(4, 20)) * (1 if random.random() < 0.5 else -1)
    scores = (np.sign(bound) * DRAGGED[column] * random.uniform(0.7, 1.3, 3)).tolist()
    points = []
    for share in np.linspace(0, 1, 9).tolist():
        output = 0.5 + share * float(effect @ np.array(scores)) + noise * float(random.normal()) * (share > 0)
        weights = [0.0, 0.0, 0.0]
        weights[column] = bound * share
        points.append({"weights": weights, "output": [output], "change": abs(output - 0.5), "label_kept": None})
    beyond = {**points[-1], "weights": [1.5 * w for w in points[-1]["weights"]], "change": 0.99}
    return Record.from_json(
        {
            "image": image,
            "seed": image,
            "attribute": ATTRIBUTES[column],
            "edit_weights": points[-1]["weights"],
            "original_output": [0.5],
            "output": points[-1]["output"],
            "change": max(point["change"] for point in points),
            "flipped": False,
            "label_kept": None,
            "ssim": None,
            "trajectory": [{**point, "ssim": None} for point in (*points, beyond)],
            "bounds": [min(bound, 0.0), max(bound, 0.0)],
            "scores": [*scores, 0.3 * scores[0], -0.3 * scores[0]],
        }
    )


def searches(*effect: float, images: int = 40, noise: float = 0.0) -> list[Record]:
    return [search_of(i, c, np.array(effect), noise=noise) for i in range(images) for c in range(3)]
