"""The operators as compositions of plain torch calls: any device, any dtype, differentiable, exportable.

This is what runs where the native operators cannot, and what exporters use. In torch on the CPU, a depthwise
convolution was the fastest way to apply the filter: three 2×2 average pools, shifted sums or one plane per
batch entry took 2.5 to 100 times as long. The transposed one is slow in bfloat16, hence a cast.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor


def _kernel(x: Tensor) -> Tensor:
    taps = torch.tensor([0.25, 0.75, 0.75, 0.25], dtype=x.dtype, device=x.device)
    return torch.outer(taps, taps).expand(x.shape[1], 1, 4, 4)


def _fir(x: Tensor, padding: int) -> Tensor:
    return F.conv2d(x, _kernel(x), padding=padding, groups=x.shape[1])


def _preactivation(x: Tensor, scale: Tensor, noise: Tensor | None, bias: Tensor, fir: bool) -> tuple[Tensor, Tensor]:
    """`u = fir(x)` and `u * scale + noise + bias`, both in the dtype of `x`."""
    u = _fir(x, 1) if fir else x
    v = u * scale.to(x.dtype)[:, :, None, None] + bias.to(x.dtype)[:, None, None]
    return u, v if noise is None else v + noise.to(x.dtype)


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
    _, v = _preactivation(x, scale, noise, bias, fir)
    y = F.leaky_relu(v, slope) * gain
    return y if clamp is None else y.clamp(-clamp, clamp)


def epilogue_gradients(
    grad: Tensor,
    x: Tensor,
    scale: Tensor,
    noise: Tensor | None,
    bias: Tensor,
    *,
    fir: bool,
    slope: float,
    gain: float,
    clamp: float | None,
) -> tuple[Tensor, Tensor]:
    """The gradient that reaches `u * scale + noise + bias`, and `u = fir(x)`: all others follow from them."""
    u, v = _preactivation(x, scale, noise, bias, fir)
    factor = torch.where(v > 0, gain, gain * slope).to(x.dtype)
    dv = grad * factor
    return (dv if clamp is None else torch.where((v * factor).abs() > clamp, 0.0, dv)), u


def modulated_epilogue_backward(
    grad: Tensor,
    x: Tensor,
    scale: Tensor,
    noise: Tensor | None,
    bias: Tensor,
    *,
    fir: bool,
    slope: float,
    gain: float,
    clamp: float | None,
) -> tuple[Tensor, Tensor]:
    """`(dx, dscale)` of `modulated_epilogue`; dscale in the dtype of `scale`."""
    dv, u = epilogue_gradients(grad, x, scale, noise, bias, fir=fir, slope=slope, gain=gain, clamp=clamp)
    dscale = (dv * u).sum(dim=(2, 3)).to(scale.dtype)
    du = dv * scale.to(x.dtype)[:, :, None, None]
    return (_fir(du, 2) if fir else du), dscale


def upsample2x(x: Tensor, add: Tensor | None = None) -> Tensor:
    """See `zoom_engine.ops.upsample2x`."""
    wide = x if x.dtype == torch.float64 else x.float()
    y = F.conv_transpose2d(wide, _kernel(wide), stride=2, padding=1, groups=x.shape[1]).to(x.dtype)
    return y if add is None else y + add


def upsample2x_backward(grad: Tensor) -> Tensor:
    """The adjoint of `upsample2x`."""
    return F.conv2d(grad, _kernel(grad), stride=2, padding=1, groups=grad.shape[1])
