"""StyleGAN3 in StyleSpace (Karras et al., 2021), with one set of convolution weights for the whole batch.

As in `StyleGAN2` the activations are scaled by the style, not the weights, and weights are stored as they are used:
with the gains of equalised learning rates, each output channel's of unit mean square where it is demodulated. The
filters, frequencies and phases are those that a checkpoint brings.
"""

from __future__ import annotations

import math
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from zoom_engine.generators.generator import shown
from zoom_engine.generators.mapped_generator import MappedGenerator, random_weights
from zoom_engine.generators.style_space import StyleSpace
from zoom_engine.generators.stylegan3.config import StyleGAN3Config, StyleGAN3Layer
from zoom_engine.ops.modulation import edited

LRELU_SLOPE = 0.2
LRELU_GAIN = math.sqrt(2.0)
INPUT = "input"


class FourierInput(nn.Module):
    """Fourier features, moved and turned as the style says, mixed by a linear map (Karras 2021, appendix F).

    A style `(c, s, x, y)` is divided by √(c² + s²); the picture is then turned by the angle of `(c, s)` and moved by
    `(x, y)`, in widths of the picture. `transform [3, 3]` is one more motion, for all pictures.
    """

    freqs: Tensor
    phases: Tensor
    transform: Tensor

    def __init__(self, config: StyleGAN3Config) -> None:
        """Build the input, its weights random."""
        super().__init__()
        channels = config.input_channels
        self.size, self.sampling_rate, self.bandwidth = config.input_size, config.input_sampling_rate, config.bandwidth
        self.affine = nn.Linear(config.w_dim, 4)
        self.weight = nn.Parameter(random_weights(channels, channels, divisor=math.sqrt(channels)))
        self.register_buffer("freqs", random_weights(channels, 2))
        self.register_buffer("phases", torch.empty(channels).uniform_(-0.5, 0.5))
        self.register_buffer("transform", torch.eye(3))

    def forward(self, style: Tensor) -> Tensor:
        """Compute `[B, C, size, size]` of `style [B, 4]`."""
        cosine, sine, x, y = (style / style[:, :2].norm(dim=1, keepdim=True)).unbind(1)
        turn = torch.stack([torch.stack([cosine, -sine], 1), torch.stack([sine, cosine], 1)], 1)
        # A point p of the picture shows what is at turn · (transform(p) - (x, y)).
        offset = self.transform[:2, 2] - torch.stack([x, y], 1)
        phases = self.phases + (turn @ offset[:, :, None]).squeeze(2) @ self.freqs.T
        freqs = self.freqs @ (turn @ self.transform[:2, :2])
        beyond = (freqs.norm(dim=2) - self.bandwidth) / (self.sampling_rate / 2 - self.bandwidth)
        amplitudes = (1 - beyond).clamp(0, 1)
        coordinates = torch.arange(self.size, device=style.device, dtype=style.dtype)
        coordinates = (coordinates + 0.5 - self.size / 2) / self.sampling_rate
        periods = (
            freqs[:, :, :1, None] * coordinates
            + freqs[:, :, 1:, None] * coordinates[:, None]
            + phases[:, :, None, None]
        )
        waves = torch.sin(2 * math.pi * periods) * amplitudes[:, :, None, None]
        return F.conv2d(waves, self.weight[:, :, None, None])


class FilteredLayer(nn.Module):
    """A modulated convolution, and a nonlinearity that adds no frequency which the sampling rate cannot hold.

    The convolution, demodulated, is scaled by `input_gain` (the inverse of the root mean square that its input had in
    training), up-sampled, passed through leaky ReLU · √2 and clamp, and down-sampled.
    """

    input_gain: Tensor
    up_filter: Tensor | None
    down_filter: Tensor | None

    def __init__(
        self, cin: int, before: int, layer: StyleGAN3Layer, w_dim: int, *, clamp: float | None, is_rgb: bool
    ) -> None:
        """Build the layer, its weights random.

        Args:
            cin: input channels.
            before: size of the input.
            layer: the shape of the layer.
            w_dim: width of w.
            clamp: largest absolute value of the activations, or None.
            is_rgb: neither demodulate nor rectify.
        """
        super().__init__()
        self.is_rgb, self.clamp = is_rgb, clamp
        self.up, self.down, self.padding = layer.up, layer.down, layer.padding(before)
        self.affine = nn.Linear(w_dim, cin)
        divisor = math.sqrt(cin * layer.kernel**2) if is_rgb else 1.0
        self.weight = nn.Parameter(random_weights(layer.channels, cin, layer.kernel, layer.kernel, divisor=divisor))
        self.bias = nn.Parameter(torch.zeros(layer.channels))
        self.register_buffer("input_gain", torch.ones(()))
        for name, shape in (("up_filter", layer.up_filter), ("down_filter", layer.down_filter)):
            self.register_buffer(name, torch.full(shape, 1 / math.prod(shape)) if shape else None)

    def forward(self, x: Tensor, style: Tensor) -> Tensor:
        """Compute `[B, Cout, size, size]` of `x [B, Cin, N, N]` and `style [B, Cin]`."""
        # Leaky ReLU and the filters let a factor through: all gains are applied where samples are fewest.
        gain = self.up**2 * (1.0 if self.is_rgb else LRELU_GAIN)
        scale = self.input_gain * gain
        if not self.is_rgb:
            scale = scale * self._demodulation(style)[:, :, None, None]
        x = F.conv2d(x * style[:, :, None, None], self.weight, padding=self.weight.shape[2] - 1)
        x = torch.addcmul((self.bias * gain)[:, None, None], x, scale)
        x = upsample(x, self.up_filter, self.up, self.padding)
        if not self.is_rgb:
            x = F.leaky_relu(x, LRELU_SLOPE, inplace=True)
        if self.clamp is not None:
            x = x.clamp(-self.clamp, self.clamp) if x.requires_grad else x.clamp_(-self.clamp, self.clamp)
        return downsample(x, self.down_filter, self.down)

    def _demodulation(self, style: Tensor) -> Tensor:
        """Return `[B, Cout]`: 1 / norm of the modulated weights, as if the style had unit mean square beforehand."""
        power = style.square()
        norm = F.linear(power, self.weight.square().sum(dim=(2, 3)))
        return (norm + 1e-8 * power.mean(dim=1, keepdim=True)).rsqrt()


class StyleGAN3(MappedGenerator):
    """A StyleGAN3 generator, config-t or config-r: seeds → z → w → style vector → image.

    All methods take and return float32 tensors on the module's device. Images are `[B, 3, R, R]`, RGB, nominally in
    [-1, 1] and not clamped. `synthesis` is differentiable with respect to the styles.
    """

    config: StyleGAN3Config

    def __init__(self, config: StyleGAN3Config) -> None:
        """Build the generator, its weights random."""
        super().__init__(config)
        self.input = FourierInput(config)
        self.layers = nn.ModuleDict()
        modulations: list[tuple[str, int, int, bool]] = [(INPUT, config.input_sampling_rate, 4, False)]
        cin = config.input_channels
        for index, (name, layer) in enumerate(zip(config.layer_names, config.layers, strict=True)):
            before, is_rgb = config.sizes[index], index == len(config.layers) - 1
            self.layers[name] = FilteredLayer(cin, before, layer, config.w_dim, clamp=config.conv_clamp, is_rgb=is_rgb)
            modulations.append((name, layer.sampling_rate, cin, is_rgb))
            cin = layer.channels
        self.space = StyleSpace(modulations, motion=INPUT)

    def styles(self, w: Tensor) -> Tensor:
        """Compute style vectors `[B, S]` of `w [B, num_ws, w_dim]`, in the order of `space`."""
        parts = [affine(w[:, index]) for index, affine in enumerate(self._affines())]
        return torch.cat(parts, dim=1)

    def affine_weight(self) -> Tensor:
        """Return `[S, w_dim]`, the derivative of each style entry to its own layer's w."""
        return torch.cat([affine.weight for affine in self._affines()]).detach()

    def synthesis(self, styles: Tensor) -> Tensor:
        """Draw images `[B, 3, R, R]`, RGB, nominally in [-1, 1], of style vectors `[B, S]`."""
        of_layer = self.space.split(styles)
        x = self.input(of_layer[INPUT]).contiguous(memory_format=torch.channels_last)
        for name, layer in self.layers.items():
            x = layer(x, of_layer[name])
        image: Tensor = x.contiguous() * self.config.output_scale
        return image

    def render(self, codes: Tensor, edit_weights: Tensor | None = None, directions: Tensor | None = None) -> Tensor:
        """Draw pictures, see `EditableGenerator.render`."""
        return shown(self.synthesis(edited(codes, edit_weights, directions)))

    def _affines(self) -> list[Any]:
        return [self.input.affine, *(layer.affine for layer in self.layers.values())]


def upsample(x: Tensor, taps: Tensor | None, factor: int, padding: tuple[int, int]) -> Tensor:
    """Compute `[B, C, M, M]` of `x [B, C, N, N]`, with `M = factor·N + sum(padding) - (taps - 1)`.

    Zeros are put between the samples, `factor - 1` after each; then padding (cut off where negative), then the filter;
    without a filter only the padding. The filter's gain is not made up for: zeros make it `1 / factor²`.
    """
    before, after = padding
    if taps is None:
        return F.pad(x, (before, after, before, after))
    # What a transposed convolution gives has no padding beside it, but every sample that the filter reaches.
    cut = taps.shape[0] - 1 - before, taps.shape[0] - factor - after
    both = max(0, min(cut))
    for kernel, step in _kernels(taps, factor):
        along = [both * (size > 1) for size in kernel.shape]
        x = F.conv_transpose2d(x, _per_channel(kernel, x), stride=step, padding=along, groups=x.shape[1])
    left = both - cut[0], both - cut[1]
    return F.pad(x, (*left, *left)) if any(left) else x


def downsample(x: Tensor, taps: Tensor | None, factor: int) -> Tensor:
    """Compute `[B, C, M, M]` of `x [B, C, N, N]`, with `M = ceil((N - taps + 1) / factor)`.

    The samples are filtered, then every `factor`-th is taken from the first on.
    """
    if taps is None:
        return x
    for kernel, step in _kernels(taps, factor):
        # torch's convolutions correlate
        x = F.conv2d(x, _per_channel(kernel.flip(0, 1), x), stride=step, groups=x.shape[1])
    return x


def _kernels(taps: Tensor, factor: int) -> list[tuple[Tensor, tuple[int, int]]]:
    """Return the convolutions that apply a filter, each with its steps."""
    if taps.dim() == 2:
        return [(taps, (factor, factor))]
    return [(taps[:, None], (factor, 1)), (taps[None, :], (1, factor))]


def _per_channel(kernel: Tensor, x: Tensor) -> Tensor:
    """Return one filter for every channel of `x [B, C, H, W]`: `[C, 1, *kernel]`."""
    return kernel.expand(x.shape[1], 1, -1, -1).contiguous()
