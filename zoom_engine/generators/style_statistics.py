"""Mean and standard deviation of every style channel over random samples of a generator."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor

from zoom_engine.common.errors import ConfigError
from zoom_engine.common.progress import ProgressFactory, silent
from zoom_engine.generators.generator import EditableGenerator

_COLUMNS = 1 << 10  # in float64 at a time: of a StyleGAN2 all are 285 MB


@dataclass(frozen=True)
class StyleStatistics:
    """`mean [S]` and `std [S]`, float32: the unit in which edit directions are scaled."""

    mean: Tensor
    std: Tensor


@torch.no_grad()
def sample_styles(
    generator: EditableGenerator,
    *,
    samples: int,
    seed: int = 0,
    truncation: float = 1.0,
    truncation_cutoff: int | None = None,
    batch_size: int = 256,
) -> Iterator[tuple[Tensor, Tensor]]:
    """Yield `(latents [b, W], codes [b, S])` of `samples` random latents, in batches (`EditableGenerator.draw`).

    The latents come from one generator seeded with `seed`: the same seed gives the same samples, of which fewer are the
    first of more.

    Raises:
        ConfigError: `samples` is below 1.
    """
    if samples < 1:
        raise ConfigError(f"samples must be at least 1, got {samples}")
    rng = torch.Generator().manual_seed(seed)
    for begin in range(0, samples, batch_size):
        latents, codes = generator.draw(batch_size, rng, truncation=truncation, truncation_cutoff=truncation_cutoff)
        count = min(batch_size, samples - begin)
        yield latents[:count], codes[:count]


def style_statistics(
    generator: EditableGenerator,
    *,
    samples: int = 4096,
    seed: int = 0,
    truncation: float = 1.0,
    truncation_cutoff: int | None = None,
    progress: ProgressFactory = silent,
) -> StyleStatistics:
    """Compute mean and (population) standard deviation of each style channel; no picture is made."""
    batches = sample_styles(
        generator, samples=samples, seed=seed, truncation=truncation, truncation_cutoff=truncation_cutoff
    )
    parts = []
    with progress(samples, "Measuring styles", unit="sample") as bar:
        for _, part in batches:
            parts.append(part)
            bar.update(len(part))
    means, stds = [], []
    for begin in range(0, parts[0].shape[1], _COLUMNS):  # all of them together would be held twice
        styles = torch.cat([part[:, begin : begin + _COLUMNS] for part in parts]).double()
        means.append(styles.mean(0).float())
        stds.append(styles.std(0, correction=0).float())
    return StyleStatistics(torch.cat(means), torch.cat(stds))
