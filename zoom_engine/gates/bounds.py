"""Intervals of means in which the images that were not seen count too.

The bootstrap knows no flip that no image showed: where nothing moved on five images its interval is [0, 0]. So what is
to be shown to be below a limit is shown by Gaffke's interval (`audit.intervals.mean_intervals`): an audit too small to
judge by is not a pass.
"""

from __future__ import annotations

import math

from zoom_engine.audit.intervals import Array, mean_intervals
from zoom_engine.audit.looks import confidence


def mean_bounds(values: Array, *, low: float, high: float, looks: int = 1) -> tuple[Array, Array]:
    """The 95 % interval of the mean of each column of `values [I, A]`, in [low, high]: ([A], [A]). Of so many `looks`
    all have 95 % together, see `audit.looks`."""
    ends = mean_intervals((values - low) / (high - low), level=confidence(looks))
    return low + (high - low) * ends[0], low + (high - low) * ends[1]


def images_for(limit: float, *, looks: int = 1) -> int | None:
    """How many images it takes at least to show that a mean is below `limit`, where none of them moves; None where no
    number does. `looks`: how many were planned."""
    beyond = (1 - confidence(looks)) / 2
    return None if limit <= 0 else 1 if limit >= 1 else math.ceil(math.log(beyond) / math.log(1 - limit))
