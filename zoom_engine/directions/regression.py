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

ρ is `ridge` times the mean eigenvalue of the matrix that it is added to.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Literal

import torch
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


@dataclass(frozen=True)
class Moments:
    """Second moments of K samples: cov(s, e) `[S, D]`, cov(e) `[D, D]`, cov(w) `[W, W]`, cov(w, e) `[W, D]`."""

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
    """Compute the relevance matrix `[S, D]` by one forward pass per sample; all estimators share the cached moments."""
    if estimator not in ESTIMATORS:
        raise DirectionError(f"unknown estimator '{estimator}': choose one of {', '.join(ESTIMATORS)}")
    if sampling.samples < 16:
        raise DirectionError(
            f"regression needs at least 16 samples, not {sampling.samples}; 1000 or more give good directions"
        )
    if not ridge >= 0:
        raise DirectionError(f"ridge must be at least 0, not {ridge}")
    drawn = sampling.identity(generator, text_encoder)

    def measure() -> dict[str, Tensor]:
        embeddings = unedited_embeddings(generator, text_encoder, sampling, doing="Measuring directions")
        return vars(_moments(generator, sampling, embeddings))

    moments = Moments(**DirectionCache(sampling.cache).cached("regression", drawn, measure))
    if not moments.embedding.trace() > 0:
        raise DirectionError(
            "all samples of the generator look the same to the text encoder: there is nothing to regress"
        )
    std = sampling.statistics(generator).std
    per_std = inverse_std(std, generator.space.fixed_mask())[:, None]
    covariance = per_std * moments.style_embedding
    if estimator == "correlation":
        matrix = covariance
    elif estimator == "ridge":
        on_latent = _ridge_solve(moments.latent, moments.latent_embedding, ridge)
        # Truncation scales a layer's styles and their σ alike, so A/σ is that of the untruncated generator.
        natural = sampling.untruncated().statistics(generator).std
        natural_per_std = inverse_std(natural, generator.space.fixed_mask())[:, None]
        affine = generator.affine_weight()
        matrix = natural_per_std * (on_latent if affine is None else affine.double().cpu() @ on_latent)
    else:
        matrix = _ridge_solve(moments.embedding, covariance.T, ridge).T
    strength_matrix = covariance @ _inverse_root(moments.embedding)
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


@torch.no_grad()
def _moments(generator: EditableGenerator, sampling: Sampling, embeddings: Tensor) -> Moments:
    """Compute the centred moments (float64) of the samples."""
    latents, styles = zip(*((w.cpu(), codes.cpu()) for w, codes in sampling.draw(generator)), strict=True)
    e, w, s = (_centred(rows) for rows in (embeddings, torch.cat(latents), torch.cat(styles)))
    count = len(e)
    return Moments(s.T @ e / count, e.T @ e / count, w.T @ w / count, w.T @ e / count)


def _centred(rows: Tensor) -> Tensor:
    return rows.double() - rows.double().mean(dim=0)
