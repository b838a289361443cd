"""How far several edits together may go: no further than unedited images lie from their own mean.

Each attribute within its calibrated range can still leave, together with the others, what the generator ever draws: a
face became a blur or a black silhouette, its label "kept". The yardstick is the Mahalanobis distance of the code,
seen along the edit directions alone: u(s) = R·(s − μ)/σ, where row i of R is direction i per standard deviation,
Δs_i/σ. Over unedited samples u has the covariance C and d² = uᵀC⁻¹u some distribution; an edit by weights w moves u by
RRᵀw. A code is *natural* while d² stays below the ``QUANTILE`` of the unedited ones, or below the image's own, where
that is more.

Seen along all S channels nothing is far: a dozen attributes at their limits add little to hundreds of channels that
vary anyway. The text encoder's features did not tell either (measured on the avatars over 24 multi-attribute
counterfactuals: the distance to the nearest unedited picture rose for four of ten blurred ones, d² for all ten).
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from zoom_engine.directions.edit_directions import EditDirections
from zoom_engine.generators import StyleGAN2, sample_styles

QUANTILE = 0.99
SAMPLES = 2048
_RIDGE = 1e-6  # of the mean variance: two wordings of one attribute leave the covariance almost singular

Array = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class NaturalEdits:
    """What is natural around one image: the edit weights w ``[N]`` with d²(``position`` + ``gram``·w) ≤ ``limit``.

    It is convex and holds w = 0, so that an edit can be drawn back into it.
    """

    position: Array
    gram: Array
    precision: Array
    limit: float

    def distance(self, weights: Array) -> float:
        """d² of the edited code; unedited ones have N on average."""
        at = self.position + self.gram @ weights
        return float(at @ self.precision @ at)

    def holds(self, weights: Array) -> bool:
        """The edit by ``weights [N]`` stays within what the generator draws."""
        return self.distance(weights) <= self.limit * (1 + 1e-6)

    def drawn_back(self, weights: Array) -> Array:
        """``weights [N]``, made smaller in proportion as far as it takes to be natural."""
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
    """What a generator draws, seen along N edit directions.

    ``mean [S]`` and ``along [S, N]`` (the transposed R, per unit of style) give the position of a style vector, ``gram
    [N, N]`` = RRᵀ what edit weights do to it, ``precision [N, N]`` = C⁻¹ its distance d², ``limit`` the largest natural
    d².
    """

    mean: Tensor
    along: Tensor
    gram: Array
    precision: Array
    limit: float

    def around(self, styles: Tensor) -> list[NaturalEdits]:
        """What is natural around each of the unedited images with ``styles [B, S]``."""
        positions = self._positions(styles)
        own = np.einsum("bi,ij,bj->b", positions, self.precision, positions)
        return [
            NaturalEdits(position, self.gram, self.precision, max(self.limit, float(distance)))
            for position, distance in zip(positions, own, strict=True)
        ]

    def _positions(self, styles: Tensor) -> Array:
        found: Array = ((styles.cpu().double() - self.mean) @ self.along).numpy()
        return found


@torch.no_grad()
def natural_region(
    generator: StyleGAN2,
    directions: EditDirections,
    *,
    truncation: float = 1.0,
    truncation_cutoff: int | None = None,
    samples: int = SAMPLES,
    quantile: float = QUANTILE,
    seed: int = 2,
) -> NaturalRegion:
    """The region along ``directions``, from ``samples`` style vectors of the mapping network; no picture is made.

    Raises DirectionError for directions of another generator.
    """
    directions.check_fits(generator)
    drawn = sample_styles(
        generator, samples=samples, seed=seed, truncation=truncation, truncation_cutoff=truncation_cutoff
    )
    styles = torch.cat([part.cpu() for _, part in drawn]).double()
    mean, std = styles.mean(0), styles.std(0, correction=0)
    moves = std > 1e-6 * std.max()
    rows = torch.where(moves, directions.matrix.double() / torch.where(moves, std, 1.0), 0.0)
    along = torch.where(moves, rows / torch.where(moves, std, 1.0), 0.0).T.contiguous()
    positions = (styles - mean) @ along
    covariance = positions.T @ positions / len(positions)
    ridge = _RIDGE * covariance.trace() / len(covariance) * torch.eye(len(covariance), dtype=torch.float64)
    precision = torch.linalg.inv(covariance + ridge)
    distances = ((positions @ precision) * positions).sum(1)
    return NaturalRegion(
        mean,
        along,
        (rows @ rows.T).numpy(),
        precision.numpy(),
        float(torch.quantile(distances, quantile)),
    )
