"""How often verdicts are false: the rules of an audit on simulated audits whose truth is known.

    python bench/verdicts.py --json bench/results/verdicts.json

Attributes are exchangeable with the random directions that they are held against: all mean effects are drawn from one
population of a mean and a spread (the standard deviation of their logarithms), so that none is anything but a random
edit, and *sensitive and specific* is false of each. An image's changes are sigmoid(aⱼ + b·uᵢ + c·eᵢⱼ), u and e standard
normal, with aⱼ such that the mean is θⱼ: images that are easily moved are so by all edits, and changes are skewed as
flips are. Of each cell it is told how often

- any attribute is found sensitive and specific (`false_specific`),
- any of as many attributes whose true mean is the smallest effect that matters is found negligible
  (`false_negligible`),
- the intervals of all attributes hold their means (`coverage`).

With `analyses` a cell is of audits that choose their number of images: an error at any look counts, wherever they end.
"""

from __future__ import annotations

import argparse
import functools
import itertools
import json
import time
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy import special

from zoom_engine.common.files import atomic
from zoom_engine.settings.audit_settings import DEFAULT_RANDOM_DIRECTIONS, AuditSettings
from zoom_engine.settings.interim_analyses import MOST_IMAGES, confidence, planned_analyses
from zoom_engine.statistics.attribute_tests import LEVEL, adjust
from zoom_engine.statistics.intervals import Ends
from zoom_engine.statistics.random_edits import RandomEdits, variation

Array = NDArray[np.float64]
MEANS, SPREADS, IMAGES, ATTRIBUTES = (0.03, 0.1, 0.2), (0.0, 0.2, 0.5, 1.0), (24, 100, 400), (3, 12, 22)
SHAPES = {"skewed": (1.5, 1.5), "flips": (3.0, 3.0), "even": (0.3, 0.5)}
"""By name b and c: how an image's susceptibility and chance spread its change."""
SMALLEST = 0.05
DIRECTIONS = DEFAULT_RANDOM_DIRECTIONS
LARGEST = 0.95
DRAWS = 10_000
_AT_ONCE = 600  # columns


class Cell(NamedTuple):
    """What is simulated."""

    mean: float
    spread: float
    images: int
    attributes: int
    shape: str = "skewed"
    analyses: bool = False


def cells() -> list[Cell]:
    """All cells: every combination, other shapes at one size, and audits that choose their number of images."""
    whole = [Cell(*values) for values in itertools.product(MEANS, SPREADS, IMAGES, ATTRIBUTES)]
    others = [Cell(mean, spread, 100, 12, shape) for shape in ("flips", "even") for mean in MEANS for spread in SPREADS]
    looked = [Cell(mean, spread, MOST_IMAGES, 12, analyses=True) for mean in MEANS for spread in SPREADS]
    return [*whole, *others, *looked]


@functools.cache
def _levels(shape: str) -> tuple[Array, Array]:
    """Rising a, and the mean change at each."""
    nodes, weights = np.polynomial.hermite_e.hermegauss(64)
    a = np.linspace(-40.0, 25.0, 1500)
    return a, special.expit(a[:, None] + np.hypot(*SHAPES[shape]) * nodes) @ (weights / weights.sum())


def an_image(attributes: int) -> int:
    """Along how many random directions an audit of so many attributes moves each image."""
    return AuditSettings(generator="avatars", target="avatars:age").random_per_image(attributes, at_end=True)


def changes(random: np.random.Generator, effects: Array, susceptible: Array, shape: str) -> Array:
    """Changes `[I, len(effects)]` of these means."""
    b, c = SHAPES[shape]
    a = np.interp(effects, *_levels(shape)[::-1])
    chance = random.standard_normal((len(susceptible), len(effects)))
    return np.asarray(special.expit(a + b * susceptible[:, None] + c * chance), dtype=np.float64)


def simulate(cell: Cell, *, audits: int, seed: int = 0) -> dict[str, Any]:
    """The shares of so many audits of a cell that err, as its row of the file has them."""
    planned = planned_analyses(cell.images) if cell.analyses else (cell.images,)
    level = confidence(len(planned), cell.attributes)
    ends = [Ends(images, level=level, draws=DRAWS, seed=seed) for images in planned]
    specific, negligible, missed = (np.zeros(audits, dtype=bool) for _ in range(3))
    reach = []
    together = max(1, _AT_ONCE // cell.attributes)
    for first in range(0, audits, together):
        drawn = [_audit(cell, seed, audit) for audit in range(first, min(first + together, audits))]
        truth = np.concatenate([one[0] for one in drawn])
        changes = np.concatenate([one[1] for one in drawn], axis=1)
        least = np.concatenate([one[2] for one in drawn], axis=1)
        here = slice(first, first + len(drawn))

        def any_of(is_specific: NDArray[np.bool_], count: int = len(drawn)) -> NDArray[np.bool_]:
            return np.asarray(is_specific.reshape(count, cell.attributes).any(axis=1))

        for images, end in zip(planned, ends, strict=True):
            part = changes[:images]
            missed[here] |= any_of(end.above(part, truth) | end.below(part, truth))
            negligible[here] |= any_of(end.below(least[:images], SMALLEST))
            sensitive = end.above(part, SMALLEST).reshape(len(drawn), cell.attributes)
            for place, (_, _, _, baseline) in enumerate(drawn):
                if sensitive[place].any():
                    change = part[:, place * cell.attributes : (place + 1) * cell.attributes]
                    is_specific = _is_specific(change, baseline[:images], len(planned))
                    specific[first + place] |= bool((sensitive[place] & is_specific).any())
                if first == 0 and place < 10 and images == planned[-1]:
                    reach.append(RandomEdits(baseline).reach(LEVEL / cell.attributes / len(planned), images))
    return {
        **cell._asdict(),
        "audits": audits,
        "false_specific": round(float(specific.mean()), 4),
        "false_negligible": round(float(negligible.mean()), 4),
        "coverage": round(float(1 - missed.mean()), 4),
        "specific_from": round(float(np.median(reach)), 3),
    }


def _is_specific(change: Array, baseline: Array, analyses: int) -> NDArray[np.bool_]:
    images = np.full(change.shape[1], len(change))
    p_values = RandomEdits(baseline).p_values(change.mean(axis=0), images, variation(change))
    return np.asarray(analyses * adjust(p_values, "holm") < LEVEL)


def _audit(cell: Cell, seed: int, audit: int) -> tuple[Array, Array, Array, Array]:
    """The true effects `[A]` of one audit, changes by its attributes, by as many of the smallest effect that matters,
    and by random directions, each image moved along some of them by turns."""
    random = np.random.default_rng([seed, audit, *(round(1000 * value) for value in cell[:4]), len(cell.shape)])
    count = cell.attributes + DIRECTIONS
    logs = np.log(cell.mean) + cell.spread * random.standard_normal(count) - cell.spread**2 / 2
    effects = np.exp(logs).clip(max=LARGEST)
    susceptible = random.standard_normal(cell.images)
    drawn = changes(random, effects, susceptible, cell.shape)
    least = changes(random, np.full(cell.attributes, SMALLEST), susceptible, cell.shape)
    baseline = np.full((cell.images, DIRECTIONS), np.nan)
    rows, along = np.arange(cell.images)[:, None], an_image(cell.attributes)
    columns = (rows * along + np.arange(along)) % DIRECTIONS
    baseline[rows, columns] = drawn[:, cell.attributes :][rows, columns]
    return effects[: cell.attributes], drawn[:, : cell.attributes], least, baseline


def report(rows: list[dict[str, Any]], audits: int, seconds: float) -> dict[str, Any]:
    """What the file holds."""
    return {
        "audits": audits,
        "directions": DIRECTIONS,
        "directions_an_image": {count: an_image(count) for count in ATTRIBUTES},
        "smallest_effect": SMALLEST,
        "worst_false_specific": max(row["false_specific"] for row in rows),
        "worst_false_negligible": max(row["false_negligible"] for row in rows),
        "worst_coverage": min(row["coverage"] for row in rows),
        "seconds": round(seconds),
        "cells": rows,
    }


def main() -> None:
    """Simulate and write."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--json", type=Path, help="write the table here")
    parser.add_argument("--audits", type=int, default=400, help="of each cell (400)")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--workers", type=int, default=2)
    options = parser.parse_args()
    start, all_cells = time.perf_counter(), cells()
    run = functools.partial(simulate, audits=options.audits, seed=options.seed)
    rows = []
    with ProcessPoolExecutor(options.workers) as pool:
        for row in pool.map(run, all_cells):
            rows.append(row)
            print(json.dumps(row), flush=True)
    document = report(rows, options.audits, time.perf_counter() - start)
    print(json.dumps({name: value for name, value in document.items() if name != "cells"}, indent=1))
    if options.json is not None:
        atomic.write_json(options.json, document)


if __name__ == "__main__":
    main()
