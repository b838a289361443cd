"""How far one sample lies from another: the least mean change that makes one of the other.

That is the 1-Wasserstein distance between samples of equal size, with a change in [0, 1] between any two as the cost:
an optimal assignment (Kantorovich 1942; here by Jonker and Volgenant's method, scipy's). It is above 0 between two
samples of one population, too. So the first sample is split in two at random, again and again: each time a half is
compared with as many of the second sample, and with the other half, and what the first distance is more than the second
is the *excess*. How it varies over such halves is how the excess of whole samples varies (half-samples, McCarthy 1969).
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from scipy.optimize import linear_sum_assignment

from zoom_engine.audit.summary import Interval
from zoom_engine.statistics.intervals import Array

_SPLITS = 100


class Distance(NamedTuple):
    """How far the second sample lies from the first, means over splits, in units of the cost.

    Attributes:
        distance: between half of the first sample and as many of the second.
        reference: between two halves of the first.
        excess: the difference; 0 or less where nothing tells the samples apart.
        interval: 95 % of the excess.
    """

    distance: float
    reference: float
    excess: float
    interval: Interval


def transport(cost: Array) -> float:
    """Return the mean of `cost [n, n]` over the pairs of the best assignment."""
    return float(cost[linear_sum_assignment(cost)].mean())


def distance(within: Array, between: Array, *, seed: int = 0, splits: int = _SPLITS) -> Distance:
    """Compare two samples by their costs.

    Args:
        within: float64 `[N, N]`, costs in the first sample, N at least 4.
        between: float64 `[N, M]`, costs from the first sample to the second, M at least N/2.
        seed: of the splits.
        splits: how many.

    Raises:
        ValueError: there are too few of either.
    """
    (count, others), half = between.shape, len(between) // 2
    if half < 2 or others < half:
        raise ValueError(f"too few to compare: {count} and {others}")
    random, pairs = np.random.default_rng(seed), []
    for _ in range(splits):
        order, drawn = random.permutation(count), random.choice(others, half, replace=False)
        one, other = order[:half], order[half : 2 * half]
        pairs.append((transport(between[np.ix_(one, drawn)]), transport(within[np.ix_(one, other)])))
    far, reference = np.array(pairs).T
    low, high = np.percentile(far - reference, [2.5, 97.5])
    return Distance(
        float(far.mean()), float(reference.mean()), float((far - reference).mean()), (float(low), float(high))
    )
