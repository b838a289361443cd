"""An ONNX graph as a differentiable torch module: node by node through `OPERATORS`."""

from __future__ import annotations

import onnx
import torch
from onnx import numpy_helper
from torch import Tensor, nn

from zoom_engine.common.errors import one_line
from zoom_engine.common.files.onnx_file import STANDARD_DOMAINS, opset_of
from zoom_engine.targets.onnx.ops import OPERATORS, Call, UnsupportedError


class OnnxGraph(nn.Module):
    """One output of a checked model whose external data is loaded, as a torch module."""

    def __init__(self, model: onnx.ModelProto, *, input_name: str, output_name: str) -> None:
        """Read the graph.

        Args:
            model: the model.
            input_name: where the path to run begins.
            output_name: where it ends.

        Raises:
            UnsupportedError: for an operator or a constant that has no counterpart here.
        """
        super().__init__()
        self.input_name, self.output_name = input_name, output_name
        self.opset = opset_of(model)
        self._constants: dict[str, str] = {}
        self._nodes: list[tuple[str, dict[str, object], list[str], str]] = []
        try:
            self._read(model.graph)
        except (TypeError, ValueError, LookupError, RuntimeError, OverflowError) as error:  # of ONNX and torch
            raise UnsupportedError(f"a constant or attribute in it ({one_line(error)})") from error
        self._last_use = {name: step for step, (_, _, inputs, _) in enumerate(self._nodes) for name in inputs}

    def _read(self, graph: onnx.GraphProto) -> None:
        if graph.sparse_initializer:
            raise UnsupportedError("sparse constants")
        wanted, nodes = {self.output_name}, []
        for node in reversed(graph.node):  # each stands behind what it needs
            if not wanted.isdisjoint(node.output):
                wanted.update(node.input)
                nodes.append(node)
        for tensor in graph.initializer:
            if tensor.name in wanted:
                self._keep(tensor.name, tensor)
        for node in reversed(nodes):
            if node.domain not in STANDARD_DOMAINS or (node.op_type not in OPERATORS and node.op_type != "Constant"):
                raise UnsupportedError(f"the operator {node.op_type}" + (f" of {node.domain}" if node.domain else ""))
            if not wanted.isdisjoint(filter(None, node.output[1:])):
                raise UnsupportedError(f"the second output of {node.op_type}")
            attributes = {a.name: onnx.helper.get_attribute_value(a) for a in node.attribute}
            if node.op_type == "Constant":
                self._constant(node.output[0], attributes)
            else:
                self._nodes.append((node.op_type, attributes, list(node.input), node.output[0]))

    def _keep(self, name: str, tensor: onnx.TensorProto) -> None:
        key = f"c{len(self._constants)}"
        array = numpy_helper.to_array(tensor)
        try:
            value = torch.from_numpy(array.copy())
        except TypeError as error:
            raise UnsupportedError(f"constants of type {array.dtype}") from error
        self.register_buffer(key, value)
        self._constants[name] = key

    def _constant(self, name: str, attributes: dict[str, object]) -> None:
        ((kind, value),) = attributes.items()
        if kind == "value" and isinstance(value, onnx.TensorProto):
            self._keep(name, value)
        elif kind in ("value_float", "value_floats", "value_int", "value_ints"):
            key = f"c{len(self._constants)}"
            self.register_buffer(key, torch.tensor(value))
            self._constants[name] = key
        else:
            raise UnsupportedError(f"Constant with {kind}")

    def forward(self, x: Tensor) -> Tensor:
        """Return the output for the model's input, as ONNX defines it."""
        values: dict[str, Tensor] = {name: self.get_buffer(key) for name, key in self._constants.items()}
        values[self.input_name] = x
        for step, (op, attributes, inputs, output) in enumerate(self._nodes):
            arguments = [values[name] if name else None for name in inputs]
            values[output] = OPERATORS[op](Call(op, attributes, arguments, self.opset))
            for name in inputs:
                if self._last_use.get(name) == step and name != self.output_name:
                    values.pop(name, None)
        return values[self.output_name]
