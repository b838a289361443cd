"""Descriptions of target files, read without loading them: nothing is run, no network is made."""

from __future__ import annotations

import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import onnx
from safetensors import SafetensorError, safe_open

from zoom_engine.common.errors import TargetError, one_line
from zoom_engine.common.files.kinds_of_file import CONFIG, RUNS_CODE, FileKind, holds_safetensors, kind_of_file
from zoom_engine.common.files.onnx_file import open_inputs, parse_onnx
from zoom_engine.targets.loaders.architectures import Architecture
from zoom_engine.targets.loaders.hugging_face import check_folder, class_names, folder_preprocessing, read_json
from zoom_engine.targets.onnx.load import METADATA_KEY, OpenedOnnx, open_onnx, open_tfjs, tells_scale, type_name
from zoom_engine.targets.onnx.tfjs import read_tfjs
from zoom_engine.targets.preprocessing import InputOptions, Preprocessing

SHOWN = 20


def describe_target_file(path: Path, options: InputOptions = None) -> list[str]:
    """Describe the target at `path` in lines "what: value", as far as the file tells it.

    The lines are its kind, inputs, outputs, operators, classes and preprocessing. Files that contain a program are
    named as such and not opened further. The preprocessing is what `load_target` would use: the file's own with the
    user's `options` in it.

    Raises:
        TargetError: for something that is no target, or is damaged.
    """
    if path.is_file() and holds_safetensors(path):
        return _safetensors(path)
    kind = kind_of_file(path)
    if kind == "onnx":
        return _onnx(path, options)
    if kind == "tfjs":
        return _tfjs(path, options)
    if kind == "hugging-face":
        return _hugging_face(path, options)
    return _program(path, kind, options)


def describe_architecture(architecture: Architecture, options: InputOptions = None) -> list[str]:
    """Describe an architecture of torchvision or timm with weights in such lines; the weights are not read."""
    return [
        f"kind: {architecture.name} with weights from a file",
        *_preprocessing(architecture.preprocessing.updated(options)),
    ]


def _preprocessing(used: Preprocessing, *, stated: bool = True, size: str = "") -> list[str]:
    """Describe the preprocessing.

    `stated`: whether the file or its library tells it; `size`: else what it tells nevertheless.
    """
    default = f"the file does not tell its preprocessing{size}: what --input-… options do not say is the default"
    return [f"preprocessing: {_plain(used.to_dict())}", *([] if stated else [f"note: {default}"])]


def _onnx(path: Path, options: InputOptions) -> list[str]:
    model, _ = parse_onnx(path, refusal=TargetError)
    return _graph("ONNX model", model, lambda: open_onnx(path, options))


def _tfjs(path: Path, options: InputOptions) -> list[str]:
    try:
        model = read_tfjs(path)
    except TargetError as error:
        return ["kind: TensorFlow.js graph", f"refused: {error}"]
    return _graph("TensorFlow.js graph, read as ONNX", model, lambda: open_tfjs(path, model, options))


def _graph(kind: str, model: onnx.ModelProto, opened_model: Callable[[], OpenedOnnx]) -> list[str]:
    graph = model.graph
    opsets = ", ".join(f"{entry.domain or 'ai.onnx'} {entry.version}" for entry in model.opset_import)
    operators = sorted({node.op_type for node in graph.node})
    lines = [f"kind: {kind}", f"opset: {opsets}"]
    lines += [f"input: {_value(value)}" for value in open_inputs(graph)[:SHOWN]]
    lines += [f"output: {_value(value)}" for value in graph.output[:SHOWN]]
    lines.append(f"operators: {len(graph.node)} nodes of {_few(operators)}")
    files = sorted({entry.value for tensor in graph.initializer for entry in tensor.external_data
                    if entry.key == "location"})  # fmt: skip
    if files:
        lines.append(f"data in other files: {_few(files)}")
    others = sorted(entry.key for entry in model.metadata_props if entry.key != METADATA_KEY)
    if others:
        lines.append(f"metadata: {_few(others)}")
    try:
        opened = opened_model()
    except TargetError as error:
        return [*lines, f"refused: {error}"]
    if opened.noted.task is not None:
        lines.append(f"task: {_plain(opened.noted.task.to_dict())}")
    size = " but size and layout" if opened.image.size else ""
    return [*lines, *_preprocessing(opened.preprocessing, stated=tells_scale(opened.noted, opened.image), size=size)]


def _value(value: Any) -> str:
    tensor = value.type.tensor_type
    sizes = [str(d.dim_value) if d.dim_value > 0 else (d.dim_param or "?") for d in tensor.shape.dim]
    return f"{value.name} {type_name(tensor.elem_type).lower()} [{', '.join(sizes)}]"


def _hugging_face(folder: Path, options: InputOptions) -> list[str]:
    config = read_json(folder / CONFIG)
    named = config.get("architectures")
    architectures = [str(name) for name in named] if isinstance(named, list) else []
    lines = ["kind: Hugging Face model", f"architecture: {_few(architectures)}"]
    if (names := class_names(config)) is not None:
        lines.append(f"classes: {_few([str(name) for name in names.values()])}")
    files = sorted(file.name for file in folder.glob("*.safetensors"))
    lines.append(f"weights: {_few(files)}")
    try:
        used, told = folder_preprocessing(folder, config, options)
        lines += _preprocessing(used, stated=told)
        check_folder(folder, config)
    except TargetError as error:
        lines.append(f"refused: {error}")
    return lines


def _program(path: Path, kind: FileKind, options: InputOptions) -> list[str]:
    with zipfile.ZipFile(path) as archive:
        size = sum(entry.file_size for entry in archive.infolist())
    return [
        f"kind: {RUNS_CODE[kind]} program",
        f"size: {size} bytes in {len(archive.infolist())} parts",
        "needs: --trust, since it runs a program of its own",
        *_preprocessing(
            Preprocessing().updated(options),
            stated=False,
            size=" but, once loaded, size and layout" if kind == "exported-program" else "",
        ),
    ]


def _safetensors(path: Path) -> list[str]:
    try:
        with safe_open(path, framework="numpy") as file:
            names = sorted(file.keys())
            lines = [f"{name} {list(file.get_slice(name).get_shape())}" for name in names[:SHOWN]]
    except (SafetensorError, OSError) as error:
        raise TargetError(f"{path}: is a damaged safetensors file ({one_line(error)})") from error
    more = [f"tensor: … and {len(names) - SHOWN} more"] if len(names) > SHOWN else []
    return [
        "kind: weights alone (safetensors), of an architecture that must be named",
        f"tensors: {len(names)}",
        *(f"tensor: {line}" for line in lines),
        *more,
    ]


def _few(names: list[str]) -> str:
    more = f" and {len(names) - SHOWN} more" if len(names) > SHOWN else ""
    return (", ".join(names[:SHOWN]) or "none") + more


def _plain(values: dict[str, Any]) -> str:
    return ", ".join(f"{key} {value}" for key, value in values.items() if value is not None)
