"""Means over images: resampled means, intervals of unlimited values, and proportions.

The percentile bootstrap (Efron 1979) compares attributes with each other. It is no interval of a mean: flips that no
image happened to show do not count in it. The intervals of means are in `betting`.
"""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray
from scipy import special

Array = NDArray[np.float64]
_NORMAL_975 = 1.959964  # 97.5 % of a standard normal distribution
_AT_ONCE = 2_000_000  # numbers of a block of draws


def bootstrap_means(values: Array, *, resamples: int = 4000, seed: int = 0) -> Array:
    """Compute the column means of `values` over resampled images.

    Args:
        values: float64 `[I, A]`, one row per image; NaN marks a missing trial.
        resamples: how often the I images are drawn with replacement.
        seed: seed of the draws.

    Returns:
        float64 `[resamples, A]`, NaN where a resample holds no value of a column. The images of a row are the same for
            all columns, because the attributes of one image vary together and are to be compared.
    """
    images = values.shape[0]
    if images == 0:
        return np.full((resamples, values.shape[1]), np.nan)
    random = np.random.default_rng(seed)
    present = np.isfinite(values)
    means: Array = np.full((resamples, values.shape[1]), np.nan)
    for part in parts(resamples, images):
        often = random.multinomial(images, np.full(images, 1.0 / images), size=part.stop - part.start)
        counts = often.astype(np.float64)
        sums, sizes = counts @ np.where(present, values, 0.0), counts @ present.astype(np.float64)
        np.divide(sums, sizes, out=means[part], where=sizes > 0)
    low = np.where(present, values, np.inf).min(axis=0)
    high = np.where(present, values, -np.inf).max(axis=0)
    return np.where(np.isnan(means), means, np.clip(means, low, np.maximum(low, high)))  # rounding only


def parts(draws: int, values: int) -> Iterator[slice]:
    """Yield the rows of so many draws of `values` numbers each, as many at a time as memory takes."""
    at_once = max(1, _AT_ONCE // values)
    return (slice(first, min(first + at_once, draws)) for first in range(0, draws, at_once))


def interval(means: Array, *, level: float = 0.95) -> tuple[Array, Array]:
    """Return the percentile interval of each column of `means [R, A]`: (low `[A]`, high `[A]`), NaN where empty."""
    tail = 50.0 * (1.0 - level)
    low, high = np.full(means.shape[1], np.nan), np.full(means.shape[1], np.nan)
    known = np.isfinite(means).any(axis=0)
    if known.any():
        low[known], high[known] = np.nanpercentile(means[:, known], [tail, 100.0 - tail], axis=0)
    return low, high


def unlimited_intervals(values: Array, *, level: float = 0.95) -> tuple[Array, Array]:
    """Compute Student's interval of the mean of each column of `values [I, A]`, which may be any numbers.

    Returns (low `[A]`, high `[A]`), NaN for a column of fewer than two values.
    """
    sizes, means = np.isfinite(values).sum(axis=0), column_means(values)
    freedom = np.where(sizes > 1, sizes - 1.0, np.nan)
    errors = np.sqrt(np.nansum((values - means) ** 2, axis=0) / freedom / sizes)
    half = special.stdtrit(freedom, (1 + level) / 2) * errors
    return means - half, means + half


def wilson(successes: int, trials: int) -> tuple[float, float]:
    """Return the 95 % score interval of the proportion of 1 or more trials (Wilson 1927)."""
    z, rate = _NORMAL_975, successes / trials
    scale = 1 + z * z / trials
    middle = (rate + z * z / (2 * trials)) / scale
    half = z * math.sqrt(rate * (1 - rate) / trials + z * z / (4 * trials * trials)) / scale
    return max(0.0, middle - half), min(1.0, middle + half)


def share_first(means: Array) -> Array:
    """Return how often each column has the largest mean of its row: float64 `[A]`.

    It sums to 1, and to 0 without resamples. Ties are split evenly, and columns without a mean are left out. For
    attributes this is the fraction of resampled audits in which the attribute comes first.
    """
    first, tried = np.zeros(means.shape[1]), np.isfinite(means).any(axis=0)
    known = means[:, tried]
    known = known[np.isfinite(known).all(axis=1)]
    if known.size:
        best = known == known.max(axis=1, keepdims=True)
        first[tried] = (best / best.sum(axis=1, keepdims=True)).mean(axis=0)
    return first


def column_means(values: Array) -> Array:
    """Return the mean of each column of `values [I, A]` over its images: float64 `[A]`, NaN where empty."""
    sizes = np.isfinite(values).sum(axis=0)
    sums = np.where(np.isfinite(values), values, 0.0).sum(axis=0)
    means: Array = np.divide(sums, sizes, out=np.full(values.shape[1], np.nan), where=sizes > 0)
    return means
