"""StyleGAN2 as the papers have it, slowly and in float64: the yardstick for every checkpoint format.

One sample at a time with its own modulated and demodulated weights; up-sampling by explicit zero insertion; the FIR
filter and the convolutions tap by tap; the gains of equalised learning rates applied at run time. Nothing is shared
with `zoom_engine`. Parameters carry NVIDIA's names and meaning (Karras 2020; conditional mapping: Karras 2020b).
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field

import numpy as np
import torch
from torch import Tensor

RATE = 0.01  # of the mapping network
TAPS = (1.0, 3.0, 3.0, 1.0)


class Mapped:
    """The mapping network, as StyleGAN3 has it too: ``p`` holds the parameters, by NVIDIA's names."""

    p: dict[str, Tensor]
    z_dim: int
    mapping_layers: int
    c_dim: int

    def value(self, name: str) -> Tensor:
        return self.p[name].double()

    def linear(self, name: str, x: Tensor, rate: float = 1.0) -> Tensor:
        weight = self.value(f"{name}.weight")
        return weight @ x * (rate / math.sqrt(weight.shape[1])) + self.value(f"{name}.bias") * rate

    def ws(self, count: int, seed: int, truncation: float, cutoff: int | None, label: int | None) -> list[Tensor]:
        """The w that each of ``count`` layers gets."""
        x = normalised(torch.from_numpy(np.random.RandomState(seed).randn(1, self.z_dim))[0])
        if label is not None:
            one_hot = torch.zeros(self.c_dim, dtype=torch.float64)
            one_hot[label] = 1
            x = torch.cat([x, normalised(self.linear("mapping.embed", one_hot))])
        for i in range(self.mapping_layers):
            x = leaky(self.linear(f"mapping.fc{i}", x, RATE))
        average = self.value("mapping.w_avg")
        return [
            average + truncation * (x - average) if i < (count if cutoff is None else cutoff) else x
            for i in range(count)
        ]


@dataclass
class Literal(Mapped):
    """A generator with random, spread parameters: noise, biases and averages are all non-zero."""

    resolution: int = 32
    channels: tuple[int, ...] = (8, 7, 6, 5)
    z_dim: int = 10
    w_dim: int = 12
    mapping_layers: int = 2
    mapping_dim: int | None = None
    c_dim: int = 0
    embed_dim: int = 0
    architecture: str = "skip"
    conv_clamp: float | None = None
    seed: int = 0
    p: dict[str, Tensor] = field(default_factory=dict)

    def __post_init__(self) -> None:
        g = torch.Generator().manual_seed(self.seed)

        def normal(*shape: int, mean: float = 0.0, std: float = 1.0) -> Tensor:
            return torch.randn(shape, generator=g) * std + mean

        def linear(name: str, fan_in: int, fan_out: int, rate: float = 1.0, bias: float = 0.0) -> None:
            self.p[f"{name}.weight"] = normal(fan_out, fan_in) / rate
            self.p[f"{name}.bias"] = normal(fan_out, mean=bias, std=0.3) / rate

        inner = self.mapping_dim or self.w_dim
        widths = [self.z_dim + self.embed_dim] + [inner] * (self.mapping_layers - 1) + [self.w_dim]
        for i in range(self.mapping_layers):
            linear(f"mapping.fc{i}", widths[i], widths[i + 1], RATE)
        if self.c_dim:
            linear("mapping.embed", self.c_dim, self.embed_dim)
        self.p["mapping.w_avg"] = normal(self.w_dim, std=0.5)
        self.p["synthesis.b4.const"] = normal(self.channels[0], 4, 4)
        previous = self.channels[0]
        for index, width in enumerate(self.channels):
            resolution = 4 << index
            convs = [("conv0", previous, width), ("conv1", width, width)]
            for conv, cin, cout in convs if resolution > 4 else convs[1:]:
                name = f"synthesis.b{resolution}.{conv}"
                linear(f"{name}.affine", self.w_dim, cin, bias=1.0)
                self.p[f"{name}.weight"] = normal(cout, cin, 3, 3)
                self.p[f"{name}.bias"] = normal(cout, std=0.3)
                self.p[f"{name}.noise_strength"] = normal(std=0.3)
                self.p[f"{name}.noise_const"] = normal(resolution, resolution)
            if self.architecture == "resnet" and resolution > 4:
                self.p[f"synthesis.b{resolution}.skip.weight"] = normal(width, previous, 1, 1)
            if self.architecture == "skip" or resolution == self.resolution:
                name = f"synthesis.b{resolution}.torgb"
                linear(f"{name}.affine", self.w_dim, width, bias=1.0)
                self.p[f"{name}.weight"] = normal(3, width, 1, 1)
                self.p[f"{name}.bias"] = normal(3, std=0.3)
            previous = width

    def image(
        self, seed: int, *, truncation: float = 1.0, cutoff: int | None = None, label: int | None = None
    ) -> Tensor:
        """The picture ``[3, R, R]`` that NVIDIA's generator draws for a seed with ``noise_mode="const"``."""
        return self.draw(self.ws(2 * len(self.channels), seed, truncation, cutoff, label))

    def draw(self, ws: list[Tensor]) -> Tensor:
        x, image, index = self.value("synthesis.b4.const"), None, 0
        for resolution in (4 << i for i in range(len(self.channels))):
            block = f"synthesis.b{resolution}"
            before, residual = x, self.architecture == "resnet" and resolution > 4
            if resolution > 4:
                x = self.layer(f"{block}.conv0", x, ws[index], up=True)
                index += 1
            x = self.layer(f"{block}.conv1", x, ws[index], gain=math.sqrt(0.5) if residual else 1.0)
            index += 1
            if residual:
                weight = self.value(f"{block}.skip.weight")
                around = correlate(enlarge(before, 2, 1), weight / math.sqrt(weight.shape[1]))
                x = x + around * math.sqrt(0.5)
            if image is not None:
                image = enlarge(image, 2, 1)
            if f"{block}.torgb.weight" in self.p:
                weight = self.value(f"{block}.torgb.weight")
                style = self.linear(f"{block}.torgb.affine", ws[index]) / math.sqrt(weight.shape[1])
                rgb = (
                    correlate(x, weight * style[None, :, None, None]) + self.value(f"{block}.torgb.bias")[:, None, None]
                )
                rgb = self.clamped(rgb)
                image = rgb if image is None else image + rgb
        assert image is not None
        return image

    def layer(self, name: str, x: Tensor, w: Tensor, *, up: bool = False, gain: float = 1.0) -> Tensor:
        style = self.linear(f"{name}.affine", w)
        weight = self.value(f"{name}.weight") * style[None, :, None, None]
        weight = weight / (weight.square().sum(dim=(1, 2, 3), keepdim=True) + 1e-8).sqrt()
        # up-sampling is followed by a true convolution, hence the flipped taps
        x = correlate(enlarge(x, 3, 2), weight.flip((2, 3))) if up else correlate(padded(x, 1, 1), weight)
        x = x + self.value(f"{name}.noise_const") * self.value(f"{name}.noise_strength")
        x = leaky(x + self.value(f"{name}.bias")[:, None, None]) * gain
        return self.clamped(x, gain)

    def clamped(self, x: Tensor, gain: float = 1.0) -> Tensor:
        return x if self.conv_clamp is None else x.clamp(-self.conv_clamp * gain, self.conv_clamp * gain)


def normalised(x: Tensor) -> Tensor:
    return x / (x.square().mean() + 1e-8).sqrt()


def leaky(x: Tensor) -> Tensor:
    return torch.where(x > 0, x, 0.2 * x) * math.sqrt(2)


def padded(x: Tensor, before: int, after: int) -> Tensor:
    channels, height, width = x.shape
    wide = x.new_zeros(channels, height + before + after, width + before + after)
    wide[:, before : before + height, before : before + width] = x
    return wide


def enlarge(x: Tensor, before: int, after: int) -> Tensor:
    """Zero insertion, padding, and the [1, 3, 3, 1] filter with gain 4, tap by tap."""
    channels, height, width = x.shape
    wide = x.new_zeros(channels, 2 * height, 2 * width)
    wide[:, ::2, ::2] = x
    wide = padded(wide, before, after)
    height, width = wide.shape[1] - 3, wide.shape[2] - 3
    y = x.new_zeros(channels, height, width)
    for i, row in enumerate(TAPS):
        for j, column in enumerate(TAPS):
            y += 4 * row * column / 64 * wide[:, i : i + height, j : j + width]
    return y


def correlate(x: Tensor, weight: Tensor) -> Tensor:
    """A correlation without padding, tap by tap."""
    size = weight.shape[2]
    height, width = x.shape[1] - size + 1, x.shape[2] - size + 1
    y = x.new_zeros(weight.shape[0], height, width)
    for i in range(size):
        for j in range(size):
            y += torch.einsum("oc,chw->ohw", weight[:, :, i, j], x[:, i : i + height, j : j + width])
    return y
