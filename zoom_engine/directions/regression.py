"""Regression relevance: K random samples, embedded once, tell how styles and embeddings go together.

It takes forward passes only. The moments of the samples (not the images) are stored, and give one matrix for every
later prompt. With u the standardised styles, e the embeddings, w the latents and s = A·w + b the affine layers of the
generator, there are three estimators of the channels' answer to a text direction Δt:

- `correlation`: cov(u, e)·Δt. The mean difference between images of high and low text score. It moves whatever goes
  with the attribute among the samples: where most beards are on men, the beard's direction makes men.
- `ridge`: A/σ · (cov(w) + ρI)⁻¹ cov(w, e)·Δt. Regression of the text score on the latent: the partial effect, in the
  affine layers' column space. Correlations in the latent's distribution drop out where the generator draws different
  attributes from orthogonal latent directions; elsewhere they stay. It is the default: on the avatars it measured purer
  than the others, because pictures are linear in the latent rather than in the embedding.
- `whitened`: cov(u, e)·(cov(e) + ρI)⁻¹·Δt. Regression of the styles on the embedding, evaluated at Δt: the change of
  styles to expect when the embedding moves along Δt *and nowhere else*. What tells correlated attributes apart in the
  embedding keeps them apart in the styles, and since every row is an average of real styles, the direction stays in the
  affine layers' column space. ρ bounds the gain in directions that images barely use (part of Δt is the gap between
  text and images, which no image ever crosses).

ρ is `ridge` times the mean eigenvalue of the matrix that it is added to, of K samples √(2048/K) times as much: the
fewer there are, the more of a covariance is chance.

How many samples it takes depends on how well the pictures answer a text. Both halves of the samples give a direction of
their own; the cosine c between them says by Spearman and Brown how near the direction of all lies to that of endless
samples: √(2c/(1 + c)). Samples are doubled until all texts come to `ENOUGH`.
"""

from __future__ import annotations

import dataclasses
import math
from dataclasses import dataclass
from functools import cached_property
from typing import ClassVar, Literal

import torch
import torch.nn.functional as F
from torch import Tensor

from zoom_engine.common.errors import DirectionError
from zoom_engine.directions.cache import DirectionCache
from zoom_engine.directions.relevance import MatrixRelevance, Sampling, inverse_std
from zoom_engine.directions.unedited import unedited_embeddings
from zoom_engine.generators import EditableGenerator
from zoom_engine.text import TextEncoder

Estimator = Literal["correlation", "ridge", "whitened"]
ESTIMATORS: tuple[Estimator, ...] = ("correlation", "ridge", "whitened")
DEFAULT_RIDGE = 0.1
DEFAULT_SAMPLING = Sampling(2048)
FEWEST_SAMPLES = 256
ENOUGH = 0.85
"""The agreement with directions of endless samples at which no more are drawn."""
MOST_SQUARED = 4096
"""The widest latents whose covariance is made: with noise of 3 × 128 × 128 in them it would take 20 GB."""


@dataclass(frozen=True)
class Moments:
    """Second moments of K samples: cov(s, e) `[S, D]`, cov(e) `[D, D]`, cov(w) `[W, W]`, cov(w, e) `[W, D]`.

    Of latents that are wider than `MOST_SQUARED`, `latent` is w/√K `[K, W]`, whose square cov(w) is.
    """

    style_embedding: Tensor
    embedding: Tensor
    latent: Tensor
    latent_embedding: Tensor


def regression_relevance(
    generator: EditableGenerator,
    text_encoder: TextEncoder,
    *,
    sampling: Sampling = DEFAULT_SAMPLING,
    estimator: Estimator = "ridge",
    ridge: float = DEFAULT_RIDGE,
) -> MatrixRelevance:
    """Compute the relevance matrix `[S, D]` by one forward pass per sample; all estimators share the cached moments.

    Where the `sampling` says for which texts, samples are drawn until these need no more, see above.

    Raises:
        DirectionError: an option is out of its range, or all samples look the same.
    """
    if estimator not in ESTIMATORS:
        raise DirectionError(f"unknown estimator '{estimator}': choose one of {', '.join(ESTIMATORS)}")
    if sampling.samples < 16:
        raise DirectionError(
            f"regression needs at least 16 samples, not {sampling.samples}; 1000 or more give good directions"
        )
    if not ridge >= 0:
        raise DirectionError(f"ridge must be at least 0, not {ridge}")
    estimate = _Estimate(generator, sampling, estimator, ridge, text_encoder.blocks)
    embeddings = None
    if sampling.texts is not None:
        sampling, embeddings = _enough(text_encoder, estimate, sampling.texts)
    drawn = sampling.identity(generator, text_encoder)

    def measure() -> dict[str, Tensor]:
        seen = unedited_embeddings(generator, text_encoder, sampling, doing="Measuring directions", known=embeddings)
        return vars(_moments(*_drawn(generator, sampling), seen))

    seen_on = sampling.seen(generator, text_encoder)
    stored = None if estimate.width > MOST_SQUARED else sampling.cache  # wide samples are sooner drawn again than read
    moments = Moments(**DirectionCache(stored).cached("regression", seen_on, measure))
    if not moments.embedding.trace() > 0:
        raise DirectionError(
            "all samples of the generator look the same to the text encoder: there is nothing to regress"
        )
    matrix = estimate.matrix(moments, sampling.samples)
    strength_matrix = torch.cat(
        [
            estimate.per_std * moments.style_embedding[:, block] @ _inverse_root(moments.embedding[block, block])
            for block in text_encoder.blocks
        ],
        dim=1,
    )
    details = {**drawn, "estimator": estimator, "ridge": ridge}
    return MatrixRelevance("regression", matrix.float(), strength_matrix.float(), sampling, details)


@dataclass(frozen=True)
class Regression:
    """The method "regression", see `regression_relevance`."""

    name: ClassVar[str] = "regression"
    samples: ClassVar[int] = DEFAULT_SAMPLING.samples
    needs_gradient: ClassVar[bool] = False

    estimator: Estimator = "ridge"
    ridge: float = DEFAULT_RIDGE

    def measure(self, generator: EditableGenerator, text_encoder: TextEncoder, sampling: Sampling) -> MatrixRelevance:
        """See `DirectionMethod.measure`."""
        return regression_relevance(
            generator, text_encoder, sampling=sampling, estimator=self.estimator, ridge=self.ridge
        )

    def pictures(self, *, channels: int, texts: int, first: bool, step: float) -> float | None:
        """None: it is measured on unedited pictures alone."""
        return None


@dataclass(frozen=True)
class _Estimate:
    """An estimator of the channels' answer, on what a sampling draws of a generator."""

    generator: EditableGenerator
    sampling: Sampling
    estimator: Estimator
    ridge: float
    blocks: tuple[slice, ...]

    @cached_property
    def per_std(self) -> Tensor:
        """1/σ of the styles `[S, 1]`, see `inverse_std`."""
        std = self.sampling.statistics(self.generator).std
        return inverse_std(std, self.generator.space.fixed_mask())[:, None]

    @cached_property
    def width(self) -> int:
        """W, how many entries latents have."""
        affine = self.generator.affine_weight()
        return self.generator.space.size if affine is None else affine.shape[1]

    @cached_property
    def affine_per_std(self) -> Tensor | None:
        """A/σ `[S, W]` (float64); None without affine layers, where styles are latents."""
        affine = self.generator.affine_weight()
        return None if affine is None else self._natural_per_std * affine.double().cpu()

    @cached_property
    def _natural_per_std(self) -> Tensor:
        # Truncation scales a layer's styles and their σ alike, so A/σ is that of the untruncated generator.
        natural = self.sampling.untruncated().statistics(self.generator).std
        return inverse_std(natural, self.generator.space.fixed_mask())[:, None]

    def matrix(self, moments: Moments, count: int) -> Tensor:
        """Compute relevance `[S, D]` of the moments of `count` samples."""
        ridge = self.ridge * math.sqrt(DEFAULT_SAMPLING.samples / count)
        if self.estimator == "correlation":
            return self.per_std * moments.style_embedding
        if self.estimator == "whitened":
            rows = self.per_std * moments.style_embedding
            return torch.cat(
                [_ridge_solve(moments.embedding[part, part], rows[:, part].T, ridge).T for part in self.blocks], dim=1
            )
        solve = _ridge_solve_wide if self.width > MOST_SQUARED else _ridge_solve
        on_latent = solve(moments.latent, moments.latent_embedding, ridge)
        return self._natural_per_std * on_latent if self.affine_per_std is None else self.affine_per_std @ on_latent


def _enough(text_encoder: TextEncoder, estimate: _Estimate, texts: Tensor) -> tuple[Sampling, Tensor]:
    """Draw samples until directions of the unit vectors `texts [N, D]` agree; returns them and their embeddings."""
    generator, most = estimate.generator, estimate.sampling.samples
    count, embeddings = min(FEWEST_SAMPLES, most), None
    while True:
        sampling = dataclasses.replace(estimate.sampling, samples=count)
        embeddings = unedited_embeddings(
            generator, text_encoder, sampling, doing="Measuring directions", known=embeddings
        )
        if count == most or float(_agreement(estimate, sampling, embeddings, texts).min()) >= ENOUGH:
            return sampling, embeddings
        count = min(2 * count, most)


def _agreement(estimate: _Estimate, sampling: Sampling, embeddings: Tensor, texts: Tensor) -> Tensor:
    """Estimate the cosines `[N]` between directions of the samples and those of endless ones, by both halves."""
    drawn = (*_drawn(estimate.generator, sampling), embeddings)
    halves = [
        F.normalize(
            texts.double() @ estimate.matrix(_moments(*(rows[half::2] for rows in drawn)), sampling.samples // 2).T
        )
        for half in (0, 1)
    ]
    cosine = (halves[0] * halves[1]).sum(dim=1).clamp(min=0)
    return (2 * cosine / (1 + cosine)).sqrt()


def _inverse_root(covariance: Tensor) -> Tensor:
    """Compute (C + ρI)^(−1/2), ρ a tenth of the mean eigenvalue, so that what varies little counts as much as the rest.

    Strength is judged in embeddings that are whitened by it, because rare or subtle attributes move the embedding less
    than common ones, and would otherwise lose against random text, which contains a little of everything.
    """
    values, vectors = torch.linalg.eigh(covariance)
    rho = DEFAULT_RIDGE * values.mean()
    root: Tensor = (vectors * (values.clamp(min=0) + rho).rsqrt()) @ vectors.T
    return root


def _ridge_solve(covariance: Tensor, right: Tensor, ridge: float) -> Tensor:
    """Compute (C + ρI)⁻¹·right with ρ = ridge × mean eigenvalue of C; the tiny floor keeps a singular C solvable."""
    size = covariance.shape[0]
    rho = max(ridge, 1e-9) * covariance.trace() / size
    solved: Tensor = torch.linalg.solve(covariance + rho * torch.eye(size, dtype=covariance.dtype), right)
    return solved


def _ridge_solve_wide(rows: Tensor, right: Tensor, ridge: float) -> Tensor:
    """Compute what `_ridge_solve` does of C = XᵀX, by `rows` X `[K, W]`: (right − Xᵀ(XXᵀ + ρI)⁻¹X·right) / ρ."""
    square = rows @ rows.T
    rho = max(ridge, 1e-9) * square.trace() / rows.shape[1]
    within = torch.linalg.solve(square + rho * torch.eye(len(square), dtype=square.dtype), rows @ right)
    solved: Tensor = (right - rows.T @ within) / rho
    return solved


@torch.no_grad()
def _drawn(generator: EditableGenerator, sampling: Sampling) -> tuple[Tensor, Tensor]:
    """Return latents `[K, W]` and codes `[K, S]` of the samples (CPU)."""
    latents, codes = zip(*((w.cpu(), codes.cpu()) for w, codes in sampling.draw(generator)), strict=True)
    return torch.cat(latents), torch.cat(codes)


def _moments(latents: Tensor, codes: Tensor, embeddings: Tensor) -> Moments:
    """Compute the centred moments (float64) of the samples."""
    e, w, s = (_centred(rows) for rows in (embeddings, latents, codes))
    count = len(e)
    latent = w / math.sqrt(count) if w.shape[1] > MOST_SQUARED else w.T @ w / count
    return Moments(s.T @ e / count, e.T @ e / count, latent, w.T @ e / count)


def _centred(rows: Tensor) -> Tensor:
    return rows.double() - rows.double().mean(dim=0)
