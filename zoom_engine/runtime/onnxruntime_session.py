"""ONNX Runtime: on the CPU image by image, on a GPU in batches that stay in torch's memory.

Image by image, so that a picture does not depend, by a single bit, on the batch that it is made in. CUDA and TensorRT
providers have not been run on hardware yet.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
import torch.utils.dlpack
from torch import Tensor

from zoom_engine import atomic
from zoom_engine.errors import BackendError, one_line
from zoom_engine.runtime.compiled_cache import CompiledCache
from zoom_engine.runtime.session import import_runtime

PROVIDERS = {"cpu": "CPUExecutionProvider", "cuda": "CUDAExecutionProvider"}


class OnnxRuntimeSession:
    """See :class:`zoom_engine.runtime.session.Session`.

    Args:
        model: a serialised ONNX model whose inputs and outputs are float32 with the batch first.
        device: of torch's tensors, "cpu" or "cuda[:n]"; threads: used on the CPU.
        batched: run whole batches on the CPU too.

    Raises:
        BackendError: the package is missing, refuses the model, or does not run it on the device's provider.
    """

    def __init__(
        self,
        model: bytes,
        *,
        device: str = "cpu",
        threads: int | None = None,
        cache: Path | None = None,
        batched: bool = False,
    ) -> None:
        ort = import_runtime("onnxruntime", "onnxruntime", "cpu")
        place = torch.device(device)
        provider = PROVIDERS.get(place.type)
        if provider is None:
            raise BackendError(f"backend 'onnxruntime' cannot run on {device}: use cpu or cuda")
        self._device, self._index = place, place.index or 0
        self._batched = batched or place.type != "cpu"
        threads = threads or torch.get_num_threads()
        options = ort.SessionOptions()
        options.log_severity_level = 4
        options.intra_op_num_threads = threads
        chosen = [provider] if place.type == "cpu" else [(provider, {"device_id": self._index, "use_tf32": 0})]
        version = f"onnxruntime {ort.__version__}"
        stored = CompiledCache(cache).path(model, suffix=".ort.onnx", runtime=version, device=device)
        try:
            self._session = _open(ort, model, options, chosen, stored if place.type == "cpu" else None)
        except OSError as error:
            raise BackendError(f"the cache folder of {stored} cannot be written ({error.strerror or error})") from error
        except Exception as error:  # onnxruntime's errors share no base class
            raise BackendError(f"backend 'onnxruntime' cannot run this model: {one_line(error)}") from error
        active = self._session.get_providers()
        if provider not in active:
            raise BackendError(
                f"backend 'onnxruntime' cannot run on {device}: the session has {', '.join(active)}, not {provider};"
                " install onnxruntime-gpu and the CUDA libraries that it names"
            )
        self._outputs = [output.name for output in self._session.get_outputs()]
        self.settings: dict[str, Any] = {"version": ort.__version__, "providers": active, "threads": threads}

    def run(self, feeds: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Inputs by name → outputs by name."""
        if self._device.type == "cuda":
            return self._run_bound(feeds)
        arrays = {name: value.detach().float().contiguous().numpy() for name, value in feeds.items()}
        count = 1 if self._batched else len(next(iter(arrays.values())))
        parts = [
            self._session.run(self._outputs, arrays if self._batched else {k: v[i : i + 1] for k, v in arrays.items()})
            for i in range(count)
        ]
        columns = zip(*parts, strict=True)
        return {
            name: torch.cat([torch.from_numpy(part) for part in column])
            for name, column in zip(self._outputs, columns, strict=True)
        }

    def _run_bound(self, feeds: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """I/O binding: inputs are read where torch has them, outputs are handed over as they lie on the GPU."""
        binding = self._session.io_binding()
        kept = {name: value.detach().float().contiguous() for name, value in feeds.items()}
        for name, value in kept.items():
            binding.bind_input(name, "cuda", self._index, "float32", list(value.shape), value.data_ptr())
        for name in self._outputs:
            binding.bind_output(name, "cuda", self._index)
        torch.cuda.current_stream(self._device).synchronize()
        self._session.run_with_iobinding(binding)
        values = binding.get_outputs()
        return {name: torch.utils.dlpack.from_dlpack(value) for name, value in zip(self._outputs, values, strict=True)}


def _open(ort: Any, model: bytes, options: Any, providers: list[Any], stored: Path | None) -> Any:
    """A session; its optimised graph is read from ``stored``, or left there for the next one."""
    if stored is None:
        return ort.InferenceSession(model, options, providers=providers)
    if stored.is_file():
        level = options.graph_optimization_level
        options.graph_optimization_level = ort.GraphOptimizationLevel.ORT_DISABLE_ALL
        try:
            return ort.InferenceSession(str(stored), options, providers=providers)
        except Exception:  # a damaged file is as good as none: it is written anew
            options.graph_optimization_level = level
    with atomic.replacing(stored) as temporary:
        options.optimized_model_filepath = str(temporary)
        return ort.InferenceSession(model, options, providers=providers)
