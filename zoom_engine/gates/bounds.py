"""Intervals of means that allow for the images that were not seen.

The bootstrap knows no flip that no image showed: where nothing moved on five images, its interval is [0, 0]. So what
must be shown to be below a limit is shown by an interval that allows for such flips
(`statistics.betting.mean_intervals`): an audit that is too small to judge by does not pass.
"""

from __future__ import annotations

import bisect
import math
from collections.abc import Callable, Sequence
from typing import NamedTuple

from scipy.special import stdtrit

from zoom_engine.settings.interim_analyses import confidence
from zoom_engine.statistics.betting import beta_points, mean_intervals, needed, typical_log_wealth
from zoom_engine.statistics.intervals import Array

MOST_IMAGES = 100_000
"""The largest number of images that `images_for` names."""
_HALVINGS = 30


def mean_bounds(values: Array, *, low: float, high: float, attributes: int = 1) -> tuple[Array, Array]:
    """Compute the 95 % interval of the mean of each column of `values [I, A]`, which lie in [low, high].

    Returns (lower ends `[A]`, upper ends `[A]`). The intervals of so many `attributes` hold together with 95 %, at any
    number of images.
    """
    ends = mean_intervals((values - low) / (high - low), level=confidence(1, attributes))
    return low + (high - low) * ends[0], low + (high - low) * ends[1]


def images_for(
    limit: float,
    *,
    attributes: int = 1,
    mean: float = 0.0,
    spread: float = 0.0,
) -> int | None:
    """Estimate how many images it takes to show on which side of `limit` a mean of changes in [0, 1] lies.

    The end of its interval is then as likely as not on the same side: that is where images of average luck bring the
    wealth that the interval asks for (`statistics.betting`). Changes are taken to be spread as a beta distribution is.

    Args:
        limit: the limit.
        attributes: number of attributes whose intervals hold together.
        mean: the mean change that the images are expected to have.
        spread: its standard deviation over images.

    Returns:
        The number of images, at least 1 and at most `MOST_IMAGES`; None where no number up to that is enough.
    """
    distance = abs(limit - mean)
    if not distance:
        return None
    return images_for_ends([End(mean, spread, upper=limit > mean)], distance, attributes=attributes)


class End(NamedTuple):
    """An end of the interval of a mean in [0, 1]: the mean, the standard deviation over images, and which end it is."""

    mean: float
    spread: float
    upper: bool

    def distance(self, images: int, level: float) -> float:
        """Return how far from the mean it typically lies after so many images; `level` is that of both ends."""
        points = beta_points(self.mean, self.spread)
        enough, inner, outer = needed((1 - level) / 2), self.mean, float(self.upper)
        for _ in range(_HALVINGS):
            middle = (inner + outer) / 2
            reached = typical_log_wealth(points, images, middle, above=not self.upper) >= enough
            inner, outer = (inner, middle) if reached else (middle, outer)
        return abs(outer - self.mean)


def images_for_ends(ends: Sequence[End], distance: float, *, attributes: int = 1) -> int | None:
    """Estimate how many images it takes that the ends of intervals together lie at most `distance` from their means.

    Returns as `images_for` does.
    """
    level = confidence(1, attributes)

    def is_enough(images: int) -> bool:
        return sum(end.distance(images, level) for end in ends) <= distance * (1 + 1e-9)

    return _fewest(is_enough)


def images_for_test(distance: float, spread: float, *, level: float, paired: bool) -> int | None:
    """Estimate how many images it takes that a permutation test finds a mean to lie above a limit, as likely as not.

    It is Student's test where images are many. The p-value of n pairs is at least 2^-n, and that of twice n images that
    are not paired 1 / C(2n, n). Returns as `images_for` does.

    Args:
        distance: how far above the limit the mean is expected to lie, above 0.
        spread: the standard deviation of the difference over images.
        level: what the p-value must lie below.
        paired: whether both audits have the same images.
    """

    def is_enough(images: int) -> bool:
        least = 0.5**images if paired else 1 / math.comb(2 * images, images) if images < 64 else 0.0
        freedom = images - 1 if paired else 2 * (images - 1)
        return least < level and bool(-stdtrit(freedom, level) * spread < distance * math.sqrt(images - 1))

    return _fewest(is_enough, least=2)


def _fewest(is_enough: Callable[[int], bool], least: int = 1) -> int | None:
    images = bisect.bisect_left(range(least, MOST_IMAGES + 1), True, key=is_enough) + least
    return images if images <= MOST_IMAGES else None
