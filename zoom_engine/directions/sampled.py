"""Sampled relevance, as in the reference: push one channel at a time and see where the embedding goes.

StyleCLIP's `fs3` (Patashnik 2021): for channel c, K images are rendered with c at mean + α·σ_c and at mean − α·σ_c,
both are embedded, the difference of the unit embeddings is normalised, averaged over the images and normalised again:
row c of the relevance matrix. That is 2·K·S syntheses (1.2 million at 1024²), so finished rows go to disk every minute,
and a killed run resumes from there.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar

import torch
import torch.nn.functional as F
from torch import Tensor

from zoom_engine.common.errors import DirectionError
from zoom_engine.directions.cache import DirectionCache
from zoom_engine.directions.relevance import MatrixRelevance, Sampling, check_finite, inverse_std
from zoom_engine.generators import EditableGenerator
from zoom_engine.text import TextEncoder

DEFAULT_SAMPLING = Sampling(100)
_NO_CHANGE = 1e-6  # two unit embeddings closer than this differ by rounding alone


def sampled_relevance(
    generator: EditableGenerator,
    text_encoder: TextEncoder,
    *,
    sampling: Sampling = DEFAULT_SAMPLING,
    alpha: float = 5.0,
    save_every: float = 60.0,
) -> MatrixRelevance:
    """Compute the relevance matrix `[S, D]` with unit rows; rows of toRGB and of ineffective channels are 0.

    Args:
        generator: whose channels are pushed.
        text_encoder: embeds the images.
        sampling: the number of samples is K.
        alpha: the push in standard deviations.
        save_every: seconds between two saves of the finished rows (with a cache).
    """
    if sampling.samples < 1 or not alpha > 0:
        raise DirectionError(f"sampled relevance needs samples ≥ 1 and alpha > 0, not {sampling.samples} and {alpha}")
    if len(text_encoder.blocks) > 1 or text_encoder.blocks[0].stop == 1:
        raise DirectionError(
            "sampled relevance compares pictures by the angles of their embeddings, and the number of a scorer has"
            " none: find directions by regression"
        )
    details = {**sampling.identity(generator, text_encoder), "alpha": alpha}
    store = DirectionCache(sampling.cache)

    def measure() -> dict[str, Tensor]:
        part = store.load("sampled-part", details) or {
            "matrix": torch.zeros(generator.space.size, text_encoder.dim),
            "done": torch.zeros(generator.space.size, dtype=torch.bool),
        }
        saved = time.monotonic()
        try:
            for _ in _filled(generator, text_encoder, sampling, alpha, part):
                if time.monotonic() - saved > save_every:
                    store.store("sampled-part", details, part)
                    saved = time.monotonic()
        except BaseException:  # Ctrl-C too
            store.store("sampled-part", details, part)
            raise
        return {"matrix": part["matrix"]}

    matrix = store.cached("sampled", details, measure)["matrix"]
    store.remove("sampled-part", details)
    return MatrixRelevance("sampled", matrix, matrix, sampling, details)


@dataclass(frozen=True)
class Sampled:
    """The method "sampled", see `sampled_relevance`."""

    name: ClassVar[str] = "sampled"
    samples: ClassVar[int] = DEFAULT_SAMPLING.samples
    needs_gradient: ClassVar[bool] = False

    alpha: float = 5.0

    def measure(self, generator: EditableGenerator, text_encoder: TextEncoder, sampling: Sampling) -> MatrixRelevance:
        """See `DirectionMethod.measure`."""
        return sampled_relevance(generator, text_encoder, sampling=sampling, alpha=self.alpha)

    def pictures(self, *, channels: int, texts: int, first: bool, step: float) -> float:
        """Each channel is pushed to both sides on every sample, once for all texts."""
        return 2 * self.samples * channels * first


def _filled(
    generator: EditableGenerator, text_encoder: TextEncoder, sampling: Sampling, alpha: float, part: dict[str, Tensor]
) -> Iterator[None]:
    """Compute the rows that `part` lacks, in place, some at a time."""
    statistics, base = sampling.statistics(generator), sampling.codes(generator)
    channels = inverse_std(statistics.std, generator.space.fixed_mask()).nonzero().flatten()
    todo = channels[~part["done"][channels]]
    push = alpha * statistics.std
    values = torch.stack([statistics.mean - push, statistics.mean + push], dim=1)
    done = len(channels) - len(todo)
    with sampling.progress(len(channels), "Pushing channels", unit="channel", initial=done) as bar:
        # Of nothing torch makes one empty part.
        for group in torch.split(todo, max(1, sampling.batch_size // (2 * sampling.samples))) if len(todo) else ():
            part["matrix"][group] = _relevance_rows(generator, text_encoder, sampling, base, group, values[group])
            part["done"][group] = True
            bar.update(len(group))
            yield


@torch.no_grad()
def _relevance_rows(
    generator: EditableGenerator,
    text_encoder: TextEncoder,
    sampling: Sampling,
    base: Tensor,
    channels: Tensor,
    values: Tensor,
) -> Tensor:
    """Compute rows `[C, D]`: `channels [C]` of `base [K, S]` take their low and their high of `values [C, 2]`."""
    jobs = torch.cartesian_prod(torch.arange(len(channels)), torch.arange(len(base)), torch.arange(2))
    embedded = []
    for job in torch.split(jobs, sampling.batch_size):
        styles = base[job[:, 1]].clone()
        styles[torch.arange(len(job)), channels[job[:, 0]]] = values[job[:, 0], job[:, 2]].to(styles)
        embedded.append(check_finite(text_encoder.embed_images(sampling.renderer_of(generator).render(styles)).cpu()))
    pairs = torch.cat(embedded).view(len(channels), len(base), 2, -1)
    mean = _unit(pairs[:, :, 1] - pairs[:, :, 0]).mean(dim=1)
    return _unit(mean)


def _unit(vectors: Tensor) -> Tensor:
    """Normalise vectors along the last dimension; those of length 0 stay 0."""
    return torch.where(vectors.norm(dim=-1, keepdim=True) > _NO_CHANGE, F.normalize(vectors, dim=-1), 0.0)
