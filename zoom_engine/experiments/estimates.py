"""Means over images with intervals, as the data of experiments hold them."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from zoom_engine.audit.summary import Sensitivity
from zoom_engine.common.plurals import with_minus
from zoom_engine.statistics import intervals
from zoom_engine.statistics.intervals import bootstrap_means, column_means, interval

Estimate = list[float]
"""[mean, low, high]: a mean over images and its 95 % bootstrap interval."""


def estimate(values: ArrayLike) -> Estimate | None:
    """Return the mean of `values [I]` (NaN: none for this image) and its interval; None without values."""
    rows = np.asarray(values, dtype=np.float64)
    rows = rows[np.isfinite(rows)]
    if not len(rows):
        return None
    low, high = interval(bootstrap_means(rows[:, None]))
    return [round(float(value[0]), 4) for value in (column_means(rows[:, None]), low, high)]


def share(values: ArrayLike) -> Estimate | None:
    """Return the share of `values [I]`, 1 or 0 (NaN: none for this image), that are 1, with Wilson's interval.

    The bootstrap's has no width where all are alike: of 8 flips on 8 images it is [1, 1].
    """
    rows = np.asarray(values, dtype=np.float64)
    rows = rows[np.isfinite(rows)]
    return wilson(int(rows.sum()), len(rows))


def wilson(successes: int, trials: int) -> Estimate | None:
    """Return a proportion and its 95 % score interval (Wilson 1927); None without trials."""
    if not trials:
        return None
    return [round(value, 4) for value in (successes / trials, *intervals.wilson(successes, trials))]


def sensitivity(row: Sensitivity) -> Sequence[float | None]:
    """Return the figure that an audit ranks an attribute by, with its interval; None for what it does not know."""
    return [row.value, *(row.interval or (row.value, row.value))]


def in_words(value: Sequence[float] | None, form: str = ".2f") -> str:
    """Format an estimate as "0.31 [0.20, 0.44]"; a dash for None.

    It has a true minus sign, but none for what rounds to 0. An interval without width, as one image has it or images
    that are all alike, is none and is not shown.
    """
    if value is None:
        return "–"
    mean, low, high = (with_minus(f"{number:{form.replace('.', 'z.')}}") for number in value)
    return mean if value[1] == value[2] else f"{mean} [{low}, {high}]"


def percent(value: float | Sequence[float] | None) -> str:
    """Format a value as "31 %", an estimate as "31 % [20, 44]"; a dash for None.

    What is not all is not 100 %. Of intervals see `in_words`.
    """
    if value is None or isinstance(value, float | int):
        near = value is not None and (0 < value < 0.01 or 0.99 < value < 1)
        return "–" if value is None else f"{min(100 * value, 99.9):.1f} %" if near else f"{100 * value:.0f} %"
    mean = percent(value[0])
    return mean if value[1] == value[2] else f"{mean} [{100 * value[1]:.0f}, {100 * value[2]:.0f}]"


def columns(name: str, value: Sequence[float] | None) -> dict[str, Any]:
    """Return the three columns of an estimate in a table."""
    return dict(zip((name, f"{name}_low", f"{name}_high"), value or ("", "", ""), strict=True))


def error_bars(values: Sequence[Sequence[float] | None]) -> tuple[list[float], list[list[float]]]:
    """Return means, and distances to the lower and upper ends, as matplotlib takes them; NaN for None."""
    estimates = [value or (math.nan,) * 3 for value in values]
    means = [float(value[0]) for value in estimates]
    return means, [
        [max(0.0, mean - value[1]) for mean, value in zip(means, estimates, strict=True)],
        [max(0.0, value[2] - mean) for mean, value in zip(means, estimates, strict=True)],
    ]


def percentile_interval(values: NDArray[np.float64]) -> list[float]:
    """Return the 95 % percentile interval of resampled `values [R]`."""
    low, high = interval(values[:, None])
    return [float(low[0]), float(high[0])]
