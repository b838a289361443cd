"""All that follows the convolution of a StyleGAN2 layer: filter, scale, noise, bias and activation in one.

`zoom_engine::modulated_epilogue` and its backward have a schema, fake kernels and an autograd formula, so
`torch.compile` and `torch.export` trace them. The backward recomputes the activation from `x`, which is all
that is kept.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from zoom_engine.ops import composition, cuda, native

Options = tuple[bool, float, float, float | None]
_OPTIONS = "Tensor scale, Tensor? noise, Tensor bias, bool fir, float slope, float gain, float? clamp"


def implementation(x: Tensor) -> str:
    """Which code an operator runs for `x`.

    "native" (float32, bfloat16 on the CPU), "cuda" (those and float16 on a CUDA device), or "torch".
    """
    if cuda.runs(x):
        return "cuda"
    ready = native.native_available()[0] and x.device.type == "cpu" and x.dtype in native.DTYPES and x.numel() > 0
    return "native" if ready else "torch"


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
    """`clamp(leaky_relu(fir(x) * scale + noise + bias) * gain)` in one pass over memory (Karras 2020).

    Args:
        x: `[B, C, H, W]`, output of a convolution with weights shared by the batch; best channels-last.
        scale: `[B, C]`, the demodulation coefficients (ones where a layer does not demodulate).
        noise: `[H', W']`, already times the noise strength, or None.
        bias: `[C]`.
        fir: filter `x` with [1, 3, 3, 1] / 8 · 2 along both axes after padding with one zero: what follows a
            transposed convolution of stride 2, whose output is `[B, C, 2h + 1, 2w + 1]`. Then `H' = H - 1`,
            `W' = W - 1`; without it `H' = H`, `W' = W`.
        slope: of the leaky ReLU below zero.
        gain: factor after the leaky ReLU.
        clamp: largest absolute value of the result, or None. Values beyond it get no gradient.

    Returns:
        `[B, C, H', W']` in the dtype and layout of `x`. bfloat16 and float16 are computed in float32.

    Raises:
        ValueError: shapes that do not fit together, or a clamp that is not positive.
    """
    rows, columns = x.shape[2] - fir, x.shape[3] - fir
    if x.ndim != 4 or rows < 1 or columns < 1:
        raise ValueError(f"x must be [B, C, H, W] with at least {1 + fir} rows and columns, got {list(x.shape)}")
    if scale.shape != x.shape[:2]:
        raise ValueError(f"scale must be {list(x.shape[:2])}, got {list(scale.shape)}")
    if bias.shape != x.shape[1:2]:
        raise ValueError(f"bias must be {list(x.shape[1:2])}, got {list(bias.shape)}")
    if noise is not None and noise.shape != (rows, columns):
        raise ValueError(f"noise must be [{rows}, {columns}], got {list(noise.shape)}")
    if clamp is not None and not clamp > 0:
        raise ValueError(f"clamp must be positive or None, got {clamp}")
    result: Tensor = _forward(x, scale, noise, bias, fir, slope, gain, clamp)
    return result


def _small(tensor: Tensor | None) -> Tensor | None:
    return None if tensor is None else tensor.to(torch.float32).contiguous()


def _view(tensor: Tensor | None) -> Any:
    return None if tensor is None else native.view(tensor)


@torch.library.custom_op(
    "zoom_engine::modulated_epilogue",
    mutates_args=(),
    schema=f"(Tensor x, {_OPTIONS}) -> Tensor",
)
def _forward(
    x: Tensor,
    scale: Tensor,
    noise: Tensor | None,
    bias: Tensor,
    fir: bool,
    slope: float,
    gain: float,
    clamp: float | None,
) -> Tensor:
    layout = native.layout_of(x)
    x = x.contiguous(memory_format=layout)
    code = implementation(x)
    if code != "native":
        run = cuda.modulated_epilogue if code == "cuda" else composition.modulated_epilogue
        y = run(x, scale, noise, bias, fir=fir, slope=slope, gain=gain, clamp=clamp)
        return y.contiguous(memory_format=layout)
    batch, channels, height, width = x.shape
    out = torch.empty((batch, channels, height - fir, width - fir), dtype=x.dtype, memory_format=layout)
    scale, noise, bias = _small(scale), _small(noise), _small(bias)  # type: ignore[assignment]
    native.require().modulated_epilogue(
        x=native.view(x),
        scale=native.view(scale),
        noise=_view(noise),
        bias=native.view(bias),
        out=native.view(out),
        fir=fir,
        slope=slope,
        gain=gain,
        clamp=clamp,
        threads=torch.get_num_threads(),
    )
    return out


@_forward.register_fake
def _(
    x: Tensor,
    scale: Tensor,
    noise: Tensor | None,
    bias: Tensor,
    fir: bool,
    slope: float,
    gain: float,
    clamp: float | None,
) -> Tensor:
    batch, channels, height, width = x.shape
    shape = (batch, channels, height - int(fir), width - int(fir))
    return torch.empty(shape, dtype=x.dtype, device=x.device, memory_format=native.layout_of(x))


@torch.library.custom_op(
    "zoom_engine::modulated_epilogue_backward",
    mutates_args=(),
    schema=f"(Tensor grad, Tensor x, {_OPTIONS}) -> (Tensor, Tensor)",
)
def _backward(
    grad: Tensor,
    x: Tensor,
    scale: Tensor,
    noise: Tensor | None,
    bias: Tensor,
    fir: bool,
    slope: float,
    gain: float,
    clamp: float | None,
) -> tuple[Tensor, Tensor]:
    layout = native.layout_of(x)
    x, grad = x.contiguous(memory_format=layout), grad.contiguous(memory_format=layout)
    code = implementation(x)
    if code != "native":
        run = cuda.modulated_epilogue_backward if code == "cuda" else composition.modulated_epilogue_backward
        dx, dscale, *_ = run(grad, x, scale, noise, bias, fir=fir, slope=slope, gain=gain, clamp=clamp)
        return dx.contiguous(memory_format=layout), dscale.to(scale.dtype)
    dx = torch.empty_like(x, memory_format=layout)
    dscale = torch.empty(scale.shape, dtype=torch.float32)
    wide, noise, bias = _small(scale), _small(noise), _small(bias)  # type: ignore[assignment]
    native.require().modulated_epilogue_backward(
        grad=native.view(grad),
        x=native.view(x),
        scale=_view(wide),
        noise=_view(noise),
        bias=native.view(bias),
        dx=native.view(dx),
        dscale=native.view(dscale),
        fir=fir,
        slope=slope,
        gain=gain,
        clamp=clamp,
        threads=torch.get_num_threads(),
    )
    return dx, dscale.to(scale.dtype)


@_backward.register_fake
def _(
    grad: Tensor,
    x: Tensor,
    scale: Tensor,
    noise: Tensor | None,
    bias: Tensor,
    fir: bool,
    slope: float,
    gain: float,
    clamp: float | None,
) -> tuple[Tensor, Tensor]:
    return torch.empty_like(x, memory_format=native.layout_of(x)), torch.empty_like(
        scale, memory_format=torch.contiguous_format
    )


def _save(ctx: Any, inputs: tuple[Any, ...], output: Tensor) -> None:
    x, scale, noise, bias, *options = inputs
    ctx.save_for_backward(x, scale, noise, bias)
    ctx.options = tuple(options)


def _gradients(ctx: Any, grad: Tensor) -> tuple[Tensor | None, ...]:
    x, scale, noise, bias = ctx.saved_tensors
    options: Options = ctx.options
    dx = dscale = dnoise = dbias = None
    if ctx.needs_input_grad[0] or ctx.needs_input_grad[1]:
        dx, dscale = _backward(grad, x, scale, noise, bias, *options)
    if ctx.needs_input_grad[2] or ctx.needs_input_grad[3]:
        # Only training needs these: the generators under audit are frozen.
        fir, slope, gain, clamp = options
        dv, _ = composition.epilogue_gradients(
            grad, x, scale, noise, bias, fir=fir, slope=slope, gain=gain, clamp=clamp
        )
        dnoise = None if noise is None else dv.sum(dim=(0, 1)).to(noise.dtype)
        dbias = dv.sum(dim=(0, 2, 3)).to(bias.dtype)
    return dx, dscale, dnoise, dbias, None, None, None, None


_forward.register_autograd(_gradients, setup_context=_save)
