"""Coverage and density: how much of a folder of photographs a generator's pictures cover, by their embeddings.

Around each photograph is a ball that reaches to its k-th nearest other photograph. *Coverage* is the fraction of
photographs with a generated picture in their ball; *density* is how many balls a generated picture lies in, on average,
over k (Naeem, Oh, Uh, Choi and Yoo, "Reliable Fidelity and Diversity Metrics for Generative Models", ICML 2020, with
their k = 5). Both depend on how many pictures there are. So photographs are split in two at random, again and again,
and each half is compared with as many generated pictures, and with the other half: those are the reference values, what
a generator reaches that draws such photographs. Intervals are by bootstrap over pictures, balls as they are.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from zoom_engine.audit.summary import Interval
from zoom_engine.statistics.intervals import Array

NEIGHBOURS = 5
LEAST_PHOTOGRAPHS = 8 * NEIGHBOURS
"""The fewest photographs that can be compared: of a smaller half than four times k each ball would reach over a large
part, and what is drawn elsewhere would lie in some."""
_SPLITS = 20
_RESAMPLES = 2000
_LEAST = 1e-3


class Estimate(NamedTuple):
    """A figure and its 95 % interval."""

    value: float
    interval: Interval


class Coverage(NamedTuple):
    """The coverage and density of photographs by generated pictures.

    Attributes:
        pictures: how many photographs, and how many generated pictures, are compared at a time: a half.
        coverage: by generated pictures, in [0, 1].
        density: of generated pictures, 0 or more.
        reference_coverage: of one half of the photographs by the other.
        reference_density: of one half of the photographs in the other's balls.
        relative: coverage over its reference: 1 is as well as photographs cover each other.
    """

    pictures: int
    coverage: Estimate
    density: Estimate
    reference_coverage: Estimate
    reference_density: Estimate
    relative: Estimate


def coverage(photographs: Array, generated: Array, *, seed: int = 0) -> Coverage:
    """Compare photographs with generated pictures, and with each other.

    Args:
        photographs: float64 `[N, D]`, embeddings of `LEAST_PHOTOGRAPHS` or more.
        generated: float64 `[M, D]`, embeddings of at least half as many.
        seed: of the splits and of the bootstrap.

    Raises:
        ValueError: there are too few of either.
    """
    half, count = len(photographs) // 2, len(generated)
    if len(photographs) < LEAST_PHOTOGRAPHS or count < half:
        raise ValueError(f"too few pictures: {len(photographs)} photographs, {count} generated")
    among, across = _distances(photographs, photographs), _distances(photographs, generated)
    random = np.random.default_rng(seed)
    # Sums over splits, by picture, and how often each was in one.
    of_photographs, of_generated = np.zeros((4, len(photographs))), np.zeros((2, count))
    for _ in range(_SPLITS):
        order = random.permutation(len(photographs))
        for one, other in ((order[:half], order[half : 2 * half]), (order[half : 2 * half], order[:half])):
            drawn = random.choice(count, half, replace=False)
            within = among[np.ix_(one, one)]
            covered, density = coverage_and_density(within, across[np.ix_(one, drawn)], NEIGHBOURS)
            by_others, density_of_others = coverage_and_density(within, among[np.ix_(one, other)], NEIGHBOURS)
            of_photographs[:3, one] += covered, by_others, np.ones(half)
            of_photographs[3, other] += density_of_others  # each is in one half as often as in the other
            of_generated[:, drawn] += density, np.ones(half)
    covered, by_others, density_of_others = of_photographs[[0, 1, 3]] / of_photographs[2].clip(min=1)
    drawn_ever = of_generated[:, of_generated[1] > 0]  # of many pictures the splits draw but some
    density = drawn_ever[0] / drawn_ever[1]
    rows = random.multinomial(len(covered), np.full(len(covered), 1 / len(covered)), size=_RESAMPLES) / len(covered)
    drawn_rows = random.multinomial(len(density), np.full(len(density), 1 / len(density)), _RESAMPLES) / len(density)
    resampled, resampled_others = rows @ covered, rows @ by_others
    return Coverage(
        half,
        _estimate(covered.mean(), resampled),
        _estimate(density.mean(), drawn_rows @ density),
        _estimate(by_others.mean(), resampled_others),
        _estimate(density_of_others.mean(), rows @ density_of_others),
        _estimate(covered.mean() / max(by_others.mean(), _LEAST), resampled / resampled_others.clip(min=_LEAST)),
    )


def coverage_and_density(among: Array, across: Array, neighbours: int) -> tuple[NDArray[np.bool_], Array]:
    """Compute what coverage and density are the means of, from distances.

    Args:
        among: float64 `[N, N]`, from each photograph to each.
        across: float64 `[N, M]`, to generated pictures.
        neighbours: k, below N.

    Returns:
        bool `[N]`, whether each photograph is covered, and float64 `[M]`, the density of each generated picture.
    """
    reach = np.partition(among, neighbours, axis=1)[:, neighbours]  # the nearest is the photograph itself
    inside = across < reach[:, None]
    covered: NDArray[np.bool_] = np.asarray(inside.any(axis=1))
    density: Array = inside.sum(axis=0) / neighbours
    return covered, density


def _distances(one: Array, other: Array) -> Array:
    squares = (one**2).sum(axis=1)[:, None] + (other**2).sum(axis=1) - 2 * one @ other.T
    distances: Array = np.sqrt(squares.clip(min=0.0))
    return distances


def _estimate(value: float, resampled: Array) -> Estimate:
    low, high = np.percentile(resampled, [2.5, 97.5])
    return Estimate(float(value), (float(min(low, value)), float(max(high, value))))
