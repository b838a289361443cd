"""Re-sampling with stored low-pass filters: separable ones of shape `[taps]`, radial ones of `[taps, taps]`."""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor


def upsample(x: Tensor, taps: Tensor | None, factor: int, padding: tuple[int, int]) -> Tensor:
    """Compute `[B, C, M, M]` of `x [B, C, N, N]`, with `M = factor·N + sum(padding) - (taps - 1)`.

    Zeros are put between the samples, `factor - 1` after each; then padding (cut off where negative), then the filter;
    without a filter only the padding. The filter's gain is not made up for: zeros make it `1 / factor²`.
    """
    before, after = padding
    if taps is None:
        return F.pad(x, (before, after, before, after))
    # What a transposed convolution gives has no padding beside it, but every sample that the filter reaches.
    cut = taps.shape[0] - 1 - before, taps.shape[0] - factor - after
    both = max(0, min(cut))
    for kernel, step in _kernels(taps, factor):
        along = [both * (size > 1) for size in kernel.shape]
        x = F.conv_transpose2d(x, _per_channel(kernel, x), stride=step, padding=along, groups=x.shape[1])
    left = both - cut[0], both - cut[1]
    return F.pad(x, (*left, *left)) if any(left) else x


def downsample(x: Tensor, taps: Tensor | None, factor: int) -> Tensor:
    """Compute `[B, C, M, M]` of `x [B, C, N, N]`, with `M = ceil((N - taps + 1) / factor)`.

    The samples are filtered, then every `factor`-th is taken from the first on.
    """
    if taps is None:
        return x
    for kernel, step in _kernels(taps, factor):
        # torch's convolutions correlate
        x = F.conv2d(x, _per_channel(kernel.flip(0, 1), x), stride=step, groups=x.shape[1])
    return x


def _kernels(taps: Tensor, factor: int) -> list[tuple[Tensor, tuple[int, int]]]:
    """Return the convolutions that apply a filter, each with its steps."""
    if taps.dim() == 2:
        return [(taps, (factor, factor))]
    return [(taps[:, None], (factor, 1)), (taps[None, :], (1, factor))]


def _per_channel(kernel: Tensor, x: Tensor) -> Tensor:
    """Return one filter for every channel of `x [B, C, H, W]`: `[C, 1, *kernel]`."""
    return kernel.expand(x.shape[1], 1, -1, -1).contiguous()
