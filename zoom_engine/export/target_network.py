"""A target's network as ONNX: the file that it came from, or written from torch."""

from __future__ import annotations

import tempfile
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import onnx
import torch
from torch import nn

from zoom_engine.errors import ExportError, TargetError, one_line
from zoom_engine.targets import Target
from zoom_engine.targets.loaders.files import kind_of_file
from zoom_engine.targets.onnx.load import chosen_output
from zoom_engine.targets.onnx.write import target_model

OPSET = 17  # of torch's exporter; raised when the graphs are joined


def target_network(
    spec: str | Path | nn.Module, target: Target, options: Mapping[str, Any], *, resolution: int
) -> onnx.ModelProto:
    """The network of ``target``, which ``load_target(spec, **options)`` has loaded and tried, for pictures of
    ``resolution``.

    An ONNX file is taken as it is. Everything else is written node by node where its layers are known
    (:mod:`zoom_engine.targets.onnx.write`), or by torch's tracing exporter, which needs no further package.

    Raises:
        ExportError: neither can write it, or the file cannot be read again.
    """
    path = Path(spec) if isinstance(spec, str | Path) else None
    if path is not None and (path.is_file() or path.suffix == ".onnx") and kind_of_file(path) == "onnx":
        try:
            return _one_output(path, onnx.load(path), options.get("output"))
        except (OSError, ValueError) as error:
            raise ExportError(f"cannot read {path} again: {one_line(error)}") from error
    try:
        return target_model(target, resolution=resolution)
    except TargetError as reason:
        try:
            return _traced(target, resolution)
        except Exception as error:  # torch's exporter runs the network's own code
            raise ExportError(f"{reason}; nor can torch's exporter ({one_line(error)})") from error


def _one_output(path: Path, model: onnx.ModelProto, output: str | int | None) -> onnx.ModelProto:
    """The model with the chosen output alone."""
    name = chosen_output(path, model, output)
    kept = next(value for value in model.graph.output if value.name == name)
    del model.graph.output[:]
    model.graph.output.append(kept)
    return model


def _traced(target: Target, resolution: int) -> onnx.ModelProto:
    height, width = target.preprocessing.hw or (resolution, resolution)
    shape = (2, height, width, 3) if target.preprocessing.layout == "NHWC" else (2, 3, height, width)
    with tempfile.TemporaryDirectory() as folder, warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the exporter that needs no onnxscript is called legacy
        torch.onnx.export(
            target.network,
            (torch.zeros(shape),),
            f"{folder}/network.onnx",
            dynamo=False,
            opset_version=OPSET,
            input_names=["images"],
            output_names=["raw"],
            dynamic_axes={"images": {0: "batch"}, "raw": {0: "batch"}},
        )
        return onnx.load(f"{folder}/network.onnx")
