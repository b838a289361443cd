"""Networks asked about many pictures, as files and renderers have them."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from zoom_engine.domains.networks import to_float


@torch.no_grad()
def predict(network: nn.Module, images: Tensor, *, batch_size: int = 128) -> Tensor:
    """Outputs ``[n, …]`` for uint8 images ``[n, R, R, 3]``, in batches."""
    return torch.cat([network(to_float(images[i : i + batch_size])) for i in range(0, len(images), batch_size)])


def to_uint8(images: Tensor) -> Tensor:
    """float ``[n, 3, R, R]`` in [-1, 1] → uint8 ``[n, R, R, 3]``, rounded and clamped."""
    return images.add(1.0).mul(127.5).round().clamp(0, 255).to(torch.uint8).permute(0, 2, 3, 1)


def tiled(pictures: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Lay pictures ``[rows, columns, H, W, 3]`` beside and below each other: ``[rows·H, columns·W, 3]``."""
    rows, columns, height, width, channels = pictures.shape
    return pictures.transpose(0, 2, 1, 3, 4).reshape(rows * height, columns * width, channels)
