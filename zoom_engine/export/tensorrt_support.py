"""What TensorRT will make of a graph, from its published operator support; nothing of TensorRT is needed.

Source: the table "Supported ONNX Operators" of onnx-tensorrt (docs/operators.md), for the operators that our graphs and
common classifiers use; bfloat16 counts as supported where float16 is, as in TensorRT 10. Weights of convolutions must
be constants.
"""

from __future__ import annotations

import dataclasses
from collections import Counter

import onnx
from onnx import TensorProto

from zoom_engine.errors import ExportError

_FLOATS = frozenset({TensorProto.FLOAT, TensorProto.FLOAT16, TensorProto.BFLOAT16})
_NUMBERS = _FLOATS | {TensorProto.INT32, TensorProto.INT64}
_ANY = _NUMBERS | {TensorProto.BOOL}
_KINDS: dict[frozenset[int], str] = {
    _FLOATS: "Abs AveragePool BatchNormalization Ceil Clip Conv ConvTranspose Elu Erf Exp Floor Gemm GlobalAveragePool"
    " GlobalMaxPool HardSigmoid InstanceNormalization LeakyRelu Log LogSoftmax MatMul MaxPool Pow PRelu ReduceMax"
    " ReduceMean ReduceMin ReduceSum Relu Resize Round Selu Sigmoid Softmax Softplus Sqrt Tanh",
    _NUMBERS: "Add DepthToSpace Div Gather Max Mean Min Mul Neg Pad SpaceToDepth Sub Sum",
    _ANY: "Cast Concat Constant Expand Flatten Identity Reshape Shape Slice Split Squeeze Transpose Unsqueeze Where",
}
OPERATORS: dict[str, frozenset[int]] = {name: kinds for kinds, names in _KINDS.items() for name in names.split()}
CONVOLUTIONS = ("Conv", "ConvTranspose")


@dataclasses.dataclass(frozen=True)
class Support:
    """``operators``: how many nodes of each; ``faults``: one line for each thing that TensorRT does not take."""

    operators: dict[str, int]
    faults: tuple[str, ...]

    def check(self) -> None:
        """Raises ExportError with the first fault."""
        if self.faults:
            more = f" (and {len(self.faults) - 1} more)" if len(self.faults) > 1 else ""
            raise ExportError(f"TensorRT does not take this graph: {self.faults[0]}{more}")


def check_tensorrt_support(model: onnx.ModelProto) -> Support:
    """Look at every node of a model whose shapes (and so types) are inferred."""
    constants = {tensor.name for tensor in model.graph.initializer}
    constants |= {node.output[0] for node in model.graph.node if node.op_type == "Constant"}
    types = {tensor.name: tensor.data_type for tensor in model.graph.initializer}
    for value in (*model.graph.input, *model.graph.value_info, *model.graph.output):
        types[value.name] = value.type.tensor_type.elem_type
    faults: list[str] = []
    for node in model.graph.node:
        name = node.name or node.output[0]
        allowed = OPERATORS.get(node.op_type) if node.domain in ("", "ai.onnx") else None
        if allowed is None:
            faults.append(f"{name} is the operator {node.op_type}, which is not among those that it supports")
            continue
        if node.op_type in CONVOLUTIONS and node.input[1] not in constants:
            faults.append(f"{name} is a {node.op_type} whose weight is not a constant")
        for value_name in (*node.input[:1], *node.output):
            kind = types.get(value_name)
            if kind is not None and kind not in allowed:
                type_name = TensorProto.DataType.Name(kind)
                faults.append(f"{name} is a {node.op_type} of type {type_name}")
    return Support(dict(sorted(Counter(node.op_type for node in model.graph.node).items())), tuple(faults))
