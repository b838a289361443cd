"""Limits on an ONNX graph that comes from others, checked before anything of it is allocated or run."""

from __future__ import annotations

import math
from collections.abc import Iterable
from pathlib import Path

import onnx

from zoom_engine.errors import TargetError, one_line

MOST_NODES = 100_000
MOST_ELEMENTS = 2**28
"""Of one tensor for one image: a gibibyte of float32, far above any image classifier's."""


def check_limits(path: Path, model: onnx.ModelProto) -> None:
    """Refuse a graph of too many nodes, and one whose constants or inferred values are too large.

    Raises:
        TargetError: one line that names the tensor.
    """
    if len(model.graph.node) > MOST_NODES:
        raise TargetError(f"{path}: has {len(model.graph.node)} nodes; {MOST_NODES} is the limit for a target")
    for tensor in model.graph.initializer:
        _check_size(path, tensor.name, tensor.dims)
    try:
        inferred = onnx.shape_inference.infer_shapes(model, data_prop=True)
    except (onnx.shape_inference.InferenceError, ValueError, RuntimeError) as error:
        raise TargetError(f"{path}: its shapes do not fit together ({one_line(error)})") from error
    for value in (*inferred.graph.value_info, *inferred.graph.output):
        _check_size(path, value.name, [d.dim_value for d in value.type.tensor_type.shape.dim if d.dim_value > 0])


def _check_size(path: Path, name: str, sizes: Iterable[int]) -> None:
    sizes = list(sizes)
    if min(sizes, default=1) < 0 or math.prod(sizes) > MOST_ELEMENTS:
        shape = "×".join(str(size) for size in sizes)
        raise TargetError(f"{path}: refused, since its tensor {name!r} of {shape} is too large for a target")
