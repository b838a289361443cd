"""Whether an attribute counts more in some images than in others: the difference of two means, of images that have what
a text says and of those that lack it.

*Tested* by permuting which images have it, all ways to do so or many drawn at random. Values in [0, 1] of which most
are next to 0 vary the more the larger their mean is, and groups are of unequal size; so what is compared is the
difference in units of its own standard error, which keeps the test's size, for many images, where the means are equal
and all else is not (Janssen 1997; Chung and Romano 2013). Where both groups are alike it is exact for any number.

*Sized* by an interval that needs no such limit: the ends of either mean's interval, put together ("melded", Fay,
Proschan and Brittain 2015). An end is Gaffke's (`intervals`), so it counts what a group did not happen to show, but
with half an observation more in place of a whole one, as Jeffreys' interval of a share has it beside Clopper and
Pearson's: two ends with whole ones would hold the difference in 99 to 100 % where 95 % are said. Intervals hold
together, over all attributes and texts.

A difference is *found* where the adjusted p-value is below 5 %, the interval leaves out 0, and it comes to the smallest
effect that matters. It says nothing of why: images that have something may have more than that in common.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterable, Sequence

import numpy as np
from numpy.typing import NDArray

from zoom_engine.audit.summary import GroupDifference
from zoom_engine.settings.looks import ERRING, confidence
from zoom_engine.statistics.evidence import adjust
from zoom_engine.statistics.intervals import Array, column_means

FEWEST = 5
"""Images that each group must have, or nothing is tested."""
DRAWS = 10_000
_UNSEEN = 0.5  # observations at 0, or at 1
_IN_TAIL = 10  # draws beyond each end of an interval, at least
_AT_ONCE = 4_000_000  # numbers of a block of draws
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
    looks: int = 1,
    draws: int = DRAWS,
    seed: int = 0,
) -> list[tuple[GroupDifference, ...]]:
    """Of each column of `effect [I, A]`, in [0, 1] and NaN where unknown, the difference for each text.

    `smallest` is the smallest effect that matters, `correction` one of `settings.CORRECTIONS`; `looks` are paid for as
    `evidence.standings` does, and before an audit is `finished` nothing is found. So many `draws` of a permutation, or
    as many more as p-values of so many differences take.
    """
    known = np.isfinite(effect)
    sizes = [[(known & rows[:, None]).sum(axis=0) for rows in (has, lacks)] for _, has, lacks in parted]
    tested = np.array([(has >= FEWEST) & (lacks >= FEWEST) for has, lacks in sizes], dtype=np.bool_)
    tested = tested.reshape(len(parted), effect.shape[1])
    count = looks * int(tested.sum())
    p_values, low, high = (np.full(tested.shape, np.nan) for _ in range(3))
    for place, (_, has, lacks) in enumerate(parted):
        own = tested[place]
        if own.any():
            rows, level = has | lacks, confidence(count)
            more = max(draws, 100 * count)
            p_values[place, own] = permuted(effect[rows][:, own], has[rows], draws=more, seed=seed)
            between = difference_intervals(effect[has][:, own], effect[lacks][:, own], level, seed=seed)
            low[place, own], high[place, own] = between
    adjusted = (looks * adjust(p_values.ravel(), correction)).clip(max=1.0).reshape(tested.shape)
    means = [column_means(effect[has]) - column_means(effect[lacks]) for _, has, lacks in parted]
    off = (low > 0) | (high < 0)
    found = finished & tested & (adjusted < ERRING) & off & (np.abs(means).reshape(tested.shape) >= smallest)

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
                found=bool(found[place, column]),
            )
            for place, (text, _, _) in enumerate(parted)
        )
        for column in range(effect.shape[1])
    ]


def permuted(values: Array, has: NDArray[np.bool_], *, draws: int = DRAWS, seed: int = 0) -> Array:
    """The two-sided p-value `[A]` of each column of `values [I, A]`: how often images `has [I]` picked anew differ from
    the rest by as much, in standard errors. Both groups need two values or more, NaN is left out.

    All picks are gone through where they are no more than `draws`, else so many are drawn and the own one counts too.
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
    every = count <= draws
    centred = values - values.mean(axis=0)
    reached = _apart(centred, has[None])[0] - _ROUNDING
    above = np.zeros(values.shape[1])
    picks: Iterable[NDArray[np.bool_]] = _all_picks(images, size) if every else _random_picks(has, draws, random)
    for picked in picks:
        above += (_apart(centred, picked) >= reached).sum(axis=0)
    found: Array = above / count if every else (1 + above) / (1 + draws)
    return found


def _apart(values: Array, picked: NDArray[np.bool_]) -> Array:
    """How far the means of images that are picked and of those that are not lie apart, `[P, A]` of picks `[P, I]`: t²
    of Welch's t as t² / (1 + t²), so that groups that do not vary can be compared too."""
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
    """The interval of the difference of means of each column of `has [I, A]` and `lacks [J, A]`, values in [0, 1] and
    NaN where unknown: (low `[A]`, high `[A]`)."""
    random = np.random.default_rng(seed)
    draws = max(4000, math.ceil(2 * _IN_TAIL / (1 - level)))
    (has_low, has_high), (lacks_low, lacks_high) = (_mean_draws(values, draws, random) for values in (has, lacks))
    tail = (1 - level) / 2
    low, high = np.quantile(has_low - lacks_high, tail, axis=0), np.quantile(has_high - lacks_low, 1 - tail, axis=0)
    return low, high


def _mean_draws(values: Array, draws: int, random: np.random.Generator) -> tuple[Array, Array]:
    """What either end of the mean's interval is a quantile of, see `intervals.mean_intervals`: each `[draws, A]`."""
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
