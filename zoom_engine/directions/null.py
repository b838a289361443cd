"""Random directions: what edits of the same kind do that no text defined.

A sensitivity is the largest change that an edit of an image finds, and some change there always is. How much of a bar
is that, is told by directions with as many channels as the attributes' have, weights drawn from a normal distribution,
scaled by each channel's σ and of unit length like theirs. No text scores them, so how far they go is matched: until
pictures change by as much as the attributes' edits to their calibrated bounds change them, by the root mean square over
pixels, on average over a few unedited pictures. (As long as the attributes' in σ, they change pictures by less: what a
text moves, channels move together.) On each image they go one way only, as an attribute's edit does.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from statistics import median

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from zoom_engine.directions.cache import DirectionCache
from zoom_engine.directions.calibration import CalibratedRange
from zoom_engine.directions.edit_directions import EditDirections
from zoom_engine.directions.relevance import Sampling
from zoom_engine.generators import EditableGenerator

NULL_PICTURES = 8
_LOOKS = 2
_FAR = 4.0  # times the attributes' own length in σ, or a part of it: the length is sought no further
_LEAST = 1e-6  # of a change: less is rounding


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
    batch_size: int = 32,
) -> NullDirections:
    """``count`` random directions beside ``directions``, drawn from ``seed``.

    Followed until pictures change by as much as within ``calibrated``, or to ±``bound`` without it. ``sampling`` has
    the styles' statistics, and the unedited pictures that this is seen on; the length is kept in its cache.
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
    length = bound
    if calibrated is not None and count:
        length = _matched_length(generator, directions.matrix, calibrated, matrix, sampling, batch_size)
    return NullDirections(matrix, round(length, 2), calibrated is not None)


@torch.no_grad()
def _matched_length(
    generator: EditableGenerator,
    attributes: Tensor,
    calibrated: CalibratedRange,
    matrix: Tensor,
    sampling: Sampling,
    batch_size: int,
) -> float:
    """The edit weight at which the rows of ``matrix`` change pictures as much as ``attributes`` do at their bounds."""
    depends_on = {
        "generator": generator.content_hash,
        "truncation": [sampling.truncation, sampling.truncation_cutoff, sampling.samples, sampling.seed],
        "rows": [hashlib.sha256(rows.contiguous().numpy().tobytes()).hexdigest() for rows in (attributes, matrix)],
        "bounds": calibrated.bounds.tolist(),
    }
    store = DirectionCache(sampling.cache)
    kept = store.load("null", depends_on)
    if kept is not None:
        return float(kept["length"])
    codes = torch.cat([codes for _, codes in sampling.draw(generator)])
    renderer = sampling.renderer_of(generator)

    def change(rows: Tensor, weights: Tensor) -> float:
        """Mean over pictures and rows of the change by weights ``[rows, 2]``, the first and the second by turns."""
        found = []
        for part in torch.split(torch.arange(len(codes)), batch_size):
            unedited = renderer.render(codes[part])
            for row, pair in enumerate(weights):
                alone = torch.zeros(len(part), len(rows))
                alone[:, row] = pair[part % 2]
                moved = renderer.render(codes[part], alone, rows) - unedited
                found.append(moved.square().mean(dim=(1, 2, 3)).sqrt())
        return float(torch.cat(found).mean())

    start = length = float(calibrated.bounds.abs().mean())
    with sampling.progress(len(attributes) + _LOOKS * len(matrix), "Matching random edits", unit="edit") as bar:
        goal = change(attributes, calibrated.bounds)
        bar.update(len(attributes))
        for _ in range(_LOOKS):  # the change grows nearly in proportion
            found = change(matrix, torch.tensor([-length, length]).expand(len(matrix), 2))
            length = min(max(length * goal / max(found, _LEAST), start / _FAR), start * _FAR)
            bar.update(len(matrix))
    store.store("null", depends_on, {"length": torch.tensor(length, dtype=torch.float64)})
    return length
