"""Mean and standard deviation of every style channel over random samples of a generator."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor

from zoom_engine.errors import ConfigError
from zoom_engine.generators.stylegan2.network import StyleGAN2
from zoom_engine.progress import ProgressFactory, silent


@dataclass(frozen=True)
class StyleStatistics:
    """``mean [S]`` and ``std [S]``, float32: the unit in which edit directions are scaled."""

    mean: Tensor
    std: Tensor


@torch.no_grad()
def sample_styles(
    generator: StyleGAN2,
    *,
    samples: int,
    seed: int = 0,
    truncation: float = 1.0,
    truncation_cutoff: int | None = None,
    batch_size: int = 256,
) -> Iterator[tuple[Tensor, Tensor]]:
    """Yield ``(w [b, num_ws, w_dim], styles [b, S])`` of ``samples`` random latents, in batches.

    The latents come from one generator seeded with ``seed``: the same seed gives the same samples.
    """
    if samples < 1:
        raise ConfigError(f"samples must be at least 1, got {samples}")
    rng = torch.Generator().manual_seed(seed)
    for begin in range(0, samples, batch_size):
        z = torch.randn(min(batch_size, samples - begin), generator.z_dim, generator=rng).to(generator.device)
        w = generator.mapping(z, truncation=truncation, truncation_cutoff=truncation_cutoff)
        yield w, generator.styles(w)


def style_statistics(
    generator: StyleGAN2,
    *,
    samples: int = 4096,
    seed: int = 0,
    truncation: float = 1.0,
    truncation_cutoff: int | None = None,
    progress: ProgressFactory = silent,
) -> StyleStatistics:
    """Mean and (population) standard deviation of each style channel, from the mapping network alone."""
    batches = sample_styles(
        generator, samples=samples, seed=seed, truncation=truncation, truncation_cutoff=truncation_cutoff
    )
    parts = []
    with progress(samples, "Measuring styles", unit="sample") as bar:
        for _, part in batches:
            parts.append(part)
            bar.update(len(part))
    styles = torch.cat(parts).double()
    return StyleStatistics(styles.mean(0).float(), styles.std(0, correction=0).float())
