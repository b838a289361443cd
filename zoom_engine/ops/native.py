"""The compiled operators: finding `zoom_engine._core`, choosing its instruction set, handing tensors to it.

Environment:

- `ZOOM_ENGINE_REQUIRE_NATIVE=1`: a missing extension is a `BackendError` when `zoom_engine.ops` is imported.
- `ZOOM_ENGINE_ISA=amx|avx512bf16|avx512|avx2|portable`: use this instruction set instead of the machine's best one
  ("avx512bf16" is "avx512" with dot products of bfloat16 pairs, "amx" has tiles of them).
"""

from __future__ import annotations

import importlib
import importlib.metadata
import math
import os
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from zoom_engine.common.errors import BackendError

if TYPE_CHECKING:
    from zoom_engine import _core

LARGE = 1 << 20  # bytes from which a result's memory is kept for later ones
DTYPES = {torch.float32: "float32", torch.bfloat16: "bfloat16"}
_PACKAGE = Path(__file__).resolve().parent.parent


class NativeMissingWarning(UserWarning):
    """A warning: a checkout's package folder hides the installed package, and has no compiled extension."""


def _why_missing(error: ImportError) -> str:
    if not isinstance(error, ModuleNotFoundError):
        return f"zoom_engine._core cannot be loaded: {' '.join(str(error).split())}; reinstall zoom-engine"
    if (_PACKAGE.parent / "pyproject.toml").is_file():
        return (
            f"the checkout {_PACKAGE.parent} is imported directly and has no compiled extension: "
            "run `pip install -e .` in it, or leave the folder to use the installed package"
        )
    return (
        "zoom-engine was installed without its compiled extension (no C++ compiler): "
        "install a compiler and reinstall zoom-engine"
    )


def _load() -> tuple[Any, str]:
    """Return the extension and "", or None and the reason why there is none."""
    try:
        core = importlib.import_module("zoom_engine._core")
    except ImportError as error:
        reason = _why_missing(error)
        if os.environ.get("ZOOM_ENGINE_REQUIRE_NATIVE", "0") not in ("", "0"):
            raise BackendError(f"ZOOM_ENGINE_REQUIRE_NATIVE is set, but {reason}") from error
        if "checkout" in reason:
            warnings.warn(f"slow torch operators in use: {reason}", NativeMissingWarning, stacklevel=2)
        return None, reason
    select_isa(os.environ.get("ZOOM_ENGINE_ISA", ""), core)
    return core, ""


def select_isa(name: str, core: Any = None) -> None:
    """Use the instruction set `name`, one of `supported_isas()`; "" or "auto": this machine's best.

    Raises:
        BackendError: the machine (or the build) does not have it, or there is no extension at all.
    """
    core = core or require()
    supported = core.supported_isas()
    chosen = supported[0] if name in ("", "auto") else name
    if chosen not in supported:
        raise BackendError(
            f"instruction set {name!r} (ZOOM_ENGINE_ISA) cannot run here; use one of: {', '.join(supported)}"
        )
    core.select_isa(chosen)


_CORE: Any
_CORE, _REASON = _load()


def native_available() -> tuple[bool, str]:
    """Return whether the compiled operators can be used, and in one line why not ("" if they can)."""
    return _CORE is not None, _REASON


def require() -> Any:
    """Return `zoom_engine._core`.

    Raises:
        BackendError: there is none.
    """
    if _CORE is None:
        raise BackendError(f"no native operators: {_REASON}")
    return _CORE


def isa() -> str:
    """Return the instruction set that the native operators use.

    Raises:
        BackendError: there are no native operators.
    """
    name: str = require().selected_isa()
    return name


def supported_isas() -> list[str]:
    """Return the instruction sets that this build and this machine have, best first; empty without the extension."""
    return list(_CORE.supported_isas()) if _CORE is not None else []


def empty(
    shape: Sequence[int], *, dtype: torch.dtype, memory_format: torch.memory_format = torch.contiguous_format
) -> Tensor:
    """Return an empty tensor as `torch.empty` does; large ones lie on huge pages that earlier results have left.

    See `release_memory`.
    """
    count = math.prod(shape)
    if count * dtype.itemsize < LARGE:
        return torch.empty(shape, dtype=dtype, memory_format=memory_format)
    flat = torch.frombuffer(require().Buffer(count * dtype.itemsize), dtype=dtype)
    if memory_format == torch.channels_last:
        batch, channels, height, width = shape
        return flat.view(batch, height, width, channels).permute(0, 3, 1, 2)
    return flat.view(shape)


def release_memory(*, beyond: int = 0) -> None:
    """Give memory back that the native operators keep between calls, at most half of the machine's.

    Up to `beyond` bytes they keep it. Without the extension there is nothing to do.
    """
    if _CORE is not None and _CORE.kept_memory() > beyond:
        _CORE.release_memory()


def view(tensor: Tensor) -> _core.View:
    """Return a checked view of a CPU tensor of float32 or bfloat16; it keeps `tensor` alive."""
    return require().View(**described(tensor), dtype=DTYPES[tensor.dtype])  # type: ignore[no-any-return]


def described(tensor: Tensor) -> dict[str, Any]:
    """Return the arguments of an extension's view of `tensor`, but for its dtype and its device."""
    return {
        "owner": tensor,
        "pointer": tensor.data_ptr(),
        "bytes": tensor.untyped_storage().nbytes() - tensor.storage_offset() * tensor.element_size(),
        "shape": tensor.shape,
        "strides": tensor.stride(),
    }


def resized(x: Tensor, *, up: int = 1, down: int = 1) -> tuple[int, int, int, int]:
    """Return the shape of `x [B, C, H, W]` with both sides times `up` and divided by `down`."""
    batch, channels, height, width = x.shape
    return batch, channels, height * up // down, width * up // down


def rows_of(matrix: Tensor | None) -> Tensor | None:
    """Return `matrix` in float32 with contiguous rows: some columns of a larger one are that as they are."""
    if matrix is None:
        return None
    wide = matrix.detach().to(torch.float32)
    return wide if wide.stride(1) == 1 else wide.contiguous()


def layout_of(x: Tensor) -> torch.memory_format:
    """Return the layout of an operator's result: channels-last if `x` is only that, else contiguous."""
    if not x.is_contiguous() and x.is_contiguous(memory_format=torch.channels_last):
        return torch.channels_last
    return torch.contiguous_format
