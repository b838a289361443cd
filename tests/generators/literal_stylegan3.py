"""StyleGAN3 as the paper has it, slowly and in float64: the yardstick for its checkpoints.

One sample at a time with its own modulated and demodulated weights; up-sampling by explicit zero insertion around a
common centre, filters in two dimensions and convolutions tap by tap; the gains of equalised learning rates applied at
run time; filters designed here, from their cutoffs. Nothing is shared with `zoom_engine`. Parameters carry NVIDIA's
names and meaning (Karras 2021: section 3, appendices C and F).
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field

import numpy as np
import torch
from literal_stylegan2 import RATE, Mapped, correlate, leaky, padded
from numpy.typing import NDArray
from torch import Tensor

TAPS = 6  # of a filter, for each unit of the factor that it re-samples by
OVERSAMPLING = 2  # around the nonlinearity


@dataclass(frozen=True)
class LayerSpec:
    """What a layer's filters and sizes follow from, of its input and of its result."""

    name: str
    channels: tuple[int, int]
    size: tuple[int, int]
    rate: tuple[int, int]
    cutoff: tuple[float, float]
    half_width: tuple[float, float]
    critical: bool
    is_rgb: bool

    @property
    def inner_rate(self) -> int:
        return max(self.rate) * (1 if self.is_rgb else OVERSAMPLING)

    @property
    def up(self) -> int:
        return self.inner_rate // self.rate[0]

    @property
    def down(self) -> int:
        return self.inner_rate // self.rate[1]


@dataclass
class Literal3(Mapped):
    """A generator with random, spread parameters, of the paper's configuration T (or R) but small."""

    resolution: int = 16
    num_layers: int = 4
    num_critical: int = 2
    channel_base: int = 64
    channel_max: int = 9
    kernel: int = 3
    radial: bool = False
    margin: int = 10
    first_cutoff: float = 2.0
    first_stopband: float = 2**2.1
    last_stopband_rel: float = 2**0.3
    z_dim: int = 10
    w_dim: int = 12
    mapping_layers: int = 2
    c_dim: int = 0
    conv_clamp: float | None = 256.0
    output_scale: float = 0.25
    spread: float = 1.0  # of the frequencies, in units of the first cutoff
    turned: bool = True  # by the stored transform
    odd_filters: bool = False  # random ones, of no symmetry: they tell a convolution from a correlation
    seed: int = 0
    p: dict[str, Tensor] = field(default_factory=dict)

    def __post_init__(self) -> None:
        g = torch.Generator().manual_seed(self.seed)

        def normal(*shape: int, mean: float = 0.0, std: float = 1.0) -> Tensor:
            return torch.randn(shape, generator=g) * std + mean

        def linear(name: str, fan_in: int, fan_out: int, rate: float = 1.0, bias: float = 0.0) -> None:
            self.p[f"{name}.weight"] = normal(fan_out, fan_in) / rate
            self.p[f"{name}.bias"] = normal(fan_out, mean=bias, std=0.3) / rate

        embedded = self.w_dim if self.c_dim else 0
        widths = [self.z_dim + embedded] + [self.w_dim] * self.mapping_layers
        for i in range(self.mapping_layers):
            linear(f"mapping.fc{i}", widths[i], widths[i + 1], RATE)
        if self.c_dim:
            linear("mapping.embed", self.c_dim, embedded)
        self.p["mapping.w_avg"] = normal(self.w_dim, std=0.5)
        source, channels = "synthesis.input", self.layers[0].channels[0]
        linear(f"{source}.affine", self.w_dim, 4)
        self.p[f"{source}.affine.weight"] *= 0.3
        self.p[f"{source}.affine.bias"][:] = torch.tensor([1.0, 0.1, 0.05, -0.1])
        self.p[f"{source}.weight"] = normal(channels, channels)
        angles = 2 * math.pi * torch.rand(channels, generator=g)
        lengths = torch.rand(channels, generator=g).sqrt() * self.first_cutoff * self.spread
        self.p[f"{source}.freqs"] = torch.stack([angles.cos(), angles.sin()], 1) * lengths[:, None]
        self.p[f"{source}.phases"] = torch.rand(channels, generator=g) - 0.5
        motion = torch.tensor([[0.96, -0.28, 0.11], [0.28, 0.96, -0.07], [0, 0, 1.0]])
        self.p[f"{source}.transform"] = motion if self.turned else torch.eye(3)
        for layer in self.layers:
            name, (cin, cout) = f"synthesis.{layer.name}", layer.channels
            kernel = 1 if layer.is_rgb else self.kernel
            linear(f"{name}.affine", self.w_dim, cin, bias=1.0)
            self.p[f"{name}.weight"] = normal(cout, cin, kernel, kernel)
            self.p[f"{name}.bias"] = normal(cout, std=0.3)
            self.p[f"{name}.magnitude_ema"] = normal(std=0.2).exp()
            if layer.is_rgb:
                continue
            for which, factor, end in (("up_filter", layer.up, 0), ("down_filter", layer.down, 1)):
                radial = self.radial and end == 1 and not layer.critical
                design = radial_filter if radial else separable_filter
                taps = design(TAPS * factor, layer.cutoff[end], 2 * layer.half_width[end], layer.inner_rate)
                self.p[f"{name}.{which}"] = torch.from_numpy(taps).float()
                if self.odd_filters:
                    stored = self.p[f"{name}.{which}"]
                    self.p[f"{name}.{which}"] = stored + normal(*stored.shape, std=0.3 / stored.numel())

    @property
    def input_shape(self) -> tuple[int, int, float]:
        """Size, sampling rate and bandwidth of the Fourier features."""
        first = self.layers[0]
        return first.size[0], first.rate[0], first.cutoff[0]

    @property
    def layers(self) -> list[LayerSpec]:
        """The layers' frequencies grow geometrically; the last ``num_critical`` are at the picture's (appendix C)."""
        last_cutoff = self.resolution / 2
        last_stopband = last_cutoff * self.last_stopband_rel
        cutoffs, widths, rates, sizes, channels = [], [], [], [], []
        for i in range(self.num_layers + 1):
            share = min(i / (self.num_layers - self.num_critical), 1.0)
            cutoff = self.first_cutoff * (last_cutoff / self.first_cutoff) ** share
            stopband = self.first_stopband * (last_stopband / self.first_stopband) ** share
            rate = 2 ** math.ceil(math.log2(min(2 * stopband, self.resolution)) - 1e-9)
            cutoffs.append(cutoff)
            widths.append(max(stopband, rate / 2) - cutoff)
            rates.append(rate)
            sizes.append(self.resolution if i >= self.num_layers - 1 else rate + 2 * self.margin)
            channels.append(3 if i == self.num_layers else round(min(self.channel_base / 2 / cutoff, self.channel_max)))
        layers = []
        for i in range(self.num_layers + 1):
            j = max(i - 1, 0)
            layers.append(
                LayerSpec(
                    name=f"L{i}_{sizes[i]}_{channels[i]}",
                    channels=(channels[j], channels[i]),
                    size=(sizes[j], sizes[i]),
                    rate=(rates[j], rates[i]),
                    cutoff=(cutoffs[j], cutoffs[i]),
                    half_width=(widths[j], widths[i]),
                    critical=i >= self.num_layers - self.num_critical,
                    is_rgb=i == self.num_layers,
                )
            )
        return layers

    def image(
        self, seed: int, *, truncation: float = 1.0, cutoff: int | None = None, label: int | None = None
    ) -> Tensor:
        """The picture ``[3, R, R]`` of a seed."""
        return self.draw(self.ws(self.num_layers + 2, seed, truncation, cutoff, label))

    def draw(self, ws: list[Tensor]) -> Tensor:
        x = self.features(ws[0])
        for layer, w in zip(self.layers, ws[1:], strict=True):
            x = self.layer(layer, x, w)
        return x * self.output_scale

    def features(self, w: Tensor) -> Tensor:
        """The input ``[C, N, N]``, sample by sample."""
        size, rate, bandwidth = self.input_shape
        c, s, x, y = (self.linear("synthesis.input.affine", w)).tolist()
        length = math.hypot(c, s)
        c, s, x, y = c / length, s / length, x / length, y / length
        turn = torch.tensor([[c, -s, 0], [s, c, 0], [0, 0, 1]], dtype=torch.float64)
        move = torch.tensor([[1, 0, -x], [0, 1, -y], [0, 0, 1]], dtype=torch.float64)
        motion = turn @ move @ self.value("synthesis.input.transform")
        freqs, phases = self.value("synthesis.input.freqs"), self.value("synthesis.input.phases")
        waves = torch.zeros(len(freqs), size, size, dtype=torch.float64)
        lengths = (freqs @ motion[:2, :2]).norm(dim=1)
        fades = ((rate / 2 - lengths) / (rate / 2 - bandwidth)).clamp(0, 1)
        for i in range(size):
            for j in range(size):
                point = torch.tensor([(j + 0.5 - size / 2) / rate, (i + 0.5 - size / 2) / rate, 1], dtype=torch.float64)
                waves[:, i, j] = torch.sin(2 * math.pi * (freqs @ (motion @ point)[:2] + phases)) * fades
        weight = self.value("synthesis.input.weight")
        return torch.einsum("oc,chw->ohw", weight / math.sqrt(weight.shape[1]), waves)

    def layer(self, layer: LayerSpec, x: Tensor, w: Tensor) -> Tensor:
        name = f"synthesis.{layer.name}"
        assert x.shape[1] == layer.size[0]
        style, weight = self.linear(f"{name}.affine", w), self.value(f"{name}.weight")
        if layer.is_rgb:
            weight = weight * style[None, :, None, None] / math.sqrt(weight[0].numel())
        else:
            weight = weight / weight.square().mean(dim=(1, 2, 3), keepdim=True).sqrt()
            weight = weight * (style / style.square().mean().sqrt())[None, :, None, None]
            weight = weight / (weight.square().sum(dim=(1, 2, 3), keepdim=True) + 1e-8).sqrt()
        weight = weight / self.value(f"{name}.magnitude_ema").sqrt()
        around = weight.shape[2] - 1
        x = correlate(padded(x, around, around), weight) + self.value(f"{name}.bias")[:, None, None]
        if layer.is_rgb:
            return self.clamped(x)
        up_filter, down_filter = two_dimensional(self.value(f"{name}.up_filter")), self.value(f"{name}.down_filter")
        down_filter = two_dimensional(down_filter)
        inner = (layer.size[1] - 1) * layer.down + len(down_filter)
        x = convolve(around_the_centre(x, layer.up, inner + len(up_filter) - 1), up_filter * layer.up**2)
        x = self.clamped(leaky(x))
        return convolve(x, down_filter)[:, :: layer.down, :: layer.down]

    def clamped(self, x: Tensor) -> Tensor:
        return x if self.conv_clamp is None else x.clamp(-self.conv_clamp, self.conv_clamp)


def first_place(count: int, step: int, size: int) -> int:
    """Where the first of ``count`` samples lies that are ``step`` apart, around the centre of ``size`` places."""
    twice = (size - 1) - (count - 1) * step
    assert twice % 2 == 0
    return twice // 2


def around_the_centre(x: Tensor, step: int, size: int) -> Tensor:
    """The samples of ``x [C, N, N]`` with zeros between them on ``size`` places a side; those that lie beyond go."""
    wide = x.new_zeros(x.shape[0], size, size)
    first = first_place(x.shape[1], step, size)
    inside = [i for i in range(x.shape[1]) if 0 <= first + i * step < size]
    for i in inside:
        for j in inside:
            wide[:, first + i * step, first + j * step] = x[:, i, j]
    return wide


def two_dimensional(taps: Tensor) -> Tensor:
    return torch.outer(taps, taps) if taps.dim() == 1 else taps


def convolve(x: Tensor, taps: Tensor) -> Tensor:
    """A true convolution without padding, tap by tap."""
    size = len(taps)
    height, width = x.shape[1] - size + 1, x.shape[2] - size + 1
    y = x.new_zeros(x.shape[0], height, width)
    for i in range(size):
        for j in range(size):
            top, left = size - 1 - i, size - 1 - j
            y += taps[i, j] * x[:, top : top + height, left : left + width]
    return y


# The filters of appendix C: an ideal low-pass filter under a Kaiser window.


def kaiser_window(taps: int, width: float, rate: float) -> NDArray[np.float64]:
    """Kaiser's own estimates: the attenuation that so many taps reach with such a transition band, and its β."""
    attenuation = 2.285 * (taps - 1) * math.pi * width / (rate / 2) + 7.95
    beta = 0.0
    if attenuation > 50:
        beta = 0.1102 * (attenuation - 8.7)
    elif attenuation > 21:
        beta = 0.5842 * (attenuation - 21) ** 0.4 + 0.07886 * (attenuation - 21)
    positions = np.linspace(-1, 1, taps)
    window: NDArray[np.float64] = np.i0(beta * np.sqrt(np.maximum(1 - positions**2, 0))) / np.i0(beta)
    return window


def separable_filter(taps: int, cutoff: float, width: float, rate: float) -> NDArray[np.float64]:
    """``[taps]``: sinc under the window, of sum 1."""
    positions = (np.arange(taps) - (taps - 1) / 2) / rate
    response = 2 * cutoff * np.sinc(2 * cutoff * positions) * kaiser_window(taps, width, rate)
    return response / response.sum()


def radial_filter(taps: int, cutoff: float, width: float, rate: float) -> NDArray[np.float64]:
    """``[taps, taps]``: jinc of the distance, whose spectrum is a disc, under the window of each axis; of sum 1."""
    positions = (np.arange(taps) - (taps - 1) / 2) / rate
    distances = np.hypot(positions[:, None], positions[None, :])
    assert distances.min() > 0
    window = kaiser_window(taps, width, rate)
    response = cutoff * bessel_j1(2 * math.pi * cutoff * distances) / distances * np.outer(window, window)
    return response / response.sum()


def bessel_j1(x: NDArray[np.float64]) -> NDArray[np.float64]:
    """Bessel's integral: the mean of cos(τ - x sin τ) over a period."""
    angles = np.arange(256) * 2 * math.pi / 256
    mean: NDArray[np.float64] = np.cos(angles - x[..., None] * np.sin(angles)).mean(axis=-1)
    return mean
