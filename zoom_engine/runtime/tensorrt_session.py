"""TensorRT: builds engines through its Python API, runs them on torch's stream in torch's memory.

**This file has not been run on hardware yet.** It is written against the documented API of TensorRT 10.15 and 11, of
what both have; what can be checked without a GPU (the operators and types of our graphs) is in
`zoom_engine.export.tensorrt_support`. Threads may share an engine but no execution context: each has its own.
"""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from zoom_engine.common.errors import BackendError, one_line, system_errors
from zoom_engine.common.files import atomic
from zoom_engine.runtime.compiled_cache import CompiledCache
from zoom_engine.runtime.session import import_runtime, ready

BATCHES = (1, 4, 8)  # smallest, best and largest, of one optimisation profile; memory at 1024² limits the last
ATTRIBUTES = (1, 5, 64)


class TensorRTSession:
    """A session of TensorRT, see `zoom_engine.runtime.session.Session`; inputs and outputs stay on the GPU."""

    def __init__(self, model: bytes, *, device: str = "cuda", cache: Path | None = None) -> None:
        """Read the engine, or build it.

        Args:
            model: a serialised ONNX model; its types are kept as they are (a strongly typed network).
            device: of torch's tensors, "cuda[:n]".
            cache: where engines and timings are kept, by model, GPU and version; None keeps none.

        Raises:
            BackendError: the package or the GPU is missing, or TensorRT refuses the model.
        """
        trt = import_runtime("tensorrt")
        self._device = _cuda(device)
        with torch.cuda.device(self._device):
            self._runtime = trt.Runtime(trt.Logger(trt.Logger.ERROR))
            self._engine = self._runtime.deserialize_cuda_engine(build_plan(model, device=device, cache=cache))
            if self._engine is None:  # a damaged file is as good as none: it is written anew
                plan = build_plan(model, device=device, cache=cache, anew=True)
                self._engine = self._runtime.deserialize_cuda_engine(plan)
            if self._engine is None:
                raise BackendError("backend 'tensorrt' cannot run: it does not read the engine that it built")
        self._of_thread = threading.local()
        self._context()  # memory that it lacks is told here
        names = [self._engine.get_tensor_name(index) for index in range(self._engine.num_io_tensors)]
        self._outputs = [name for name in names if self._engine.get_tensor_mode(name) == trt.TensorIOMode.OUTPUT]
        self.settings: dict[str, Any] = {
            "version": trt.__version__,
            "device": torch.cuda.get_device_name(self._device),
            "batches": list(BATCHES),
        }

    def run(self, feeds: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Return the outputs by name for inputs by name; batches above the profile's largest are split."""
        inputs, count = ready(feeds, self._device)
        with torch.cuda.device(self._device):  # where an engine was read it runs, and not on another GPU's streams
            parts = [self._run_part(_rows(inputs, start)) for start in range(0, count, BATCHES[-1])]
        return {name: torch.cat([part[name] for part in parts]) for name in self._outputs}

    def _context(self) -> Any:
        """Return this thread's execution context."""
        if not hasattr(self._of_thread, "context"):
            with torch.cuda.device(self._device):
                self._of_thread.context = self._engine.create_execution_context()
        return self._of_thread.context

    def _run_part(self, inputs: Mapping[str, Tensor]) -> dict[str, Tensor]:
        context = self._context()
        for name, value in inputs.items():
            if not context.set_input_shape(name, tuple(value.shape)):
                shape = list(value.shape)
                raise BackendError(f"backend 'tensorrt': {name} of shape {shape} is outside the engine's profile")
            context.set_tensor_address(name, value.data_ptr())
        outputs: dict[str, Tensor] = {}
        for name in self._outputs:
            size = tuple(context.get_tensor_shape(name))
            outputs[name] = torch.empty(size, dtype=torch.float32, device=self._device)
            context.set_tensor_address(name, outputs[name].data_ptr())
        stream = torch.cuda.current_stream(self._device)
        if not context.execute_async_v3(stream.cuda_stream):
            raise BackendError("backend 'tensorrt': the engine failed to run")
        # torch may hand out the memory of inputs again, but only to work that is queued behind this.
        return outputs


def _rows(feeds: Mapping[str, Tensor], start: int) -> dict[str, Tensor]:
    """Return the rows of one part of a batch; directions belong to all of them."""
    stop = start + BATCHES[-1]
    return {name: value if name == "edit_directions" else value[start:stop] for name, value in feeds.items()}


def build_plan(model: bytes, *, device: str = "cuda", cache: Path | None = None, anew: bool = False) -> bytes:
    """Return the serialised engine of an ONNX model for the GPU `device`, from the cache where it was built before.

    The network is strongly typed: fp16 and bf16 are where the graph has them. There is one optimisation profile, with
    batches of 1 to 8 and 1 to 64 attributes.

    Args:
        model: the serialised ONNX model.
        device: "cuda[:n]".
        cache: where engines and timings are kept; None keeps none.
        anew: build the engine, whatever the cache has.

    Raises:
        BackendError: the package or the GPU is missing, or TensorRT refuses the model.
    """
    trt = import_runtime("tensorrt")
    gpu = torch.cuda.get_device_name(_cuda(device))
    plans = CompiledCache(cache)
    depends: dict[str, Any] = {"runtime": f"tensorrt {trt.__version__}", "device": gpu}
    stored = plans.path(model, suffix=".engine", profile=[BATCHES, ATTRIBUTES], **depends)
    if stored is not None and not anew and (plan := plans.read(stored)) is not None:
        return plan
    timings = plans.path(b"", suffix=".timing", **depends)
    with torch.cuda.device(_cuda(device)):
        plan = _build(trt, model, timings, plans)
    if stored is not None:
        plans.write(stored, plan)
    return plan


def build_tensorrt_engine(
    model: str | Path, output: str | Path, *, device: str = "cuda", cache: Path | None = None
) -> Path:
    """Build the engine of the ONNX file `model` for the GPU `device`, write it to `output` and return that path.

    An engine is good for one GPU model and one version of TensorRT. A failed build leaves no file.

    Raises:
        BackendError: a file cannot be read or written, or the engine cannot be built.
    """
    with system_errors(BackendError, f"cannot read {model}"):
        content = Path(model).read_bytes()
    plan = build_plan(content, device=device, cache=cache)
    with system_errors(BackendError, f"cannot write {output}", advice="; choose another folder"):
        Path(output).parent.mkdir(parents=True, exist_ok=True)
        atomic.write_bytes(output, plan)
    return Path(output)


def _build(trt: Any, model: bytes, timings: Path | None, plans: CompiledCache) -> bytes:
    builder = trt.Builder(trt.Logger(trt.Logger.ERROR))
    # TensorRT 11 has no other networks and ignores the flag.
    network = builder.create_network(1 << int(trt.NetworkDefinitionCreationFlag.STRONGLY_TYPED))
    parser = trt.OnnxParser(network, trt.Logger(trt.Logger.ERROR))
    if not parser.parse(model):
        reason = str(parser.get_error(0)) if parser.num_errors else "no reason given"
        raise BackendError(f"backend 'tensorrt' cannot read this model: {one_line(reason)}")
    config = builder.create_builder_config()
    config.clear_flag(trt.BuilderFlag.TF32)  # float32 means float32
    config.add_optimization_profile(_profile(builder, network))
    old = None if timings is None else plans.read(timings)
    config.set_timing_cache(config.create_timing_cache(old or b""), ignore_mismatch=False)
    plan = builder.build_serialized_network(network, config)
    if plan is None:
        raise BackendError("backend 'tensorrt' cannot build an engine of this model; its log above says why")
    if timings is not None:
        plans.write(timings, bytes(config.get_timing_cache().serialize()))
    return bytes(plan)


def _profile(builder: Any, network: Any) -> Any:
    """Make the optimisation profile.

    Every open axis of an input is the batch, but for N: axis 0 of the directions, axis 1 of the weights.
    """
    profile = builder.create_optimization_profile()
    for index in range(network.num_inputs):
        tensor = network.get_input(index)
        shapes: list[tuple[int, ...]] = []
        for place in range(3):
            shape: list[int] = list(tensor.shape)
            for axis, size in enumerate(shape):
                if size < 0:
                    of_n = axis == (0 if tensor.name == "edit_directions" else 1)
                    shape[axis] = (ATTRIBUTES if of_n else BATCHES)[place]
            shapes.append(tuple(shape))
        profile.set_shape(tensor.name, *shapes)
    return profile


def _cuda(device: str) -> torch.device:
    with contextlib.suppress(RuntimeError):
        place = torch.device(device)
        if place.type == "cuda" and torch.cuda.is_available():
            return place
    raise BackendError(f"backend 'tensorrt' cannot run on {device}: it needs an NVIDIA GPU that torch can use")


def open_session(model: bytes, *, backend: str, precision: str, device: str, cache: Path | None) -> TensorRTSession:
    """Open a session, see `zoom_engine.common.backends.Runtime`; the precision is that of the model."""
    return TensorRTSession(model, device=device, cache=cache)
