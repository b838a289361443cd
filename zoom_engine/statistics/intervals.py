"""Means over images and their intervals, vectorised and seeded.

An edit does next to nothing to most images and now and then flips one, so a mean depends on images that a small audit
may not have seen. There the percentile bootstrap (Efron 1979) is too narrow, and where nothing moved its width is 0.
The interval of a mean is therefore Gaffke's (2004) for values that are known to lie in [0, 1]: a Bayesian bootstrap
with one more observation, at 0 for the lower end and at 1 for the upper one. Where none of I images moves at all, it
ends at 1 − 0.025^(1/I): at 0.21 for 16 images, at 0.05 for 72. The bootstrap is used only to compare attributes with
each other.
"""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray
from scipy import special

Array = NDArray[np.float64]
_NORMAL_975 = 1.959964  # 97.5 % of a standard normal distribution
_BEYOND, _MOST_DRAWS = 50, 40_000
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


def mean_intervals(
    values: Array, *, level: float = 0.95, draws: int | None = None, seed: int = 0
) -> tuple[Array, Array]:
    """Compute Gaffke's interval of the mean of each column.

    The ends are quantiles of Σ Dₖxₖ over the values of a column and one more observation, with D uniform on the
    simplex; (1 − `level`) / 2 of the draws lie beyond each end.

    Args:
        values: float64 `[I, A]` in [0, 1], NaN where there is none.
        level: confidence, in (0, 1).
        draws: number of draws. By default 4,000, or more where fewer than `_BEYOND` would lie beyond an end, up to
            `_MOST_DRAWS`.
        seed: seed of the draws.

    Returns:
        (low `[A]`, high `[A]`), NaN for a column without a value.
    """
    if draws is None:
        draws = int(min(max(4000, 2 * _BEYOND / (1 - level)), _MOST_DRAWS))
    present = np.isfinite(values)
    known = np.where(present, values, 0.0).clip(0.0, 1.0)
    random = np.random.default_rng(seed)
    lows, highs = np.empty((2, draws, values.shape[1]))
    for part in parts(draws, len(values) + 1):
        weights = random.exponential(size=(part.stop - part.start, len(values) + 1))
        seen, more = weights[:, :-1], weights[:, -1:]
        sums, total = seen @ known, seen @ present.astype(np.float64) + more
        lows[part], highs[part] = sums / total, (sums + more) / total
    low, high = np.quantile(lows, (1 - level) / 2, axis=0), np.quantile(highs, (1 + level) / 2, axis=0)
    means = column_means(np.where(present, known, np.nan))
    return np.minimum(low, means), np.maximum(high, means)  # NaN stays


def unlimited_intervals(values: Array, *, level: float = 0.95) -> tuple[Array, Array]:
    """Compute Student's interval of the mean of each column of `values [I, A]`, which may be any numbers.

    Returns (low `[A]`, high `[A]`), NaN for a column of fewer than two values.
    """
    sizes, means = np.isfinite(values).sum(axis=0), column_means(values)
    freedom = np.where(sizes > 1, sizes - 1.0, np.nan)
    errors = np.sqrt(np.nansum((values - means) ** 2, axis=0) / freedom / sizes)
    half = special.stdtrit(freedom, (1 + level) / 2) * errors
    return means - half, means + half


class Ends:
    """A fast test of whether the intervals of `mean_intervals` lie above or below a limit.

    It serves many columns of the same number of images by the same draws, without computing the ends.
    """

    def __init__(self, images: int, *, level: float, draws: int, seed: int = 0) -> None:
        """Draw the weights for columns of `images` values; the other arguments are those of `mean_intervals`."""
        weights = np.random.default_rng(seed).exponential(size=(draws, images + 1))
        weights /= weights.sum(axis=1, keepdims=True)
        self._weights, self._more, self._beyond = weights[:, :-1], weights[:, -1:], (1 - level) / 2

    def above(self, values: Array, limit: float | Array) -> NDArray[np.bool_]:
        """Return bool `[A]`: whether the interval of each column of `values [I, A]` lies above `limit`.

        Values are in [0, 1], none of them missing; `limit` is one number or `[A]`.
        """
        return self._are_above(self._weights @ values, limit)

    def below(self, values: Array, limit: float | Array) -> NDArray[np.bool_]:
        """Return bool `[A]`: whether the interval of each column of `values [I, A]` lies below `limit`; see `above`."""
        return self._are_below(self._weights @ values, limit)

    def off(self, values: Array, limit: float | Array) -> NDArray[np.bool_]:
        """Return bool `[A]`: whether the interval of each column lies above or below `limit`; see `above`."""
        drawn = self._weights @ values
        return self._are_above(drawn, limit) | self._are_below(drawn, limit)

    def _are_above(self, drawn: Array, limit: float | Array) -> NDArray[np.bool_]:
        is_above: NDArray[np.bool_] = (drawn <= limit).mean(axis=0) <= self._beyond
        return is_above

    def _are_below(self, drawn: Array, limit: float | Array) -> NDArray[np.bool_]:
        is_below: NDArray[np.bool_] = (drawn + self._more >= limit).mean(axis=0) <= self._beyond
        return is_below


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
