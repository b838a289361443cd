"""Writes an ONNX graph node by node: names, constants, and the checks that every finished model passes."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper
from torch import Tensor

OPSET = 21
IR_VERSION = 10  # with opset 21 what ONNX Runtime 1.20 reads, the oldest that we claim
BF16_OPSET = 22  # the first in which convolutions take bfloat16
Shape = Sequence[int | str]

ELEMENT = {"fp32": TensorProto.FLOAT, "fp16": TensorProto.FLOAT16, "bf16": TensorProto.BFLOAT16}


class GraphBuilder:
    """Nodes and constants of one graph; every method returns the name of the value that it makes."""

    def __init__(self) -> None:
        self.nodes: list[onnx.NodeProto] = []
        self.constants: dict[str, TensorProto] = {}

    @property
    def uses_bf16(self) -> bool:
        return any(tensor.data_type == TensorProto.BFLOAT16 for tensor in self.constants.values())

    def constant(self, name: str, value: Tensor | NDArray[Any] | Sequence[int], *, precision: str = "fp32") -> str:
        """A constant; floats are stored in ``precision``, whole numbers as int64. One name, one value."""
        array = np.asarray(value.detach().cpu().contiguous().numpy() if isinstance(value, Tensor) else value)
        if array.dtype.kind == "i":
            tensor = numpy_helper.from_array(array.astype(np.int64), name)
        else:
            tensor = numpy_helper.from_array(array.astype(helper.tensor_dtype_to_np_dtype(ELEMENT[precision])), name)
        self.constants[name] = tensor
        return name

    def node(self, op: str, inputs: Sequence[str], name: str, **attributes: Any) -> str:
        """One node with one output, both called ``name``."""
        self.nodes.append(helper.make_node(op, list(inputs), [name], name=name, **attributes))
        return name

    @contextlib.contextmanager
    def marked(self, key: str, *, where: bool = True) -> Iterator[None]:
        """The nodes that are made inside have ``key`` among their metadata, if ``where``."""
        first = len(self.nodes)
        yield
        for node in self.nodes[first:] if where else ():
            if all(entry.key != key for entry in node.metadata_props):
                node.metadata_props.add(key=key, value="true")

    def cast(self, value: str, precision: str, name: str) -> str:
        return self.node("Cast", [value], name, to=ELEMENT[precision])

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
        """The finished model (float32 inputs and outputs), of ``opset`` at least, shapes inferred, checked in full."""
        graph = helper.make_graph(
            self.nodes,
            name,
            [helper.make_tensor_value_info(key, TensorProto.FLOAT, list(shape)) for key, shape in inputs.items()],
            [helper.make_tensor_value_info(key, TensorProto.FLOAT, list(shape)) for key, shape in outputs.items()],
            list(self.constants.values()),
        )
        model = helper.make_model(
            graph,
            opset_imports=[helper.make_opsetid("", max(opset, BF16_OPSET) if self.uses_bf16 else opset)],
            ir_version=IR_VERSION,
            producer_name="zoom-engine",
            producer_version=producer_version,
        )
        helper.set_model_props(model, dict(metadata))
        model = onnx.shape_inference.infer_shapes(model, strict_mode=True, data_prop=True)
        onnx.checker.check_model(model, full_check=True)
        return model
