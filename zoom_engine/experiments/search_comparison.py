"""Searches for several attributes side by side: what each finds on the same images, and what that adds up to.

A *result* is what one search found on one target with one seed: its parts, and values in the order of the images.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from zoom_engine.diagnose.diagnoser import Diagnoser
from zoom_engine.experiments.estimates import estimate

VARIANTS: dict[str, tuple[str, dict[str, Any]]] = {
    "sgd": ("sgd", {"early_stop": False}),
    "pgd": ("pgd", {"early_stop": False}),
    "sgd-early": ("sgd", {}),
    "pgd-early": ("pgd", {}),
    "minimal": ("minimal", {}),
    "cmaes": ("cmaes", {}),
}
"""By name the search and its options; the first two are the paper's 100 steps."""
COMPARED = "minimal"
Array = NDArray[np.float64]


def searched(diagnoser: Diagnoser, *, images: int, seed: int) -> dict[str, Any]:
    """Return what the audit's search finds, image by image; `seconds` is the search's processor time of all threads."""
    diagnoser.calibrated_range(diagnoser.edit_directions())  # from here on they are read from the cache
    start = time.process_time()
    records = sorted(diagnoser.run(images=images, seed=seed).records, key=lambda record: record.image)
    return {
        "synthesis": diagnoser.models.synthesizer.describe(),
        "seconds": round(time.process_time() - start, 1),
        "flipped": [int(record.flipped) for record in records],
        "decisive": [int(bool(record.decisive)) for record in records],
        "ssim": [record.ssim if record.flipped else None for record in records],
        "edit_weights": [list(record.edit_weights) for record in records],
        "evaluations": [record.evaluations for record in records],
        "stops": [record.stop for record in records],
    }


def part_of(result: Mapping[str, Any]) -> tuple[int, str, str]:
    """Return the seed, target and search of a result."""
    return result["seed"], result["target"], result["search"]


def summaries(results: Sequence[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    """Yield a summary for each target and search, and for each search over all targets.

    Only targets and seeds that every search has are counted.
    """
    by_part = {part_of(result): result for result in results}
    searches = list(dict.fromkeys(result["search"] for result in results))
    parts = dict.fromkeys((result["seed"], result["target"]) for result in results)
    whole = [part for part in parts if all((*part, search) in by_part for search in searches)]
    targets = list(dict.fromkeys(target for _, target in whole))
    for target in [*targets, *(["all"] if len(targets) > 1 else [])]:
        rows = {s: [by_part[*part, s] for part in whole if target in (part[1], "all")] for s in searches}
        for search in searches:
            yield {"target": target, "search": search, **summary(rows[search], rows.get(COMPARED, []))}


def summary(results: Sequence[dict[str, Any]], compared: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """Return rates and costs over the images of `results`, and the differences of `compared` on the same images.

    `compared` holds as many results, or none.
    """
    evaluations = column(results, "evaluations")
    figures: dict[str, Any] = {
        "images": len(evaluations),
        "flipped": estimate(column(results, "flipped")),
        "decisive": estimate(column(results, "decisive")),
        "evaluations": round(float(evaluations.mean()), 1),
        "seconds_per_image": round(sum(result["seconds"] for result in results) / len(evaluations), 3),
    }
    if compared and compared[0]["search"] != results[0]["search"]:
        ssim, other = (column(part, "ssim", where="decisive") for part in (results, compared))
        both = np.isfinite(ssim) & np.isfinite(other)
        figures["compared"] = {
            "flipped": estimate(column(compared, "flipped") - column(results, "flipped")),
            "decisive": estimate(column(compared, "decisive") - column(results, "decisive")),
            "both_decisive": int(both.sum()),
            "ssim_here": estimate(ssim[both]),
            "ssim_compared": estimate(other[both]),
            "ssim": estimate(other[both] - ssim[both]),
        }
    return figures


def column(results: Sequence[dict[str, Any]], name: str, *, where: str | None = None) -> Array:
    """Return a value per image, NaN where there is none or `where` does not hold."""
    rows = np.concatenate([np.array(result[name], dtype=float) for result in results])
    return rows if where is None else np.where(column(results, where) > 0, rows, np.nan)
