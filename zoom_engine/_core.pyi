"""
Native operators of zoom-engine; use them through zoom_engine.ops.
"""

from __future__ import annotations
import collections.abc
import typing

__all__: list[str] = [
    "View",
    "modulated_epilogue",
    "modulated_epilogue_backward",
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
    threads: typing.SupportsInt | typing.SupportsIndex,
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
    fir: bool,
    slope: typing.SupportsFloat | typing.SupportsIndex,
    gain: typing.SupportsFloat | typing.SupportsIndex,
    clamp: typing.SupportsFloat | typing.SupportsIndex | None,
    threads: typing.SupportsInt | typing.SupportsIndex,
) -> None:
    """
    dx and dscale of modulated_epilogue from the gradient of its output.
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

def upsample2x(*, x: View, out: View, threads: typing.SupportsInt | typing.SupportsIndex) -> None:
    """
    out = [1, 3, 3, 1] filter over the zero-inserted x.
    """

def upsample2x_backward(*, grad: View, dx: View, threads: typing.SupportsInt | typing.SupportsIndex) -> None:
    """
    dx of upsample2x from the gradient of its output.
    """

__version__: str = "0.1.0"
