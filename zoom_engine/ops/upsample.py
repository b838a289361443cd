"""Up-sampling of the skip image path: one operator and its adjoint, each the gradient of the other."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from zoom_engine.common.errors import BackendError
from zoom_engine.ops import composition, cuda, native
from zoom_engine.ops.dispatch import implementation
from zoom_engine.ops.operator import operator


def upsample2x(x: Tensor, add: Tensor | None = None, bias: Tensor | None = None, clamp: float | None = None) -> Tensor:
    """Double the size: zero insertion, then the [1, 3, 3, 1] filter with gain 4 (Karras 2020, the skip path).

    Args:
        x: `[B, C, H, W]`.
        add: `[B, C, 2H, 2W]` in the dtype of `x`, added to the result, or None.
        bias: `[C]`, joins `add` before it is added, or None.
        clamp: largest absolute value of `add + bias`, or None. Values beyond it get no gradient.

    Returns:
        `[B, C, 2H, 2W]` in the dtype and layout of `x`; outside the image the input counts as zero.

    Raises:
        ValueError: `x` does not have four axes, `add` or `bias` does not fit, or `clamp` is not positive.
    """
    if x.ndim != 4:
        raise ValueError(f"x must be [B, C, H, W], got {list(x.shape)}")
    if add is not None:
        shape = native.resized(x, up=2)
        if add.shape != shape or add.dtype != x.dtype:
            raise ValueError(f"add must be {list(shape)} {x.dtype}, got {list(add.shape)} {add.dtype}")
    elif bias is not None or clamp is not None:
        raise ValueError("bias and clamp are those of add, which is missing")
    if bias is not None and bias.shape != x.shape[1:2]:
        raise ValueError(f"bias must be {list(x.shape[1:2])}, got {list(bias.shape)}")
    if clamp is not None and not clamp > 0:
        raise ValueError(f"clamp must be positive, got {clamp}")
    if add is not None and bias is not None and bias.requires_grad and torch.is_grad_enabled():
        add, bias, clamp = composition.finished(add, bias, clamp), None, None
    result: Tensor = _forward(x, add, bias, clamp)
    return result


def _save(ctx: Any, inputs: tuple[Any, ...], output: Tensor) -> None:
    _, add, bias, ctx.clamp = inputs
    ctx.save_for_backward(*((None, None) if ctx.clamp is None else (add, bias)))


def _gradients(ctx: Any, grad: Tensor) -> tuple[Tensor | None, ...]:
    dx, dadd, dbias, _ = ctx.needs_input_grad
    if dbias:
        raise BackendError(
            "zoom_engine::upsample2x has no gradient to bias: call zoom_engine.ops.upsample2x, which adds it by"
            " torch's operators then"
        )
    add, bias = ctx.saved_tensors
    passed = grad
    if dadd and add is not None:
        passed = grad * (composition.finished(add, bias, None).abs() <= ctx.clamp)
    return _backward(grad) if dx else None, passed if dadd else None, None, None


def _doubled(x: Tensor, add: Tensor | None, bias: Tensor | None, clamp: float | None) -> Tensor:
    return torch.empty(native.resized(x, up=2), dtype=x.dtype, device=x.device, memory_format=native.layout_of(x))


def _halved(grad: Tensor) -> Tensor:
    return torch.empty(
        native.resized(grad, down=2), dtype=grad.dtype, device=grad.device, memory_format=native.layout_of(grad)
    )


@operator(
    "upsample2x",
    "(Tensor x, Tensor? add, Tensor? bias, float? clamp) -> Tensor",
    fake=_doubled,
    gradients=_gradients,
    save=_save,
)
def _forward(x: Tensor, add: Tensor | None, bias: Tensor | None, clamp: float | None) -> Tensor:
    layout = native.layout_of(x)
    x = x.contiguous(memory_format=layout)
    code = implementation(x)
    if code != "native":
        run = cuda.upsample2x if code == "cuda" else composition.upsample2x
        whole = None if add is None else composition.finished(add, bias, clamp)
        return run(x, whole).contiguous(memory_format=layout)
    out = native.empty(native.resized(x, up=2), dtype=x.dtype, memory_format=layout)
    native.require().upsample2x(
        x=native.view(x),
        out=native.view(out),
        add=None if add is None else native.view(add.contiguous(memory_format=layout)),
        bias=None if bias is None else native.view(bias.float().contiguous()),
        clamp=clamp,
        threads=torch.get_num_threads(),
    )
    return out


@operator(
    "upsample2x_backward",
    "(Tensor grad) -> Tensor",
    fake=_halved,
    gradients=lambda ctx, grad: _forward(grad, None, None, None),
)
def _backward(grad: Tensor) -> Tensor:
    layout = native.layout_of(grad)
    grad = grad.contiguous(memory_format=layout)
    code = implementation(grad)
    if code != "native":
        run = cuda.upsample2x_backward if code == "cuda" else composition.upsample2x_backward
        return run(grad).contiguous(memory_format=layout)
    dx = native.empty(native.resized(grad, down=2), dtype=grad.dtype, memory_format=layout)
    native.require().upsample2x_backward(grad=native.view(grad), dx=native.view(dx), threads=torch.get_num_threads())
    return dx
