"""What can run a forward pass, by name; nothing is imported here, so that options and help know them without torch."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, get_args


@dataclass(frozen=True)
class Runtime:
    """What compiles an ONNX model: its name for people, the package that it is, and the extra of ours that installs it.

    ``open_session(model, backend=…, precision=…, device=…, cache=…)`` of ``zoom_engine.runtime.MODULE`` opens it.
    ``lowers``: it brings a float32 model to a precision by itself; others take the types that the model has.
    """

    title: str
    package: str
    extra: str
    module: str
    precisions: tuple[str, ...]
    lowers: bool = False
    cpu_only: bool = False


RUNTIMES = {
    "onnxruntime": Runtime("ONNX Runtime", "onnxruntime", "cpu", "onnxruntime_session", ("fp32",)),
    "onnxruntime-tensorrt": Runtime(
        "TensorRT in ONNX Runtime", "onnxruntime", "gpu", "onnxruntime_session", ("fp32", "bf16")
    ),
    "openvino": Runtime(
        "OpenVINO", "openvino", "cpu", "openvino_session", ("fp32", "bf16"), lowers=True, cpu_only=True
    ),
    "tensorrt": Runtime("TensorRT", "tensorrt", "gpu", "tensorrt_session", ("fp32", "bf16")),
}
Backend = Literal["auto", "torch", "native", "onnxruntime", "onnxruntime-tensorrt", "openvino", "tensorrt"]
BACKENDS = get_args(Backend)
