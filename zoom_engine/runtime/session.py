"""The protocol of a runtime's session: a compiled ONNX model that takes and gives torch tensors."""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Protocol, cast

import torch
from torch import Tensor

from zoom_engine.common.backends import RUNTIMES
from zoom_engine.common.errors import BackendError, imported


class Session(Protocol):
    """A compiled model.

    The batch is the first axis of every output and of the first input. It is the first axis of all inputs, unless a
    session runs whole batches.
    """

    @property
    def settings(self) -> dict[str, Any]:
        """Return what a manifest keeps, ready for JSON: version, device, threads, precision as the runtime says."""
        ...

    def run(self, feeds: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Return outputs float32 `[B, …]` by name for inputs float32 `[B, …]` by name, on the device of the session."""
        ...


def ready(feeds: Mapping[str, Tensor], device: torch.device | str) -> tuple[dict[str, Tensor], int]:
    """Return the inputs as runtimes read them, contiguous float32 on `device`, and the size of the batch."""
    ready_feeds = {name: value.detach().to(device, torch.float32).contiguous() for name, value in feeds.items()}
    return ready_feeds, len(next(iter(ready_feeds.values())))


def open_session(model: bytes, *, backend: str, precision: str, device: str, cache: Path | None) -> Session:
    """Open the serialised ONNX `model` on the runtime `backend`.

    Raises:
        BackendError: it cannot run.
    """
    module = importlib.import_module(f"zoom_engine.runtime.{RUNTIMES[backend].module}")
    return cast(Session, module.open_session(model, backend=backend, precision=precision, device=device, cache=cache))


def import_runtime(backend: str) -> Any:
    """Import the Python package that `backend` runs on and return it.

    Raises:
        BackendError: it is missing or damaged.
    """
    runtime = RUNTIMES[backend]
    what = f"backend '{backend}' cannot run"
    return imported(runtime.package, BackendError, what, install=f"zoom-engine[{runtime.extra}]")
