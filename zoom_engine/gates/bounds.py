"""Intervals of means that allow for the images that were not seen.

The bootstrap knows no flip that no image showed: where nothing moved on five images, its interval is [0, 0]. So what
must be shown to be below a limit is shown by Gaffke's interval (`statistics.intervals.mean_intervals`): an audit that
is too small to judge by does not pass.
"""

from __future__ import annotations

import bisect
import math

from scipy.special import log_ndtr, ndtr

from zoom_engine.settings.interim_analyses import confidence
from zoom_engine.statistics.intervals import Array, mean_intervals

MOST_IMAGES = 100_000
"""The largest number of images that `images_for` names."""


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
    limit: float,
    *,
    analyses: int = 1,
    attributes: int = 1,
    mean: float = 0.0,
    spread: float = 0.0,
    low: float = 0.0,
    high: float = 1.0,
) -> int | None:
    """Estimate how many images it takes to show on which side of `limit` a mean lies.

    The end of its interval is then as likely as not on the same side. It lies away from the mean by noise, which is
    normal, and by what images that were not seen may do, which is exponential: the number is the least at which their
    sum reaches the limit in so few cases as an interval may err. Where all changes are equal it is exact.

    Args:
        limit: the limit.
        analyses: number of planned interim analyses.
        attributes: number of attributes whose intervals hold together.
        mean: the mean change that the images are expected to have.
        spread: its standard deviation over images.
        low: the least change that there can be.
        high: the largest one.

    Returns:
        The number of images, at least 1 and at most `MOST_IMAGES`; None where no number up to that is enough.
    """
    distance, room = abs(limit - mean), high - mean if limit > mean else mean - low
    if distance >= room:
        return 1 if distance else None
    if not distance:
        return None
    unseen, beyond = -math.log1p(-distance / room), (1 - confidence(analyses, attributes)) / 2

    def is_enough(images: int) -> bool:
        return _tail(distance, spread / math.sqrt(images), unseen * images / distance) <= beyond * (1 + 1e-9)

    images = bisect.bisect_left(range(1, MOST_IMAGES + 1), True, key=is_enough) + 1
    return images if images <= MOST_IMAGES else None


def _tail(distance: float, sigma: float, rate: float) -> float:
    """Compute the probability that a normal and an exponential number add up to more than `distance`."""
    if not sigma:
        return math.exp(-rate * distance)
    beyond = rate * sigma - distance / sigma
    exponential = (rate * sigma) ** 2 / 2 - rate * distance + log_ndtr(-beyond)
    return float(ndtr(-distance / sigma) + math.exp(exponential))
