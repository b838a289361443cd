"""An attribute by examples: the direction in which pictures that have it lie, and whether they lie anywhere at all.

Around the mean of the generator's unedited pictures, the *population*, let λ and V be the eigenvalues and eigenvectors
of their covariance. The direction is that of Fisher's linear discriminant (Fisher 1936), regularised and kept to what
the population differs in:

    Δ = V (λ + ρ)⁻¹ Vᵀ (mean of the pictures that have it − mean of those that lack it)

ρ is `SHRINKAGE` times the mean λ: of some twenty pictures the mean is off in every way in which pictures differ, and
where these differ little that would count most. Pictures from elsewhere also differ from a generator's in ways in which
its own do not; these are left out, for no edit goes there.

Whether the pictures have anything in common is asked of the two groups: how far their means lie apart, in coordinates
that are divided by √(λ + ρ), squared, less what chance adds (the unbiased MMD² of a linear kernel, Gretton 2012). It
must exceed what groups do that were drawn from the same pictures at random.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

SHRINKAGE = 1.0
DRAWS = 999
FEWEST = 8
"""The fewest pictures that a group may have."""
_RANK = 1e-6  # of the largest eigenvalue: less is rounding
_MOST = 0.9  # of the variance: the ways in which the population differs most
_USUAL = 0.99  # of the population lie nearer to what these ways reach than pictures that are unlike them


@dataclass(frozen=True)
class ExamplePictures:
    """Pictures float `[n, 3, R, R]` in [-1, 1] that have an attribute, and those that lack it.

    `without` is None where the generator's own pictures take their place. `content_hash` is the SHA-256 (hex) of both.
    """

    having: Tensor
    without: Tensor | None
    content_hash: str


@dataclass(frozen=True)
class Separation:
    """How far pictures with an attribute lie from those without.

    Attributes:
        direction: `[D]`, a unit vector.
        apart: the distance, see above; around 0 where the pictures have nothing in common.
        by_chance: `[DRAWS]`, that of groups drawn at random.
        unlike: whether half of the pictures or more differ from the generator's own in ways in which these hardly do.
    """

    direction: Tensor
    apart: float
    by_chance: Tensor
    unlike: bool


def separation(having: Tensor, without: Tensor | None, population: Tensor) -> Separation:
    """Find the direction of pictures that have something, and how far they lie apart.

    Args:
        having: `[n, D]`, embeddings of pictures that have it.
        without: `[m, D]`, of those that lack it; None takes the population.
        population: `[K, D]`, of the generator's unedited pictures.
    """
    having, population = having.double(), population.double()
    others = None if without is None else without.double()
    whole = _Whitened.by(population)
    step = whole.of(having).mean(dim=0) - whole.of(population if others is None else others).mean(dim=0)
    # Pictures that a covariance was measured on lie nearer to its mean than new ones do: they are not compared by it.
    judge, compared = (_Whitened.by(population[::2]), population[1::2]) if others is None else (whole, others)
    groups = torch.cat([judge.of(having), judge.of(compared)])
    random, count = torch.Generator().manual_seed(0), len(having)
    drawn = torch.stack([torch.randperm(len(groups), generator=random)[:count] for _ in range(DRAWS)])
    return Separation(
        direction=F.normalize((step * whole.scale) @ whole.rows, dim=0).float(),
        apart=float(_apart(groups, torch.arange(count)[None])[0]),
        by_chance=_apart(groups, drawn),
        unlike=float(whole.aside(having).median()) > float(whole.aside(population).quantile(_USUAL)),
    )


@dataclass(frozen=True)
class _Whitened:
    """Coordinates around the `mean [D]` along eigenvectors `rows [r, D]`, times `scale [r]`, 1/√(λ + ρ)."""

    mean: Tensor
    values: Tensor
    rows: Tensor
    scale: Tensor

    @classmethod
    def by(cls, population: Tensor) -> _Whitened:
        """Return those of a population `[K, D]`."""
        mean = population.mean(dim=0)
        _, singular, rows = torch.linalg.svd(population - mean, full_matrices=False)
        values = singular.square() / len(population)
        retained = values > _RANK * values.max()
        values = values[retained]
        return cls(mean, values, rows[retained], (values + SHRINKAGE * values.mean()).rsqrt())

    def of(self, pictures: Tensor) -> Tensor:
        """Return the coordinates `[n, r]` of embeddings `[n, D]`."""
        placed: Tensor = (pictures - self.mean) @ self.rows.T * self.scale
        return placed

    def aside(self, pictures: Tensor) -> Tensor:
        """Compute how far each of the embeddings `[n, D]` lies from what the largest ways to differ reach, `[n]`."""
        most = int((self.values.cumsum(dim=0) < _MOST * self.values.sum()).sum()) + 1
        centred = pictures - self.mean
        aside: Tensor = (centred - centred @ self.rows[:most].T @ self.rows[:most]).norm(dim=1)
        return aside


def _apart(rows: Tensor, chosen: Tensor) -> Tensor:
    """Compute the unbiased squared distance of the means of `chosen [B, n]` of the `rows [N, r]` and the others."""
    squares, n = rows.square().sum(dim=1), chosen.shape[1]
    m = len(rows) - n
    sums = torch.stack([rows[group].sum(dim=0) for group in chosen])
    within = squares[chosen].sum(dim=1)
    rest, rest_within = rows.sum(dim=0) - sums, squares.sum() - within
    of_chosen = (sums.square().sum(dim=1) - within) / (n * (n - 1))
    of_rest = (rest.square().sum(dim=1) - rest_within) / (m * (m - 1))
    return of_chosen + of_rest - 2 * (sums * rest).sum(dim=1) / (n * m)
