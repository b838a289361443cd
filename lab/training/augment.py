"""Small changes that a classifier should shrug off: blur, noise, contrast and brightness."""

from __future__ import annotations

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor


def augment(images: Tensor, rng: np.random.Generator) -> Tensor:
    """Images ``[B, 3, R, R]`` in [-1, 1] → the same, changed a little; every image by its own draw.

    A third of them are blurred (binomial 3×3), all get noise of at most 0.04, contrast within ±10 % and brightness
    within ±0.08. The noise is drawn for eight images and shared, at different strengths.
    """
    count = len(images)

    def draw(low: float, high: float) -> Tensor:
        return torch.from_numpy(rng.uniform(low, high, count).astype(np.float32))[:, None, None, None]

    images = images.clone()
    blurred = torch.from_numpy(rng.permutation(count)[: count // 3])
    padded = F.pad(images[blurred], (1, 1, 1, 1), mode="replicate")
    rows = (padded[:, :, :-2] + 2 * padded[:, :, 1:-1] + padded[:, :, 2:]) / 4
    images[blurred] = (rows[..., :-2] + 2 * rows[..., 1:-1] + rows[..., 2:]) / 4
    noise = torch.from_numpy(rng.standard_normal((min(8, count), *images.shape[1:]), dtype=np.float32))
    noise = noise.repeat(-(-count // len(noise)), 1, 1, 1)[:count].contiguous(memory_format=torch.channels_last)
    images.mul_(draw(0.9, 1.1)).add_(draw(-0.08, 0.08)).add_(noise.mul_(draw(0.0, 0.04)))
    return images.clamp_(-1, 1)
