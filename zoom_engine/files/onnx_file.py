"""An ONNX file that comes from others: read whole, held to limits before anything of it is allocated, and run."""

from __future__ import annotations

import hashlib
import importlib
import math
from collections.abc import Iterable, Iterator, MutableSequence, Sequence
from pathlib import Path
from typing import Any

import onnx
from google.protobuf.message import DecodeError, Message  # type: ignore[import-untyped]
from onnx.external_data_helper import ExternalDataInfo, load_external_data_for_model, uses_external_data

from zoom_engine.errors import ZoomError, one_line

MOST_NODES = 100_000
MOST_ELEMENTS = 2**28
"""Of one tensor for one image: a gibibyte of float32, far above any image model's."""
STANDARD_DOMAINS = ("", "ai.onnx")


def read_onnx_file(path: Path, *, refusal: type[ZoomError]) -> tuple[onnx.ModelProto, str]:
    """The checked model with all its data, and the SHA-256 of its files. Raises ``refusal``, one line."""
    try:
        content = path.read_bytes()
        model = onnx.load_model_from_string(content)
    except OSError as error:
        raise refusal(f"{path}: cannot be read ({error.strerror})") from error
    except DecodeError as error:
        raise refusal(f"{path}: is not an ONNX file, or a damaged one ({one_line(error)})") from error
    check_texts(path, model, refusal=refusal)
    digest = hashlib.sha256(content)
    folder = path.resolve().parent
    files = {ExternalDataInfo(t).location for t in _tensors(model.graph) if uses_external_data(t)}
    for name in sorted(files):
        file = (folder / name).resolve()
        if not file.is_relative_to(folder):
            raise refusal(f"{path}: refused, since it asks for data outside its own folder ({name!r})")
        if not file.is_file():
            raise refusal(f"{path}: its data file {name!r} is missing: put it beside the model")
        digest.update(file.read_bytes())
    try:
        _check_limits(path, model, refusal)
        if files:
            load_external_data_for_model(model, str(folder))
        onnx.checker.check_model(model)
    except (onnx.checker.ValidationError, ValueError, RuntimeError, OSError) as error:
        if isinstance(error, ZoomError):
            raise
        raise refusal(f"{path}: is not a valid ONNX model ({one_line(error)})") from error
    return model, digest.hexdigest()


def check_texts(path: Path, model: onnx.ModelProto, *, refusal: type[ZoomError]) -> None:
    """Refuse a model of which a text is none: protobuf gives such names as bytes, which nobody expects."""
    for text in _texts(model):
        if not isinstance(text, str):
            raise refusal(f"{path}: is not a valid ONNX model (a text in it is not UTF-8: {one_line(repr(text), 80)})")


def _texts(message: Message) -> Iterator[str | bytes]:
    if isinstance(message, onnx.TensorProto):  # its data are not looked at
        yield message.name
        message = onnx.TensorProto(external_data=message.external_data)
    for field, value in message.ListFields():
        if field.type in (field.TYPE_STRING, field.TYPE_MESSAGE):
            for one in value if isinstance(value, MutableSequence) else (value,):
                yield from [one] if field.type == field.TYPE_STRING else _texts(one)


def _tensors(graph: onnx.GraphProto) -> Iterator[onnx.TensorProto]:
    yield from graph.initializer
    for node in graph.node:
        for attribute in node.attribute:
            yield attribute.t
            yield from attribute.tensors
            for inner in (attribute.g, *attribute.graphs):
                yield from _tensors(inner)


def _check_limits(path: Path, model: onnx.ModelProto, refusal: type[ZoomError]) -> None:
    """Refuse a graph of too many nodes, and one whose constants or inferred values are too large."""
    if len(model.graph.node) > MOST_NODES:
        raise refusal(f"{path}: has {len(model.graph.node)} nodes; {MOST_NODES} is the limit")
    for tensor in model.graph.initializer:
        _check_size(path, tensor.name, tensor.dims, refusal)
    try:
        inferred = onnx.shape_inference.infer_shapes(model, data_prop=True)
    except (onnx.shape_inference.InferenceError, ValueError, RuntimeError) as error:
        raise refusal(f"{path}: its shapes do not fit together ({one_line(error)})") from error
    for value in (*inferred.graph.value_info, *inferred.graph.output):
        sizes = [d.dim_value for d in value.type.tensor_type.shape.dim if d.dim_value > 0]
        _check_size(path, value.name, sizes, refusal)


def _check_size(path: Path, name: str, sizes: Iterable[int], refusal: type[ZoomError]) -> None:
    sizes = list(sizes)
    if min(sizes, default=1) < 0 or math.prod(sizes) > MOST_ELEMENTS:
        shape = "×".join(str(size) for size in sizes)
        raise refusal(f"{path}: refused, since its tensor {name!r} of {shape} is too large")


def opset_of(model: onnx.ModelProto) -> int:
    """The version of ONNX's own operators that it is written in; 0 where it says none."""
    return next((entry.version for entry in model.opset_import if entry.domain in STANDARD_DOMAINS), 0)


def open_inputs(graph: onnx.GraphProto) -> list[onnx.ValueInfoProto]:
    """The graph's inputs that are no constants."""
    constants = {tensor.name for tensor in graph.initializer}
    return [value for value in graph.input if value.name not in constants]


def session_options(threads: int) -> Any:
    """ONNX Runtime's for a session: silent, with that many threads. Raises ImportError."""
    options = importlib.import_module("onnxruntime").SessionOptions()
    options.log_severity_level = 4
    options.intra_op_num_threads = threads
    return options


def cpu_session(model: bytes, threads: int) -> Any:
    """ONNX Runtime's session of the model on the CPU. Raises ImportError, and whatever it raises of a model."""
    options = session_options(threads)
    return importlib.import_module("onnxruntime").InferenceSession(model, options, providers=["CPUExecutionProvider"])


def name_ends(model: onnx.ModelProto, source: str, result: str, *, shape: Sequence[int] | None = None) -> None:
    """Call the only input of ``model`` ``source`` and its first output ``result``, both with an open batch; ``shape``
    becomes that of one input."""
    (given,) = open_inputs(model.graph)
    _rename(model, given.name, source)
    _rename(model, model.graph.output[0].name, result)
    for value in (given, model.graph.output[0]):
        if value.type.tensor_type.shape.dim:
            value.type.tensor_type.shape.dim[0].dim_param = "batch"
    if shape is not None:
        for dim, size in zip(given.type.tensor_type.shape.dim[1:], shape, strict=True):
            dim.dim_value = size
    del model.graph.value_info[:]


def _rename(model: onnx.ModelProto, old: str, new: str) -> None:
    if old == new:
        return
    if new in {name for node in model.graph.node for name in (*node.input, *node.output)}:
        _rename(model, new, f"{new}_of_the_file")
    for node in model.graph.node:
        for names in (node.input, node.output):
            for index, name in enumerate(names):
                if name == old:
                    names[index] = new
    for value in (*model.graph.input, *model.graph.output, *model.graph.initializer):
        if value.name == old:
            value.name = new
