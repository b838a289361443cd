"""Which code runs an operator: the compiled one of the tensor's device where there is one, else plain torch."""

from __future__ import annotations

from torch import Tensor

from zoom_engine.ops import cuda, native


def implementation(x: Tensor) -> str:
    """Which code an operator runs for `x`.

    "native" (float32, bfloat16 on the CPU), "cuda" (those and float16 on a CUDA device), or "torch".
    """
    if cuda.runs(x):
        return "cuda"
    ready = native.native_available()[0] and x.device.type == "cpu" and x.dtype in native.DTYPES and x.numel() > 0
    return "native" if ready else "torch"
