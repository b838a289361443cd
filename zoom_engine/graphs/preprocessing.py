"""A target's preprocessing as ONNX nodes: `Preprocessing.steps`, each written as what torch does for it.

Every resize that torch offers is linear and separable, so it is written as two matrix products, with the matrices that
torch itself applies (its answer to unit vectors). That is torch's antialiasing, alignment and rounding to the last
weight; ONNX's Resize agrees with torch in some modes only, and TensorRT has no antialiasing.
"""

from __future__ import annotations

from typing import assert_never

import torch
from torch import Tensor
from torch.nn import functional as F

from zoom_engine.graphs.builder import GraphBuilder
from zoom_engine.targets import Preprocessing
from zoom_engine.targets.preprocessing import BLACK, WHITE, ChannelsLast, Crop, ResizeTo, ReverseChannels, Scale


def resize_matrix(source: int, goal: int, mode: str, *, antialias: bool) -> Tensor:
    """``[goal, source]``: what ``F.interpolate`` does along one axis."""
    # Some columns wide: with a single one torch (2.13) antialiases wrongly.
    unit = torch.eye(source).view(source, 1, source, 1).repeat(1, 1, 1, 4)
    resized = F.interpolate(unit, size=(goal, 4), mode=mode, antialias=antialias)
    return resized[:, 0, :, 0].T.contiguous()


def add_preprocessing(
    builder: GraphBuilder, preprocessing: Preprocessing, images: str, *, resolution: int, output: str
) -> None:
    """Nodes from the value ``images [batch, 3, R, R]`` in [-1, 1] to ``output``, both float32; see `Preprocessing`."""
    x, size = images, (resolution, resolution)
    for step in preprocessing.steps(*size):
        match step:
            case ResizeTo(height, width, mode, antialias, clamped):
                rows = resize_matrix(size[0], height, mode, antialias=antialias)
                columns = resize_matrix(size[1], width, mode, antialias=antialias).T
                x = builder.node("MatMul", [builder.constant("resize.rows", rows), x], "resize.rows.resized")
                x = builder.node("MatMul", [x, builder.constant("resize.columns", columns)], "resized")
                if clamped:
                    limits = {"resize.black": BLACK, "resize.white": WHITE}
                    names = [builder.constant(name, torch.tensor(value)) for name, value in limits.items()]
                    x = builder.node("Clip", [x, *names], "resize.clamped")
                size = height, width
            case Crop(top, left, height, width):
                places = {"starts": [top, left], "ends": [top + height, left + width], "axes": [2, 3]}
                names = [builder.constant(f"crop.{name}", values) for name, values in places.items()]
                x, size = builder.node("Slice", [x, *names], "cropped"), (height, width)
            case Scale(scale, shift):
                for op, name, values in (("Mul", "scale", scale), ("Add", "shift", shift)):
                    constant = builder.constant(f"preprocessing.{name}", torch.tensor(values).view(1, -1, 1, 1))
                    x = builder.node(op, [x, constant], f"preprocessing.{name}.applied")
            case ReverseChannels():
                order = builder.constant("preprocessing.bgr", [2, 1, 0])
                x = builder.node("Gather", [x, order], "preprocessing.reversed", axis=1)
            case ChannelsLast():
                x = builder.node("Transpose", [x], "preprocessing.last", perm=[0, 2, 3, 1])
            case _:
                assert_never(step)
    builder.node("Identity", [x], output)
