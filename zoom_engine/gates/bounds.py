"""Intervals of means in which the images that were not seen count too.

The bootstrap knows no flip that no image showed: where nothing moved on five images its interval is [0, 0]. So what is
to be shown to be below a limit is shown by Gaffke's interval (`statistics.intervals.mean_intervals`): an audit too
small to judge by is not a pass.
"""

from __future__ import annotations

import math
from statistics import NormalDist

from zoom_engine.settings.looks import confidence
from zoom_engine.statistics.intervals import Array, mean_intervals


def mean_bounds(values: Array, *, low: float, high: float, looks: int = 1, attributes: int = 1) -> tuple[Array, Array]:
    """The 95 % interval of the mean of each column of `values [I, A]`, in [low, high]: ([A], [A]). Of so many `looks`
    and `attributes` all have 95 % together, see `settings.looks`."""
    ends = mean_intervals((values - low) / (high - low), level=confidence(looks, attributes))
    return low + (high - low) * ends[0], low + (high - low) * ends[1]


def images_for(
    limit: float, *, looks: int = 1, attributes: int = 1, mean: float = 0.0, spread: float = 0.0
) -> int | None:
    """About how many images it takes to show that a mean is below `limit`, with so many `attributes` beside each other
    and `looks` planned, where images come to `mean` and vary by the standard deviation `spread`; None where no number
    does. Of changes that are all 0 it is exact."""
    if limit <= mean:
        return None
    if limit >= 1:
        return 1
    beyond = (1 - confidence(looks, attributes)) / 2
    unseen = math.log(beyond) / math.log(1 - (limit - mean))
    noise = (NormalDist().inv_cdf(1 - beyond) * spread / (limit - mean)) ** 2
    return math.ceil(max(unseen, noise))
