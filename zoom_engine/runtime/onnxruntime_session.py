"""ONNX Runtime: on the CPU image by image, on a GPU in batches that stay in torch's memory.

On the CPU images are computed one by one, so that a picture does not depend, by a single bit, on the batch that it is
made in. Everywhere inputs are read, and outputs written, where torch has them (I/O binding). Threads may share a
session. The CUDA and TensorRT providers have not been run on hardware yet.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import torch
from torch import Tensor

from zoom_engine.common.errors import BackendError, CacheError, one_line
from zoom_engine.common.files import atomic
from zoom_engine.common.files.cache import cache_errors
from zoom_engine.common.files.onnx_file import session_options
from zoom_engine.common.threads import PerProcess
from zoom_engine.runtime.compiled_cache import CompiledCache
from zoom_engine.runtime.session import import_runtime, ready
from zoom_engine.runtime.tensorrt_session import BATCHES

PROVIDERS = {
    "cpu": "CPUExecutionProvider",
    "cuda": "CUDAExecutionProvider",
    "tensorrt": "TensorrtExecutionProvider",
}


class OnnxRuntimeSession:
    """A session of ONNX Runtime, see `zoom_engine.runtime.session.Session`."""

    def __init__(
        self,
        model: bytes,
        *,
        device: str = "cpu",
        provider: str | None = None,
        threads: int | None = None,
        cache: Path | None = None,
        batched: bool = False,
    ) -> None:
        """Open the session.

        Args:
            model: a serialised ONNX model whose inputs are float32, and outputs floats, with the batch first.
            device: of torch's tensors, "cpu" or "cuda[:n]".
            provider: "tensorrt" has ONNX Runtime hand the graph to TensorRT; None is the device's own, "cpu" or "cuda".
            threads: how many are used on the CPU; by default torch's number.
            cache: the folder for optimised graphs and engines; None keeps none.
            batched: run whole batches on the CPU too, and take inputs whose first axis is not the batch.

        Raises:
            BackendError: the package is missing, refuses the model, or does not run it on the provider.
        """
        ort = import_runtime("onnxruntime")
        self._device = torch.device(device)
        kind = provider or self._device.type
        if kind not in PROVIDERS or (kind == "cpu") != (self._device.type == "cpu"):
            devices = "cuda" if provider == "tensorrt" else "cpu or cuda"
            raise BackendError(f"backend 'onnxruntime' cannot run on {device}{_through(provider)}: use {devices}")
        wanted, available = PROVIDERS[kind], ort.get_available_providers()
        if wanted not in available:
            raise BackendError(
                f"backend 'onnxruntime' cannot run on {device}{_through(provider)}: this build has"
                f" {', '.join(available)}, not {wanted}; pip install 'zoom-engine[gpu]'"
            )
        self._batched = batched or kind != "cpu"
        threads = threads or torch.get_num_threads()
        version = f"onnxruntime {ort.__version__}"
        suffix = ".engines" if kind == "tensorrt" else ".ort.onnx"
        stored = CompiledCache(cache).path(model, suffix=suffix, runtime=version, device=_device_name(self._device))
        try:
            chosen = _providers(kind, self._device.index or 0, stored, _inputs(model) if kind == "tensorrt" else {})
            cached = stored if kind == "cpu" else None
            self._session = PerProcess(lambda: _open(ort, model, threads, chosen, cached))
        except CacheError:
            raise
        except Exception as error:  # onnxruntime's errors share no base class
            raise BackendError(f"backend 'onnxruntime' cannot run this model: {one_line(error)}") from error
        active = self._session().get_providers()
        if wanted not in active:
            raise BackendError(
                f"backend 'onnxruntime' cannot run on {device}{_through(provider)}: the session has"
                f" {', '.join(active)}, not {wanted}; install the CUDA and TensorRT libraries that it names"
            )
        ends = self._session().get_outputs()
        self._shapes = {end.name: end.shape[1:] for end in ends}
        self._sized = all(
            end.type == "tensor(float)" and end.shape and all(isinstance(size, int) for size in end.shape[1:])
            for end in ends
        )
        self.settings: dict[str, Any] = {"version": ort.__version__, "providers": active, "threads": threads}

    def run(self, feeds: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Return the outputs by name for inputs by name, see `Session.run`."""
        inputs, count = ready(feeds, self._device)
        if not self._sized:
            return self._run_unbound(inputs, count)
        outputs = {name: torch.empty((count, *shape), device=self._device) for name, shape in self._shapes.items()}
        if self._batched:
            self._run_bound(inputs, outputs)
            return outputs
        for row in range(count):
            one = [{name: value[row : row + 1] for name, value in part.items()} for part in (inputs, outputs)]
            self._run_bound(*one)
        return outputs

    def _run_unbound(self, inputs: Mapping[str, Tensor], count: int) -> dict[str, Tensor]:
        """Run a graph whose outputs are of open size, or no float32: the runtime makes memory for them."""
        arrays = {name: value.cpu().numpy() for name, value in inputs.items()}
        rows = [{name: array[row : row + 1] for name, array in arrays.items()} for row in range(count)]
        made = [self._session().run([*self._shapes], part) for part in ([arrays] if self._batched else rows)]
        return {
            name: torch.from_numpy(np.concatenate(parts)).to(self._device, torch.float32)
            for name, parts in zip(self._shapes, zip(*made, strict=True), strict=True)
        }

    def _run_bound(self, inputs: Mapping[str, Tensor], outputs: Mapping[str, Tensor]) -> None:
        """Run with I/O binding: the runtime reads and writes torch's memory."""
        session = self._session()
        binding = session.io_binding()
        for bind, tensors in ((binding.bind_input, inputs), (binding.bind_output, outputs)):
            for name, value in tensors.items():
                place = (self._device.type, self._device.index or 0)
                bind(name, *place, np.float32, list(value.shape), value.data_ptr())
        if self._device.type == "cuda":  # the session has a stream of its own
            torch.cuda.current_stream(self._device).synchronize()
        session.run_with_iobinding(binding)
        binding.synchronize_outputs()


def _through(provider: str | None) -> str:
    return f" through {provider}" if provider else ""


def _device_name(device: torch.device) -> str:
    return torch.cuda.get_device_name(device) if device.type == "cuda" else str(device)


def _inputs(model: bytes) -> dict[str, list[int]]:
    """Return the inputs' shapes; 0 where an axis, the batch, is open."""
    graph = onnx.load_from_string(model).graph
    return {value.name: [dim.dim_value for dim in value.type.tensor_type.shape.dim] for value in graph.input}


def _providers(kind: str, index: int, stored: Path | None, inputs: Mapping[str, list[int]]) -> list[Any]:
    """Return the execution providers with their options, most wanted first.

    `stored` is TensorRT's folder of engines.
    """
    cuda = (PROVIDERS["cuda"], {"device_id": index, "use_tf32": 0})
    if kind != "tensorrt":
        return [PROVIDERS["cpu"]] if kind == "cpu" else [cuda]
    options: dict[str, Any] = {"device_id": index}
    for which, batch in zip(("min", "opt", "max"), BATCHES, strict=True):
        shapes = {name: "x".join(str(n or batch) for n in shape) for name, shape in inputs.items()}
        options[f"trt_profile_{which}_shapes"] = ",".join(f"{name}:{shape}" for name, shape in shapes.items())
    if stored is not None:
        for what in ("engine", "timing"):
            options |= {f"trt_{what}_cache_enable": True, f"trt_{what}_cache_path": str(stored)}
    return [(PROVIDERS["tensorrt"], options), cuda]


def _open(ort: Any, model: bytes, threads: int, providers: list[Any], stored: Path | None) -> Any:
    """Open a session; its optimised graph is read from `stored`, or left there for the next one."""
    options = session_options(threads)
    if stored is None:
        return ort.InferenceSession(model, options, providers=providers)
    if stored.is_file():
        level = options.graph_optimization_level
        options.graph_optimization_level = ort.GraphOptimizationLevel.ORT_DISABLE_ALL
        try:
            return ort.InferenceSession(str(stored), options, providers=providers)
        except Exception:  # a damaged file is as good as none: it is written anew
            options.graph_optimization_level = level
    with cache_errors(stored.parent), atomic.replacing(stored) as temporary:
        options.optimized_model_filepath = str(temporary)
        return ort.InferenceSession(model, options, providers=providers)


def open_session(model: bytes, *, backend: str, precision: str, device: str, cache: Path | None) -> OnnxRuntimeSession:
    """Open a session, see `zoom_engine.common.backends.Runtime`; the precision is that of the model."""
    provider = "tensorrt" if backend == "onnxruntime-tensorrt" else None
    return OnnxRuntimeSession(model, device=device, provider=provider, cache=cache)
