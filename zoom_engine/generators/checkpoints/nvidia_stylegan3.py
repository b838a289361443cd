"""StyleGAN3 networks in NVIDIA's pickles (configurations T and R).

Sizes, sampling rates and factors are those that each stored layer carries, the filters' lengths those of the stored
filters; the padding that a layer carries must be the one that follows from them.
"""

from __future__ import annotations

import math
import re
from typing import Any

import numpy as np

from zoom_engine.common.errors import CheckpointError
from zoom_engine.generators.checkpoints.nvidia_modules import Module, Reader
from zoom_engine.generators.checkpoints.pickles import ArrayRecord, printable
from zoom_engine.generators.checkpoints.recipe import Array
from zoom_engine.generators.mapped_config import LARGEST_SIZE
from zoom_engine.generators.stylegan3.config import MOST_LAYERS, StyleGAN3Layer


class StyleGAN3Reader(Reader):
    """The reading of a StyleGAN3 network."""

    def read_synthesis(self, synthesis: Module) -> dict[str, Any]:
        """Read the synthesis network and return its fields of `StyleGAN3Config`."""
        source = synthesis.child("input")
        channels = source.shape("freqs", 2)[0]
        self.fully_connected("input.affine", source.child("affine"), "linear")
        self.take("input.weight", source, "weight", 1 / math.sqrt(max(channels, 1)))
        for name in ("freqs", "phases", "transform"):
            self.take(f"input.{name}", source, name)
        size, rate = _side(source, "size"), _whole(source, "sampling_rate")
        layers: list[StyleGAN3Layer] = []
        names = _layer_names(synthesis)
        for name in names:
            before = layers[-1] if layers else None
            layers.append(
                self.read_layer(
                    synthesis.child(name),
                    name,
                    size if before is None else before.size,
                    rate if before is None else before.sampling_rate,
                    is_rgb=name == names[-1],
                )
            )
        return {
            "resolution": layers[-1].size,
            "input_channels": channels,
            "input_size": size,
            "input_sampling_rate": rate,
            "bandwidth": source.number("bandwidth"),
            "layers": tuple(layers),
            "conv_clamp": self.the_clamp(),
            "output_scale": synthesis.number("output_scale"),
        }

    def read_layer(self, module: Module, name: str, size: int, rate: int, *, is_rgb: bool) -> StyleGAN3Layer:
        """Read one layer, whose input has the `size` and the sampling `rate`, and return its shape."""
        for stored, computed, wanted in (
            ("in_size", _side(module, "in_size"), size),
            ("in_sampling_rate", _whole(module, "in_sampling_rate"), rate),
        ):
            if computed != wanted:
                raise CheckpointError(
                    f"cannot be loaded: {module.path}.{stored} is {computed}, but what it is given has {wanted}"
                )
        module.expect("is_torgb", is_rgb, absent=False)
        channels, _, kernel, _ = module.shape("weight", 4)
        layer = StyleGAN3Layer(
            channels=channels,
            size=_side(module, "out_size"),
            sampling_rate=_whole(module, "out_sampling_rate"),
            kernel=kernel,
            up=_whole(module, "up_factor"),
            down=_whole(module, "down_factor"),
            up_filter=self.filter(module, name, "up_filter"),
            down_filter=self.filter(module, name, "down_filter"),
        )
        if name != f"L{name[1:].split('_')[0]}_{layer.size}_{channels}":
            raise CheckpointError(f"cannot be loaded: {module.path} has {channels} channels of size {layer.size}")
        padding = module.value("padding")
        if padding != 2 * [*layer.padding(size)]:
            raise CheckpointError(f"cannot be loaded: {module.path}.padding is not what its sizes and filters need")
        self.clamp(module)
        if module.value("use_fp16") is True:
            self.half.append(name)
        target = f"layers.{name}"
        self.fully_connected(f"{target}.affine", module.child("affine"), "linear")
        self.take(f"{target}.bias", module, "bias")
        weight, magnitude = module.tensor("weight"), module.tensor("magnitude_ema")
        gain = np.float32(1 / math.sqrt(max(math.prod(weight.shape[1:]), 1)))
        self.sources[f"{target}.weight"] = lambda: (
            weight.array() * gain if is_rgb else _of_unit_mean_square(weight.array())
        )
        self.sources[f"{target}.input_gain"] = lambda: _inverse_root(magnitude.array())
        return layer

    def filter(self, module: Module, name: str, which: str) -> tuple[int, ...]:
        """Read a filter and return its shape, or () where there is none."""
        stored = module.optional_tensor(which)
        if stored is None:
            return ()
        if not stored.shape:
            raise CheckpointError(f"is damaged: {module.path}.{which} has the shape []")
        self.take(f"layers.{name}.{which}", module, which)
        return stored.shape


def _layer_names(synthesis: Module) -> list[str]:
    """Return every layer's name, in order: `L{index}_{size}_{channels}`."""
    names = [name for name in synthesis.names() if name != "input"]
    if not 1 <= len(names) <= MOST_LAYERS:
        raise CheckpointError(f"has no StyleGAN3 generator: it has {len(names)} layers, not 1 to {MOST_LAYERS}")
    for index, name in enumerate(names):
        if not re.fullmatch(rf"L{index}_[0-9]{{1,5}}_[0-9]{{1,5}}", name):
            raise CheckpointError(f"has no StyleGAN3 generator: its layer {index} is called '{printable(name)}'")
    return names


def _whole(module: Module, name: str) -> int:
    """Return a whole number of the module."""
    value = module.value(name)
    # The input's sampling rate is stored as it was computed, a numpy.float64.
    if type(value) is float and value.is_integer():
        value = int(value)
    if type(value) is not int or not 1 <= value <= LARGEST_SIZE:
        raise CheckpointError(f"cannot be loaded: {module.path}.{name} is not a whole number in 1..{LARGEST_SIZE}")
    return value


def _side(module: Module, name: str) -> int:
    """Return the side of a square, which is stored as its width and its height."""
    value = module.value(name)
    sides = value.integers() if isinstance(value, ArrayRecord) else []
    if len(sides) != 2 or sides[0] != sides[1] or not 1 <= sides[0] <= LARGEST_SIZE:
        raise CheckpointError(
            f"cannot be loaded: {module.path}.{name} is not the size of a square of at most {LARGEST_SIZE} samples"
        )
    return sides[0]


def _inverse_root(value: Array) -> Array:
    return np.asarray(1 / np.sqrt(value), np.float32)


def _of_unit_mean_square(weight: Array) -> Array:
    """Scale each output channel to unit mean square over inputs and taps (Karras 2021, appendix)."""
    mean_square = np.square(weight, dtype=np.float64).mean(axis=(1, 2, 3), keepdims=True)
    normalised: Array = (weight / np.sqrt(mean_square)).astype(np.float32)
    return normalised
