"""What unedited codes differ by: the few directions in which a generator varies, each with standard deviation 1.

A code has thousands of styles, but codes fill only a few dozen dimensions of them: every style vector of a StyleGAN is
an affine image of one latent. An edit along a free gradient leaves that set at once, and what it then moves is the
target's noise (an adversarial picture), not an attribute. So edits are searched among the principal components of the
codes, in units of each channel's σ, up to `EXPLAINED` of the variance. A component's own standard deviation is the
unit, so that the shortest edit is the most natural one (it has the least Mahalanobis distance).
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from zoom_engine.common.errors import DirectionError
from zoom_engine.directions.relevance import Sampling, inverse_std
from zoom_engine.generators import EditableGenerator

EXPLAINED = 0.99
MOST = 128  # components; samples must tell them apart
QUANTILE = 0.99
END = 1.645  # standard deviations: 9 of 10 codes lie no further from the mean along a direction
_LEAST_SAMPLES = 16


@dataclass(frozen=True, eq=False)
class NaturalSpace:
    """The space of natural edits, CPU tensors, float32.

    toRGB channels, and those that move the picture, stay as they are.

    Attributes:
        mean: `[S]`, of the codes.
        basis: `[K, S]`, what one standard deviation of each component adds to a code.
        inverse: `[S, K]`, which maps a code less the mean to its components.
        radius: 99 % of unedited codes lie within this distance of the mean.
    """

    mean: Tensor
    basis: Tensor
    inverse: Tensor
    radius: float

    def place(self, codes: Tensor) -> Tensor:
        """Return the components `[B, K]` of codes `[B, S]`."""
        place: Tensor = (codes.cpu() - self.mean) @ self.inverse
        return place

    def projected(self, coordinates: Tensor, moves: Tensor) -> Tensor:
        """Shorten those of the `moves [B, K]` from `coordinates [B, K]` that end outside of where natural codes lie.

        The limit is `radius`, or the distance of the unedited code from the mean, where that is larger.
        """
        limit = coordinates.norm(dim=1).clamp(min=self.radius).square()
        a, b = moves.square().sum(dim=1).clamp(min=1e-12), (coordinates * moves).sum(dim=1)
        c = coordinates.square().sum(dim=1) - limit
        longest = (-b + (b.square() - a * c).clamp(min=0).sqrt()) / a
        shorter: Tensor = moves * longest.clamp(max=1)[:, None]
        return shorter

    def to_ends(self, coordinates: Tensor, directions: Tensor) -> Tensor:
        """Return how far `[B, M, 2]` codes at `coordinates [B, K]` may move down and up along unit `directions [M, K]`.

        They may move to the ends of where codes lie along the direction; those beyond an end do not move there.
        """
        along = coordinates @ directions.T
        return torch.stack([(-END - along).clamp(max=0), (END - along).clamp(min=0)], dim=2)


@torch.no_grad()
def natural_space(generator: EditableGenerator, sampling: Sampling) -> NaturalSpace:
    """Compute the space of the codes of `sampling`; no picture is made.

    Raises:
        DirectionError: the codes do not differ, or are too few to tell.
    """
    codes = torch.cat([part.cpu() for _, part in sampling.draw(generator)]).double()
    if len(codes) < _LEAST_SAMPLES:
        raise DirectionError(f"{len(codes)} codes do not show how a generator varies: {_LEAST_SAMPLES} are needed")
    mean, std = codes.mean(dim=0), codes.std(dim=0, correction=0)
    per_std = inverse_std(std, generator.space.fixed_mask())
    standardised = (codes - mean) * per_std
    left, values, right = torch.linalg.svd(standardised, full_matrices=False)
    shares = values.square().cumsum(dim=0) / values.square().sum()
    if not bool(shares.isfinite().all()):
        raise DirectionError("the generator's codes do not differ: there is nothing to edit")
    count = min(int((shares < EXPLAINED).sum()) + 1, MOST)
    spread = values[:count] / len(codes) ** 0.5
    coordinates = left[:, :count] * len(codes) ** 0.5
    return NaturalSpace(
        mean=mean.float(),
        basis=(spread[:, None] * right[:count] * std).float(),
        inverse=(per_std[:, None] * right[:count].T / spread).float(),
        radius=float(coordinates.norm(dim=1).quantile(QUANTILE)),
    )
