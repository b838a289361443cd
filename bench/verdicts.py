"""How often verdicts are false, and how many images they take: the rules of audits on simulated audits.

    python bench/verdicts.py --json bench/results/verdicts.json

Attributes are exchangeable with the random directions that they are compared with: all mean effects are drawn from one
population of a mean and a spread (the standard deviation of their logarithms). So *sensitive and specific* is false of
each. An image's changes are sigmoid(aⱼ + b·uᵢ + c·eᵢⱼ), u and e standard normal, with aⱼ such that the mean is θⱼ:
images that are easily moved are so by all edits, and changes are skewed as flips are. A row of the table has, for the
audits of a cell, the shares in which

- any attribute is sensitive and specific (`false_specific`),
- any of as many attributes whose true mean is the smallest effect that matters is negligible (`false_negligible`), or
  sensitive (`false_sensitive`),
- the shown intervals of all attributes hold their means (`coverage`).

The largest of many shares is too high by chance. So a cell with a share above `BAR` is simulated again by four times as
many other audits (`again`); the `confirmed` figures take these.

A cell with `auto` is of audits that choose the number of images of each attribute. `settling` has the median number of
images after which such audits of eleven attributes settle one of a given true effect; the others have an effect of
0.01.
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
from zoom_engine.settings.audit_settings import (
    DEFAULT_RANDOM_DIRECTIONS,
    RANDOM_IMAGES,
    SMALLEST_EFFECT,
    AuditSettings,
)
from zoom_engine.settings.interim_analyses import MOST_IMAGES, planned_analyses
from zoom_engine.statistics.attribute_tests import AttributeTest, attribute_tests
from zoom_engine.statistics.course import size_tests

Array = NDArray[np.float64]
MEANS, SPREADS, IMAGES, ATTRIBUTES = (0.03, 0.1, 0.2), (0.0, 0.2, 0.5, 1.0), (24, 100, 384), (3, 12, 22)
SHAPES = {"skewed": (1.5, 1.5), "flips": (3.0, 3.0), "even": (0.3, 0.5)}
"""By name b and c: how an image's susceptibility and chance spread its change."""
EFFECTS = (0.0, 0.02, 0.05, 0.2, 0.4)
BAR = 0.06
SHARES = ("false_specific", "false_negligible", "false_sensitive")
DOUBLING = (24, 48, 96, 192, 384)
SMALLEST = SMALLEST_EFFECT
DIRECTIONS = DEFAULT_RANDOM_DIRECTIONS
LARGEST = 0.95


class Cell(NamedTuple):
    """What is simulated; with `auto`, `images` is the largest number."""

    mean: float
    spread: float
    images: int
    attributes: int
    shape: str = "skewed"
    auto: bool = False


def cells() -> list[Cell]:
    """All cells: every combination, other shapes at one size, and audits that choose their numbers of images."""
    whole = [Cell(*values) for values in itertools.product(MEANS, SPREADS, IMAGES, ATTRIBUTES)]
    others = [Cell(mean, spread, 100, 12, shape) for shape in ("flips", "even") for mean in MEANS for spread in SPREADS]
    auto = [
        Cell(mean, spread, MOST_IMAGES, attributes, auto=True)
        for mean, spread, attributes in itertools.product(MEANS, SPREADS, ATTRIBUTES)
    ]
    return [*whole, *others, *auto]


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
    analyses = planned_analyses(cell.images) if cell.auto else (cell.images,)
    erring: dict[str, list[bool]] = {name: [] for name in ("specific", "negligible", "sensitive", "missed")}
    images = []
    for audit in range(audits):
        truth, change, least, baseline = _audit(cell, seed, audit)
        tests, tried = tests_of(change, baseline, analyses)
        images.append(tried.mean())
        ends = np.array([one.interval for one in tests])
        erring["missed"].append(bool(((truth < ends[:, 0]) | (truth > ends[:, 1])).any()))
        is_specific = [one.verdict == "sensitive" and one.specificity == "specific" for one in tests]
        erring["specific"].append(any(is_specific))
        at_limit = size_tests(least, SMALLEST, analyses).verdicts
        erring["negligible"].append("negligible" in at_limit)
        erring["sensitive"].append("sensitive" in at_limit)
    shares = {name: float(np.mean(values)) for name, values in erring.items()}
    return {
        **cell._asdict(),
        "audits": audits,
        "false_specific": round(shares["specific"], 4),
        "false_negligible": round(shares["negligible"], 4),
        "false_sensitive": round(shares["sensitive"], 4),
        "coverage": round(1 - shares["missed"], 4),
        "mean_images": round(float(np.mean(images)), 1),
    }


def tests_of(
    change: Array, baseline: Array, analyses: tuple[int, ...]
) -> tuple[list[AttributeTest], NDArray[np.int64]]:
    """The test results of an audit that draws no more images, and no more random edits, than it needs; and the number
    of images of each attribute."""
    sizes = size_tests(change, SMALLEST, analyses)
    tried = np.array([stopped or analyses[-1] for stopped in sizes.stopped])
    change = np.where(np.arange(len(change))[:, None] < tried, change, np.nan)
    along = baseline[: min(RANDOM_IMAGES, int(tried.max()))]
    rows = np.full((len(change) - len(along), baseline.shape[1]), np.nan)
    if "sensitive" not in sizes.verdicts:
        along = np.full_like(along, np.nan)
    return attribute_tests(change, np.concatenate([along, rows]), SMALLEST, "holm", sizes=sizes), tried


def cell_of(row: dict[str, Any]) -> Cell:
    """The cell that a row of the table is of."""
    return Cell(**{name: row[name] for name in Cell._fields})


def settling(effect: float, *, audits: int, seed: int = 0) -> dict[str, Any]:
    """After how many images audits of eleven attributes settle one of this true effect; None where most never do.

    `gaffke` is the same by fixed-sample intervals: two-sided ones of Gaffke, at five analyses that double the images,
    with Bonferroni's correction over attributes and analyses.
    """
    analyses, stopped, columns = planned_analyses(MOST_IMAGES), [], []
    for audit in range(audits):
        random = np.random.default_rng([seed, audit, round(1000 * effect)])
        effects = np.array([max(effect, 1e-4), *np.full(10, 0.01)])
        change = changes(random, effects, random.standard_normal(MOST_IMAGES), "skewed")
        stopped.append(size_tests(change, SMALLEST, analyses).stopped[0])
        columns.append(change[:, 0])
    by_gaffke = np.full(audits, np.inf)
    for images in reversed(DOUBLING):
        low, high = gaffke(np.array(columns).T[:images], 0.05 / (len(DOUBLING) * 11))
        by_gaffke[(low > SMALLEST) | (high < SMALLEST)] = images
    known = np.array([np.inf if one is None else one for one in stopped])
    return {
        "effect": effect,
        **{
            name: None if np.isinf(middle := np.median(counts)) else float(middle)
            for name, counts in (("median", known), ("gaffke", by_gaffke))
        },
    }


def gaffke(values: Array, level: float, draws: int = 20_000) -> tuple[Array, Array]:
    """Gaffke's (2004) two-sided interval of the mean of each column: quantiles of a Bayesian bootstrap with one more
    observation, at 0 or at 1."""
    weights = np.random.default_rng(0).exponential(size=(draws, len(values) + 1))
    weights /= weights.sum(axis=1, keepdims=True)
    means = weights[:, :-1] @ values
    return (
        np.quantile(means, level / 2, axis=0),
        np.quantile(means + weights[:, -1:], 1 - level / 2, axis=0),
    )


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


def report(rows: list[dict[str, Any]], effects: list[dict[str, Any]], audits: int, seconds: float) -> dict[str, Any]:
    """What the file holds."""
    worst = {f"worst_{name}": max(row[name] for row in rows) for name in SHARES}
    confirmed = [row.get("again", row) for row in rows]
    worst |= {f"worst_{name}_confirmed": max(row[name] for row in confirmed) for name in SHARES}
    return {
        "audits": audits,
        "directions": DIRECTIONS,
        "directions_an_image": {count: an_image(count) for count in ATTRIBUTES},
        "images_of_directions": RANDOM_IMAGES,
        "smallest_effect": SMALLEST,
        **worst,
        "worst_coverage": min(row["coverage"] for row in rows),
        "settling": effects,
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
    start = time.perf_counter()
    drawn = {"audits": options.audits, "seed": options.seed}
    rows = []
    with ProcessPoolExecutor(options.workers) as pool:
        for row in pool.map(functools.partial(simulate, **drawn), cells()):
            rows.append(row)
            print(json.dumps(row), flush=True)
        high = [row for row in rows if max(row[name] for name in SHARES) > BAR]
        fresh = {"audits": 4 * options.audits, "seed": options.seed + 1}
        for row, again in zip(high, pool.map(functools.partial(simulate, **fresh), map(cell_of, high)), strict=True):
            row["again"] = again
        effects = list(pool.map(functools.partial(settling, **drawn), EFFECTS))
    document = report(rows, effects, options.audits, time.perf_counter() - start)
    print(json.dumps({name: value for name, value in document.items() if name != "cells"}, indent=1))
    if options.json is not None:
        atomic.write_json(options.json, document)


if __name__ == "__main__":
    main()
