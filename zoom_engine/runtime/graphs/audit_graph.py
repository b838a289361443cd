"""The audit graph: from styles and edit weights to the target's outputs, so that pictures never leave the runtime."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import cast

import onnx
from onnx import TensorProto, compose, helper, inliner, version_converter
from torch import Tensor

from zoom_engine.common.errors import ExportError, one_line
from zoom_engine.common.files.onnx_file import STANDARD_DOMAINS, open_inputs, opset_of
from zoom_engine.common.plurals import number_of
from zoom_engine.common.version import VERSION
from zoom_engine.generators import StyleGAN2
from zoom_engine.generators.generator import shown
from zoom_engine.runtime.graphs.builder import OPSET, Shape
from zoom_engine.runtime.graphs.metadata import synthesis_metadata
from zoom_engine.runtime.graphs.recorder import Recorder, Symbol
from zoom_engine.runtime.graphs.synthesis_graph import add_synthesis
from zoom_engine.targets import Preprocessing


def audit_model(
    generator: StyleGAN2,
    network: onnx.ModelProto,
    preprocessing: Preprocessing,
    *,
    output_shape: Sequence[int],
    directions: Tensor | None = None,
    images: bool = False,
    max_resolution: int | None = None,
    precision: str = "fp32",
    metadata: Mapping[str, str] | None = None,
) -> onnx.ModelProto:
    """Make the ONNX model `outputs = network(preprocessing(clamp(G(styles + edit_weights @ edit_directions), -1, 1)))`.

    Inputs are those of `zoom_engine.runtime.graphs.synthesis_model`; `outputs [batch, *output_shape]` is what the
    target's network returns.

    Args:
        generator: G.
        network: the target's ONNX model, with one input and one output whose first axis is an open batch; it keeps its
            own precision.
        preprocessing: the target's.
        output_shape: that of the target's outputs, without the batch.
        directions: `[N, S]`, become a constant of the graph; otherwise they are an input.
        images: add the clamped pictures as an output.
        max_resolution: stop after the block of that resolution.
        precision: "fp32", "fp16" or "bf16", of the synthesis.
        metadata: texts that the file has in its `metadata_props`.

    Raises:
        ExportError: the target's network cannot be joined.
    """
    recorder = Recorder()
    drawn, inputs = add_synthesis(
        recorder, generator, directions=directions, max_resolution=max_resolution, precision=precision
    )
    pictures = shown(drawn)
    recorder.rename(pictures, "images")
    size = pictures.shape[2]
    opset = _add_network(recorder, network, preprocessing(pictures))
    outputs: dict[str, Shape] = {"outputs": ["batch", *output_shape]}
    if images:
        outputs["images"] = ["batch", 3, size, size]
    return recorder.model(
        "audit",
        inputs,
        outputs,
        metadata={**synthesis_metadata(generator, size, precision), **(metadata or {})},
        producer_version=VERSION,
        opset=opset,
    )


def _add_network(recorder: Recorder, model: onnx.ModelProto, pictures: Tensor) -> int:
    """Add the nodes of `model`, from a float32 symbol to the value "outputs"; return the opset that they need."""
    model = inliner.inline_local_functions(model)
    foreign = sorted({node.domain for node in model.graph.node} - set(STANDARD_DOMAINS))
    if foreign:
        raise ExportError(f"the target uses operators of {foreign[0]}, which are not ONNX's own: it cannot be joined")
    opset = opset_of(model)
    if opset < OPSET:
        try:
            model = version_converter.convert_version(model, OPSET)
        except (RuntimeError, version_converter.ConvertError) as error:
            raise ExportError(f"the target's opset {opset} cannot be raised to {OPSET} ({one_line(error)})") from error
        for node in model.graph.node if opset < 11 else ():  # before, pixels lay otherwise, and nodes did not say so
            if node.op_type == "Resize" and any(entry.s == b"linear" for entry in node.attribute):
                node.attribute.append(helper.make_attribute("coordinate_transformation_mode", "asymmetric"))
    graph = compose.add_prefix(model, "target/").graph
    entry = open_inputs(graph)[0]
    if (batch := entry.type.tensor_type.shape.dim[0].dim_value) > 0:  # others write an open axis as -1
        count = number_of(batch, "image")
        raise ExportError(f"the target takes exactly {count} at a time: export it with an open batch axis")
    kind = entry.type.tensor_type.elem_type
    if kind == TensorProto.UINT8:
        pictures = pictures.round().clamp(0, 255)
    recorder.node("Cast", [cast(Symbol, pictures).name], entry.name, to=kind)
    recorder.nodes.extend(graph.node)
    recorder.constants |= {tensor.name: tensor for tensor in graph.initializer}
    recorder.node("Cast", [graph.output[0].name], "outputs", to=TensorProto.FLOAT)
    return max(opset, OPSET)
