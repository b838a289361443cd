"""A whole layer on a CUDA device: our kernels around torch's (cuDNN's) convolution.

The input is modulated in one pass, the convolution's result finished in one; nothing in between is kept. The backward
pass computes the convolution once more, which is cheaper than keeping its result: that is four times the output where
the layer doubles the size.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

from zoom_engine.ops import composition, cuda, modulation
from zoom_engine.ops.layer import Layer


class _Convolved(NamedTuple):
    """A layer up to its convolution."""

    u: Tensor  # the convolution's result
    style: Tensor  # [B, Cin] float32, edited
    energy: Tensor
    scale: Tensor  # [B, Cout]
    bias: Tensor  # [Cout]

    @classmethod
    def of(cls, layer: Layer) -> _Convolved:
        x, style = cuda.modulate(layer.x, layer.styles, layer.edit_weights, layer.edit_directions)
        energy = modulation.energy(layer.weight)
        scale = modulation.demodulation(style, energy)
        bias = style.new_zeros(len(layer.weight)) if layer.bias is None else layer.bias
        u = composition.convolve(x, layer.weight.to(x.dtype), layer.up)
        return cls(u, style, energy, scale, bias)


def forward(layer: Layer) -> tuple[Tensor, Tensor | None]:
    """Compute `(out, rgb)` of `zoom_engine.ops.modulated_conv2d`; rgb is None where no toRGB was asked for."""
    u, _, _, scale, bias = _Convolved.of(layer)
    options = {"fir": layer.up, "slope": layer.slope, "gain": layer.gain, "clamp": layer.clamp}
    y = cuda.modulated_epilogue(u, scale, layer.noise, bias, **options)  # type: ignore[arg-type]
    if layer.rgb_weight is None or layer.rgb_styles is None:
        return y, None
    scaled, _ = cuda.modulate(y, layer.rgb_styles, layer.edit_weights, layer.rgb_edit_directions)
    return y, F.conv2d(scaled, layer.rgb_weight.to(y.dtype)[:, :, None, None]).float().contiguous()


def backward(
    grad: Tensor | None, grad_rgb: Tensor | None, y: Tensor, layer: Layer
) -> tuple[Tensor, Tensor, Tensor | None]:
    """Compute `(dx, dstyles, drgb_styles)`: to x, to the styles, and to those of the toRGB.

    The layer's styles are edited already. drgb_styles is None where `grad_rgb` is not given.
    """
    drgb_styles = None
    dy = torch.zeros_like(y) if grad is None else grad
    if grad_rgb is not None and layer.rgb_weight is not None and layer.rgb_styles is not None:
        dscaled = F.conv_transpose2d(grad_rgb.to(y.dtype), layer.rgb_weight.to(y.dtype)[:, :, None, None])
        from_rgb, drgb_styles = cuda.modulate_backward(dscaled, y, layer.rgb_styles)
        dy = from_rgb if grad is None else dy + from_rgb
    u, style, energy, scale, bias = _Convolved.of(layer)
    options = {"fir": layer.up, "slope": layer.slope, "gain": layer.gain, "clamp": layer.clamp}
    du, dscale = cuda.modulated_epilogue_backward(dy, u, scale, layer.noise, bias, **options)  # type: ignore[arg-type]
    dmodulated = composition.convolve_backward(du, layer.weight.to(u.dtype), layer.up)
    dx, dstyles = cuda.modulate_backward(dmodulated, layer.x, style)
    dstyles = dstyles + modulation.demodulation_gradient(dscale, style, energy, scale)
    return dx, dstyles, drgb_styles
