"""The generator's synthesis as ONNX nodes, written directly: convolution weights and noise are constants.

As in torch, activations are scaled, not weights. What is constant is folded: the gain √2 after the leaky ReLU goes into
demodulation, noise and bias (the function is positively homogeneous). Up-sampling stays a stride-2 transposed
convolution and a depthwise filter: merged into one 6×6 kernel, or as four phase convolutions, it took 1.6 to 2.1 times
the processor time in ONNX Runtime and OpenVINO.

In fp16 three things keep values in range (Karras 2020-ADA does the first two): styles are divided by the largest of the
sample, weights by their largest times √fan-in, and the activations of a layer by a power of two where real ones were
measured beyond what is safe (:mod:`zoom_engine.graphs.ranges`). All three are undone in float32, in the
demodulation, so the function is the same.

Bfloat16 rounds styles and demodulation to 3 digits, which every pixel of a channel then shares, and the first layers'
errors grow in all that follow. These operators are marked (:func:`kept_in_float32`) for a runtime that lowers the
precision by itself: in OpenVINO it cost no time and took two fifths off the error at 1024². A small picture has few
pixels over which a target averages errors away: there the layers up to half its resolution are marked. For the avatars
that takes a third more time, halves the error, and keeps 99.6 % of a target's decisions where 98.9 % were kept.

Of the architectures (Karras 2020, figure 7) "skip" sums the pictures of all blocks, "orig" and "resnet" have only the
last one's; the path around a block of "resnet" is a 1×1 convolution and an up-sampling, linear both.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import cast

import onnx
import torch
from onnx import helper
from torch import Tensor

import zoom_engine
from zoom_engine.errors import ConfigError
from zoom_engine.generators import StyleGAN2, StyleLayer
from zoom_engine.generators.stylegan2.network import LRELU_SLOPE, Around, ModulatedConv, ToRGB
from zoom_engine.graphs.builder import ELEMENT, GraphBuilder, Shape
from zoom_engine.graphs.metadata import PREFIX, synthesis_metadata
from zoom_engine.graphs.ranges import activation_scales

EPSILON = 1e-8
KEEP = f"{PREFIX}keep_float32"
FLOAT32_UP_TO = 16  # resolution of the layers that are marked to stay in float32: 1 to 9 % of the arithmetic
SMALL = 128  # resolution up to which, instead, the layers of half a picture's resolution are marked
TAPS = torch.outer(*[torch.tensor([0.25, 0.75, 0.75, 0.25])] * 2)


def synthesis_model(
    generator: StyleGAN2,
    *,
    directions: Tensor | None = None,
    edits: bool = True,
    max_resolution: int | None = None,
    precision: str = "fp32",
    metadata: Mapping[str, str] | None = None,
) -> onnx.ModelProto:
    """The ONNX model ``images = G(styles + edit_weights @ edit_directions)``.

    Inputs, all float32: ``styles [batch, S]``, ``edit_weights [batch, N]``, ``edit_directions [N, S]``; output ``images
    [batch, 3, R, R]``, nominally in [-1, 1] and not clamped. ``directions [N, S]`` become a constant, and their input
    falls away; ``edits=False`` leaves the styles alone. ``precision`` ("fp32", "fp16", "bf16") is that of activations
    and convolutions. Raises ConfigError for an unknown precision, or a resolution that the generator does not have.
    """
    builder = GraphBuilder()
    inputs = add_edits(builder, generator, directions=directions, edits=edits)
    size = max_resolution or generator.resolution
    add_synthesis(builder, generator, "edited", output="images", max_resolution=size, precision=precision)
    return builder.model(
        "synthesis",
        inputs,
        {"images": ["batch", 3, size, size]},
        metadata={**synthesis_metadata(generator, size, precision), **(metadata or {})},
        producer_version=zoom_engine.__version__,
    )


def kept_in_float32(model: onnx.ModelProto) -> set[str]:
    """Names of the nodes that a runtime which lowers the precision by itself should leave in float32."""
    return {node.name for node in model.graph.node if any(entry.key == KEEP for entry in node.metadata_props)}


def add_edits(
    builder: GraphBuilder, generator: StyleGAN2, *, directions: Tensor | None, edits: bool
) -> dict[str, Shape]:
    """Nodes from the inputs (returned, with their shapes) to the value "edited", the edited styles ``[batch, S]``."""
    size = generator.style_space.size
    inputs: dict[str, Shape] = {"styles": ["batch", size]}
    if not edits:
        builder.node("Identity", ["styles"], "edited")
        return inputs
    if directions is None:
        inputs |= {"edit_weights": ["batch", "N"], "edit_directions": ["N", size]}
    else:
        if directions.dim() != 2 or directions.shape[1] != size:
            raise ConfigError(f"directions must be [N, {size}], got {list(directions.shape)}")
        inputs["edit_weights"] = ["batch", len(directions)]
        builder.constant("edit_directions", directions.float())
    with builder.marked(KEEP):
        builder.node("Add", ["styles", builder.node("MatMul", ["edit_weights", "edit_directions"], "edit")], "edited")
    return inputs


def add_synthesis(
    builder: GraphBuilder, generator: StyleGAN2, styles: str, *, output: str, max_resolution: int, precision: str
) -> None:
    """Nodes from the value ``styles [batch, S]`` to ``output [batch, 3, R, R]``, both float32."""
    if precision not in ELEMENT:
        raise ConfigError(f"unknown precision '{precision}'; choose one of {', '.join(ELEMENT)}")
    drawn = [layer.resolution for layer in generator.style_space.layers if layer.is_rgb]
    if max_resolution not in drawn:
        architecture = generator.config.architecture
        raise ConfigError(
            f"max_resolution {max_resolution} is not one of {drawn}, where this generator ({architecture}) draws"
        )
    _Synthesis(builder, generator, precision).write(styles, output, max_resolution)


class _Synthesis:
    """Writes layer after layer; ``scale`` is what the activations of the last one were divided by."""

    def __init__(self, builder: GraphBuilder, generator: StyleGAN2, precision: str) -> None:
        self.b, self.generator, self.precision = builder, generator, precision
        names = ("const", *generator.convs)
        self.scales = activation_scales(generator) if precision == "fp16" else dict.fromkeys(names, 1.0)
        self.scale = self.scales["const"]

    def write(self, styles: str, output: str, max_resolution: int) -> None:
        layers = [layer for layer in self.generator.style_space.layers if layer.resolution <= max_resolution]
        float32_up_to = max_resolution // 2 if max_resolution <= SMALL else FLOAT32_UP_TO
        x = self.stored("const", self.generator.const[None] / self.scale)
        self.split(styles, layers)
        before, before_scale = x, self.scale
        image: str | None = None
        for layer in layers:
            with self.b.marked(KEEP, where=layer.resolution <= float32_up_to):
                style = f"{layer.name}.style"
                if not layer.is_rgb:
                    if cast(ModulatedConv, self.generator.convs[layer.name]).up:
                        before, before_scale = x, self.scale
                    x = self.convolution(layer, x, style)
                    if layer.name in self.generator.around:
                        x = self.b.node("Add", [x, self.around(layer, before, before_scale)], f"{layer.name}.sum")
                    continue
                last = layer is layers[-1]
                if image is None:
                    image = self.to_rgb(layer, x, style, name=output if last else f"{layer.name}.rgb")
                else:
                    rgb = self.to_rgb(layer, x, style, name=f"{layer.name}.rgb")
                    image = self.b.node(
                        "Add", [self.upsampled(layer, image), rgb], output if last else f"{layer.name}.image"
                    )

    def stored(self, name: str, value: Tensor) -> str:
        return self.b.constant(name, value.float(), precision=self.precision)

    def split(self, styles: str, layers: Sequence[StyleLayer]) -> None:
        """The style of each layer by its name; what layers beyond the resolution would read is left."""
        sizes = [layer.channels for layer in layers]
        names = [f"{layer.name}.style" for layer in layers]
        left = self.generator.style_space.size - sum(sizes)
        if left:
            sizes, names = [*sizes, left], [*names, "styles.left"]
        node = helper.make_node("Split", [styles, self.b.constant("sizes", sizes)], names, name="styles.split", axis=1)
        with self.b.marked(KEEP):
            self.b.nodes.append(node)

    def column(self, value: str, channels: int, name: str) -> str:
        """``[batch, C]`` float32 as ``[batch, C, 1, 1]`` in the precision of the activations."""
        if self.precision != "fp32":
            value = self.b.cast(value, self.precision, f"{name}.cast")
        return self.b.node("Reshape", [value, self.b.constant(f"shape{channels}", [-1, channels, 1, 1])], name)

    def modulated(self, layer: StyleLayer, x: str, style: str) -> tuple[str, str | None]:
        """The activations times the style, and in fp16 what the style was divided by, ``[batch, 1]``."""
        largest: str | None = None
        name = layer.name
        if self.precision == "fp16":
            size = self.b.node(
                "ReduceMax", [self.b.node("Abs", [style], f"{name}.size"), self.b.constant("axis", [1])], f"{name}.max"
            )
            largest = self.b.node("Max", [size, self.b.constant("tiny", torch.tensor(1e-6))], f"{name}.largest")
            style = self.b.node("Div", [style, largest], f"{name}.normalised")
        with self.b.marked(KEEP):
            column = self.column(style, layer.channels, f"{name}.column")
        return self.b.node("Mul", [x, column], f"{name}.modulated"), largest

    def weight(self, layer: StyleLayer, weight: Tensor) -> tuple[Tensor, Tensor]:
        """The weight to store ``[Cout, Cin, k, k]``, and what each output was divided by ``[Cout]``."""
        if self.precision != "fp16":
            return weight, torch.ones(len(weight), device=weight.device)
        divisor = weight.abs().amax(dim=(1, 2, 3)).clamp(min=1e-12) * math.sqrt(weight[0].numel())
        return weight / divisor[:, None, None, None], divisor

    def convolution(self, layer: StyleLayer, x: str, style: str) -> str:
        name = layer.name
        conv = cast(ModulatedConv, self.generator.convs[name])
        scale = self.scales[name]
        stored, divisor = self.weight(layer, conv.weight)
        modulated, largest = self.modulated(layer, x, style)
        y = self.up(name, modulated, stored) if conv.up else self.same(name, modulated, stored)
        # demodulation · gain = 1 / sqrt((Σ w²s² + ε) / gain²)
        factor = divisor * conv.gain * self.scale / scale
        with self.b.marked(KEEP):
            demodulation = self.demodulation(name, style, conv.weight, factor, largest)
        y = self.b.node("Mul", [y, demodulation], f"{name}.demodulated")
        if float(conv.noise_strength) != 0:
            noise = conv.noise_const * conv.noise_strength * conv.gain / scale
            y = self.b.node("Add", [y, self.stored(f"{name}.noise", noise[None, None])], f"{name}.noised")
        bias = self.stored(f"{name}.bias", (conv.bias * conv.gain / scale)[None, :, None, None])
        y = self.b.node("LeakyRelu", [self.b.node("Add", [y, bias], f"{name}.biased")], name, alpha=LRELU_SLOPE)
        self.scale = scale
        return y if conv.clamp is None else self.clamped(y, conv.clamp / scale, f"{name}.clamped", self.precision)

    def same(self, name: str, x: str, weight: Tensor) -> str:
        return self.b.node("Conv", [x, self.stored(f"{name}.weight", weight)], f"{name}.conv", pads=[1, 1, 1, 1])

    def up(self, name: str, x: str, weight: Tensor) -> str:
        transposed = self.stored(f"{name}.weight", weight.transpose(0, 1))
        y = self.b.node("ConvTranspose", [x, transposed], f"{name}.conv", strides=[2, 2])
        channels = len(weight)
        return self.b.node("Conv", [y, self.taps(channels)], f"{name}.filtered", pads=[1, 1, 1, 1], group=channels)

    def taps(self, channels: int) -> str:
        return self.stored(f"taps{channels}", TAPS.expand(channels, 1, 4, 4))

    def around(self, layer: StyleLayer, before: str, before_scale: float) -> str:
        """The path around a block of "resnet", from what entered the block; divided as the block's result is."""
        name = f"{layer.name}.around"
        weight = cast(Around, self.generator.around[layer.name]).weight
        stored, divisor = self.weight(layer, weight)
        y = self.b.node("Conv", [before, self.stored(f"{name}.weight", stored)], f"{name}.conv")
        if self.precision == "fp16":
            factor = (divisor * before_scale / self.scale)[None, :, None, None]
            y = self.b.node("Mul", [y, self.stored(f"{name}.factor", factor)], f"{name}.restored")
        channels = len(weight)
        return self.b.node(
            "ConvTranspose", [y, self.taps(channels)], name, strides=[2, 2], pads=[1, 1, 1, 1], group=channels
        )

    def demodulation(self, name: str, style: str, weight: Tensor, factor: Tensor, largest: str | None) -> str:
        """``factor / sqrt(Σ w²s² + ε) [batch, Cout, 1, 1]``, times ``largest``; in float32 until it is done.

        The sum is a 1×1 convolution: a matrix product OpenVINO would compute in bfloat16, whatever it is told.
        """
        column = self.b.node(
            "Reshape", [style, self.b.constant(f"shape{weight.shape[1]}", [-1, weight.shape[1], 1, 1])], f"{name}.wide"
        )
        square = self.b.node("Mul", [column, column], f"{name}.square")
        energy = weight.square().sum(dim=(2, 3), keepdim=True) / factor.square()[:, None, None, None]
        constants = [
            self.b.constant(f"{name}.energy", energy),
            self.b.constant(f"{name}.epsilon", EPSILON / factor.square()),
        ]
        norm = self.b.node("Sqrt", [self.b.node("Conv", [square, *constants], f"{name}.power")], f"{name}.norm")
        found = self.b.node("Div", [self.b.constant("one", torch.tensor(1.0)), norm], f"{name}.demodulation")
        if largest is not None:
            found = self.b.node("Mul", [found, self.wide(largest, name)], f"{name}.rescaled")
        return found if self.precision == "fp32" else self.b.cast(found, self.precision, f"{name}.factor")

    def wide(self, value: str, name: str) -> str:
        """``[batch, 1]`` as ``[batch, 1, 1, 1]``."""
        return self.b.node("Reshape", [value, self.b.constant("shape1", [-1, 1, 1, 1])], f"{name}.scale")

    def to_rgb(self, layer: StyleLayer, x: str, style: str, *, name: str) -> str:
        rgb = cast(ToRGB, self.generator.to_rgb[layer.name])
        stored, divisor = self.weight(layer, rgb.weight)
        modulated, largest = self.modulated(layer, x, style)
        inner = f"{layer.name}.unclamped" if rgb.clamp is not None else name
        weight = self.stored(f"{layer.name}.weight", stored)
        if self.precision == "fp32":
            bias = self.b.constant(f"{layer.name}.bias", rgb.bias.float())
            y = self.b.node("Conv", [modulated, weight, bias], inner)
        else:
            y = self.b.cast(
                self.b.node("Conv", [modulated, weight], f"{layer.name}.conv"), "fp32", f"{layer.name}.wide"
            )
            factor = self.b.constant(f"{layer.name}.divisor", (divisor * self.scale)[None, :, None, None])
            y = self.b.node("Mul", [y, factor], f"{layer.name}.restored")
            if largest is not None:
                y = self.b.node("Mul", [y, self.wide(largest, layer.name)], f"{layer.name}.rescaled")
            bias = self.b.constant(f"{layer.name}.bias", rgb.bias.float()[None, :, None, None])
            y = self.b.node("Add", [y, bias], inner)
        return y if rgb.clamp is None else self.clamped(y, rgb.clamp, name, "fp32")

    def upsampled(self, layer: StyleLayer, image: str) -> str:
        taps = self.b.constant("taps_rgb", TAPS.expand(3, 1, 4, 4))
        return self.b.node(
            "ConvTranspose", [image, taps], f"{layer.name}.upsampled", strides=[2, 2], pads=[1, 1, 1, 1], group=3
        )

    def clamped(self, x: str, limit: float, name: str, precision: str) -> str:
        low = self.b.constant(f"{name}.low", torch.tensor(-limit), precision=precision)
        high = self.b.constant(f"{name}.high", torch.tensor(limit), precision=precision)
        return self.b.node("Clip", [x, low, high], name)
