"""Up-sampling of the skip image path: one operator and its adjoint, each the gradient of the other."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from zoom_engine.ops import composition, native
from zoom_engine.ops.epilogue import implementation


def upsample2x(x: Tensor) -> Tensor:
    """Twice the size: zero insertion, then the [1, 3, 3, 1] filter with gain 4 (Karras 2020, the skip path).

    Args:
        x: `[B, C, H, W]`.

    Returns:
        `[B, C, 2H, 2W]` in the dtype and layout of `x`; outside the image the input counts as zero.

    Raises:
        ValueError: `x` does not have four axes.
    """
    if x.ndim != 4:
        raise ValueError(f"x must be [B, C, H, W], got {list(x.shape)}")
    result: Tensor = _forward(x)
    return result


@torch.library.custom_op("zoom_engine::upsample2x", mutates_args=(), schema="(Tensor x) -> Tensor")
def _forward(x: Tensor) -> Tensor:
    layout = native.layout_of(x)
    x = x.contiguous(memory_format=layout)
    if implementation(x) == "torch":
        return composition.upsample2x(x).contiguous(memory_format=layout)
    batch, channels, height, width = x.shape
    out = torch.empty((batch, channels, 2 * height, 2 * width), dtype=x.dtype, memory_format=layout)
    native.require().upsample2x(x=native.view(x), out=native.view(out), threads=torch.get_num_threads())
    return out


@_forward.register_fake
def _(x: Tensor) -> Tensor:
    batch, channels, height, width = x.shape
    shape = (batch, channels, 2 * height, 2 * width)
    return torch.empty(shape, dtype=x.dtype, device=x.device, memory_format=native.layout_of(x))


@torch.library.custom_op("zoom_engine::upsample2x_backward", mutates_args=(), schema="(Tensor grad) -> Tensor")
def _backward(grad: Tensor) -> Tensor:
    layout = native.layout_of(grad)
    grad = grad.contiguous(memory_format=layout)
    if implementation(grad) == "torch":
        return composition.upsample2x_backward(grad).contiguous(memory_format=layout)
    batch, channels, height, width = grad.shape
    dx = torch.empty((batch, channels, height // 2, width // 2), dtype=grad.dtype, memory_format=layout)
    native.require().upsample2x_backward(grad=native.view(grad), dx=native.view(dx), threads=torch.get_num_threads())
    return dx


@_backward.register_fake
def _(grad: Tensor) -> Tensor:
    batch, channels, height, width = grad.shape
    shape = (batch, channels, height // 2, width // 2)
    return torch.empty(shape, dtype=grad.dtype, device=grad.device, memory_format=native.layout_of(grad))


def _nothing_to_save(ctx: Any, inputs: tuple[Any, ...], output: Tensor) -> None:
    pass


_forward.register_autograd(lambda ctx, grad: _backward(grad), setup_context=_nothing_to_save)
_backward.register_autograd(lambda ctx, grad: _forward(grad), setup_context=_nothing_to_save)
