"""StyleGAN2's synthesis as the paper's code computes it: a weight of its own for every sample, grouped convolutions.

The baseline of the synthesis suite, and part of the audit suite's. Same function as ``StyleGAN2.synthesis``, other
arithmetic: modulated weights are built per sample (Karras 2020, section 2.2), the batch becomes the groups of one
convolution, up-sampling is a transposed convolution and a filter pass, and noise, bias and activation are passes of
their own.
"""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from zoom_engine.generators import StyleGAN2
from zoom_engine.generators.stylegan2.network import LRELU_GAIN, LRELU_SLOPE, ModulatedConv, ToRGB


def textbook_synthesis(generator: StyleGAN2, styles: Tensor) -> Tensor:
    """Style vectors ``[B, S]`` → images ``[B, 3, R, R]``, float32; differentiable."""
    x = generator.const[None].repeat(len(styles), 1, 1, 1)
    image: Tensor | None = None
    for layer in generator.space.layers:
        style = styles[:, layer.start : layer.stop]
        if layer.is_rgb:
            to_rgb: Any = generator.to_rgb[layer.name]
            rgb = _to_rgb(to_rgb, x, style)
            image = rgb if image is None else _upsample(image) + rgb
        else:
            convolution: Any = generator.convs[layer.name]
            x = _convolution(convolution, x, style)
    assert image is not None
    return image


def _grouped(x: Tensor, weights: Tensor, *, up: bool) -> Tensor:
    """``x [B, Cin, H, W]`` with ``weights [B, Cout, Cin, k, k]``: the batch becomes the groups."""
    batch, cout, cin, size, _ = weights.shape
    wide = x.reshape(1, batch * cin, *x.shape[2:])
    if up:
        transposed = weights.transpose(1, 2).reshape(batch * cin, cout, size, size)
        y = F.conv_transpose2d(wide, transposed, stride=2, groups=batch)
    else:
        y = F.conv2d(wide, weights.reshape(batch * cout, cin, size, size), padding=size // 2, groups=batch)
    return y.reshape(batch, cout, *y.shape[2:])


def _filter(x: Tensor, padding: tuple[int, int, int, int], gain: float) -> Tensor:
    taps = torch.tensor([1.0, 3.0, 3.0, 1.0], device=x.device) / 8
    kernel = (gain * torch.outer(taps, taps)).expand(x.shape[1], 1, 4, 4)
    return F.conv2d(F.pad(x, padding), kernel, groups=x.shape[1])


def _upsample(x: Tensor) -> Tensor:
    batch, channels, height, width = x.shape
    spread = F.pad(x.reshape(batch, channels, height, 1, width, 1), (0, 1, 0, 0, 0, 1))
    return _filter(spread.reshape(batch, channels, 2 * height, 2 * width), (2, 1, 2, 1), 4)


def _convolution(layer: ModulatedConv, x: Tensor, style: Tensor) -> Tensor:
    weights = layer.weight[None] * style[:, None, :, None, None]
    weights = weights * (weights.square().sum(dim=(2, 3, 4), keepdim=True) + 1e-8).rsqrt()
    x = _grouped(x, weights, up=layer.up)
    if layer.up:
        x = _filter(x, (1, 1, 1, 1), 4)
    x = x + layer.noise_const * layer.noise_strength
    x = F.leaky_relu(x + layer.bias[:, None, None], LRELU_SLOPE) * LRELU_GAIN
    return x if layer.clamp is None else x.clamp(-layer.clamp, layer.clamp)


def _to_rgb(layer: ToRGB, x: Tensor, style: Tensor) -> Tensor:
    y = _grouped(x, layer.weight[None] * style[:, None, :, None, None], up=False) + layer.bias[:, None, None]
    return y if layer.clamp is None else y.clamp(-layer.clamp, layer.clamp)
