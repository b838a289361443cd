"""Intervals of means that allow for the images that were not seen.

The bootstrap knows no flip that no image showed: where nothing moved on five images, its interval is [0, 0]. So what
must be shown to be below a limit is shown by Gaffke's interval (`statistics.intervals.mean_intervals`): an audit that
is too small to judge by does not pass.
"""

from __future__ import annotations

import bisect
import math
from collections.abc import Callable, Sequence

from scipy.optimize import brentq
from scipy.special import log_ndtr, ndtr, stdtrit

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
) -> int | None:
    """Estimate how many images it takes to show on which side of `limit` a mean of changes in [0, 1] lies.

    The end of its interval is then as likely as not on the same side. It lies away from the mean by noise, which is
    normal, and by what images that were not seen may do, which is exponential: the number is the least at which their
    sum reaches the limit in so few cases as an interval may err. Where all changes are equal it is exact.

    Args:
        limit: the limit.
        analyses: number of planned interim analyses.
        attributes: number of attributes whose intervals hold together.
        mean: the mean change that the images are expected to have.
        spread: its standard deviation over images.

    Returns:
        The number of images, at least 1 and at most `MOST_IMAGES`; None where no number up to that is enough.
    """
    distance, room = abs(limit - mean), 1.0 - mean if limit > mean else mean
    if distance >= room:
        return 1 if distance else None
    if not distance:
        return None
    return images_for_ends([(room, spread)], distance, analyses=analyses, attributes=attributes)


def images_for_ends(
    sides: Sequence[tuple[float, float]], distance: float, *, analyses: int = 1, attributes: int = 1
) -> int | None:
    """Estimate how many images it takes that the ends of intervals lie at most `distance` from their means together.

    `sides` are the intervals, a (room, spread) pair each: how far from the mean a change may lie on the side of the
    end, and the standard deviation over images. Returns as `images_for` does.
    """
    beyond = (1 - confidence(analyses, attributes)) / 2

    def is_enough(images: int) -> bool:
        return sum(_end(images, *side, beyond) for side in sides) <= distance * (1 + 1e-9)

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


def _end(images: int, room: float, spread: float, beyond: float) -> float:
    """Compute how far from the mean an end of its interval lies; `beyond` is how rarely the true mean lies further."""

    def excess(distance: float) -> float:
        return _tail(distance, spread / math.sqrt(images), -math.log1p(-distance / room) * images / distance) - beyond

    nearest, furthest = 1e-12 * room, (1 - 1e-12) * room
    return float(brentq(excess, nearest, furthest)) if room and excess(furthest) < 0 < excess(nearest) else room


def _tail(distance: float, sigma: float, rate: float) -> float:
    """Compute the probability that a normal and an exponential number add up to more than `distance`."""
    if not sigma:
        return math.exp(-rate * distance)
    beyond = rate * sigma - distance / sigma
    exponential = (rate * sigma) ** 2 / 2 - rate * distance + log_ndtr(-beyond)
    return float(ndtr(-distance / sigma) + math.exp(exponential))
