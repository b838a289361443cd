"""The operators as compositions of plain torch calls: any device, any dtype, differentiable, exportable.

This runs where the native operators cannot, and exporters use it. In torch on the CPU, a depthwise convolution was the
fastest way to apply the filter: three 2×2 average pools, shifted sums or one plane per batch entry took 2.5 to 100
times as long. The transposed one is slow in bfloat16, hence a cast.
"""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor

from zoom_engine.ops import modulation
from zoom_engine.ops.layer import Layer


def _kernel(x: Tensor) -> Tensor:
    taps = torch.tensor([0.25, 0.75, 0.75, 0.25], dtype=x.dtype, device=x.device)
    return torch.outer(taps, taps).expand(x.shape[1], 1, 4, 4)


def _fir(x: Tensor, padding: int) -> Tensor:
    return F.conv2d(x, _kernel(x), padding=padding, groups=x.shape[1])


def finished(image: Tensor, bias: Tensor | None, clamp: float | None) -> Tensor:
    """Return `image [B, C, H, W]` plus `bias [C]`, clamped to ±`clamp`, as far as these are given."""
    if bias is not None:
        image = image + bias.to(image.dtype)[:, None, None]
    return image if clamp is None else image.clamp(-clamp, clamp)


def upsample2x(x: Tensor, add: Tensor | None = None, bias: Tensor | None = None, clamp: float | None = None) -> Tensor:
    """Compute `zoom_engine.ops.upsample2x`; differentiable in everything, the bias too."""
    wide = x if x.dtype == torch.float64 else x.float()
    y = F.conv_transpose2d(wide, _kernel(wide), stride=2, padding=1, groups=x.shape[1]).to(x.dtype)
    return y if add is None else y + finished(add, bias, clamp)


def upsample2x_backward(grad: Tensor) -> Tensor:
    """Compute the adjoint of `upsample2x`."""
    return F.conv2d(grad, _kernel(grad), stride=2, padding=1, groups=grad.shape[1])


def modulated_conv2d(
    x: Tensor,
    weight: Tensor,
    styles: Tensor,
    noise: Tensor | None = None,
    bias: Tensor | None = None,
    *,
    up: bool = False,
    slope: float = 0.2,
    gain: float = 2**0.5,
    clamp: float | None = None,
    rgb_weight: Tensor | None = None,
    rgb_styles: Tensor | None = None,
    rgb_only: bool = False,
) -> tuple[Tensor, Tensor]:
    """Compute `zoom_engine.ops.modulated_conv2d` of edited styles; differentiable in everything.

    `out` is whole with `rgb_only` too: it is computed in any case.
    """
    scale = modulation.demodulation(styles, modulation.energy(weight), gain)
    styles, weight, undo = _within_range(x, styles, weight)
    scale = scale if undo is None else scale * undo
    u = convolve(x * _spread(styles, x), weight.to(x.dtype), up)
    v = (_fir(u, 1) if up else u) * _spread(scale, u)
    # The leaky ReLU is positively homogeneous: the gain goes before it, into what is constant or small.
    if noise is not None:
        v = v + (noise * gain).to(v.dtype)
    if bias is not None:
        v = v + (bias * gain).to(v.dtype)[:, None, None]
    y = F.leaky_relu(v, slope)
    if clamp is not None:
        y = y.clamp(-clamp, clamp)
    if rgb_weight is None or rgb_styles is None:
        wide = torch.promote_types(x.dtype, torch.float32)
        return y, torch.empty((len(x), 0, *y.shape[2:]), dtype=wide, device=y.device)
    return y, to_rgb(y, rgb_weight[:, :, None, None], rgb_styles)


def to_rgb(x: Tensor, weight: Tensor, styles: Tensor) -> Tensor:
    """Convolve `x [B, C, H, W]` by `weight [3, C, 1, 1]`, modulated by `styles [B, C]`, not demodulated.

    Returns:
        `[B, 3, H, W]` in float32 at least.
    """
    styles, weight, undo = _within_range(x, styles, weight)
    rgb = F.conv2d(x * _spread(styles, x), weight.to(x.dtype)).to(torch.promote_types(x.dtype, torch.float32))
    return rgb if undo is None else rgb * _spread(undo, rgb)


def _within_range(x: Tensor, styles: Tensor, weight: Tensor) -> tuple[Tensor, Tensor, Tensor | None]:
    """Scale styles and weight, so that float16 can hold the products; other dtypes stay as they are.

    Styles are divided by the largest of each sample, weights by the largest of each output times √fan-in (Karras 2020,
    "Training GANs with limited data"). The third result `[B, Cout]` undoes it.
    """
    if x.dtype != torch.float16:
        return styles, weight, None
    largest = styles.abs().amax(1, keepdim=True).clamp(min=1e-6)
    divisor = weight.abs().amax((1, 2, 3)).clamp(min=1e-12) * math.sqrt(weight[0].numel())
    return styles / largest, weight / divisor[:, None, None, None], largest * divisor


def _spread(styles: Tensor, x: Tensor) -> Tensor:
    """Return `[B, C]` as a factor of the image `x`."""
    return styles.to(x.dtype)[:, :, None, None]


def convolve(x: Tensor, weight: Tensor, up: bool) -> Tensor:
    """Compute a layer's convolution of `x`, of stride 2 and transposed with `up`; without the filter."""
    if up:
        return F.conv_transpose2d(x, weight.transpose(0, 1), stride=2)
    return F.conv2d(x, weight, padding=weight.shape[2] // 2)


def modulated_conv2d_backward(
    grad: Tensor | None, grad_rgb: Tensor | None, y: Tensor, layer: Layer
) -> tuple[Tensor, Tensor, Tensor | None]:
    """Compute `(dx, dstyles, drgb_styles)` from the gradients of the output `y` and of the toRGB.

    The layer's styles are edited already; drgb_styles is None where no gradient comes from the toRGB.
    """
    x, styles = layer.x, layer.styles
    energy = modulation.energy(layer.weight)
    scale = modulation.demodulation(styles, energy)
    drgb_styles = None
    dy = torch.zeros_like(y) if grad is None else grad
    if grad_rgb is not None and layer.rgb_weight is not None and layer.rgb_styles is not None:
        dscaled = F.conv_transpose2d(grad_rgb.to(y.dtype), layer.rgb_weight.to(y.dtype)[:, :, None, None])
        dy = dy + dscaled * _spread(layer.rgb_styles, y)
        drgb_styles = (dscaled * y).sum(dim=(2, 3)).to(layer.rgb_styles.dtype)
    factor = torch.where(y > 0, y.new_tensor(layer.gain), y.new_tensor(layer.gain * layer.slope))
    dv = dy * factor
    if layer.clamp is not None:
        dv = torch.where(y.abs() < y.new_tensor(layer.clamp), dv, 0.0)
    du = dv * _spread(scale, y)
    dmodulated = convolve_backward(_fir(du, 2) if layer.up else du, layer.weight.to(x.dtype), layer.up)
    scaled = y / factor  # u * scale, after noise and bias are taken off
    if layer.noise is not None:
        scaled = scaled - layer.noise.to(y.dtype)
    if layer.bias is not None:
        scaled = scaled - layer.bias.to(y.dtype)[:, None, None]
    dscale = (dv * scaled).sum(dim=(2, 3)).to(scale.dtype) / scale
    dstyles = (dmodulated * x).sum(dim=(2, 3)).to(styles.dtype)
    dstyles = dstyles + modulation.demodulation_gradient(dscale, styles, energy, scale)
    return dmodulated * _spread(styles, x), dstyles, drgb_styles


def convolve_backward(grad: Tensor, weight: Tensor, up: bool) -> Tensor:
    """Compute the adjoint of `convolve`."""
    if up:
        return F.conv2d(grad, weight.transpose(0, 1), stride=2)
    return F.conv_transpose2d(grad, weight, padding=weight.shape[2] // 2)
