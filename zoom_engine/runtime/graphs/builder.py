"""An ONNX graph in the making: nodes, constants, and the checks that every finished model passes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import onnx
import torch
from onnx import TensorProto, helper, numpy_helper
from torch import Tensor

OPSET = 21
IR_VERSION = 10  # with opset 21 what ONNX Runtime 1.20 reads, the oldest that we claim
BF16_OPSET = 22  # the first in which convolutions take bfloat16
Shape = Sequence[int | str]

ELEMENT = {
    torch.float32: TensorProto.FLOAT,
    torch.float16: TensorProto.FLOAT16,
    torch.bfloat16: TensorProto.BFLOAT16,
    torch.int64: TensorProto.INT64,
}


class GraphBuilder:
    """Nodes and constants of one graph; every method returns the name of the value that it makes."""

    def __init__(self) -> None:
        """Begin with an empty graph."""
        self.nodes: list[onnx.NodeProto] = []
        self.constants: dict[str, TensorProto] = {}
        self._stored: dict[tuple[int, tuple[int, ...], bytes], str] = {}

    def constant(self, value: Tensor, name: str) -> str:
        """Add a constant called `name`, or return the name of an equal one that is there already."""
        kind, value = ELEMENT[value.dtype], value.detach().cpu().contiguous()
        array = (value.float() if value.is_floating_point() else value).numpy()  # NumPy has no bfloat16 of its own
        tensor = numpy_helper.from_array(array.astype(helper.tensor_dtype_to_np_dtype(kind)), name)
        name = self._stored.setdefault((kind, tuple(value.shape), tensor.raw_data), name)
        self.constants.setdefault(name, tensor)
        return name

    def node(self, op: str, inputs: Sequence[str], *names: str, **attributes: Any) -> str:
        """Add one node with the outputs `names`, itself called as the first."""
        self.nodes.append(helper.make_node(op, list(inputs), names, name=names[0], **attributes))
        return names[0]

    def model(
        self,
        name: str,
        inputs: Mapping[str, Shape],
        outputs: Mapping[str, Shape],
        *,
        metadata: Mapping[str, str],
        producer_version: str,
        opset: int = OPSET,
    ) -> onnx.ModelProto:
        """Return the finished model, of `opset` at least, with inferred shapes, checked in full.

        Its inputs and outputs are float32.
        """
        graph = helper.make_graph(
            self.nodes,
            name,
            [helper.make_tensor_value_info(key, TensorProto.FLOAT, list(shape)) for key, shape in inputs.items()],
            [helper.make_tensor_value_info(key, TensorProto.FLOAT, list(shape)) for key, shape in outputs.items()],
            list(self.constants.values()),
        )
        bf16 = any(tensor.data_type == TensorProto.BFLOAT16 for tensor in self.constants.values())
        model = helper.make_model(
            graph,
            opset_imports=[helper.make_opsetid("", max(opset, BF16_OPSET) if bf16 else opset)],
            ir_version=IR_VERSION,
            producer_name="zoom-engine",
            producer_version=producer_version,
        )
        helper.set_model_props(model, dict(metadata))
        model = onnx.shape_inference.infer_shapes(model, strict_mode=True, data_prop=True)
        onnx.checker.check_model(model, full_check=True)
        return model
