"""What the operators compute, as literally as their definitions and in any dtype: the yardstick of the tests.

The filter is the outer product of [1, 3, 3, 1] / 8 with itself, with gain 4 (Karras 2020, "Analyzing and
Improving the Image Quality of StyleGAN"; up-sampling there is zero insertion followed by this filter).
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor


def correlate(x: Tensor, before: int, after: int) -> Tensor:
    """Correlate each plane of `x` with the 4×4 filter after padding with zeros on both axes."""
    taps = torch.tensor([1, 3, 3, 1], dtype=x.dtype, device=x.device) / 8 * 2
    kernel = torch.outer(taps, taps).expand(x.shape[1], 1, 4, 4)
    return F.conv2d(F.pad(x, (before, after, before, after)), kernel, groups=x.shape[1])


def _insert_zeros(x: Tensor) -> Tensor:
    """`[B, C, H, W]` → `[B, C, 2H, 2W]`: a zero after every pixel and a row of them after every row."""
    batch, channels, height, width = x.shape
    rows = torch.stack([x, torch.zeros_like(x)], dim=-1).reshape(batch, channels, height, 2 * width)
    return torch.stack([rows, torch.zeros_like(rows)], dim=3).reshape(batch, channels, 2 * height, 2 * width)


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
    """`clamp(leaky_relu(fir(x) * scale + noise + bias) * gain)`: all that follows a layer's convolution.

    Args:
        x: `[B, C, H, W]`.
        scale: `[B, C]`.
        noise: `[H', W']` or None.
        bias: `[C]`.
        fir: filter `x` after padding with one zero; then `H' = H - 1`, `W' = W - 1`, otherwise `H' = H`, `W' = W`.
        slope: of the leaky ReLU below zero.
        gain: factor after the leaky ReLU.
        clamp: largest absolute value of the result, or None.

    Returns:
        `[B, C, H', W']` in the dtype of `x`.
    """
    y = correlate(x, 1, 1) if fir else x
    y = y * scale[:, :, None, None]
    if noise is not None:
        y = y + noise
    y = F.leaky_relu(y + bias[None, :, None, None], slope) * gain
    return y if clamp is None else y.clamp(-clamp, clamp)


def upsample2x(x: Tensor) -> Tensor:
    """See `zoom_engine.ops.upsample2x`."""
    return correlate(_insert_zeros(x), 2, 1)


def modulated_conv2d(
    x: Tensor,
    weight: Tensor,
    styles: Tensor,
    edit_weights: Tensor | None = None,
    edit_directions: Tensor | None = None,
    noise: Tensor | None = None,
    bias: Tensor | None = None,
    *,
    up: bool = False,
    slope: float = 0.2,
    gain: float = 2**0.5,
    clamp: float | None = None,
    rgb_weight: Tensor | None = None,
    rgb_styles: Tensor | None = None,
    rgb_edit_directions: Tensor | None = None,
) -> tuple[Tensor, Tensor]:
    """See `zoom_engine.ops.modulated_conv2d`: a modulated weight for every sample (Karras 2020, section 2.2)."""
    if edit_weights is not None and edit_directions is not None:
        styles = styles + edit_weights @ edit_directions
    if edit_weights is not None and rgb_edit_directions is not None and rgb_styles is not None:
        rgb_styles = rgb_styles + edit_weights @ rgb_edit_directions
    outputs, pictures = [], []
    for index, (sample, style) in enumerate(zip(x, styles, strict=True)):
        modulated = weight * style[None, :, None, None]
        modulated = modulated / (modulated.square().sum(dim=(1, 2, 3), keepdim=True) + 1e-8).sqrt()
        if up:
            # Up-sampling is followed by a true convolution, hence the flipped taps.
            u = F.conv2d(F.pad(_insert_zeros(sample[None]), (2, 1, 2, 1)), modulated.flip((2, 3)))
            y = correlate(u, 1, 1)
        else:
            y = F.conv2d(sample[None], modulated, padding=weight.shape[2] // 2)
        if noise is not None:
            y = y + noise
        if bias is not None:
            y = y + bias[:, None, None]
        y = F.leaky_relu(y, slope) * gain
        y = y if clamp is None else y.clamp(-clamp, clamp)
        if rgb_weight is not None and rgb_styles is not None:
            pictures.append(torch.einsum("kc,c,bchw->bkhw", rgb_weight, rgb_styles[index], y))
        outputs.append(y)
    out = torch.cat(outputs)
    return out, torch.cat(pictures) if pictures else out[:, :0]
