"""The reading of TensorFlow.js graph models, a `model.json` and its shards of weights, as ONNX.

Nothing of the file is run: the operators are those of the tables below, and each number is counted before it is read.
Values keep TensorFlow's layout (batch, height, width, channels); convolutions and pooling are turned for ONNX and back,
which runtimes take out again.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import helper, numpy_helper

from zoom_engine.common.errors import TargetError, one_line, system_errors
from zoom_engine.common.files.foreign_models import TFJS
from zoom_engine.common.files.json_file import read_json
from zoom_engine.common.json_object import JsonObject, shown
from zoom_engine.targets.onnx.tfjs_file import Attributes, read_weights, signature_of

OPSET = 17
MOST_NODES = 30_000
TO_ONNX, TO_TENSORFLOW = [0, 3, 1, 2], [0, 2, 3, 1]

SAME_NAME = {"Relu", "Sigmoid", "Tanh", "Abs", "Exp", "Neg", "Sqrt", "Identity", "Elu", "Softplus", "Reciprocal"}
BINARY = {
    "Add": "Add",
    "AddV2": "Add",
    "BiasAdd": "Add",
    "Sub": "Sub",
    "Mul": "Mul",
    "RealDiv": "Div",
    "Maximum": "Max",
    "Minimum": "Min",
    "Prelu": "PRelu",
    "Pow": "Pow",
}
REDUCED = {"Mean": "ReduceMean", "Max": "ReduceMax", "Sum": "ReduceSum"}
POOLED = {"MaxPool": "MaxPool", "AvgPool": "AveragePool"}
CONVOLVED = ("Conv2D", "_FusedConv2D", "DepthwiseConv2dNative", "FusedDepthwiseConv2dNative")


def read_tfjs(path: Path) -> onnx.ModelProto:
    """Return the graph model at `path`, with its outputs named as the file's signature names them.

    Args:
        path: of the `model.json`, beside which its shards lie; or of the folder of both.

    Raises:
        TargetError: one line: it cannot be read, is another kind of model, is damaged, or has an operator (or an option
            of one) that is not known here.
    """
    with system_errors(TargetError, f"{path} cannot be read"):
        path = path / TFJS if path.is_dir() else path
        try:
            model = JsonObject(read_json(path))
            if model.get("format", str) == "layers-model":
                raise ValueError("it is a Keras model: convert it with --output_format=tfjs_graph_model")
            nodes = model.object("modelTopology").need("node", list)
            if len(nodes) > MOST_NODES:
                raise ValueError(f"it has more than {MOST_NODES:,} nodes")
            weights = read_weights(path, model.need("weightsManifest", list))
            graph = _Graph([JsonObject(node, f"node {index}") for index, node in enumerate(nodes)], weights)
            return graph.model(signature_of(model))
        except (ValueError, TypeError, IndexError, OverflowError, RecursionError) as error:  # the last of damaged nodes
            raise TargetError(f"{path} is no TensorFlow.js graph model that can be read: {one_line(error)}") from error


class _Graph:
    """An ONNX graph in the making, from nodes that are met in the order in which they can be computed."""

    def __init__(self, nodes: Sequence[JsonObject], weights: Mapping[str, NDArray[Any]]) -> None:
        self._weights = weights
        self._nodes = {node.need("name", str): node for node in nodes}
        if len(self._nodes) != len(nodes):
            raise ValueError("two of its nodes have the same name")
        self._constants: dict[str, NDArray[Any]] = {}
        self._made: list[onnx.NodeProto] = []
        self._initializers: dict[str, onnx.TensorProto] = {}
        self._inputs: list[onnx.ValueInfoProto] = []

    def model(self, signature: Mapping[str, str]) -> onnx.ModelProto:
        """Make the whole of what the outputs need; without a signature they are what nothing else uses."""
        used = {source for node in self._nodes.values() for source in self._sources(node)}
        outputs = dict(signature) or {name: name for name in self._nodes if name not in used}
        for name in self._in_order(outputs.values()):
            self._make(name, self._nodes[name])
        for key, name in outputs.items():
            if key != name:
                self._emit("Identity", [self._value(name)], key)
        ends = [helper.make_tensor_value_info(key, onnx.TensorProto.FLOAT, None) for key in outputs]
        graph = helper.make_graph(self._made, "tfjs", self._inputs, ends, [*self._initializers.values()])
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", OPSET)], ir_version=8)
        try:
            return onnx.shape_inference.infer_shapes(model, strict_mode=True, data_prop=True)
        except Exception as error:  # of many kinds
            raise ValueError(f"its shapes do not fit ({one_line(error)})") from error

    def _in_order(self, ends: Iterable[str]) -> Iterator[str]:
        """Yield the nodes that the ends need, each after its own sources.

        Raises:
            ValueError: a node is not there, or waits for itself.
        """
        done: set[str] = set()
        begun: set[str] = set()
        waiting = list(ends)
        while waiting:
            name = waiting[-1]
            if name in done:
                waiting.pop()
                continue
            if name not in self._nodes:
                raise ValueError(f"there is no node {shown(name)}")
            left = [source for source in self._sources(self._nodes[name]) if source not in done]
            if left and name in begun:
                raise ValueError(f"node {shown(name)} waits for itself")
            begun.add(name)
            if left:
                waiting += left
            else:
                done.add(name)
                yield waiting.pop()

    @staticmethod
    def _sources(node: JsonObject) -> list[str]:
        """Return the names of the nodes whose first output this one takes."""
        given = [name for name in node.get("input", tuple[str, ...]) or () if not name.startswith("^")]
        if second := next((name for name in given if ":" in name and not name.endswith(":0")), None):
            raise ValueError(f"{shown(second)} is not the first output of its node, and no other is known here")
        return [name.removesuffix(":0") for name in given]

    def _make(self, name: str, node: JsonObject) -> None:
        """Make one node of the file."""
        op, sources, about = node.need("op", str), self._sources(node), Attributes(node)
        if op == "Const":
            if name not in self._weights:
                raise ValueError(f"the constant {shown(name)} is not among its weights")
            self._constants[name] = self._weights[name]
        elif op == "Placeholder":
            self._inputs.append(about.placeholder(name))
        elif op in CONVOLVED:
            self._convolution(name, op, sources, about)
        elif op in ("MatMul", "_FusedMatMul"):
            sides = [
                self._emit("Transpose", [self._value(source)], perm=[1, 0]) if turned else self._value(source)
                for source, turned in zip(sources[:2], about.flags("transpose_a", "transpose_b"), strict=True)
            ]
            self._finish(name, self._emit("MatMul", sides), sources[2:], about)
        elif op in SAME_NAME:
            self._emit(op, [self._value(sources[0])], name)
        elif op in BINARY:
            self._emit(BINARY[op], [self._value(source) for source in sources[:2]], name)
        elif op in POOLED:
            self._pooling(name, op, sources[0], about)
        elif op in REDUCED:
            self._reduced(name, op, sources, about)
        elif op in OTHERS:
            OTHERS[op](self, name, sources, about)
        else:
            raise ValueError(f"the operator {shown(op)} is not known here")

    def _value(self, name: str) -> str:
        """Return the ONNX value of a node; constants become initializers when they are first used as values."""
        if name in self._constants and name not in self._initializers:
            self._initializers[name] = numpy_helper.from_array(np.ascontiguousarray(self._constants[name]), name)
        return name

    def _whole(self, name: str) -> list[int]:
        """Return the whole numbers of a constant, such as axes."""
        if name not in self._constants:
            raise ValueError(f"{shown(name)} is no constant, as shapes and axes have to be here")
        return [int(value) for value in self._constants[name].reshape(-1)]

    def _constant(self, values: Any, kind: type[np.generic] = np.int64) -> str:
        name = f"zoom/constant/{len(self._initializers)}"
        self._initializers[name] = numpy_helper.from_array(np.asarray(values, kind), name)
        return name

    def _emit(self, op: str, inputs: Sequence[str], output: str | None = None, **attributes: Any) -> str:
        output = output or f"zoom/{len(self._made)}"
        self._made.append(helper.make_node(op, list(inputs), [output], **attributes))
        return output

    def _weight_of(self, name: str, axes: int) -> NDArray[Any]:
        if name not in self._constants or self._constants[name].ndim != axes:
            raise ValueError(f"{shown(name)} is no constant of {axes} axes, as weights have to be here")
        return self._constants[name]

    def _convolution(self, name: str, op: str, sources: Sequence[str], about: Attributes) -> None:
        weight = self._weight_of(sources[1], 4)
        depthwise, (height, width, channels, filters) = "epthwise" in op, weight.shape
        if depthwise:
            turned = weight.transpose(2, 3, 0, 1).reshape(channels * filters, 1, height, width)
        else:
            turned = weight.transpose(3, 2, 0, 1)
        x = self._emit("Transpose", [self._value(sources[0])], perm=TO_ONNX)
        x = self._emit(
            "Conv",
            [x, self._constant(turned, np.float32)],
            strides=about.spatial("strides"),
            dilations=about.spatial("dilations"),
            group=channels if depthwise else 1,
            kernel_shape=[height, width],
            **about.padding(),
        )
        self._finish(name, self._emit("Transpose", [x], perm=TO_TENSORFLOW), sources[2:], about)

    def _finish(self, name: str, x: str, rest: Sequence[str], about: Attributes) -> None:
        """Do what is fused behind a convolution or a product, and give the result its name."""
        left = list(rest)
        for fused in about.texts("fused_ops"):
            if fused in ("BiasAdd", "Prelu"):
                if not left:
                    raise ValueError(f"{shown(name)} has no input for its {fused}")
                x = self._emit(BINARY[fused], [x, self._value(left.pop(0))])
            elif fused == "Relu6":
                x = self._clipped(x)
            elif fused in SAME_NAME:
                x = self._emit(fused, [x])
            else:
                raise ValueError(f"the operator {shown(fused)} behind {shown(name)} is not known here")
        self._emit("Identity", [x], name)

    def _clipped(self, x: str, output: str | None = None) -> str:
        return self._emit("Clip", [x, self._constant(0, np.float32), self._constant(6, np.float32)], output)

    def _pooling(self, name: str, op: str, source: str, about: Attributes) -> None:
        x = self._emit("Transpose", [self._value(source)], perm=TO_ONNX)
        strides, kernel = about.spatial("strides"), about.spatial("ksize")
        x = self._emit(POOLED[op], [x], strides=strides, kernel_shape=kernel, **about.padding())
        self._emit("Transpose", [x], name, perm=TO_TENSORFLOW)

    def _reduced(self, name: str, op: str, sources: Sequence[str], about: Attributes) -> None:
        axes, keep = self._whole(sources[1]), int(about.flags("keep_dims")[0])
        if REDUCED[op] == "ReduceSum":  # its axes are an input since opset 13
            self._emit("ReduceSum", [self._value(sources[0]), self._constant(axes)], name, keepdims=keep)
        else:
            self._emit(REDUCED[op], [self._value(sources[0])], name, axes=axes, keepdims=keep)

    def _reshape(self, name: str, sources: Sequence[str], about: Attributes) -> None:
        self._emit("Reshape", [self._value(sources[0]), self._constant(self._whole(sources[1]))], name)

    def _squeeze(self, name: str, sources: Sequence[str], about: Attributes) -> None:
        axes = about.wholes("squeeze_dims") or about.wholes("axis")
        if not axes:
            raise ValueError(f"{shown(name)} says no axes")
        self._emit("Squeeze", [self._value(sources[0]), self._constant(axes)], name)

    def _expand(self, name: str, sources: Sequence[str], about: Attributes) -> None:
        self._emit("Unsqueeze", [self._value(sources[0]), self._constant(self._whole(sources[1]))], name)

    def _concatenation(self, name: str, sources: Sequence[str], about: Attributes) -> None:
        (axis,) = self._whole(sources[-1])
        self._emit("Concat", [self._value(source) for source in sources[:-1]], name, axis=axis)

    def _padded(self, name: str, sources: Sequence[str], about: Attributes) -> None:
        ends = np.array(self._whole(sources[1])).reshape(-1, 2)
        self._emit("Pad", [self._value(sources[0]), self._constant(ends.T.reshape(-1))], name)

    def _sliced(self, name: str, sources: Sequence[str], about: Attributes) -> None:
        if any(about.whole(mask) for mask in ("ellipsis_mask", "new_axis_mask")):
            raise ValueError(f"{shown(name)} has a mask that is not known here")
        starts, ends, steps = (self._whole(source) for source in sources[1:4])
        begin, end, shrunk = (about.whole(f"{mask}_mask") for mask in ("begin", "end", "shrink_axis"))
        if min(steps, default=1) < 1 or len({len(starts), len(ends), len(steps)}) != 1:
            raise ValueError(f"{shown(name)} steps backwards, or has not as many starts as ends")
        axes = list(range(len(starts)))
        for axis in axes:
            if begin >> axis & 1:
                starts[axis] = 0
            if end >> axis & 1:
                ends[axis] = 2**31 - 1
            if shrunk >> axis & 1:
                ends[axis] = starts[axis] + 1 if starts[axis] != -1 else 2**31 - 1
        given = [self._value(sources[0]), *map(self._constant, (starts, ends, axes, steps))]
        gone = [axis for axis in axes if shrunk >> axis & 1]
        x = self._emit("Slice", given, None if gone else name)
        if gone:
            self._emit("Squeeze", [x, self._constant(gone)], name)

    def _softmax(self, name: str, sources: Sequence[str], about: Attributes) -> None:
        self._emit("Softmax", [self._value(sources[0])], name, axis=-1)

    def _square(self, name: str, sources: Sequence[str], about: Attributes) -> None:
        self._emit("Mul", [self._value(sources[0])] * 2, name)

    def _rsqrt(self, name: str, sources: Sequence[str], about: Attributes) -> None:
        self._emit("Reciprocal", [self._emit("Sqrt", [self._value(sources[0])])], name)

    def _relu6(self, name: str, sources: Sequence[str], about: Attributes) -> None:
        self._clipped(self._value(sources[0]), name)

    def _sum_of_all(self, name: str, sources: Sequence[str], about: Attributes) -> None:
        x = self._value(sources[0])
        for source in sources[1:]:
            x = self._emit("Add", [x, self._value(source)])
        self._emit("Identity", [x], name)


OTHERS: dict[str, Callable[[_Graph, str, Sequence[str], Attributes], None]] = {
    "Reshape": _Graph._reshape,
    "Squeeze": _Graph._squeeze,
    "ExpandDims": _Graph._expand,
    "ConcatV2": _Graph._concatenation,
    "Pad": _Graph._padded,
    "StridedSlice": _Graph._sliced,
    "Softmax": _Graph._softmax,
    "Square": _Graph._square,
    "Rsqrt": _Graph._rsqrt,
    "Relu6": _Graph._relu6,
    "AddN": _Graph._sum_of_all,
}
