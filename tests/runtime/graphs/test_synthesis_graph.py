"""The ONNX graph of the synthesis against torch: every precision, batch and number of attributes from one file."""

from __future__ import annotations

import inspect
import json
from dataclasses import replace

import onnx
import pytest
import torch
from networks import CONFIG, relative_error, spread_generator, styles_of
from torch import Tensor

from zoom_engine.common.errors import ConfigError
from zoom_engine.export import export_synthesis
from zoom_engine.generators import StyleGAN2Config
from zoom_engine.runtime.graphs import float32_nodes, synthesis_model
from zoom_engine.runtime.graphs.ranges import SEED, activation_scales, within_half
from zoom_engine.runtime.onnxruntime_session import OnnxRuntimeSession
from zoom_engine.runtime.openvino_session import OpenVinoSession

CLAMPED = replace(CONFIG, conv_clamp=0.7)
ORIG, RESNET = (
    replace(CONFIG, conv_clamp=clamp, architecture=architecture)
    for architecture, clamp in (("orig", None), ("resnet", 0.7))
)
EACH = pytest.mark.parametrize("config", [CONFIG, CLAMPED, ORIG, RESNET], ids=["skip", "clamped", "orig", "resnet"])


def onnxruntime(model: onnx.ModelProto) -> OnnxRuntimeSession:
    pytest.importorskip("onnxruntime")
    return OnnxRuntimeSession(model.SerializeToString(), batched=True)


@EACH
def test_one_file_takes_every_batch_and_number_of_attributes(config: StyleGAN2Config) -> None:
    network = spread_generator(config)
    session = onnxruntime(synthesis_model(network))
    for batch in (1, 3, 8):
        for count in (1, 5, 20):
            styles = styles_of(network, batch, first=count)
            weights, directions = torch.randn(batch, count), 0.1 * torch.randn(count, network.space.size)
            feeds = {"styles": styles, "edit_weights": weights, "edit_directions": directions}
            wanted = network.synthesis(styles + weights @ directions)
            assert relative_error(session.run(feeds)["images"], wanted) < 1e-5


def test_given_directions_are_a_constant() -> None:
    network = spread_generator()
    directions, weights = torch.randn(4, network.space.size), torch.randn(2, 4)
    model = synthesis_model(network, directions=directions)
    assert [value.name for value in model.graph.input] == ["styles", "edit_weights"]
    styles = styles_of(network, 2)
    result = onnxruntime(model).run({"styles": styles, "edit_weights": weights})["images"]
    assert relative_error(result, network.synthesis(styles + weights @ directions)) < 1e-5
    with pytest.raises(ConfigError, match="directions must be"):
        synthesis_model(network, directions=directions[:, 1:])


def test_it_can_stop_at_a_lower_resolution() -> None:
    network = spread_generator()
    styles = styles_of(network, 2)
    result = onnxruntime(synthesis_model(network, edits=False, max_resolution=16)).run({"styles": styles})["images"]
    assert result.shape == (2, 3, 16, 16)
    assert relative_error(result, network.synthesis(styles, max_resolution=16)) < 1e-5
    with pytest.raises(ConfigError, match="max_resolution"):
        synthesis_model(network, max_resolution=24)
    with pytest.raises(ConfigError, match="precision"):
        synthesis_model(network, precision="int8")
    with pytest.raises(ConfigError, match="architecture 'resnet' draws at 32 only"):
        synthesis_model(spread_generator(RESNET), max_resolution=16)


def half_error(config: StyleGAN2Config, loudness: float) -> float:
    """The error of the fp16 graph for a network whose const, biases and noise are ``loudness`` times as large."""
    network = spread_generator(config)
    network.const.mul_(loudness)
    for conv in network.convs.values():
        assert isinstance(conv.bias, Tensor)
        assert isinstance(conv.noise_strength, Tensor)
        conv.bias.mul_(loudness)
        conv.noise_strength.mul_(loudness)
    styles = styles_of(network, 3)
    model = synthesis_model(network, edits=False, precision="fp16")
    return relative_error(onnxruntime(model).run({"styles": styles})["images"], network.synthesis(styles))


@EACH
def test_half_precision_stays_near(config: StyleGAN2Config) -> None:
    assert half_error(config, 1.0) < 2e-3


@pytest.mark.parametrize("architecture", ["skip", "resnet"])
def test_half_precision_stays_in_range_without_a_clamp(architecture: str) -> None:
    """Activations near 1e6, beyond float16's 65504."""
    assert half_error(replace(CONFIG, architecture=architecture), 3e5) < 2e-3


@EACH
def test_scaling_activations_does_not_change_the_picture(config: StyleGAN2Config) -> None:
    network = spread_generator(config)
    network.const.mul_(1e4)
    scaled = within_half(network)
    assert float(scaled.const.abs().max()) <= 256
    styles = styles_of(network, 2)
    assert relative_error(scaled.synthesis(styles, plain=True), network.synthesis(styles, plain=True)) < 1e-5


def test_ranges_are_measured_on_other_images_than_parity() -> None:
    """Every layer has one, and the styles that an export is compared on are new to it."""
    network = spread_generator()
    scales = activation_scales(network)
    assert set(scales) == {"const", *network.convs}
    network.const.mul_(1e4)
    assert activation_scales(network)["const"] > 1
    assert inspect.signature(export_synthesis).parameters["seed"].default != SEED


@EACH
def test_bfloat16_stays_near(config: StyleGAN2Config) -> None:
    pytest.importorskip("openvino")
    network = spread_generator(config)
    styles = styles_of(network, 2)
    model = synthesis_model(network, edits=False, precision="bf16")
    result = OpenVinoSession(model.SerializeToString()).run({"styles": styles})["images"]
    assert 1e-4 < relative_error(result, network.synthesis(styles)) < 3e-2


def test_the_oldest_runtime_opens_it() -> None:
    """ONNX Runtime 1.20, the oldest that pyproject.toml claims, reads IR version 10 and opset 21."""
    for precision in ("fp32", "fp16"):
        model = synthesis_model(spread_generator(), precision=precision)
        assert model.ir_version <= 10
        assert [entry.version for entry in model.opset_import] == [21]


def test_the_graph_is_plain() -> None:
    """Constant convolution weights, operators of ONNX itself, no value without a shape, no node that does nothing."""
    network = spread_generator()
    model = synthesis_model(network)
    constants = {tensor.name for tensor in model.graph.initializer}
    for node in model.graph.node:
        assert node.domain == ""
        if node.op_type in ("Conv", "ConvTranspose"):
            assert node.input[1] in constants
    used = {name for node in model.graph.node for name in node.input}
    assert constants <= used
    assert {node.output[0] for node in model.graph.node} <= used | {"images"}
    shaped = {value.name: value.type.tensor_type.shape.dim for value in model.graph.value_info}
    assert all(node.output[0] in shaped for node in model.graph.node if node.output[0] != "images")
    assert all(dim.HasField("dim_value") for dims in shaped.values() for dim in list(dims)[1:])


def test_what_bfloat16_would_spoil_is_marked() -> None:
    """Of 32²: all that has no pixels (styles, demodulation), and pictures up to 16² with the row of an up-sampling."""
    model = synthesis_model(spread_generator())
    heights = {v.name: [dim.dim_value for dim in v.type.tensor_type.shape.dim][2:3] for v in model.graph.value_info}
    marked = float32_nodes(model)
    for node in model.graph.node:
        height = [32] if node.output[0] == "images" else heights[node.output[0]]
        assert (node.name in marked) == (not height or height[0] <= 17), node.name


@pytest.mark.parametrize(("resolution", "last"), [(64, "b32_conv1"), (256, "b16_conv1")])
def test_layers_up_to_half_a_small_picture_are_marked(resolution: int, last: str) -> None:
    blocks = resolution.bit_length() - 2
    network = spread_generator(replace(CONFIG, resolution=resolution, channels=(8,) * blocks))
    marked = float32_nodes(synthesis_model(network))
    layers = [layer.name for layer in network.space.layers if not layer.is_rgb]
    assert [name for name in layers if f"{name}.LeakyRelu" in marked][-1] == last


def test_the_file_describes_itself() -> None:
    network = spread_generator()
    model = synthesis_model(network, metadata={"source": "abc"})
    result = {entry.key: entry.value for entry in model.metadata_props}
    layout = json.loads(result["zoom_engine.style_space"])
    assert [row["stop"] for row in layout] == [layer.stop for layer in network.space.layers]
    assert result["zoom_engine.generator"] == network.content_hash
    assert result["source"] == "abc"
    assert {layer.name for layer in network.space.layers if not layer.is_rgb} <= {
        node.name.partition(".")[0] for node in model.graph.node
    }
