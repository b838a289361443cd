"""Names of what can run a forward pass. Nothing is imported here, so options and help know them without torch."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, get_args


@dataclass(frozen=True)
class Runtime:
    """A program that compiles ONNX models.

    `open_session(model, backend=…, precision=…, device=…, cache=…)` of `zoom_engine.runtime.MODULE` opens a session of
    it.

    Attributes:
        title: its name for people.
        package: the Python package that must be installed.
        extra: the extra of this package that installs it.
        module: the module of `zoom_engine.runtime` that opens sessions.
        precisions: what it can compute in.
        lowers: whether it brings a float32 model to a precision by itself; others take the types that the model has.
        cpu_only: whether it runs on processors alone.
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
Precision = Literal["auto", "fp32", "bf16"]
PRECISIONS = get_args(Precision)[1:]
"""In which forward passes run."""
