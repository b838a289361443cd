"""The CUDA operators: finding `zoom_engine._cuda`, and enqueueing its kernels on torch's current stream.

Plain functions without autograd, for the CUDA side of torch custom operators. They work channels-last (other layouts
get copied), compute in float32, allocate with torch and never wait for the device, so CUDA graphs can capture them.
Sums are taken in a fixed order: results repeat bit by bit.
"""

from __future__ import annotations

import functools
import importlib
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from zoom_engine.common.errors import BackendError
from zoom_engine.ops.native import described, layout_of, resized, rows_of

if TYPE_CHECKING:
    from zoom_engine import _cuda

DTYPES = {torch.float32: "float32", torch.bfloat16: "bfloat16", torch.float16: "float16"}


def _load() -> tuple[Any, str]:
    """Return the extension and "", or None and the reason why there is none."""
    try:
        return importlib.import_module("zoom_engine._cuda"), ""
    except ModuleNotFoundError:
        return None, (
            "zoom-engine was built without CUDA: install CUDA's compiler (nvcc 12.8 or newer) and reinstall zoom-engine"
        )
    except ImportError as error:
        return None, f"zoom_engine._cuda cannot be loaded: {' '.join(str(error).split())}; reinstall zoom-engine"


_CUDA: Any
_CUDA, _REASON = _load()


def cuda_available() -> tuple[bool, str]:
    """Return whether the CUDA operators were built, and in one line why not ("" if they were)."""
    return _CUDA is not None, _REASON


@functools.cache
def unusable(device: int) -> str:
    """Return why the kernels cannot run on the CUDA device of this index, in one line; "" if they can."""
    reason: str = _REASON if _CUDA is None else _CUDA.unusable(device)
    return reason


def runs(x: Tensor) -> bool:
    """Return whether the kernels take `x`: on a usable CUDA device, float32, bfloat16 or float16, not empty."""
    return x.device.type == "cuda" and x.dtype in DTYPES and x.numel() > 0 and not unusable(x.device.index)


def _place(x: Tensor) -> tuple[int, int]:
    """Return the index of the tensor's device, and the handle of torch's current stream there."""
    return x.device.index, torch.cuda.current_stream(x.device).cuda_stream


def _view(tensor: Tensor | None, device: int) -> _cuda.View | None:
    if tensor is None:
        return None
    return _CUDA.View(**described(tensor), dtype=DTYPES[tensor.dtype], device=device)  # type: ignore[no-any-return]


def _call(name: str, tensors: Mapping[str, Tensor | None], **options: object) -> None:
    """Enqueue operator `name` on the device of its tensors; BackendError with CUDA's reason."""
    if _CUDA is None:
        raise BackendError(f"no CUDA operators: {_REASON}")
    device, stream = _place(next(tensor for tensor in tensors.values() if tensor is not None))
    views = {key: _view(tensor, device) for key, tensor in tensors.items()}
    try:
        getattr(_CUDA, name)(**views, **options, stream=stream)
    except RuntimeError as error:
        raise BackendError(f"CUDA operator {name}: {error}") from error


def _image(x: Tensor) -> Tensor:
    return x.contiguous(memory_format=torch.channels_last)


def _contiguous(tensor: Tensor | None) -> Any:
    return None if tensor is None else tensor.detach().to(torch.float32).contiguous()


def _empty(x: Tensor, *shape: int) -> Tensor:
    """Return an empty image of that shape, else like `x`."""
    return torch.empty(shape, dtype=x.dtype, device=x.device, memory_format=torch.channels_last)


def _workspace(x: Tensor, *, fir: bool) -> Tensor:
    batch, channels, height, width = x.shape
    floats = _CUDA.workspace_floats(batch=batch, channels=channels, height=height, width=width, fir=fir)
    return torch.empty(floats, dtype=torch.float32, device=x.device)


def modulate(
    x: Tensor, styles: Tensor, edit_weights: Tensor | None = None, edit_directions: Tensor | None = None
) -> tuple[Tensor, Tensor]:
    """Compute `(x * style, style)` with `style = styles + edit_weights @ edit_directions`: edits injected, fused.

    Args:
        x: `[B, C, H, W]`.
        styles: `[B, C]`, of this layer.
        edit_weights: `[B, N]`, read where there are `edit_directions`.
        edit_directions: `[N, C]`, this layer's columns; or None for no edits.

    Returns:
        The modulated image, channels-last in the dtype of `x`, and the style `[B, C]` in float32.
    """
    x, styles = _image(x), _contiguous(styles)
    if edit_directions is None:
        edit_weights = None
    out, style = _empty(x, *x.shape), torch.empty_like(styles)
    edits = {"edit_weights": _contiguous(edit_weights), "edit_directions": rows_of(edit_directions)}
    _call("modulate", {"x": x, "styles": styles, **edits, "out": out, "style": style})
    return out, style


def modulate_backward(grad: Tensor, x: Tensor, style: Tensor) -> tuple[Tensor, Tensor]:
    """Compute `(dx, dstyle)` of `modulate`'s image; dstyle `[B, C]` float32.

    The gradient of `styles` is dstyle, that of `edit_weights` dstyle @ edit_directions.T.
    """
    grad, x, style = _image(grad), _image(x), _contiguous(style)
    dx, dstyle = _empty(x, *x.shape), torch.empty_like(style)
    workspace = _workspace(x, fir=False)
    tensors = {"grad": grad, "x": x, "style": style, "dx": dx, "dstyle": dstyle, "workspace": workspace}
    _call("modulate_backward", tensors)
    return dx, dstyle


def modulated_epilogue(
    x: Tensor,
    scale: Tensor,
    noise: Tensor | None,
    bias: Tensor,
    *,
    fir: bool,
    slope: float,
    gain: float,
    clamp: float | None,
) -> Tensor:
    """Compute `clamp(leaky_relu(fir(x) * scale + noise + bias) * gain)` in one pass over memory.

    Args:
        x: `[B, C, H, W]`, output of a convolution with weights shared by the batch.
        scale: `[B, C]`, the demodulation coefficients (ones where a layer does not demodulate).
        noise: `[H', W']`, already times the noise strength, or None.
        bias: `[C]`.
        fir: filter `x` with [1, 3, 3, 1] / 8 · 2 along both axes after padding with one zero: what follows a transposed
            convolution of stride 2, whose output is `[B, C, 2h + 1, 2w + 1]`. Then `H' = H - 1`, `W' = W - 1`; without
            it `H' = H`, `W' = W`.
        slope: of the leaky ReLU below zero.
        gain: factor after the leaky ReLU.
        clamp: largest absolute value, or None. Values beyond it get no gradient.

    Returns:
        `[B, C, H', W']` in the dtype of `x`, channels-last.
    """
    x = _image(x)
    batch, channels, height, width = x.shape
    out = _empty(x, batch, channels, height - fir, width - fir)
    per_channel = {"scale": scale, "noise": noise, "bias": bias}
    tensors = {"x": x, **{name: _contiguous(tensor) for name, tensor in per_channel.items()}, "out": out}
    _call("modulated_epilogue", tensors, fir=fir, slope=slope, gain=gain, clamp=clamp)
    return out


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
    """Compute `(dx, dscale)` of `modulated_epilogue`; dscale `[B, C]` float32."""
    grad, x, scale = _image(grad), _image(x), _contiguous(scale)
    dx, dscale = _empty(x, *x.shape), torch.empty_like(scale)
    tensors = {
        "grad": grad,
        "x": x,
        "scale": scale,
        "noise": _contiguous(noise),
        "bias": _contiguous(bias),
        "dx": dx,
        "dscale": dscale,
        "workspace": _workspace(x, fir=fir),
    }
    _call("modulated_epilogue_backward", tensors, fir=fir, slope=slope, gain=gain, clamp=clamp)
    return dx, dscale


def upsample2x(x: Tensor, add: Tensor | None = None) -> Tensor:
    """Compute `zoom_engine.ops.upsample2x`, in the layout of `x`."""
    layout = layout_of(x)
    out = torch.empty(resized(x, up=2), dtype=x.dtype, device=x.device, memory_format=layout)
    added = None if add is None else add.contiguous(memory_format=layout)
    _call("upsample2x", {"x": x.contiguous(memory_format=layout), "add": added, "out": out})
    return out


def upsample2x_backward(grad: Tensor) -> Tensor:
    """Compute the adjoint of `upsample2x` (without `add`), in the layout of `grad`."""
    layout = layout_of(grad)
    dx = torch.empty(resized(grad, down=2), dtype=grad.dtype, device=grad.device, memory_format=layout)
    _call("upsample2x_backward", {"grad": grad.contiguous(memory_format=layout), "dx": dx})
    return dx
