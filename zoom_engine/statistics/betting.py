"""Tests and intervals of means in [0, 1] by betting, valid at any number of images.

A gambler who doubts that a mean μ is `limit` or less stakes a fixed fraction c of his wealth on every image. After the
changes x₁ … xₙ his wealth is

    W(c) = ∏ᵢ (1 + c · (xᵢ − limit) / limit)

Where the hypothesis is true, the wealth is a supermartingale that starts at 1. So it ever reaches 1/α with probability
α at most (Ville 1939), however often and whenever somebody looks. Against a mean of `limit` or more he bets on
(limit − xᵢ) / (1 − limit). The wealth here is a mean over fixed fractions ("diversified Kelly", Waudby-Smith and
Ramdas, *J. R. Stat. Soc. B* 2024, section 5.3). It does not depend on the order of the images. Half of the stake of the
second bet is everything on each image, which is the exact test where no image moves: n unmoved images leave
(1 − limit)⁻ⁿ / 2.

Several hypotheses are tested together by the mean of their wealths, which has the same guarantee whatever they depend
on (Vovk and Wang, *Annals of Statistics* 2021). Closed testing over all subsets then bounds the probability of any
false rejection by α. It rejects all that Holm's method (1979) on the wealths rejects, and more.
"""

from __future__ import annotations

import math

import numpy as np
from scipy import special

from zoom_engine.statistics.intervals import Array, column_means

ABOVE = {0.05: 0.2, 0.1: 0.2, 0.2: 0.2, 0.4: 0.2, 0.8: 0.2}
"""Fractions of the wealth that are staked on a mean above a limit, with their weights."""
BELOW = {1.0: 0.5, 0.8: 0.125, 0.6: 0.125, 0.4: 0.125, 0.2: 0.125}
"""Fractions of the wealth that are staked on a mean below a limit, with their weights."""
_NEAREST = 1e-9  # no limit is nearer to 0 or 1
_HALVINGS = 40
_POINTS = 200


def log_wealth_above(values: Array, limit: float | Array) -> Array:
    """Compute the logarithm of the wealth of who bets that means lie above a limit.

    Args:
        values: float64 `[I, A]` in [0, 1], NaN where there is none.
        limit: one number or `[A]`, in [0, 1].

    Returns:
        float64 `[A]`; 0 for a column without a value.
    """
    limit = np.clip(limit, _NEAREST, 1.0)
    return _log_wealth((values.clip(0.0, 1.0) - limit) / limit, ABOVE)


def log_wealth_below(values: Array, limit: float | Array) -> Array:
    """Compute the logarithm of the wealth of who bets that means lie below a limit; see `log_wealth_above`."""
    limit = np.clip(limit, 0.0, 1.0 - _NEAREST)
    return _log_wealth((limit - values.clip(0.0, 1.0)) / (1.0 - limit), BELOW)


def _log_wealth(gains: Array, stakes: dict[float, float]) -> Array:
    gains = np.where(np.isfinite(gains), gains, 0.0)
    with np.errstate(divide="ignore"):  # who loses everything has a logarithm of -inf
        logs = [math.log(weight) + np.log1p((c * gains).clip(min=-1.0)).sum(axis=0) for c, weight in stakes.items()]
    wealth: Array = special.logsumexp(logs, axis=0)
    return wealth


def typical_log_wealth(points: Array, images: int, limit: float, *, above: bool) -> float:
    """Compute the logarithm of the wealth after `images` that are spread as the equally likely `points [K]` are."""
    limit = min(max(limit, _NEAREST), 1.0 - _NEAREST)
    stakes = ABOVE if above else BELOW
    gains = (points - limit) / limit if above else (limit - points) / (1.0 - limit)
    with np.errstate(divide="ignore"):
        logs = [math.log(weight) + images * np.log1p((c * gains).clip(min=-1.0)).mean() for c, weight in stakes.items()]
    return float(special.logsumexp(logs))


def beta_points(mean: float, spread: float) -> Array:
    """Return equally likely points `[K]` of a beta distribution with this mean and standard deviation, in [0, 1]."""
    if not 0 < mean < 1 or spread <= 0:
        return np.array([mean])
    kappa = max(mean * (1 - mean) / spread**2 - 1, _NEAREST)
    points: Array = special.betaincinv(mean * kappa, (1 - mean) * kappa, (np.arange(_POINTS) + 0.5) / _POINTS)
    return points


def needed(level: float, tests: int = 1) -> float:
    """Return the logarithm of the wealth that rejects one of so many hypotheses; together they err with `level`."""
    return math.log(max(1, tests) / level)


def closed(logs: Array) -> Array:
    """Adjust the logarithms of wealths `[A]` for each other, by closed testing with their means.

    Returns for each hypothesis the logarithm of the smallest mean wealth over all sets of hypotheses that it is in.
    Whoever rejects those of log(1/α) or more rejects a true one with probability α at most.
    """
    order = np.argsort(logs)
    wealth = np.exp(np.clip(logs[order], None, 500.0))
    adjusted = np.empty(len(logs))
    sums, sizes = np.concatenate([[0.0], np.cumsum(wealth)]), np.arange(len(logs) + 1)
    for place, index in enumerate(order):
        # With the k smallest others: those before it in the order, then those after it.
        before = (sums[: place + 1] + wealth[place]) / (sizes[: place + 1] + 1)
        beyond = sums[place + 1 :] / sizes[place + 1 :]
        adjusted[index] = min(before.min(), beyond.min())
    with np.errstate(divide="ignore"):
        return np.asarray(np.log(adjusted))


def mean_intervals(values: Array, *, level: float = 0.95) -> tuple[Array, Array]:
    """Compute the interval of the mean of each column, valid at any number of images.

    An end is the limit at which the wealth of one of the two bets reaches 2 / (1 − `level`).

    Args:
        values: float64 `[I, A]` in [0, 1], NaN where there is none.
        level: confidence, in (0, 1).

    Returns:
        (low `[A]`, high `[A]`), NaN for a column without a value.
    """
    means = column_means(values.clip(0.0, 1.0))
    known = np.isfinite(means)
    enough = needed((1 - level) / 2)
    low_in, low_out = np.zeros_like(means), means.copy()
    high_out, high_in = means.copy(), np.ones_like(means)
    for _ in range(_HALVINGS):
        middle = (low_in + low_out) / 2
        rejected = log_wealth_above(values, middle) >= enough
        low_in, low_out = np.where(rejected, middle, low_in), np.where(rejected, low_out, middle)
        middle = (high_out + high_in) / 2
        rejected = log_wealth_below(values, middle) >= enough
        high_in, high_out = np.where(rejected, middle, high_in), np.where(rejected, high_out, middle)
    low, high = np.where(known, low_in, np.nan), np.where(known, high_in, np.nan)
    return np.minimum(low, means), np.maximum(high, means)
