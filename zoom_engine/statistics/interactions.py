"""Tests of whether an attribute matters more in images that have what a text says than in those that lack it.

What is compared is the difference of the two groups' means.

*Test*: a permutation test over which images have it, with all permutations or many drawn at random. Values in [0, 1]
that are mostly near 0 vary more where their mean is larger, and the groups differ in size. So the statistic is the
difference in units of its own standard error: for many images this keeps the size of the test where the means are equal
and everything else is not (Janssen 1997; Chung and Romano 2013). Where both groups are alike the test is exact for any
number of images.

*Interval*: the ends of the two means' intervals, combined ("melded", Fay, Proschan and Brittain 2015); it needs no such
limit. The ends are Gaffke's (2004): quantiles of a Bayesian bootstrap with one more observation, at 0 for the lower end
and at 1 for the upper one, which stands for what a group did not happen to show. Here it counts half, as Jeffreys'
interval of a proportion compares with Clopper and Pearson's: two ends with whole ones would cover the difference in 99
to 100 % where 95 % are claimed. The intervals are simultaneous over all attributes, texts and interim analyses.

A difference is *found* where the adjusted p-value is below 5 %, the interval excludes 0, and the difference is at least
the smallest effect that matters. It does not say why: images that have something may have more than that in common.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterable, Sequence

import numpy as np
from numpy.typing import NDArray

from zoom_engine.audit.summary import GroupDifference
from zoom_engine.settings.interim_analyses import ERRING, confidence
from zoom_engine.statistics.attribute_tests import adjust
from zoom_engine.statistics.intervals import Array, column_means

FEWEST = 5
"""The fewest images of each group that a test needs."""
DRAWS = 10_000
_UNSEEN = 0.5  # observations at 0, or at 1
_IN_TAIL = 10  # draws beyond each end of an interval, at least
_AT_ONCE = 4_000_000  # numbers of a block of draws
_MOST_DRAWN = 1 << 25  # numbers of each end that are drawn at a time
_ROUNDING = 1e-10
_STILL = 1e-15  # a squared difference that is none

Parted = tuple[str, NDArray[np.bool_], NDArray[np.bool_]]
"""A text, which of the images `[I]` have what it says, and which lack it."""


def differences(
    parted: Sequence[Parted],
    effect: Array,
    *,
    smallest: float,
    correction: str,
    finished: bool = True,
    analyses: int = 1,
    draws: int = DRAWS,
    seed: int = 0,
) -> list[tuple[GroupDifference, ...]]:
    """Compute for each column of `effect` the difference between the two groups of each text.

    Args:
        parted: the texts with their groups, each bool `[I]`.
        effect: float64 `[I, A]` in [0, 1], NaN where unknown.
        smallest: the smallest effect that matters, in [0, 1].
        correction: of the p-values, one of `settings.CORRECTIONS`.
        finished: False before the audit ends: nothing is found then.
        analyses: number of planned interim analyses; each spends an equal part of the error (Bonferroni).
        draws: the fewest permutations that are drawn; p-values of many differences take more.
        seed: seed of what is drawn at random.
    """
    known = np.isfinite(effect)
    sizes = [[(known & rows[:, None]).sum(axis=0) for rows in (has, lacks)] for _, has, lacks in parted]
    tested = np.array([(has >= FEWEST) & (lacks >= FEWEST) for has, lacks in sizes], dtype=np.bool_)
    tested = tested.reshape(len(parted), effect.shape[1])
    count = analyses * int(tested.sum())
    p_values, low, high = (np.full(tested.shape, np.nan) for _ in range(3))
    for place, (_, has, lacks) in enumerate(parted):
        columns = tested[place]
        if columns.any():
            rows, level = has | lacks, confidence(count)
            more = max(draws, 100 * count)
            p_values[place, columns] = permuted(effect[rows][:, columns], has[rows], draws=more, seed=seed)
            between = difference_intervals(effect[has][:, columns], effect[lacks][:, columns], level, seed=seed)
            low[place, columns], high[place, columns] = between
    adjusted = (analyses * adjust(p_values.ravel(), correction)).clip(max=1.0).reshape(tested.shape)
    means = [column_means(effect[has]) - column_means(effect[lacks]) for _, has, lacks in parted]
    off = (low > 0) | (high < 0)
    differs = finished & tested & (adjusted < ERRING) & off & (np.abs(means).reshape(tested.shape) >= smallest)

    def at(values: Array, place: int, column: int) -> float | None:
        return float(values[place, column]) if tested[place, column] else None

    return [
        tuple(
            GroupDifference(
                by=text,
                has=int(sizes[place][0][column]),
                lacks=int(sizes[place][1][column]),
                difference=float(means[place][column]) if np.isfinite(means[place][column]) else None,
                ci95=(float(low[place, column]), float(high[place, column])) if tested[place, column] else None,
                p_value=at(p_values, place, column),
                p_adjusted=at(adjusted, place, column),
                differs=bool(differs[place, column]),
            )
            for place, (text, _, _) in enumerate(parted)
        )
        for column in range(effect.shape[1])
    ]


def permuted(values: Array, has: NDArray[np.bool_], *, draws: int = DRAWS, seed: int = 0) -> Array:
    """Compute the two-sided permutation p-value `[A]` of each column of `values [I, A]` between `has [I]` and the rest.

    It is the probability that randomly chosen images differ from the rest by as much, in standard errors. Both groups
    need two values or more; NaN is left out. All permutations are enumerated where they are no more than `draws`;
    otherwise so many are drawn, and the observed one counts too.
    """
    p_values = np.full(values.shape[1], np.nan)
    patterns, which = np.unique(np.isfinite(values), axis=1, return_inverse=True)
    for number, rows in enumerate(patterns.T):
        columns = which.ravel() == number
        p_values[columns] = _permuted(values[rows][:, columns], has[rows], draws, np.random.default_rng(seed))
    return p_values


def _permuted(values: Array, has: NDArray[np.bool_], draws: int, random: np.random.Generator) -> Array:
    size, images = int(has.sum()), len(has)
    count = math.comb(images, size)
    is_enumerated = count <= draws
    centred = values - values.mean(axis=0)
    reached = _apart(centred, has[None])[0] - _ROUNDING
    above = np.zeros(values.shape[1])
    picks: Iterable[NDArray[np.bool_]] = (
        _all_picks(images, size) if is_enumerated else _random_picks(has, draws, random)
    )
    for picked in picks:
        above += (_apart(centred, picked) >= reached).sum(axis=0)
    p_values: Array = above / count if is_enumerated else (1 + above) / (1 + draws)
    return p_values


def _apart(values: Array, picked: NDArray[np.bool_]) -> Array:
    """Compute how far the means of picked and other images lie apart: `[P, A]` for the picks `[P, I]`.

    The measure is t² / (1 + t²) for the t of Welch, so that groups without variation can be compared too.
    """
    means, errors = [], []
    for rows in (picked.astype(np.float64), (~picked).astype(np.float64)):
        count = rows[0].sum()
        means.append(rows @ values / count)
        errors.append((rows @ values**2 / count - means[-1] ** 2).clip(min=0.0) / (count - 1))
    squared = (means[0] - means[1]) ** 2
    return np.asarray(squared / (squared + errors[0] + errors[1] + _STILL))


def _all_picks(images: int, size: int) -> Iterable[NDArray[np.bool_]]:
    picks = np.array(list(itertools.combinations(range(images), size)))
    for part in np.array_split(picks, max(1, len(picks) * images // _AT_ONCE)):
        picked = np.zeros((len(part), images), dtype=np.bool_)
        np.put_along_axis(picked, part, True, axis=1)
        yield picked


def _random_picks(has: NDArray[np.bool_], draws: int, random: np.random.Generator) -> Iterable[NDArray[np.bool_]]:
    block = max(1, _AT_ONCE // len(has))
    for first in range(0, draws, block):
        yield random.permuted(np.tile(has, (min(block, draws - first), 1)), axis=1)


def difference_intervals(has: Array, lacks: Array, level: float, *, seed: int = 0) -> tuple[Array, Array]:
    """Compute the interval of the difference of means for each column of `has [I, A]` and `lacks [J, A]`.

    Values are in [0, 1], NaN where unknown. Returns (low `[A]`, high `[A]`).
    """
    draws, tail = max(4000, math.ceil(2 * _IN_TAIL / (1 - level))), (1 - level) / 2
    low, high = np.empty((2, has.shape[1]))
    together = max(1, _MOST_DRAWN // draws)  # columns, each with the same draws
    for first in range(0, has.shape[1], together):
        part, random = slice(first, first + together), np.random.default_rng(seed)
        (has_low, has_high), (lacks_low, lacks_high) = (
            _mean_draws(values[:, part], draws, random) for values in (has, lacks)
        )
        low[part] = np.quantile(has_low - lacks_high, tail, axis=0)
        high[part] = np.quantile(has_high - lacks_low, 1 - tail, axis=0)
    return low, high


def _mean_draws(values: Array, draws: int, random: np.random.Generator) -> tuple[Array, Array]:
    """Draw what the lower and the upper end of the mean's interval are quantiles of: `[draws, A]` each."""
    present = np.isfinite(values)
    known = np.where(present, values, 0.0).clip(0.0, 1.0)
    low, high = np.empty((draws, values.shape[1])), np.empty((draws, values.shape[1]))
    block = max(1, _AT_ONCE // len(values))
    for first in range(0, draws, block):
        part = slice(first, min(first + block, draws))
        seen = random.exponential(size=(part.stop - first, len(values)))
        more = random.gamma(_UNSEEN, size=(len(seen), 1))
        total = seen @ present.astype(np.float64) + more
        sums = seen @ known
        low[part], high[part] = sums / total, (sums + more) / total
    return low, high
