"""Intervals of means that allow for the images that were not seen.

The bootstrap knows no flip that no image showed: where nothing moved on five images, its interval is [0, 0]. So what
must be shown to be below a limit is shown by Gaffke's interval (`statistics.intervals.mean_intervals`): an audit that
is too small to judge by does not pass.
"""

from __future__ import annotations

import math
from statistics import NormalDist

from zoom_engine.settings.interim_analyses import confidence
from zoom_engine.statistics.intervals import Array, mean_intervals


def mean_bounds(
    values: Array, *, low: float, high: float, analyses: int = 1, attributes: int = 1
) -> tuple[Array, Array]:
    """Compute the 95 % interval of the mean of each column of `values [I, A]`, which lie in [low, high].

    Returns (lower ends `[A]`, upper ends `[A]`). The intervals of so many interim `analyses` and `attributes` hold
    together with 95 %, see `settings.interim_analyses`.
    """
    ends = mean_intervals((values - low) / (high - low), level=confidence(analyses, attributes))
    return low + (high - low) * ends[0], low + (high - low) * ends[1]


def images_for(
    limit: float, *, analyses: int = 1, attributes: int = 1, mean: float = 0.0, spread: float = 0.0
) -> int | None:
    """Estimate how many images it takes to show that a mean is below `limit`.

    Where all changes are 0 the number is exact.

    Args:
        limit: the limit, in [0, 1].
        analyses: number of planned interim analyses.
        attributes: number of attributes whose intervals hold together.
        mean: the mean change that the images are expected to have.
        spread: its standard deviation over images.

    Returns:
        The number of images; None where no number is enough.
    """
    if limit <= mean:
        return None
    if limit >= 1:
        return 1
    beyond = (1 - confidence(analyses, attributes)) / 2
    unseen = math.log(beyond) / math.log(1 - (limit - mean))
    noise = (NormalDist().inv_cdf(1 - beyond) * spread / (limit - mean)) ** 2
    return math.ceil(max(unseen, noise))
