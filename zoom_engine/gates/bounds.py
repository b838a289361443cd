"""What a mean over images lies between with 95 % confidence on each side, the images that were not seen counted in.

The bootstrap knows no flip that no image showed: where nothing moved on five images its interval is [0, 0]. So what is
to be shown to be below a limit is shown by Gaffke's bound (see `audit.evidence`): an audit too small to judge by is
not a pass.
"""

from __future__ import annotations

import math

from zoom_engine.audit.evidence import LEVEL, upper_bounds
from zoom_engine.audit.intervals import Array


def mean_bounds(values: Array, *, low: float, high: float) -> tuple[Array, Array]:
    """What the mean of each column of `values [I, A]`, in [low, high], is above and what it is below: ([A], [A])."""
    width = high - low
    above, below = (upper_bounds(shares / width) for shares in (high - values, values - low))
    return (high - width * above).clip(min=low), (low + width * below).clip(max=high)


def images_for(limit: float) -> int | None:
    """How many images it takes at least to show that a mean is below `limit`, where none of them moves; None where no
    number does."""
    return None if limit <= 0 else 1 if limit >= 1 else math.ceil(math.log(LEVEL) / math.log(1 - limit))
