"""Which attributes may be called sensitive: each is held against random directions, searched on the same images.

A sensitivity is a largest change, so it is above 0 whatever is edited, and a bar shows something only where it is more
than edits that mean nothing come to. Were an attribute's direction one more of the J random ones, an image's J + 1
changes would come in any order; so the *p-value* is the share of ways to pick one of them for each image whose sum
reaches the attribute's (a permutation test within images, exact for any number of images and any distribution).
Directions differ from each other on all images too: an attribute must also move the output further than the strongest
of them.

- *called*: the adjusted p-value is below 5 %, the mean change at least the smallest effect that matters, and above that
  of every random direction.
- *below*: the 95 % interval of the mean change (`intervals`) ends below the smallest effect, or the same test shows
  that the attribute moves the output less than random directions do.
- *undecided*: neither. More images would tell.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from zoom_engine.audit.intervals import Array, mean_intervals
from zoom_engine.audit.looks import ERRING, confidence
from zoom_engine.audit.summary import Called, NullLevel

LEVEL = ERRING
DRAWS = 20_000
_AT_ONCE = 4_000_000  # numbers of a block of draws
_ROUNDING = 1e-9


class Standing(NamedTuple):
    """How one attribute stands beside the `null`, the mean change by random directions on its images; None where
    there is nothing to tell by."""

    called: Called
    null: float | None
    p_value: float | None
    p_adjusted: float | None


def standings(
    change: Array,
    null: Array,
    smallest: float,
    correction: str,
    *,
    finished: bool = True,
    looks: int = 1,
    seed: int = 0,
) -> list[Standing]:
    """Of each attribute, from the changes by attributes `[I, A]` and by random directions `[I, J]` on the same images.

    NaN marks a missing unit; images that lack a random direction are not compared. `smallest` is the smallest effect
    that matters, in [0, 1]; `correction` is one of `settings.CORRECTIONS`. Before an audit is `finished` all is
    undecided: who looks again and again calls more than 5 % of what does nothing. Where so many `looks` are planned
    each of them is paid for, see `looks`.
    """
    compared = np.atleast_1d(np.isfinite(null).all(axis=1))
    p_values = exceedance(change[compared], null[compared], seed=seed)
    less = exceedance(-change[compared], -null[compared], seed=seed)
    adjusted = (looks * adjust(p_values, correction)).clip(max=1.0)
    _, highest = mean_intervals(change, level=confidence(looks), seed=seed)
    paired = np.where(compared[:, None], change, np.nan)
    found = []
    for column in range(change.shape[1]):
        rows = np.isfinite(paired[:, column])
        of_null = null[rows].mean(axis=0) if rows.any() else np.full(null.shape[1], np.nan)
        level = float(of_null.mean())
        called: Called = "undecided"
        own = paired[rows, column].mean() if rows.any() else np.nan
        if finished and is_called(adjusted[column], own, of_null.max(), smallest):
            called = "called"
        elif finished and (highest[column] < smallest or looks * less[column] < LEVEL):
            called = "below"
        p, p_adjusted = (float(values[column]) for values in (p_values, adjusted))
        found.append(Standing(called, *(None if np.isnan(value) else value for value in (level, p, p_adjusted))))
    return found


def is_called(p_adjusted: float, mean: float, strongest: float, smallest: float) -> bool:
    """The rule: by its adjusted p-value, and by its mean change beside that of the `strongest` random direction and the
    `smallest` effect that matters."""
    return bool(p_adjusted < LEVEL and mean > strongest and mean >= smallest)


def exceedance(change: Array, null: Array, *, draws: int = DRAWS, seed: int = 0) -> Array:
    """The p-value `[A]` of each attribute: how often one of an image's J + 1 changes, picked at random for every image,
    comes to as large a sum as the attribute's own. `change [I, A]` may hold NaN, `null [I, J]` may not.

    All (J + 1)^I picks are gone through where they are no more than `draws`, else so many are drawn, and the
    attribute's own counts as one. NaN without an image.
    """
    images, directions = null.shape
    if not images or not directions:
        return np.full(change.shape[1], np.nan)
    there = np.isfinite(change)
    own = np.where(there, change, 0.0)
    reached = own.sum(axis=0) - _ROUNDING * (1 + np.abs(own.sum(axis=0)))
    every = images * np.log(directions + 1) <= np.log(draws)
    count = (directions + 1) ** images if every else draws
    random, block = np.random.default_rng(seed), max(1, _AT_ONCE // images)
    candidates = np.concatenate([np.zeros((images, 1)), null], axis=1)
    powers = (directions + 1) ** np.arange(images) if every else None
    above = np.zeros(change.shape[1])
    for first in range(0, count, block):
        numbers = np.arange(first, min(first + block, count))
        if powers is not None:
            picks = numbers[:, None] // powers % (directions + 1)
        else:
            picks = random.integers(0, directions + 1, (len(numbers), images))
        sums = candidates[np.arange(images), picks] @ there + (picks == 0) @ own
        above += (sums >= reached).sum(axis=0)
    p_values = above / count if every else (1 + above) / (1 + count)
    return np.where(there.any(axis=0), p_values, np.nan)


def adjust(p_values: Array, correction: str) -> Array:
    """P-values `[A]` adjusted over all that are not NaN, by Holm (1979) or Benjamini and Hochberg (1995)."""
    adjusted = np.full(len(p_values), np.nan)
    order = np.argsort(p_values)[: int(np.isfinite(p_values).sum())]
    rising, count = p_values[order], len(order)
    if correction == "holm":
        steps = np.maximum.accumulate(rising * (count - np.arange(count)))
    else:
        steps = np.minimum.accumulate((rising * count / (1 + np.arange(count)))[::-1])[::-1]
    adjusted[order] = steps.clip(max=1.0)
    return adjusted


def upper_bounds(change: Array, *, draws: int = 4000, seed: int = 0) -> Array:
    """What the mean of each column of `change [I, A]`, values in [0, 1], is below with 95 % confidence (one-sided: the
    upper end of a 90 % interval); 1 without a value."""
    _, highest = mean_intervals(change, level=1 - 2 * LEVEL, draws=draws, seed=seed)
    return np.where(np.isnan(highest), 1.0, highest)


def null_level(null: Array, smallest: float, correction: str, *, looks: int = 1, seed: int = 0) -> NullLevel | None:
    """What the changes `[I, J]` by random directions come to; None without any."""
    of_images = null[np.isfinite(null).all(axis=1)]
    if not of_images.size:
        return None
    means = of_images.mean(axis=1, keepdims=True)
    low, high = mean_intervals(means, level=confidence(looks), seed=seed)
    return NullLevel(
        directions=null.shape[1],
        mean_change=float(means.mean()),
        ci95=(float(low[0]), float(high[0])) if len(means) > 1 else None,
        strongest=float(of_images.mean(axis=0).max()),
        smallest_effect=smallest,
        correction=correction,
    )
