"""TensorRT's support of a graph, from its published operator support; nothing of TensorRT is needed.

Source: the table "Supported ONNX Operators" of onnx-tensorrt (docs/operators.md) for TensorRT 10.15, without the
operators that no image classifier has (sequences, recurrent layers, quantisation). Weights of convolutions must be
constants: dynamic ones it takes in some cases only.
"""

from __future__ import annotations

import dataclasses
from collections import Counter
from collections.abc import Iterator

import onnx
from onnx import TensorProto, helper

from zoom_engine.common.errors import ExportError
from zoom_engine.common.files.onnx_file import STANDARD_DOMAINS, opset_of

OPSETS = range(9, 25)
_FLOATS = frozenset({TensorProto.FLOAT, TensorProto.FLOAT16, TensorProto.BFLOAT16})
_NUMBERS = _FLOATS | {TensorProto.INT32, TensorProto.INT64}
_BOOLEAN = frozenset({TensorProto.BOOL})
_KINDS: dict[frozenset[int], str] = {
    _FLOATS: "AveragePool BatchNormalization Ceil Celu Clip Conv ConvTranspose Cos CumSum Dropout Einsum Elu Erf Exp"
    " Floor Gemm GlobalAveragePool GlobalLpPool GlobalMaxPool GroupNormalization HardSigmoid HardSwish"
    " InstanceNormalization LayerNormalization LeakyRelu Log LogSoftmax LpNormalization LpPool LRN MatMul MaxPool PRelu"
    " Reciprocal Resize Round Selu Sigmoid Sin Softmax Softplus Softsign Sqrt Tan Tanh ThresholdedRelu Upsample",
    _NUMBERS: "Abs Add ArgMax ArgMin DepthToSpace Div Equal Gelu Greater GreaterOrEqual Less LessOrEqual Max Mean Min"
    " Mod Mul Neg Pad Pow Range ReduceL1 ReduceL2 ReduceLogSum ReduceLogSumExp ReduceMax ReduceMean ReduceMin"
    " ReduceProd ReduceSum ReduceSumSquare Relu ScatterElements ScatterND Sign SpaceToDepth Sub Sum TopK",
    _NUMBERS | _BOOLEAN: "Cast CastLike Concat Constant ConstantOfShape Expand Flatten Gather GatherElements GatherND"
    " Identity OneHot Reshape Shape Size Slice Split Squeeze Tile Transpose Trilu Unsqueeze Where",
    _BOOLEAN: "And Not Or Xor",
}
OPERATORS: dict[str, frozenset[int]] = {name: kinds for kinds, names in _KINDS.items() for name in names.split()}
_COMPARISONS = ("Equal", "Greater", "GreaterOrEqual", "Less", "LessOrEqual")  # whose outputs are booleans
_POOLS = ("AveragePool", "LpPool", "MaxPool")
CONVOLUTIONS = ("Conv", "ConvTranspose")


@dataclasses.dataclass(frozen=True)
class Support:
    """TensorRT's support of a graph.

    Attributes:
        operators: how many nodes there are of each.
        faults: one line for each thing that TensorRT does not take.
    """

    operators: dict[str, int]
    faults: tuple[str, ...]

    def check(self) -> None:
        """Refuse a graph with a fault.

        Raises:
            ExportError: names the first fault.
        """
        if self.faults:
            more = f" (and {len(self.faults) - 1} more)" if len(self.faults) > 1 else ""
            raise ExportError(f"TensorRT does not take this graph: {self.faults[0]}{more}")


def check_tensorrt_support(model: onnx.ModelProto) -> Support:
    """Check every node of a model whose shapes (and so types) are inferred."""
    constants = {tensor.name for tensor in model.graph.initializer}
    constants |= {node.output[0] for node in model.graph.node if node.op_type == "Constant"}
    types = {tensor.name: tensor.data_type for tensor in model.graph.initializer}
    for value in (*model.graph.input, *model.graph.value_info, *model.graph.output):
        types[value.name] = value.type.tensor_type.elem_type
    opset = opset_of(model)
    faults: list[str] = []
    if opset not in OPSETS:
        faults.append(f"the graph is of opset {opset}, it reads {OPSETS[0]} to {OPSETS[-1]}")
    for node in model.graph.node:
        name = node.name or node.output[0]
        allowed = OPERATORS.get(node.op_type) if node.domain in STANDARD_DOMAINS else None
        if allowed is None:
            faults.append(f"{name} is the operator {node.op_type}, which is not among those that it supports")
            continue
        faults += [f"{name} is a {node.op_type} {fault}" for fault in _restrictions(node, constants)]
        outputs = () if node.op_type in _COMPARISONS else node.output
        for value_name in (*node.input[:1], *outputs):
            kind = types.get(value_name)
            if kind is not None and kind not in allowed:
                type_name = TensorProto.DataType.Name(kind)
                faults.append(f"{name} is a {node.op_type} of type {type_name}")
    return Support(dict(sorted(Counter(node.op_type for node in model.graph.node).items())), tuple(faults))


def _restrictions(node: onnx.NodeProto, constants: set[str]) -> Iterator[str]:
    """Yield what the table restricts beside the types."""
    attributes = {attribute.name: helper.get_attribute_value(attribute) for attribute in node.attribute}
    if node.op_type in CONVOLUTIONS and node.input[1] not in constants:
        yield "whose weight is not a constant"
    if node.op_type.startswith("Reduce") and len(node.input) > 1 and node.input[1] and node.input[1] not in constants:
        yield "whose axes are not a constant"
    if node.op_type in _POOLS and any(step != 1 for step in attributes.get("dilations", ())):
        yield "with dilations"
    if node.op_type == "MaxPool" and len(node.output) > 1:
        yield "that returns indices"
    if node.op_type == "Resize" and (attributes.get("antialias", 0) or attributes.get("mode") == b"cubic"):
        yield "that is antialiased or cubic"
