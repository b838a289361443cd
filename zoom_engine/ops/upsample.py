"""Up-sampling of the skip image path: one operator and its adjoint, each the gradient of the other."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from zoom_engine.ops import composition, cuda, native
from zoom_engine.ops.dispatch import implementation


def upsample2x(x: Tensor, add: Tensor | None = None) -> Tensor:
    """Twice the size: zero insertion, then the [1, 3, 3, 1] filter with gain 4 (Karras 2020, the skip path).

    Args:
        x: `[B, C, H, W]`.
        add: `[B, C, 2H, 2W]` in the dtype of `x`, added to the result, or None.

    Returns:
        `[B, C, 2H, 2W]` in the dtype and layout of `x`; outside the image the input counts as zero.

    Raises:
        ValueError: `x` does not have four axes, or `add` does not fit.
    """
    if x.ndim != 4:
        raise ValueError(f"x must be [B, C, H, W], got {list(x.shape)}")
    if add is not None:
        batch, channels, height, width = x.shape
        shape = (batch, channels, 2 * height, 2 * width)
        if add.shape != shape or add.dtype != x.dtype:
            raise ValueError(f"add must be {list(shape)} {x.dtype}, got {list(add.shape)} {add.dtype}")
    result: Tensor = _forward(x, add)
    return result


@torch.library.custom_op("zoom_engine::upsample2x", mutates_args=(), schema="(Tensor x, Tensor? add) -> Tensor")
def _forward(x: Tensor, add: Tensor | None) -> Tensor:
    layout = native.layout_of(x)
    x = x.contiguous(memory_format=layout)
    code = implementation(x)
    if code != "native":
        run = cuda.upsample2x if code == "cuda" else composition.upsample2x
        return run(x, add).contiguous(memory_format=layout)
    batch, channels, height, width = x.shape
    out = native.empty((batch, channels, 2 * height, 2 * width), dtype=x.dtype, memory_format=layout)
    native.require().upsample2x(x=native.view(x), out=native.view(out), threads=torch.get_num_threads())
    return out if add is None else out.add_(add)


@_forward.register_fake
def _(x: Tensor, add: Tensor | None) -> Tensor:
    batch, channels, height, width = x.shape
    shape = (batch, channels, 2 * height, 2 * width)
    return torch.empty(shape, dtype=x.dtype, device=x.device, memory_format=native.layout_of(x))


@torch.library.custom_op("zoom_engine::upsample2x_backward", mutates_args=(), schema="(Tensor grad) -> Tensor")
def _backward(grad: Tensor) -> Tensor:
    layout = native.layout_of(grad)
    grad = grad.contiguous(memory_format=layout)
    code = implementation(grad)
    if code != "native":
        run = cuda.upsample2x_backward if code == "cuda" else composition.upsample2x_backward
        return run(grad).contiguous(memory_format=layout)
    batch, channels, height, width = grad.shape
    dx = native.empty((batch, channels, height // 2, width // 2), dtype=grad.dtype, memory_format=layout)
    native.require().upsample2x_backward(grad=native.view(grad), dx=native.view(dx), threads=torch.get_num_threads())
    return dx


@_backward.register_fake
def _(grad: Tensor) -> Tensor:
    batch, channels, height, width = grad.shape
    shape = (batch, channels, height // 2, width // 2)
    return torch.empty(shape, dtype=grad.dtype, device=grad.device, memory_format=native.layout_of(grad))


def _nothing_to_save(ctx: Any, inputs: tuple[Any, ...], output: Tensor) -> None:
    pass


def _gradients(ctx: Any, grad: Tensor) -> tuple[Tensor | None, Tensor | None]:
    dx, dadd = ctx.needs_input_grad
    return _backward(grad) if dx else None, grad if dadd else None


_forward.register_autograd(_gradients, setup_context=_nothing_to_save)
_backward.register_autograd(lambda ctx, grad: _forward(grad, None), setup_context=_nothing_to_save)
