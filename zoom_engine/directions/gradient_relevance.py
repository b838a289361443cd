"""Gradient relevance: the slope of the text score, restricted to the styles that the generator visits.

Averaged over K images, r = P·(σ ⊙ ∂⟨E(G(s)), Δt⟩/∂s): all channels in one backward pass per image and direction. P
projects onto the column space of the affine layers in standardised styles: every style vector is s = A·w + b, and the
bare gradient leaves that low-dimensional set, where geometry (hair length, face shape) no longer follows.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from typing import Any, ClassVar

import torch
from torch import Tensor

from zoom_engine.common.errors import DirectionError
from zoom_engine.common.machine import followed_at_once
from zoom_engine.directions.cache import DirectionCache
from zoom_engine.directions.relevance import Sampling, check_finite, inverse_std
from zoom_engine.generators import EditableGenerator
from zoom_engine.text import TextEncoder

DEFAULT_SAMPLING = Sampling(64, batch_size=8)
RANDOM_TEXTS = 19  # beside the attributes; each costs a backward pass per image
_RANK_TOLERANCE = 1e-6


@dataclass(frozen=True)
class GradientRelevance:
    """Relevance that is computed for the directions that are asked for; with a cache each row is stored on disk."""

    generator: EditableGenerator
    text_encoder: TextEncoder
    sampling: Sampling
    details: dict[str, Any]
    method: str = "gradient"
    random_texts: int = RANDOM_TEXTS
    _seen: dict[str, Tensor] = field(default_factory=dict, repr=False)

    def relevance(self, text_directions: Tensor) -> Tensor:
        """Return relevance `[P, S]` of unit vectors `[P, D]`, measuring those that are not stored."""
        keys = [hashlib.sha256(t.float().cpu().numpy().tobytes()).hexdigest() for t in text_directions]
        store = DirectionCache(self.sampling.cache)
        for key in keys:
            if key not in self._seen and (row := store.load("gradient", {**self.details, "direction": key})):
                self._seen[key] = row["relevance"]
        missing = [index for index, key in enumerate(keys) if key not in self._seen]
        if missing:
            rows = self._measure(text_directions[missing])
            for index, row in zip(missing, rows, strict=True):
                self._seen[keys[index]] = row
                store.store("gradient", {**self.details, "direction": keys[index]}, {"relevance": row})
        return torch.stack([self._seen[key] for key in keys])

    def strength(self, text_directions: Tensor) -> Tensor:
        """Return the largest |relevance| `[P]` of each of the unit vectors `[P, D]`."""
        return self.relevance(text_directions).abs().amax(dim=1)

    def _measure(self, text_directions: Tensor) -> Tensor:
        device = self.generator.device
        wanted = text_directions.to(device=device, dtype=torch.float32)
        total = torch.zeros(len(wanted), self.generator.space.size, dtype=torch.float64)
        at_once = self.sampling.batch_size
        if device.type == "cpu":
            at_once = min(at_once, followed_at_once(self.generator.resolution))
        with self.sampling.progress(self.sampling.samples, "Following gradients", unit="image") as bar:
            for _, style in self.sampling.draw(self.generator):
                for part in torch.split(style, at_once):
                    leaf = part.detach().clone().requires_grad_(True)
                    embedded = check_finite(self.text_encoder.embed_images(self.generator.render(leaf)))
                    for index, direction in enumerate(wanted):
                        (slope,) = torch.autograd.grad(
                            (embedded @ direction).sum(), leaf, retain_graph=index + 1 < len(wanted)
                        )
                        total[index] += slope.sum(dim=0).double().cpu()
                    bar.update(len(part))
        mean = check_finite(total / self.sampling.samples)
        std = self.sampling.statistics(self.generator).std
        per_std = inverse_std(std, self.generator.space.fixed_mask())
        scaled = torch.where(per_std > 0, mean * std.double(), 0.0)
        if self.details["projected"]:
            affine = self.generator.affine_weight()
            if affine is None:
                return scaled.float()
            natural = self.sampling.untruncated().statistics(self.generator).std
            natural_per_std = inverse_std(natural, self.generator.space.fixed_mask())
            basis = affine_basis(affine.cpu(), natural_per_std)
            scaled = torch.where(per_std > 0, scaled @ basis @ basis.T, 0.0)
        return scaled.float()


def affine_basis(affine_weight: Tensor, per_std: Tensor) -> Tensor:
    """Return an orthonormal basis `[S, rank]` (float64) of the columns of A/σ; `per_std [S]` is 1/σ, 0 where unused."""
    left, values, _ = torch.linalg.svd(per_std[:, None] * affine_weight.double(), full_matrices=False)
    basis: Tensor = left[:, values > _RANK_TOLERANCE * values[0]]
    return basis


def gradient_relevance(
    generator: EditableGenerator,
    text_encoder: TextEncoder,
    *,
    sampling: Sampling = DEFAULT_SAMPLING,
    projected: bool = True,
) -> GradientRelevance:
    """Return gradient relevance averaged over the samples (K); nothing is computed before a direction is asked for.

    `projected=False` leaves the bare gradient, for comparison.

    Raises:
        DirectionError: there is no sample.
    """
    if sampling.samples < 1:
        raise DirectionError(f"gradient relevance needs at least one sample, not {sampling.samples}")
    details = {**sampling.identity(generator, text_encoder), "projected": projected}
    return GradientRelevance(generator, text_encoder, sampling, details)


@dataclass(frozen=True)
class Gradient:
    """The method "gradient", see `gradient_relevance`."""

    name: ClassVar[str] = "gradient"
    samples: ClassVar[int] = DEFAULT_SAMPLING.samples
    needs_gradient: ClassVar[bool] = True

    def measure(self, generator: EditableGenerator, text_encoder: TextEncoder, sampling: Sampling) -> GradientRelevance:
        """See `DirectionMethod.measure`."""
        return gradient_relevance(generator, text_encoder, sampling=sampling)

    def pictures(self, *, channels: int, texts: int, first: bool, step: float) -> float:
        """Count a step for each text on every sample, random texts among them."""
        return self.samples * (texts + RANDOM_TEXTS * first) * step
