"""The range of several edits together: no further than unedited images lie from their own mean.

Several attributes, each within its calibrated range, can together leave what the generator ever draws: a face became a
blur or a black silhouette, its label "kept". The measure is the Mahalanobis distance of the code, seen along the edit
directions alone: u(s) = R·(s − μ)/σ, where row i of R is direction i per standard deviation, Δs_i/σ. Over unedited
samples u has the covariance C, and d² = uᵀC⁻¹u has some distribution; an edit by weights w moves u by RRᵀw. A code is
*natural* while d² stays below the `QUANTILE` of the unedited ones, or below the image's own d², where that is more.

Seen along all S channels nothing is far: a dozen attributes at their limits add little to hundreds of channels that
vary anyway. What no sample moves (a prompt that all codes have) has no natural limit, and is not counted. The text
encoder's features did not tell either (measured on the avatars over 24 multi-attribute counterfactuals: the distance to
the nearest unedited picture rose for four of ten blurred ones, d² for all ten).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from zoom_engine.directions.cache import DirectionCache
from zoom_engine.directions.edit_directions import EditDirections
from zoom_engine.generators import EditableGenerator, sample_styles

QUANTILE = 0.99
SAMPLES = 2048
SEED = 2
_RIDGE = 1e-6  # of the mean variance: two paraphrases of one attribute leave the covariance almost singular

Array = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class NaturalEdits:
    """The natural edits of one image: the edit weights w `[N]` with d²(`position` + `gram`·w) ≤ `limit`.

    The set is convex and holds w = 0, so that an edit can be projected into it.
    """

    position: Array
    gram: Array
    precision: Array
    limit: float

    def distance(self, weights: Array) -> float:
        """Compute d² of the edited code; unedited ones have N on average."""
        at = self.position + self.gram @ weights
        return float(at @ self.precision @ at)

    def holds(self, weights: Array) -> bool:
        """Tell whether the edit by `weights [N]` stays within what the generator draws."""
        return self.distance(weights) <= self.limit * (1 + 1e-6)

    def normal(self, weights: Array) -> Array:
        """Compute the gradient `[N]` of `distance`: on the surface it points outward."""
        return 2 * self.gram.T @ self.precision @ (self.position + self.gram @ weights)

    def projected(self, weights: Array) -> Array:
        """Project `weights [N]` into the set: reduce them in proportion until they are natural."""
        if self.holds(weights):
            return weights
        move = self.gram @ weights
        # d²(t) = a·t² + 2·b·t + c, and d²(0) = c ≤ limit: one root in [0, 1).
        a = float(move @ self.precision @ move)
        b = float(self.position @ self.precision @ move)
        c = float(self.position @ self.precision @ self.position) - self.limit
        return weights * max(0.0, (-b + math.sqrt(max(b * b - a * c, 0.0))) / a)


@dataclass(frozen=True, eq=False)
class NaturalRegion:
    """The region that a generator draws, seen along N edit directions.

    Attributes:
        mean: `[S]`, of the styles.
        along: `[S, N]`, the transposed R per unit of style; with the mean it gives the position of a style vector.
        gram: `[N, N]` = RRᵀ, what edit weights do to the position.
        precision: `[N, N]` = C⁻¹, of the distance d².
        limit: the largest natural d².
    """

    mean: Tensor
    along: Tensor
    gram: Array
    precision: Array
    limit: float

    def around(self, style: Tensor) -> NaturalEdits:
        """Return what is natural around the unedited image with `style [S]`."""
        position: Array = ((style.cpu().double() - self.mean) @ self.along).numpy()
        distance = float(position @ self.precision @ position)
        return NaturalEdits(position, self.gram, self.precision, max(self.limit, distance))


def natural_region(
    generator: EditableGenerator,
    directions: EditDirections,
    *,
    cache: Path | None = None,
) -> NaturalRegion:
    """Measure the region along `directions` by `SAMPLES` style vectors of the mapping network; no picture is made.

    Truncation is that of the directions. `cache` is a folder for what was computed.

    Raises:
        DirectionError: the directions belong to another generator.
    """
    directions.check_fits(generator)
    directions.check_origin()
    truncation, cutoff = (directions.provenance[name] for name in ("truncation", "truncation_cutoff"))
    depends_on = {
        "generator": generator.content_hash,
        "directions": directions.content_hash,
        "truncation": [truncation, cutoff],
        "sample": [SAMPLES, SEED, QUANTILE],
    }

    def measure() -> dict[str, Tensor]:
        drawn = sample_styles(generator, samples=SAMPLES, seed=SEED, truncation=truncation, truncation_cutoff=cutoff)
        return _region_of(torch.cat([part.cpu() for _, part in drawn]).double(), directions.matrix.double())

    tensors = DirectionCache(cache).cached("natural-region", depends_on, measure)
    return NaturalRegion(
        tensors["mean"],
        tensors["along"],
        tensors["gram"].numpy(),
        tensors["precision"].numpy(),
        float(tensors["limit"]),
    )


def _region_of(styles: Tensor, matrix: Tensor) -> dict[str, Tensor]:
    """Compute the parts of a `NaturalRegion` from samples `[K, S]` and directions `[N, S]`, both float64."""
    mean, std = styles.mean(0), styles.std(0, correction=0)
    moves = std > 1e-6 * std.max()
    unit = torch.where(moves, std, 1.0)
    rows = torch.where(moves, matrix / unit, 0.0)
    along = (rows / unit).T.contiguous()
    positions = (styles - mean) @ along
    covariance = positions.T @ positions / len(positions)
    spread = (covariance.trace() / len(covariance)).clamp(min=1e-24)  # 0 where samples have nothing of what edits move
    ridge = _RIDGE * spread * torch.eye(len(covariance), dtype=torch.float64)
    precision = torch.linalg.inv(covariance + ridge)
    distances = ((positions @ precision) * positions).sum(1)
    limit = torch.quantile(distances, QUANTILE)
    return {"mean": mean, "along": along, "gram": rows @ rows.T, "precision": precision, "limit": limit}
