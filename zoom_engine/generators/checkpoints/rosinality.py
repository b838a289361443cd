"""rosinality's `stylegan2-pytorch`: the state dictionary `g_ema`, alone or in a training checkpoint.

Such a file has no configuration: the size, the widths and the number of layers follow from the names and shapes. Its
layers multiply their weights by the gain of the equalised learning rate when they run (1/√fan-in, times 0.01 in the
mapping network); here the gain is multiplied in once.
"""

from __future__ import annotations

import math
import re
from typing import Any

import numpy as np

from zoom_engine.common.errors import CheckpointError
from zoom_engine.generators.checkpoints.pickles import TensorRecord, printable
from zoom_engine.generators.checkpoints.recipe import MOST_MAPPING_LAYERS, W_AVG, Array, Recipe, Source
from zoom_engine.generators.stylegan2.config import StyleGAN2Config

FORMAT = "rosinality checkpoint"
MAPPING_RATE = 0.01
WRAPPER = "module."
FILTER = np.outer([1, 3, 3, 1], [1, 3, 3, 1]) / 16  # of up-sampling: its gain of 4 is in it
WIDTH_AT_64 = 256  # times the channel multiplier


def rosinality_recipe(root: object) -> Recipe:
    """Return the recipe of `g_ema` in an unpickled file.

    Raises:
        CheckpointError: there is no such network, or it is damaged.
    """
    if not isinstance(root, dict):
        raise CheckpointError("is a torch file, but holds no dictionary")
    weights = _generator(root)
    reader = _Reader(weights)
    config = reader.read()
    average = root.get("latent_avg")
    facts: list[tuple[str, str]] = []
    if isinstance(average, TensorRecord):
        reader.sources[W_AVG] = _reading(average, "latent_avg", drop=max(len(average.shape) - 1, 0))
    else:
        facts.append(("note", "no average latent inside: measured when loaded"))
    if config.resolution >= 64 and config.channels[4] % WIDTH_AT_64 == 0:
        facts.append(("note", f"channel multiplier {config.channels[4] // WIDTH_AT_64}"))
    return Recipe(FORMAT, config, reader.sources, tuple(facts))


def _generator(root: dict[Any, Any]) -> dict[Any, Any]:
    """Return the generator's state dictionary.

    Distributed training puts "module." before each name; it is taken off.
    """
    weights = root.get("g_ema", root)
    if isinstance(weights, dict) and all(isinstance(name, str) and name.startswith(WRAPPER) for name in weights):
        weights = {name.removeprefix(WRAPPER): value for name, value in weights.items()}
    if isinstance(weights, dict) and "conv1.conv.weight" in weights:
        return weights
    keys = ", ".join(printable(key) for key in list(weights if isinstance(weights, dict) else ())[:8]) or "nothing"
    if "g_ema" in root:
        raise CheckpointError(
            f"is a torch file whose 'g_ema' is not rosinality's generator: without 'conv1.conv.weight'; it has {keys}"
        )
    raise CheckpointError(
        f"is a torch file without rosinality's 'g_ema'; it has {keys}: if these are a target's weights, name their"
        " architecture, as torchvision:NAME@FILE or timm:NAME@FILE"
    )


def _reading(record: TensorRecord, name: str, *, gain: float = 1.0, drop: int = 0, rank: int | None = None) -> Source:
    """Make the reading of a tensor, times `gain`.

    `drop` leading axes of length 1 go; `rank` instead keeps that many of the first axes that are left.
    """

    def source() -> Array:
        value = record.array()
        shape = value.shape[drop:] if rank is None else value.shape[drop : drop + rank]
        if math.prod(shape) != value.size:
            raise CheckpointError(f"does not fit: rosinality's '{name}' has the shape {list(value.shape)}")
        value = value.reshape(shape)
        return value * np.float32(gain) if gain != 1.0 else value

    return source


class _Reader:
    def __init__(self, weights: dict[Any, Any]) -> None:
        self.weights = weights
        self.sources: dict[str, Source] = {}

    def record(self, name: str) -> TensorRecord:
        tensor = self.weights.get(name)
        if not isinstance(tensor, TensorRecord):
            raise CheckpointError(f"does not fit: rosinality's '{name}' is missing")
        return tensor

    def shape(self, name: str, dimensions: int) -> tuple[int, ...]:
        shape = self.record(name).shape
        if len(shape) != dimensions or min(shape) < 1:
            raise CheckpointError(f"does not fit: rosinality's '{name}' has the shape {list(shape)}")
        return shape

    def take(self, target: str, name: str, *, gain: float = 1.0, drop: int = 0, rank: int | None = None) -> None:
        self.sources[target] = _reading(self.record(name), name, gain=gain, drop=drop, rank=rank)

    def linear(self, target: str, name: str, rate: float = 1.0) -> None:
        fan_in = self.shape(f"{name}.weight", 2)[1]
        self.take(f"{target}.weight", f"{name}.weight", gain=rate / math.sqrt(fan_in))
        self.take(f"{target}.bias", f"{name}.bias", gain=rate)

    def modulated(self, target: str, name: str) -> tuple[int, ...]:
        _, _, cin, height, width = shape = self.shape(f"{name}.conv.weight", 5)
        self.linear(f"{target}.affine", f"{name}.conv.modulation")
        self.take(f"{target}.weight", f"{name}.conv.weight", gain=1 / math.sqrt(cin * height * width), drop=1)
        return shape

    def convolution(self, target: str, name: str, noise: int) -> int:
        shape = self.modulated(target, name)
        self.take(f"{target}.bias", f"{name}.activate.bias")
        self.take(f"{target}.noise_strength", f"{name}.noise.weight", drop=1)
        self.take(f"{target}.noise_const", f"noises.noise_{noise}", drop=2)
        return shape[1]

    def to_rgb(self, target: str, name: str) -> None:
        self.modulated(target, name)
        self.take(f"{target}.bias", f"{name}.bias", drop=1, rank=1)

    def filter(self, name: str) -> None:
        record = self.record(name)
        if record.shape != FILTER.shape or not np.allclose(record.array(), FILTER, atol=1e-5):
            raise CheckpointError(f"cannot be loaded: '{name}' is another filter than [1, 3, 3, 1]")

    def read(self) -> StyleGAN2Config:
        doublings = self.count(r"to_rgbs\.(\d{1,3})\.bias", 0)
        channels = [self.convolution("convs.b4_conv1", "conv1", 0)]
        self.take("const", "input.input", drop=1)
        self.to_rgb("to_rgb.b4_torgb", "to_rgb1")
        for index in range(doublings):
            block = f"b{8 << index}"
            self.filter(f"convs.{2 * index}.conv.blur.kernel")
            self.filter(f"to_rgbs.{index}.upsample.kernel")
            self.convolution(f"convs.{block}_conv0", f"convs.{2 * index}", 2 * index + 1)
            channels.append(self.convolution(f"convs.{block}_conv1", f"convs.{2 * index + 1}", 2 * index + 2))
            self.to_rgb(f"to_rgb.{block}_torgb", f"to_rgbs.{index}")
        layers = self.count(r"style\.(\d{1,3})\.weight", 1)
        if not 1 <= layers <= MOST_MAPPING_LAYERS:
            raise CheckpointError(f"does not fit: rosinality's mapping network has {layers} layers")
        for index in range(layers):
            self.linear(f"mapping_network.layers.{index}", f"style.{index + 1}", MAPPING_RATE)
        return StyleGAN2Config(
            resolution=4 << doublings,
            channels=tuple(channels),
            z_dim=self.shape("style.1.weight", 2)[1],
            w_dim=self.shape(f"style.{layers}.weight", 2)[0],
            mapping_layers=layers,
        )

    def count(self, pattern: str, first: int) -> int:
        """Return how many names match, with the numbers `first`, `first + 1`, …."""
        matches = (re.fullmatch(pattern, name) for name in self.weights if isinstance(name, str))
        numbers = sorted(int(match[1]) for match in matches if match)
        if numbers != list(range(first, first + len(numbers))):
            raise CheckpointError(f"does not fit: rosinality's layers '{pattern}' are numbered {numbers[:8]}")
        return len(numbers)
