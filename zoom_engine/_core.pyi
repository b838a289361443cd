"""
Native operators of zoom-engine; use them through zoom_engine.ops.
"""

from __future__ import annotations
import collections.abc
import typing
import typing_extensions

__all__: list[str] = [
    "Buffer",
    "PackedWeight",
    "View",
    "kept_memory",
    "modulated_conv2d",
    "modulated_conv2d_backward",
    "modulation",
    "modulation_backward",
    "release_memory",
    "select_isa",
    "selected_isa",
    "supported_isas",
    "upsample2x",
    "upsample2x_backward",
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

class Buffer:
    """
    Uninitialised memory, kept for later buffers when nobody holds it any more.
    """
    def __init__(self: typing_extensions.Buffer, bytes: typing.SupportsInt | typing.SupportsIndex) -> None: ...

class PackedWeight:
    """
    Weights [Cout, Cin, K, K] of one convolution for images of type `storage`, packed for the instruction set that is selected now.
    """
    def __init__(self, *, weight: View, up: bool, storage: str = "float32") -> None: ...

def kept_memory() -> int:
    """
    Bytes that are kept for later buffers.
    """

def modulated_conv2d(
    *,
    x: View,
    weight: PackedWeight,
    style: View,
    scale: View,
    noise: View | None,
    bias: View | None,
    rgb_weight: View | None,
    out: View | None,
    rgb: View | None,
    slope: typing.SupportsFloat | typing.SupportsIndex,
    gain: typing.SupportsFloat | typing.SupportsIndex,
    clamp: typing.SupportsFloat | typing.SupportsIndex | None,
    threads: typing.SupportsInt | typing.SupportsIndex,
) -> None:
    """
    With u = convolution(x * style), up-sampled and filtered if so packed: out = clamp(leaky_relu(u * scale + noise + bias) * gain), rgb = sum of rgb_weight * out over channels.
    """

def modulated_conv2d_backward(
    *,
    grad: View | None,
    grad_rgb: View | None,
    x: View,
    y: View,
    weight: PackedWeight,
    style: View,
    scale: View,
    noise: View | None,
    bias: View | None,
    rgb_weight: View | None,
    dx: View,
    dstyle: View,
    dscale: View,
    drgb_weight: View | None,
    slope: typing.SupportsFloat | typing.SupportsIndex,
    gain: typing.SupportsFloat | typing.SupportsIndex,
    clamp: typing.SupportsFloat | typing.SupportsIndex | None,
    threads: typing.SupportsInt | typing.SupportsIndex,
) -> None:
    """
    Gradients of modulated_conv2d from those of out (which is y) and rgb.
    """

def modulation(
    *,
    styles: View,
    edit_weights: View | None,
    edit_directions: View | None,
    energy: View | None,
    style: View,
    scale: View | None,
    threads: typing.SupportsInt | typing.SupportsIndex,
) -> None:
    """
    style = styles + edit_weights @ edit_directions, scale = (style^2 @ energy^T + 1e-8)^-1/2.
    """

def modulation_backward(
    *,
    dscale: View | None = None,
    style: View | None = None,
    energy: View | None = None,
    scale: View | None = None,
    edit_directions: View | None,
    dstyle: View,
    dedit_weights: View | None,
    threads: typing.SupportsInt | typing.SupportsIndex,
) -> None:
    """
    dstyle += the gradient to style from the one of scale, then dedit_weights += dstyle @ edit_directions^T.
    """

def release_memory() -> None:
    """
    Give what is kept for later buffers back to the system.
    """

def select_isa(name: str) -> None:
    """
    Use this instruction set from now on.
    """

def selected_isa() -> str:
    """
    The instruction set in use.
    """

def supported_isas() -> list[str]:
    """
    Instruction sets that this machine can run, best first.
    """

def upsample2x(
    *,
    x: View,
    out: View,
    add: View | None,
    bias: View | None,
    clamp: typing.SupportsFloat | typing.SupportsIndex | None,
    threads: typing.SupportsInt | typing.SupportsIndex,
) -> None:
    """
    out = [1, 3, 3, 1] filter over the zero-inserted x, + add + bias within +-clamp.
    """

def upsample2x_backward(*, grad: View, dx: View, threads: typing.SupportsInt | typing.SupportsIndex) -> None:
    """
    dx of upsample2x from the gradient of its output.
    """

__version__: str = "0.1.0"
