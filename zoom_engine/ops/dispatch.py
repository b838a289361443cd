"""The choice of the code that runs an operator: the compiled one of the tensor's device, else plain torch."""

from __future__ import annotations

import torch
from torch import Tensor

from zoom_engine.ops import cuda, native


def implementation(x: Tensor) -> str:
    """Return which code an operator runs for `x`.

    "native" (float32, bfloat16 on the CPU), "cuda" (those and float16 on a CUDA device), or "torch".
    """
    if cuda.runs(x):
        return "cuda"
    ready = native.native_available()[0] and x.device.type == "cpu" and x.dtype in native.DTYPES and x.numel() > 0
    return "native" if ready else "torch"


def compiled_on(device: torch.device | str) -> tuple[bool, str]:
    """Return whether compiled operators can run on `device`, and in one line why not ("" if they can)."""
    place = torch.device(device)
    if place.type == "cpu":
        return native.native_available()
    if place.type != "cuda":
        return False, f"there are no operators for {place.type}"
    available, reason = cuda.cuda_available()
    if not available:
        return False, reason
    if not torch.cuda.is_available():
        return False, "torch sees no CUDA device"
    index: int | None = place.index
    reason = cuda.unusable(torch.cuda.current_device() if index is None else index)
    return not reason, reason
