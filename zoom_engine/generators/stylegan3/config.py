"""The shape of a StyleGAN3 generator, checked: what a checkpoint must say besides its weights."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

from zoom_engine.common.errors import CheckpointError, one_line
from zoom_engine.generators.mapped_config import LARGEST_SIZE, MappedConfig, check_positive, check_whole

MOST_LAYERS = 64
LARGEST_FACTOR = 16  # by which one layer re-samples: the paper's never exceed 4
LONGEST_FILTER = 16 * LARGEST_FACTOR  # taps: the paper's filters have 6 for each unit of the factor
LARGEST_KERNEL = 7
LARGEST_MARGIN = 64  # samples around the picture: the paper's have 10


@dataclass(frozen=True)
class StyleGAN3Layer:
    """One layer: a modulated convolution, then a leaky ReLU between an up-sampling and a down-sampling filter.

    Attributes:
        channels: of the result.
        size: the result's width and height in samples, its margin included.
        sampling_rate: how many of these samples the picture is wide: margins are the difference.
        kernel: side of the convolution's kernel.
        up: factor of the up-sampling.
        down: factor of the down-sampling.
        up_filter: shape of the filter: `(taps,)` of a separable one, `(taps, taps)` of a radial one, `()` where there
            is none.
        down_filter: likewise.
    """

    channels: int
    size: int
    sampling_rate: int
    kernel: int
    up: int
    down: int
    up_filter: tuple[int, ...]
    down_filter: tuple[int, ...]

    @property
    def up_taps(self) -> int:
        """The length of the up-sampling filter."""
        return self.up_filter[0] if self.up_filter else 1

    @property
    def down_taps(self) -> int:
        """The length of the down-sampling filter."""
        return self.down_filter[0] if self.down_filter else 1

    def padding(self, before: int) -> tuple[int, int]:
        """Return the zeros before and after the up-sampled samples in each axis (negative: samples cut off).

        `before` is the size of the layer's input. Its convolution is padded to `before + kernel - 1`; the result then
        has `size` samples around the same centre, so that a margin is lost at both sides alike.
        """
        widened = before + self.kernel - 1
        first = ((self.size - 1) * self.down - (widened - 1) * self.up + self.up_taps + self.down_taps - 1) // 2
        samples = (self.size - 1) * self.down + self.up_taps + self.down_taps - 1
        return first, samples - widened * self.up - first


@dataclass(frozen=True, kw_only=True)
class StyleGAN3Config(MappedConfig):
    """The shape of a StyleGAN3 generator (Karras 2021), see `MappedConfig`.

    Attributes:
        input_channels: how many Fourier features the input has.
        input_size: side of the input's square, in samples.
        input_sampling_rate: how many of these samples the picture is wide.
        bandwidth: in periods per picture; features of higher frequencies fade out toward half the sampling rate.
        layers: all layers; the last is toRGB.
        output_scale: what the picture is multiplied by at last.
    """

    input_channels: int
    input_size: int
    input_sampling_rate: int
    bandwidth: float
    layers: tuple[StyleGAN3Layer, ...]
    mapping_layers: int = 2
    output_scale: float = 0.25

    def __post_init__(self) -> None:
        """Refuse a shape that no such generator has, by a CheckpointError."""
        self.check_sizes(self.input_channels, self.input_size, self.input_sampling_rate)
        if not 1 <= len(self.layers) <= MOST_LAYERS:
            raise CheckpointError(f"generator has {len(self.layers)} layers, not 1 to {MOST_LAYERS}")
        check_positive("output_scale", self.output_scale)
        check_positive("bandwidth", self.bandwidth)
        if self.conv_clamp is not None:
            check_positive("conv_clamp", self.conv_clamp)
        if self.bandwidth >= self.input_sampling_rate / 2:
            raise CheckpointError(
                f"generator bandwidth {self.bandwidth:g} is not below half its sampling rate {self.input_sampling_rate}"
            )
        rate = self.input_sampling_rate
        _check_margin("generator input", self.input_size, rate)
        for index, layer in enumerate(self.layers):
            _check_layer(f"generator layer {index}", layer, rate)
            rate = layer.sampling_rate
        if max(layer.sampling_rate for layer in self.layers) > self.resolution:
            raise CheckpointError(f"generator of resolution {self.resolution} has a layer of a higher sampling rate")
        last = self.layers[-1]
        if (last.channels, last.size, last.sampling_rate) != (3, self.resolution, self.resolution):
            raise CheckpointError(
                f"generator of resolution {self.resolution} ends in {last.channels} channels of {last.size} samples at"
                f" rate {last.sampling_rate}, not in an RGB picture"
            )

    @property
    def num_ws(self) -> int:
        """How many entries a w has: one for the input, one for each layer."""
        return 1 + len(self.layers)

    @property
    def sizes(self) -> tuple[int, ...]:
        """The size of each layer's input, then that of the picture."""
        return self.input_size, *(layer.size for layer in self.layers)

    @property
    def layer_names(self) -> tuple[str, ...]:
        """`L{index}_{size}_{channels}`, as the stored networks name them."""
        return tuple(f"L{index}_{layer.size}_{layer.channels}" for index, layer in enumerate(self.layers))

    def to_dict(self) -> dict[str, Any]:
        """Return the fields, ready for JSON."""
        return asdict(self)

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> StyleGAN3Config:
        """Make the configuration of what `to_dict` returned.

        Raises:
            CheckpointError: the values are not understood.
        """
        try:
            layers = [
                StyleGAN3Layer(
                    **{**layer, "up_filter": tuple(layer["up_filter"]), "down_filter": tuple(layer["down_filter"])}
                )
                for layer in values["layers"]
            ]
            return cls(**{**values, "layers": tuple(layers)})
        except (KeyError, TypeError, ValueError) as error:
            raise CheckpointError(f"generator configuration is not understood: {one_line(error)}") from error


def _check_margin(name: str, size: int, rate: int) -> None:
    if not rate <= size <= rate + 2 * LARGEST_MARGIN:
        raise CheckpointError(
            f"{name}: {size} samples at rate {rate} are not a picture with a margin of at most {LARGEST_MARGIN}"
        )


def _check_layer(name: str, layer: StyleGAN3Layer, rate: int) -> None:
    """Refuse a layer that cannot be, by a CheckpointError; `rate` is the sampling rate of its input."""
    check_whole(f"{name}: its sizes", [layer.channels, layer.size, layer.sampling_rate], LARGEST_SIZE)
    check_whole(f"{name}: its kernel", [layer.kernel], LARGEST_KERNEL)
    check_whole(f"{name}: its factors", [layer.up, layer.down], LARGEST_FACTOR)
    _check_margin(name, layer.size, layer.sampling_rate)
    if rate * layer.up != layer.sampling_rate * layer.down:
        raise CheckpointError(
            f"{name}: a sampling rate of {rate}, times {layer.up} and divided by {layer.down}, is not"
            f" {layer.sampling_rate}"
        )
    for what, factor, shape in (("up", layer.up, layer.up_filter), ("down", layer.down, layer.down_filter)):
        check_whole(f"{name}: its {what}-sampling filter's sizes", shape, LONGEST_FILTER)
        if len(shape) > 2 or len(set(shape)) > 1 or (not shape and factor > 1):
            raise CheckpointError(f"{name}: its {what}-sampling filter has the shape {list(shape)}")
