"""What the operators compute, as literally as their definitions and in any dtype: the yardstick of the tests.

The filter is the outer product of [1, 3, 3, 1] / 8 with itself, with gain 4 (Karras 2020, "Analyzing and
Improving the Image Quality of StyleGAN"; up-sampling there is zero insertion followed by this filter).
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor


def _filter(x: Tensor, before: int, after: int) -> Tensor:
    """Correlate each plane of `x` with the 4×4 filter after padding with zeros on both axes."""
    taps = torch.tensor([1, 3, 3, 1], dtype=x.dtype, device=x.device) / 8 * 2
    kernel = torch.outer(taps, taps).expand(x.shape[1], 1, 4, 4)
    return F.conv2d(F.pad(x, (before, after, before, after)), kernel, groups=x.shape[1])


def modulated_epilogue(
    x: Tensor,
    scale: Tensor,
    noise: Tensor | None,
    bias: Tensor,
    *,
    fir: bool,
    slope: float = 0.2,
    gain: float = 2**0.5,
    clamp: float | None = None,
) -> Tensor:
    """See `zoom_engine.ops.modulated_epilogue`."""
    y = _filter(x, 1, 1) if fir else x
    y = y * scale[:, :, None, None]
    if noise is not None:
        y = y + noise
    y = F.leaky_relu(y + bias[None, :, None, None], slope) * gain
    return y if clamp is None else y.clamp(-clamp, clamp)


def upsample2x(x: Tensor) -> Tensor:
    """See `zoom_engine.ops.upsample2x`."""
    batch, channels, height, width = x.shape
    zeros = torch.zeros_like(x)
    rows = torch.stack([x, zeros], dim=-1).reshape(batch, channels, height, 2 * width)
    inserted = torch.stack([rows, torch.zeros_like(rows)], dim=3).reshape(batch, channels, 2 * height, 2 * width)
    return _filter(inserted, 2, 1)
