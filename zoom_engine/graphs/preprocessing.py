"""A target's preprocessing as ONNX nodes: resize, scale, normalise, reorder.

Every resize that torch offers is linear and separable, so it is written as two matrix products, with the matrices that
torch itself applies (its answer to unit vectors). That is torch's antialiasing, alignment and rounding to the last
weight; ONNX's Resize agrees with torch in some modes only, and TensorRT has no antialiasing.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F

from zoom_engine.graphs.builder import GraphBuilder
from zoom_engine.targets import Preprocessing


def resize_matrix(source: int, goal: int, mode: str) -> Tensor:
    """``[goal, source]``: what ``F.interpolate`` does along one axis, antialiased where `Preprocessing` does that."""
    # Some columns wide: with a single one torch (2.13) antialiases wrongly.
    unit = torch.eye(source).view(source, 1, source, 1).repeat(1, 1, 1, 4)
    resized = F.interpolate(unit, size=(goal, 4), mode=mode, antialias=mode in ("bilinear", "bicubic"))
    return resized[:, 0, :, 0].T.contiguous()


def add_preprocessing(
    builder: GraphBuilder, preprocessing: Preprocessing, images: str, *, resolution: int, output: str
) -> None:
    """Nodes from the value ``images [batch, 3, R, R]`` in [-1, 1] to ``output``, both float32; see `Preprocessing`."""
    black, white = preprocessing.value_range
    mean, std = (torch.tensor(values).expand(3).double() for values in (preprocessing.mean, preprocessing.std))
    size = preprocessing.hw
    x = images
    if size is not None and size != (resolution, resolution):
        for axis, goal in zip(("rows", "columns"), size, strict=True):
            matrix = resize_matrix(resolution, goal, preprocessing.resize)
            if axis == "rows":
                x = builder.node("MatMul", [builder.constant("resize.rows", matrix), x], "resize.rows.resized")
            else:
                x = builder.node("MatMul", [x, builder.constant("resize.columns", matrix.T)], "resized")
        if preprocessing.resize == "bicubic":
            limits = [builder.constant(name, torch.tensor(value)) for name, value in (("black", -1.0), ("white", 1.0))]
            x = builder.node("Clip", [x, *limits], "resize.clamped")
    # ((x + 1) / 2 · (white − black) + black − mean) / std
    scale = (white - black) / 2 / std
    shift = ((white + black) / 2 - mean) / std
    steps = [("Mul", scale, "preprocessing.scale"), ("Add", shift, "preprocessing.shift")]
    for op, value, name in steps:
        x = builder.node(op, [x, builder.constant(name, value.float().view(1, 3, 1, 1))], f"{name}.applied")
    if preprocessing.channel_order == "BGR":
        x = builder.node(
            "Gather", [x, builder.constant("preprocessing.bgr", [2, 1, 0])], "preprocessing.reversed", axis=1
        )
    if preprocessing.layout == "NHWC":
        builder.node("Transpose", [x], output, perm=[0, 2, 3, 1])
    else:
        builder.node("Identity", [x], output)
