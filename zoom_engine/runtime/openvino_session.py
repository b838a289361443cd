"""OpenVINO on the CPU: compiled for one image, several images at a time on streams of their own.

Every image is computed alone, so a picture does not depend on the batch that it is made in; static shapes and
threads that need not wait for one another also made it up to twice as fast as batches of open size. A single
image gets all threads.
"""

from __future__ import annotations

import functools
import io
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from zoom_engine.errors import BackendError
from zoom_engine.runtime.compiled_cache import CompiledCache
from zoom_engine.runtime.session import import_runtime, one_line

HINTS = {"fp32": "f32", "bf16": "bf16"}
MOST_STREAMS = 8  # each needs memory for the activations of one image


class OpenVinoSession:
    """See :class:`zoom_engine.runtime.session.Session`.

    Args:
        model: a serialised ONNX model whose inputs and outputs are float32 with the batch first; or OpenVINO's own, for
            one image, which is not kept on disk.
        precision: "fp32" or "bf16", of the arithmetic; asked for explicitly and read back.
        threads: in all.
        batched: run whole batches, and take inputs whose first axis is not the batch.

    Raises:
        BackendError: the package is missing, refuses the model, or computes in another precision.
    """

    def __init__(
        self,
        model: bytes | Any,
        *,
        precision: str = "fp32",
        threads: int | None = None,
        cache: Path | None = None,
        batched: bool = False,
    ) -> None:
        self._openvino = import_runtime("openvino", "openvino", "cpu")
        if precision not in HINTS:
            raise BackendError(f"backend 'openvino' has no precision {precision}; choose one of {', '.join(HINTS)}")
        self._model, self._precision = model, precision
        self._cache = CompiledCache(cache if isinstance(model, bytes) else None)
        self._threads = threads or torch.get_num_threads()
        self._batched = batched
        self._streams = 1 if batched else min(self._threads, MOST_STREAMS)
        self._core = self._openvino.Core()
        self.settings: dict[str, Any] = {
            "version": self._openvino.__version__,
            "device": str(self._core.get_property("CPU", "FULL_DEVICE_NAME")),
            "threads": self._threads,
            "streams": self._streams,
            "precision": self._compiled(self._streams).get_property("INFERENCE_PRECISION_HINT").to_string(),
        }
        if self.settings["precision"] != HINTS[precision]:
            raise BackendError(
                f"backend 'openvino' cannot compute in {precision} here: it would use {self.settings['precision']}"
            )

    def run(self, feeds: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Inputs by name → outputs by name."""
        arrays = {name: value.detach().float().contiguous().numpy() for name, value in feeds.items()}
        if self._batched:
            found = self._compiled(1)(arrays)
            return {port.any_name: torch.from_numpy(value.copy()) for port, value in found.items()}
        count = len(next(iter(arrays.values())))
        streams = 1 if count == 1 else self._streams
        outputs = {
            port.any_name: np.empty((count, *tuple(port.shape)[1:]), dtype=np.float32)
            for port in self._compiled(streams).outputs
        }
        requests = self._requests(streams)
        for row in range(count + len(requests)):  # each waits for its last image before it takes the next
            request, done = requests[row % len(requests)], row - len(requests)
            if 0 <= done < count:
                request.wait()
                for name, rows in outputs.items():
                    rows[done] = request.get_tensor(name).data[0]
            if row < count:
                request.start_async({name: value[row : row + 1] for name, value in arrays.items()})
        return {name: torch.from_numpy(rows) for name, rows in outputs.items()}

    @functools.cache  # noqa: B019  a session is made once and lives as long as the run
    def _requests(self, streams: int) -> list[Any]:
        return [self._compiled(streams).create_infer_request() for _ in range(streams)]

    @functools.cache  # noqa: B019
    def _compiled(self, streams: int) -> Any:
        config = {
            "INFERENCE_PRECISION_HINT": HINTS[self._precision],
            "INFERENCE_NUM_THREADS": self._threads,
            "NUM_STREAMS": streams,
            "ENABLE_CPU_PINNING": False,  # two runs on one machine would be pinned to the same cores
        }
        version = f"openvino {self._openvino.__version__}"
        stored = self._cache.path(self._model, suffix=".openvino", runtime=version, batched=self._batched, **config)
        if stored is not None and stored.is_file():
            try:
                return self._core.import_model(io.BytesIO(stored.read_bytes()), "CPU", config)
            except RuntimeError:  # a damaged file is as good as none: it is written anew
                stored.unlink(missing_ok=True)
        try:
            network = self._core.read_model(self._model) if isinstance(self._model, bytes) else self._model.clone()
            if not self._batched:
                network.reshape({port.any_name: [1, *list(port.partial_shape)[1:]] for port in network.inputs})
            compiled = self._core.compile_model(network, "CPU", config)
        except RuntimeError as error:
            raise BackendError(f"backend 'openvino' cannot run this model: {one_line(error)}") from error
        if stored is not None:
            self._cache.write(stored, compiled.export_model().getvalue())
        return compiled
