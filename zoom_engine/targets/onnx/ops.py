"""The ONNX operators of common classifiers, in torch, so that an ONNX model has gradients.

Each function takes the call (attributes, inputs, opset) and returns a tensor. An operator, or an option of one, that is
not here raises `UnsupportedError`. Each operator here is compared with another runtime's output when a model is loaded,
so that no mistake passes unseen.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F


class UnsupportedError(Exception):
    """The graph needs something that these operators do not have."""


@dataclasses.dataclass(frozen=True)
class Call:
    """One node: its type, attributes and opset, and its inputs (None where an optional one is left out)."""

    op: str
    attributes: dict[str, Any]
    inputs: Sequence[Tensor | None]
    opset: int

    def get(self, index: int) -> Tensor | None:
        """Return input `index`, None where it is not there."""
        return self.inputs[index] if index < len(self.inputs) else None

    def need(self, index: int) -> Tensor:
        """Return input `index`, which must be there."""
        value = self.get(index)
        if value is None:
            raise UnsupportedError(f"{self.op} without its input {index}")
        return value

    def attr(self, name: str, default: object = None) -> Any:
        """Return the attribute `name`, or the `default`."""
        return self.attributes.get(name, default)

    def ints(self, name: str, index: int) -> list[int] | None:
        """Return a list that is an attribute in old opsets and an input in new ones."""
        value = self.get(index)
        if value is not None:
            return [int(v) for v in value.reshape(-1).tolist()]
        return [int(v) for v in self.attributes[name]] if name in self.attributes else None


Operator = Callable[[Call], Tensor]
OPERATORS: dict[str, Operator] = {}


def _register(*names: str) -> Callable[[Operator], Operator]:
    def add(function: Operator) -> Operator:
        OPERATORS.update(dict.fromkeys(names, function))
        return function

    return add


_UNARY: dict[str, Callable[[Tensor], Tensor]] = {
    "Identity": lambda x: x,
    "Dropout": lambda x: x,
    "Relu": torch.relu,
    "Sigmoid": torch.sigmoid,
    "Tanh": torch.tanh,
    "Exp": torch.exp,
    "Log": torch.log,
    "Sqrt": torch.sqrt,
    "Neg": torch.neg,
    "Abs": torch.abs,
    "Erf": torch.erf,
    "Floor": torch.floor,
    "Reciprocal": torch.reciprocal,
    "Softplus": F.softplus,
    "HardSwish": F.hardswish,
    "Mish": F.mish,
    "GlobalAveragePool": lambda x: x.mean(dim=tuple(range(2, x.ndim)), keepdim=True),
    "GlobalMaxPool": lambda x: x.amax(dim=tuple(range(2, x.ndim)), keepdim=True),
}
_BINARY: dict[str, Callable[[Tensor, Tensor], Tensor]] = {
    "Add": torch.add,
    "Sub": torch.sub,
    "Mul": torch.mul,
    "Pow": torch.pow,
    "MatMul": torch.matmul,
}


@_register(*_UNARY)
def _unary(call: Call) -> Tensor:
    return _UNARY[call.op](call.need(0))


@_register(*_BINARY)
def _binary(call: Call) -> Tensor:
    return _BINARY[call.op](call.need(0), call.need(1))


@_register("Div")
def _div(call: Call) -> Tensor:
    a, b = call.need(0), call.need(1)
    return a / b if a.is_floating_point() else torch.div(a, b, rounding_mode="trunc")


@_register("Max", "Min")
def _extreme(call: Call) -> Tensor:
    result = call.need(0)
    for index in range(1, len(call.inputs)):
        result = (torch.maximum if call.op == "Max" else torch.minimum)(result, call.need(index))
    return result


@_register("LeakyRelu", "Elu")
def _leaky(call: Call) -> Tensor:
    if call.op == "Elu":
        return F.elu(call.need(0), call.attr("alpha", 1.0))
    return F.leaky_relu(call.need(0), call.attr("alpha", 0.01))


@_register("PRelu")
def _prelu(call: Call) -> Tensor:
    x = call.need(0)
    return torch.where(x >= 0, x, x * call.need(1))


@_register("HardSigmoid")
def _hard_sigmoid(call: Call) -> Tensor:
    slope, offset = float(call.attr("alpha", 0.2)), float(call.attr("beta", 0.5))
    return (slope * call.need(0) + offset).clamp(0, 1)


@_register("Gelu")
def _gelu(call: Call) -> Tensor:
    return F.gelu(call.need(0), approximate=_text(call.attr("approximate", "none")))


@_register("Clip")
def _clip(call: Call) -> Tensor:
    low, high = call.get(1), call.get(2)
    minimum = call.attr("min") if low is None else float(low)
    maximum = call.attr("max") if high is None else float(high)
    return call.need(0).clamp(-math.inf if minimum is None else minimum, math.inf if maximum is None else maximum)


@_register("Softmax", "LogSoftmax")
def _softmax(call: Call) -> Tensor:
    x = call.need(0)
    function = F.softmax if call.op == "Softmax" else F.log_softmax
    if call.opset >= 13:
        result: Tensor = function(x, dim=call.attr("axis", -1))
        return result
    flat: Tensor = function(x.flatten(call.attr("axis", 1)), dim=-1)
    return flat.reshape(x.shape)


def _text(value: str | bytes) -> str:
    return value.decode() if isinstance(value, bytes) else value


def _padding(
    call: Call, x: Tensor, kernel: Sequence[int], strides: Sequence[int], dilations: Sequence[int]
) -> list[int]:
    """Return ONNX's pads [begin…, end…] of the spatial axes, with auto_pad resolved."""
    spatial = len(kernel)
    mode = _text(call.attr("auto_pad", "NOTSET"))
    if mode in ("NOTSET", ""):
        return [int(p) for p in call.attr("pads", [0] * 2 * spatial)]
    if mode == "VALID":
        return [0] * 2 * spatial
    begin, end = [], []
    for axis in range(spatial):
        size = x.shape[2 + axis]
        total = max(
            (math.ceil(size / strides[axis]) - 1) * strides[axis] + (kernel[axis] - 1) * dilations[axis] + 1 - size,
            0,
        )
        smaller, larger = total // 2, total - total // 2
        begin.append(smaller if mode == "SAME_UPPER" else larger)
        end.append(larger if mode == "SAME_UPPER" else smaller)
    return begin + end


def _pad_spatial(x: Tensor, pads: Sequence[int], value: float) -> Tensor:
    if not any(pads):
        return x
    spatial = len(pads) // 2
    order = [p for axis in reversed(range(spatial)) for p in (pads[axis], pads[spatial + axis])]
    return F.pad(x, order, value=value)


@_register("Conv")
def _conv(call: Call) -> Tensor:
    x, weight, bias = call.need(0), call.need(1), call.get(2)
    spatial = weight.ndim - 2
    convolve = {1: F.conv1d, 2: F.conv2d}.get(spatial)
    if convolve is None:
        raise UnsupportedError(f"Conv in {spatial} dimensions")
    strides = call.attr("strides", [1] * spatial)
    dilations = call.attr("dilations", [1] * spatial)
    pads = _padding(call, x, weight.shape[2:], strides, dilations)
    if pads[:spatial] == pads[spatial:]:
        return convolve(x, weight, bias, strides, pads[:spatial], dilations, call.attr("group", 1))
    return convolve(_pad_spatial(x, pads, 0.0), weight, bias, strides, 0, dilations, call.attr("group", 1))


@_register("MaxPool", "AveragePool")
def _pool(call: Call) -> Tensor:
    x = call.need(0)
    kernel = [int(k) for k in call.attr("kernel_shape")]
    if len(kernel) != 2 or call.attr("storage_order", 0):
        raise UnsupportedError(f"{call.op} of kernel {kernel}")
    strides, dilations = call.attr("strides", [1, 1]), call.attr("dilations", [1, 1])
    pads = _padding(call, x, kernel, strides, dilations)
    ceil = bool(call.attr("ceil_mode", 0))
    if ceil and (any(pads) or call.op == "AveragePool"):
        raise UnsupportedError(f"{call.op} with ceil_mode")
    if call.op == "MaxPool":
        return F.max_pool2d(_pad_spatial(x, pads, -math.inf), kernel, strides, 0, dilations, ceil_mode=ceil)
    if list(dilations) != [1, 1]:
        raise UnsupportedError("AveragePool with dilations")
    if pads[:2] == pads[2:] and all(2 * p <= k for p, k in zip(pads[:2], kernel, strict=True)):
        return F.avg_pool2d(x, kernel, strides, pads[:2], count_include_pad=bool(call.attr("count_include_pad", 0)))
    summed = F.avg_pool2d(_pad_spatial(x, pads, 0.0), kernel, strides)
    if call.attr("count_include_pad", 0):
        return summed
    return summed / F.avg_pool2d(_pad_spatial(torch.ones_like(x[:1, :1]), pads, 0.0), kernel, strides)


@_register("BatchNormalization")
def _batch_norm(call: Call) -> Tensor:
    if call.attr("training_mode", 0):
        raise UnsupportedError("BatchNormalization in training mode")
    x, weight, bias, mean, variance = (call.need(index) for index in range(5))
    return F.batch_norm(x, mean, variance, weight, bias, training=False, eps=call.attr("epsilon", 1e-5))


@_register("InstanceNormalization")
def _instance_norm(call: Call) -> Tensor:
    return F.instance_norm(call.need(0), weight=call.need(1), bias=call.need(2), eps=call.attr("epsilon", 1e-5))


@_register("LayerNormalization")
def _layer_norm(call: Call) -> Tensor:
    x = call.need(0)
    axis = call.attr("axis", -1) % x.ndim
    return F.layer_norm(x, x.shape[axis:], call.need(1), call.get(2), call.attr("epsilon", 1e-5))


@_register("Gemm")
def _gemm(call: Call) -> Tensor:
    a, b, c = call.need(0), call.need(1), call.get(2)
    a, b = (a.T if call.attr("transA", 0) else a), (b.T if call.attr("transB", 0) else b)
    product = float(call.attr("alpha", 1.0)) * (a @ b)
    return product if c is None else product + float(call.attr("beta", 1.0)) * c


@_register("Flatten")
def _flatten(call: Call) -> Tensor:
    x = call.need(0)
    axis = call.attr("axis", 1)
    axis += x.ndim if axis < 0 else 0
    return x.reshape(math.prod(x.shape[:axis]), -1)


@_register("Reshape")
def _reshape(call: Call) -> Tensor:
    x = call.need(0)
    shape = call.ints("shape", 1) or []
    if not call.attr("allowzero", 0):
        shape = [x.shape[index] if size == 0 else size for index, size in enumerate(shape)]
    return x.reshape(shape)


@_register("Transpose")
def _transpose(call: Call) -> Tensor:
    x = call.need(0)
    return x.permute(call.attr("perm", list(reversed(range(x.ndim)))))


@_register("Squeeze")
def _squeeze(call: Call) -> Tensor:
    x, axes = call.need(0), call.ints("axes", 1)
    return x.squeeze() if axes is None else x.squeeze(tuple(axes))


@_register("Unsqueeze")
def _unsqueeze(call: Call) -> Tensor:
    x, axes = call.need(0), call.ints("axes", 1) or []
    for axis in sorted(a % (x.ndim + len(axes)) for a in axes):
        x = x.unsqueeze(axis)
    return x


@_register("Concat")
def _concat(call: Call) -> Tensor:
    return torch.cat([call.need(index) for index in range(len(call.inputs))], dim=call.attr("axis"))


@_register("ReduceMean", "ReduceSum", "ReduceMax", "ReduceL2")
def _reduce(call: Call) -> Tensor:
    x, axes = call.need(0), call.ints("axes", 1)
    if not axes and call.attr("noop_with_empty_axes", 0):
        return x
    dims = tuple(axes) if axes else tuple(range(x.ndim))
    keep = bool(call.attr("keepdims", 1))
    if call.op == "ReduceMean":
        return x.mean(dims, keepdim=keep)
    if call.op == "ReduceSum":
        return x.sum(dims, keepdim=keep)
    if call.op == "ReduceMax":
        return x.amax(dims, keepdim=keep)
    return x.square().sum(dims, keepdim=keep).sqrt()


@_register("Pad")
def _pad(call: Call) -> Tensor:
    x, pads = call.need(0), call.ints("pads", 1) or []
    mode = _text(call.attr("mode", "constant"))
    if call.get(3) is not None or mode not in ("constant", "reflect", "edge"):
        raise UnsupportedError(f"Pad in mode {mode}")
    given = call.get(2)
    value = float(given) if given is not None else float(call.attr("value", 0.0))
    order = [p for axis in reversed(range(x.ndim)) for p in (pads[axis], pads[x.ndim + axis])]
    if mode == "constant":
        return F.pad(x, order, value=value)
    if any(order[4:]) or x.ndim != 4:
        raise UnsupportedError(f"Pad in mode {mode} of other than the last two axes")
    return F.pad(x, order[:4], mode={"reflect": "reflect", "edge": "replicate"}[mode])


@_register("Shape")
def _shape(call: Call) -> Tensor:
    x = call.need(0)
    return torch.tensor(list(x.shape)[call.attr("start", 0) : call.attr("end")], device=x.device)


@_register("Gather")
def _gather(call: Call) -> Tensor:
    x, index = call.need(0), call.need(1)
    axis = call.attr("axis", 0) % x.ndim
    index = torch.where(index < 0, index + x.shape[axis], index)
    return x.index_select(axis, index.reshape(-1)).reshape(x.shape[:axis] + index.shape + x.shape[axis + 1 :])


@_register("Slice")
def _slice(call: Call) -> Tensor:
    x = call.need(0)
    starts, ends = call.ints("starts", 1) or [], call.ints("ends", 2) or []
    axes = call.ints("axes", 3) or list(range(len(starts)))
    steps = call.ints("steps", 4) or [1] * len(starts)
    for axis, start, end, step in zip(axes, starts, ends, steps, strict=True):
        if step < 1:
            raise UnsupportedError("Slice with a negative step")
        size = x.shape[axis]
        begin, stop, _ = slice(start, end).indices(size)
        x = x.narrow(axis, begin, max(stop - begin, 0))
        if step > 1:
            x = x.index_select(axis, torch.arange(0, x.shape[axis], step, device=x.device))
    return x


@_register("Cast")
def _cast(call: Call) -> Tensor:
    kinds = {
        1: torch.float32,
        6: torch.int32,
        7: torch.int64,
        9: torch.bool,
        10: torch.float16,
        11: torch.float64,
    }
    kind = kinds.get(call.attr("to"))
    if kind is None:
        raise UnsupportedError(f"Cast to type {call.attr('to')}")
    return call.need(0).to(kind)


@_register("Resize")
def _resize(call: Call) -> Tensor:
    x = call.need(0)
    mode = _text(call.attr("mode", "nearest"))
    place = _text(call.attr("coordinate_transformation_mode", "half_pixel"))
    sizes, scales = call.get(3), call.get(2)
    if sizes is None and (scales is None or not scales.numel()):
        raise UnsupportedError("Resize without scales or sizes")
    factors = [] if scales is None else scales.tolist()
    size = (
        [int(v) for v in sizes[2:]]
        if sizes is not None
        else [int(n * f) for n, f in zip(x.shape[2:], factors[2:], strict=True)]
    )
    if (
        mode == "nearest"
        and place == "asymmetric"
        and _text(call.attr("nearest_mode", "round_prefer_floor")) == "floor"
    ):
        return F.interpolate(x, size=size, mode="nearest")
    if (
        mode == "linear"
        and x.ndim == 4
        and place in ("half_pixel", "pytorch_half_pixel", "align_corners")
        and not call.attr("antialias", 0)
    ):
        return F.interpolate(x, size=size, mode="bilinear", align_corners=place == "align_corners")
    raise UnsupportedError(f"Resize in mode {mode}, {place}")
