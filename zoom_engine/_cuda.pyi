"""
CUDA operators of zoom-engine; use them through zoom_engine.ops. Each enqueues kernels on `stream` (the handle of a CUDA stream, 0 for the default one) and returns.
"""

from __future__ import annotations
import collections.abc
import typing

__all__: list[str] = [
    "View",
    "modulate",
    "modulate_backward",
    "modulated_epilogue",
    "modulated_epilogue_backward",
    "unusable",
    "upsample2x",
    "upsample2x_backward",
    "workspace_floats",
]

class View:
    """
    Strided memory of `owner`: checked once here, and kept alive.
    """
    def __init__(
        self,
        *,
        owner: typing.Any,
        pointer: typing.SupportsInt | typing.SupportsIndex,
        bytes: typing.SupportsInt | typing.SupportsIndex,
        dtype: str,
        shape: collections.abc.Sequence[typing.SupportsInt | typing.SupportsIndex],
        strides: collections.abc.Sequence[typing.SupportsInt | typing.SupportsIndex],
        device: typing.SupportsInt | typing.SupportsIndex = -1,
    ) -> None: ...

def modulate(
    *,
    x: View,
    styles: View,
    edit_weights: View | None,
    edit_directions: View | None,
    out: View,
    style: View,
    stream: typing.SupportsInt | typing.SupportsIndex,
) -> None:
    """
    out = x * style, style = styles + edit_weights @ edit_directions
    """

def modulate_backward(
    *,
    grad: View,
    x: View,
    style: View,
    dx: View,
    dstyle: View,
    workspace: View,
    stream: typing.SupportsInt | typing.SupportsIndex,
) -> None:
    """
    dx and dstyle of modulate from the gradient of its out.
    """

def modulated_epilogue(
    *,
    x: View,
    scale: View,
    noise: View | None,
    bias: View,
    out: View,
    fir: bool,
    slope: typing.SupportsFloat | typing.SupportsIndex,
    gain: typing.SupportsFloat | typing.SupportsIndex,
    clamp: typing.SupportsFloat | typing.SupportsIndex | None,
    stream: typing.SupportsInt | typing.SupportsIndex,
) -> None:
    """
    out = clamp(leaky_relu(fir(x) * scale + noise + bias) * gain)
    """

def modulated_epilogue_backward(
    *,
    grad: View,
    x: View,
    scale: View,
    noise: View | None,
    bias: View,
    dx: View,
    dscale: View,
    workspace: View,
    fir: bool,
    slope: typing.SupportsFloat | typing.SupportsIndex,
    gain: typing.SupportsFloat | typing.SupportsIndex,
    clamp: typing.SupportsFloat | typing.SupportsIndex | None,
    stream: typing.SupportsInt | typing.SupportsIndex,
) -> None:
    """
    dx and dscale of modulated_epilogue from the gradient of its output.
    """

def unusable(device: typing.SupportsInt | typing.SupportsIndex) -> str:
    """
    Why the kernels cannot run on this device, in one line, or an empty string.
    """

def upsample2x(*, x: View, add: View | None, out: View, stream: typing.SupportsInt | typing.SupportsIndex) -> None:
    """
    out = [1, 3, 3, 1] filter over the zero-inserted x, plus add.
    """

def upsample2x_backward(*, grad: View, dx: View, stream: typing.SupportsInt | typing.SupportsIndex) -> None:
    """
    dx of upsample2x from the gradient of its output.
    """

def workspace_floats(
    *,
    batch: typing.SupportsInt | typing.SupportsIndex,
    channels: typing.SupportsInt | typing.SupportsIndex,
    height: typing.SupportsInt | typing.SupportsIndex,
    width: typing.SupportsInt | typing.SupportsIndex,
    fir: bool,
) -> int:
    """
    Floats of `workspace` that a backward pass over x [B, C, H, W] needs.
    """
