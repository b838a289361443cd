"""Write a convolutional target as ONNX, with everything needed to read it back.

torch's own exporter needs onnxscript, which is no dependency. Classifiers of a few layer types are traced
(torch.fx) and written with `onnx.helper`; another layer is an error that names it.
"""

from __future__ import annotations

import json
import operator
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import onnx
import torch
from onnx import TensorProto, helper, numpy_helper
from torch import Tensor, fx, nn
from torch.nn import functional as F

from zoom_engine.errors import TargetError, one_line
from zoom_engine.files.atomic import write_bytes
from zoom_engine.targets.onnx.load import METADATA_KEY
from zoom_engine.targets.target import Target

OPSET = 17
IR_VERSION = 8


class _Shapes(fx.Interpreter):
    """Runs the traced network once and remembers the shape of every value."""

    def __init__(self, module: fx.GraphModule) -> None:
        super().__init__(module)
        self.shapes: dict[str, tuple[int, ...]] = {}

    def run_node(self, n: fx.Node) -> Any:
        value = super().run_node(n)
        if isinstance(value, Tensor):
            self.shapes[n.name] = tuple(value.shape)
        return value


class _Writer:
    """The ONNX nodes and constants of one traced network."""

    def __init__(self, traced: fx.GraphModule, shapes: dict[str, tuple[int, ...]]) -> None:
        self.traced, self.shapes = traced, shapes
        self.nodes: list[onnx.NodeProto] = []
        self.constants: list[TensorProto] = []
        self.names: dict[fx.Node, str] = {}

    def constant(self, name: str, value: Tensor) -> str:
        self.constants.append(numpy_helper.from_array(value.detach().cpu().contiguous().numpy(), name))
        return name

    def emit(self, node: fx.Node, op: str, extra: Sequence[str] = (), **attributes: Any) -> None:
        inputs = [self.names[argument] for argument in node.all_input_nodes]
        self.nodes.append(helper.make_node(op, [*inputs, *extra], [node.name], name=node.name, **attributes))
        self.names[node] = node.name

    def module(self, node: fx.Node) -> None:
        layer = self.traced.get_submodule(str(node.target))
        if isinstance(layer, nn.Identity | nn.Dropout):
            self.names[node] = self.names[node.all_input_nodes[0]]
            return
        write = LAYERS.get(type(layer))
        if write is None:
            raise TargetError(
                f"cannot write {type(layer).__name__} as ONNX: this writer has {', '.join(t.__name__ for t in LAYERS)}"
            )
        write(self, node, layer)

    def parameters(self, node: fx.Node, layer: nn.Module, *names: str) -> list[str]:
        values = [(name, getattr(layer, name)) for name in names]
        return [self.constant(f"{node.target}.{name}", value) for name, value in values if value is not None]


def _pair(value: int | tuple[int, ...]) -> list[int]:
    return [value, value] if isinstance(value, int) else [int(v) for v in value]


def _conv(writer: _Writer, node: fx.Node, layer: Any) -> None:
    if layer.padding_mode != "zeros" or isinstance(layer.padding, str):
        raise TargetError("cannot write a convolution as ONNX whose padding is other than a number of zeros")
    writer.emit(
        node,
        "Conv",
        writer.parameters(node, layer, "weight", "bias"),
        strides=_pair(layer.stride),
        pads=_pair(layer.padding) * 2,
        dilations=_pair(layer.dilation),
        group=layer.groups,
    )


def _batch_norm(writer: _Writer, node: fx.Node, layer: Any) -> None:
    if not layer.affine or not layer.track_running_stats:
        raise TargetError("cannot write a batch normalisation as ONNX that lacks weights or running statistics")
    parameters = writer.parameters(node, layer, "weight", "bias", "running_mean", "running_var")
    writer.emit(node, "BatchNormalization", parameters, epsilon=layer.eps)


def _linear(writer: _Writer, node: fx.Node, layer: Any) -> None:
    writer.emit(node, "Gemm", writer.parameters(node, layer, "weight", "bias"), transB=1)


def _pool(op: str) -> Callable[[_Writer, fx.Node, Any], None]:
    def write(writer: _Writer, node: fx.Node, layer: Any) -> None:
        if layer.ceil_mode:
            raise TargetError("cannot write a pooling layer with ceil_mode as ONNX")
        extra: dict[str, Any] = (
            {"dilations": _pair(layer.dilation)}
            if op == "MaxPool"
            else {"count_include_pad": int(layer.count_include_pad)}
        )
        kernel, stride = _pair(layer.kernel_size), _pair(layer.stride)
        writer.emit(node, op, kernel_shape=kernel, strides=stride, pads=_pair(layer.padding) * 2, **extra)

    return write


def _adaptive(writer: _Writer, node: fx.Node, layer: Any) -> None:
    size = writer.shapes[node.all_input_nodes[0].name][-2:]
    goal = layer.output_size
    wanted = [goal, goal] if isinstance(goal, int) else [n if w is None else w for n, w in zip(size, goal, strict=True)]
    if any(n % w for n, w in zip(size, wanted, strict=True)):
        raise TargetError(
            f"cannot write an adaptive pooling from {size} to {tuple(wanted)} as ONNX: the sizes do not divide"
        )
    kernel = [n // w for n, w in zip(size, wanted, strict=True)]
    writer.emit(node, "AveragePool", kernel_shape=kernel, strides=kernel)


def _flatten(writer: _Writer, node: fx.Node, layer: Any) -> None:
    if (layer.start_dim, layer.end_dim) != (1, -1):
        raise TargetError("cannot write a flatten as ONNX that does not keep exactly the batch axis")
    writer.emit(node, "Flatten", axis=1)


def _leaky(writer: _Writer, node: fx.Node, layer: Any) -> None:
    writer.emit(node, "LeakyRelu", alpha=layer.negative_slope)


def _plain(op: str) -> Callable[[_Writer, fx.Node, Any], None]:
    return lambda writer, node, layer: writer.emit(node, op)


LAYERS: dict[type[nn.Module], Callable[[_Writer, fx.Node, Any], None]] = {
    nn.Conv2d: _conv,
    nn.BatchNorm2d: _batch_norm,
    nn.Linear: _linear,
    nn.ReLU: _plain("Relu"),
    nn.LeakyReLU: _leaky,
    nn.Sigmoid: _plain("Sigmoid"),
    nn.Tanh: _plain("Tanh"),
    nn.MaxPool2d: _pool("MaxPool"),
    nn.AvgPool2d: _pool("AveragePool"),
    nn.AdaptiveAvgPool2d: _adaptive,
    nn.Flatten: _flatten,
}
FUNCTIONS: dict[Any, str] = {
    operator.add: "Add",
    torch.add: "Add",
    operator.mul: "Mul",
    torch.relu: "Relu",
    F.relu: "Relu",
}


def save_onnx(target: Target, path: Path | str, *, resolution: int | None = None) -> None:
    """Write the target's network as ONNX (opset 17, open batch axis), with name, task, classes, labels and
    preprocessing in its metadata.

    The file is written whole or not at all. `load_target(path)` reads back a target of the same name and
    outputs.

    Args:
        target: a target whose network `torch.fx` can trace and whose layers are among `LAYERS`.
        path: where to.
        resolution: side of the network's input where the preprocessing does not fix it.
    Raises:
        TargetError: for a layer that cannot be written.
    """
    write_bytes(path, target_model(target, resolution=resolution).SerializeToString())


def target_model(target: Target, *, resolution: int | None = None) -> onnx.ModelProto:
    """What `save_onnx` writes: the target's network as a checked model, without its preprocessing."""
    hw = target.preprocessing.hw or ((resolution, resolution) if resolution else None)
    if hw is None:
        raise TargetError(f"target {target.name!r}: its input size is not known, so give save_onnx the resolution")
    shape = (1, *hw, 3) if target.preprocessing.layout == "NHWC" else (1, 3, *hw)
    try:
        traced = fx.symbolic_trace(nn.Sequential(target.network))
        run = _Shapes(traced)
        with torch.no_grad():
            run.run(torch.zeros(shape))
    except Exception as error:  # tracing runs the network's own code
        raise TargetError(f"target {target.name!r} cannot be traced for ONNX ({one_line(error)})") from error
    writer = _Writer(traced, run.shapes)
    result = _write(writer)
    dims: list[str | int | None] = ["batch", *shape[1:]]
    graph = helper.make_graph(
        writer.nodes,
        "target",
        [helper.make_tensor_value_info("images", TensorProto.FLOAT, dims)],
        [helper.make_tensor_value_info(result, TensorProto.FLOAT, ["batch", *run.shapes[_last(traced).name][1:]])],
        writer.constants,
    )
    model = helper.make_model(
        graph,
        opset_imports=[helper.make_opsetid("", OPSET)],
        ir_version=IR_VERSION,
        producer_name="zoom-engine",
    )
    described = {
        key: value for key, value in target.describe().items() if key in ("name", "task", "labels", "preprocessing")
    }
    described["classes"] = list(target.classes)
    helper.set_model_props(model, {METADATA_KEY: json.dumps(described)})
    onnx.checker.check_model(model, full_check=True)
    return model


def _last(traced: fx.GraphModule) -> fx.Node:
    output = next(node for node in traced.graph.nodes if node.op == "output")
    if not isinstance(output.args[0], fx.Node):
        raise TargetError("cannot write a network as ONNX that returns more than one tensor")
    return output.args[0]


def _write(writer: _Writer) -> str:
    """Emit every node; the name of the result."""
    for node in writer.traced.graph.nodes:
        if node.op == "placeholder":
            writer.names[node] = "images"
        elif node.op == "call_module":
            writer.module(node)
        elif node.op == "call_function" and node.target in FUNCTIONS and all(isinstance(a, fx.Node) for a in node.args):
            writer.emit(node, FUNCTIONS[node.target])
        elif node.op == "call_function" and node.target is torch.flatten and node.args[1:] == (1,):
            writer.emit(node, "Flatten", axis=1)
        elif node.op != "output":
            raise TargetError(
                f"cannot write {node.target} as ONNX: use layers ({', '.join(t.__name__ for t in LAYERS)})"
            )
    return writer.names[_last(writer.traced)]
