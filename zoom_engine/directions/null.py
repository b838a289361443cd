"""Random directions: what edits of the same kind do that no text defined.

A sensitivity is the largest change that an edit of an image finds, and some change there always is. How much of a bar
is that, is told by directions with as many channels as the attributes' have, weights drawn from a normal distribution,
scaled by each channel's σ and of unit length like theirs. No text scores them, so their range takes no picture: they go
as far, in standard deviations along the direction, as the attributes' calibrated bounds do on average, and on each
image one way only, as an attribute's edit does.
"""

from __future__ import annotations

from dataclasses import dataclass
from statistics import median

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from zoom_engine.directions.calibration import CalibratedRange
from zoom_engine.directions.edit_directions import EditDirections
from zoom_engine.directions.relevance import Sampling
from zoom_engine.generators import EditableGenerator


@dataclass(frozen=True)
class NullDirections:
    """``matrix [J, S]`` (float32, CPU), row j being one direction; ``length`` is how far it is followed, in edit
    weight, to either side or, ``one_sided``, to the one that an image's seed draws."""

    matrix: Tensor
    length: float
    one_sided: bool

    def bounds(self, seed: int, direction: int) -> NDArray[np.float64]:
        """Lowest and highest edit weight ``[J, 2]`` where one direction moves the image of that seed; 0 for others."""
        bounds = np.zeros((len(self.matrix), 2))
        bounds[direction] = -self.length, self.length
        if self.one_sided:
            bounds[direction, np.random.default_rng([seed, direction]).integers(2)] = 0.0
        return bounds


def null_directions(
    generator: EditableGenerator,
    directions: EditDirections,
    calibrated: CalibratedRange | None,
    *,
    count: int,
    bound: float,
    seed: int,
    sampling: Sampling,
) -> NullDirections:
    """``count`` random directions beside ``directions``, drawn from ``seed``.

    Followed as far as the attributes are within ``calibrated`` on average, or to ±``bound`` without it. ``sampling``
    has the styles' statistics.
    """
    std = sampling.statistics(generator).std
    free = torch.nonzero((std > 0) & ~generator.space.fixed_mask()).flatten()
    channels = min(round(median(directions.channels)), len(free))
    random = torch.Generator().manual_seed(seed)
    matrix = torch.zeros(count, len(std))
    for row in matrix:
        chosen = free[torch.randperm(len(free), generator=random)[:channels]]
        weights = torch.randn(channels, generator=random)
        row[chosen] = std[chosen] * weights / weights.norm()
    length = bound if calibrated is None else float(calibrated.bounds.abs().mean())
    return NullDirections(matrix, round(length, 6), calibrated is not None)
