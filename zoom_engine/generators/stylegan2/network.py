"""StyleGAN2 in StyleSpace (Karras et al., 2020), with one set of convolution weights for the whole batch.

The textbook formulation builds a modulated weight for every sample and runs a grouped convolution. Here the
*activations* are scaled by the style, convolved with the constant weight and scaled by the demodulation coefficient,
which is the same function and keeps forward and backward passes fast in batches. Weights are stored as they are used:
no equalised-learning-rate gain is applied at run time.
"""

from __future__ import annotations

import math
from typing import Any, cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from zoom_engine import ops
from zoom_engine.common.errors import ConfigError
from zoom_engine.generators.generator import shown
from zoom_engine.generators.mapped_generator import MappedGenerator, random_weights
from zoom_engine.generators.style_space import StyleLayer, StyleSpace
from zoom_engine.generators.stylegan2.config import StyleGAN2Config
from zoom_engine.ops.modulation import edited

LRELU_SLOPE = 0.2
LRELU_GAIN = math.sqrt(2.0)
RESIDUAL_GAIN = math.sqrt(0.5)


class ModulatedConv(nn.Module):
    """A modulated and demodulated 3×3 convolution with noise, bias, leaky ReLU · √2 and clamp."""

    noise_const: Tensor

    def __init__(
        self,
        cin: int,
        cout: int,
        resolution: int,
        w_dim: int,
        *,
        up: bool,
        clamp: float | None,
        residual: bool = False,
    ) -> None:
        """Build the layer, its weights random.

        Args:
            cin: input channels.
            cout: output channels.
            resolution: of the output.
            w_dim: width of w.
            up: double the resolution: a stride-2 transposed convolution and the [1,3,3,1] FIR filter, which is fused
                with everything after it (`ops.modulated_conv2d`).
            clamp: largest absolute value of the activations, or None.
            residual: scale the result, and its limit, by √½ for the sum with the path around the block.
        """
        super().__init__()
        self.up = up
        scale = RESIDUAL_GAIN if residual else 1.0
        self.clamp = None if clamp is None else clamp * scale
        self.gain = LRELU_GAIN * scale
        self.affine = nn.Linear(w_dim, cin)
        self.weight = nn.Parameter(random_weights(cout, cin, 3, 3, divisor=math.sqrt(cin * 9)))
        self.bias = nn.Parameter(torch.zeros(cout))
        self.noise_strength = nn.Parameter(torch.zeros(()))
        self.register_buffer("noise_const", random_weights(resolution, resolution))
        self._cached_noise: tuple[Tensor, list[ops.State], tuple[Tensor, Tensor]] | None = None

    def forward(
        self,
        x: Tensor,
        style: Tensor,
        *,
        to_rgb: ToRGB | None = None,
        rgb_style: Tensor | None = None,
        rgb_only: bool = False,
        plain: bool = False,
        **edits: Tensor,
    ) -> tuple[Tensor, Tensor]:
        """Compute `[B, Cout, H', W']` in the dtype of `x`, and an image.

        Args:
            x: `[B, Cin, H, W]`.
            style: `[B, Cin]` float32.
            to_rgb: makes the image `[B, 3, H', W']` float32 of the result, before bias and clamp.
            rgb_style: `[B, Cout]`, the style of `to_rgb`.
            rgb_only: the image is all that counts.
            plain: compose the layer from torch's operators.
            edits: the operator's own arguments of that name, which `plain` does not take.
        """
        convolve = ops.composition.modulated_conv2d if plain else ops.modulated_conv2d
        return convolve(
            x,
            self.weight,
            style,
            noise=self.noise_const * self.noise_strength if plain else self._noise(),
            bias=self.bias,
            up=self.up,
            slope=LRELU_SLOPE,
            gain=self.gain,
            clamp=self.clamp,
            rgb_weight=None if to_rgb is None else to_rgb.weight.flatten(1),
            rgb_styles=rgb_style,
            rgb_only=rgb_only,
            **edits,
        )

    def _noise(self) -> Tensor:
        """Return `noise_const · noise_strength`, kept until one of them changes.

        It is computed again where a gradient is wanted.
        """
        factors = self.noise_const, self.noise_strength
        if torch.compiler.is_compiling() or (torch.is_grad_enabled() and self.noise_strength.requires_grad):
            return factors[0] * factors[1]
        states = [ops.state_of(factor) for factor in factors]
        # Any operator of torch's between two layers costs milliseconds: its threads go on spinning on cores that the
        # next layer needs.
        if self._cached_noise is None or self._cached_noise[1] != states:
            with torch.inference_mode(False), torch.no_grad():
                # The factors are held so that no other tensors get their addresses.
                self._cached_noise = (factors[0] * factors[1], states, factors)
        return self._cached_noise[0]


class Around(nn.Module):
    """The path around a block of "resnet": a 1×1 convolution, then up-sampling; linear (√½ is in the weight)."""

    def __init__(self, cin: int, cout: int) -> None:
        """Build the path, its weights random."""
        super().__init__()
        self.weight = nn.Parameter(random_weights(cout, cin, 1, 1, divisor=math.sqrt(cin), gain=RESIDUAL_GAIN))

    def forward(self, x: Tensor, *, plain: bool = False) -> Tensor:
        """Compute `[B, Cout, 2H, 2W]` of `x [B, Cin, H, W]`, in the dtype of `x`."""
        upsample = ops.composition.upsample2x if plain else ops.upsample2x
        return upsample(F.conv2d(x, self.weight.to(x.dtype)))


class ToRGB(nn.Module):
    """A modulated 1×1 convolution to RGB without demodulation; linear, with bias and clamp."""

    def __init__(self, cin: int, w_dim: int, *, clamp: float | None) -> None:
        """Build the layer, its weights random."""
        super().__init__()
        self.clamp = clamp
        self.affine = nn.Linear(w_dim, cin)
        self.weight = nn.Parameter(random_weights(3, cin, 1, 1, divisor=math.sqrt(cin)))
        self.bias = nn.Parameter(torch.zeros(3))

    def forward(self, x: Tensor, style: Tensor) -> Tensor:
        """Compute `[B, 3, H, W]` float32 of `x [B, C, H, W]` and `style [B, C]` float32."""
        return self.finish(ops.composition.to_rgb(x, self.weight, style))

    def finish(self, rgb: Tensor) -> Tensor:
        """Return the convolution's result `[B, 3, H, W]` with bias and clamp."""
        return ops.composition.finished(rgb, self.bias, self.clamp)


class StyleGAN2(MappedGenerator):
    """A StyleGAN2 generator: seeds → z → w → style vector → image.

    All methods take and return float32 tensors on the module's device. Images are `[B, 3, R, R]`, RGB, nominally in
    [-1, 1] and not clamped. `synthesis` is differentiable with respect to the styles.
    """

    config: StyleGAN2Config
    runs_on = ("torch", "native", "onnx")

    def __init__(self, config: StyleGAN2Config) -> None:
        """Build the generator, its weights random."""
        super().__init__(config)
        self.const = nn.Parameter(random_weights(config.channels[0], 4, 4))
        self.convs = nn.ModuleDict()
        self.to_rgb = nn.ModuleDict()
        self.around = nn.ModuleDict()  # of "resnet": the path around each block
        layers: list[tuple[str, int, int, bool]] = []
        previous = config.channels[0]
        for resolution, width in zip(config.resolutions, config.channels, strict=True):
            residual = config.architecture == "resnet" and resolution > 4
            if resolution > 4:
                self._add_conv(layers, f"b{resolution}_conv0", resolution, previous, width, up=True)
            self._add_conv(layers, f"b{resolution}_conv1", resolution, width, width, up=False, residual=residual)
            if residual:
                self.around[f"b{resolution}_conv1"] = Around(previous, width)
            if config.architecture == "skip" or resolution == config.resolution:
                self.to_rgb[f"b{resolution}_torgb"] = ToRGB(width, config.w_dim, clamp=config.conv_clamp)
                layers.append((f"b{resolution}_torgb", resolution, width, True))
            previous = width
        self.space = StyleSpace(layers)

    def _add_conv(
        self,
        layers: list[tuple[str, int, int, bool]],
        name: str,
        resolution: int,
        cin: int,
        cout: int,
        *,
        up: bool,
        residual: bool = False,
    ) -> None:
        self.convs[name] = ModulatedConv(
            cin, cout, resolution, self.config.w_dim, up=up, clamp=self.config.conv_clamp, residual=residual
        )
        layers.append((name, resolution, cin, False))

    def styles(self, w: Tensor) -> Tensor:
        """Compute style vectors `[B, S]` of `w [B, num_ws, w_dim]`, in the order of `space`."""
        parts = [self._module_of(layer).affine(w[:, index]) for layer, index in self._layers_with_w()]
        return torch.cat(parts, dim=1)

    def affine_weight(self) -> Tensor:
        """Return `[S, w_dim]`, the derivative of each style entry to its own layer's w.

        Where one w feeds every layer, its columns span the styles that the generator ever visits.
        """
        return torch.cat([self._module_of(layer).affine.weight for layer in self.space.layers]).detach()

    def render(
        self,
        codes: Tensor,
        edit_weights: Tensor | None = None,
        directions: Tensor | None = None,
        *,
        max_resolution: int | None = None,
        precision: torch.dtype = torch.float32,
        plain: bool = False,
    ) -> Tensor:
        """Draw pictures, see `EditableGenerator.render`; the other options as for `synthesis`."""
        images = self.synthesis(
            codes,
            edit_weights=edit_weights,
            directions=directions,
            max_resolution=max_resolution,
            precision=precision,
            plain=plain,
        )
        return shown(images)

    @property
    def sides(self) -> tuple[int, ...]:
        """Return the sides of the pictures that it draws on the way to a whole one, which is the last."""
        return self.config.resolutions if self.config.architecture == "skip" else (self.resolution,)

    def synthesis(
        self,
        styles: Tensor,
        *,
        edit_weights: Tensor | None = None,
        directions: Tensor | None = None,
        max_resolution: int | None = None,
        precision: torch.dtype = torch.float32,
        plain: bool = False,
    ) -> Tensor:
        """Draw images `[B, 3, R, R]` float32, RGB, nominally in [-1, 1] and not clamped.

        Differentiable in styles and edit weights.

        Args:
            styles: style vectors `[B, S]` float32.
            edit_weights: `[B, N]`; where these and directions are given, `styles + edit_weights @ directions` is drawn.
            directions: `[N, S]`.
            max_resolution: stop after the block of that resolution.
            precision: the dtype of the activations and convolutions (float32 or bfloat16; styles, demodulation and RGB
                stay float32).
            plain: compose every operator from torch's own, for exporters and compilers, and add the edits to the whole
                style vector; else each layer's operator adds its part.

        Raises:
            ConfigError: the generator draws no such resolution.
        """
        limit = self.resolution if max_resolution is None else max_resolution
        if limit not in self.config.resolutions:
            raise ConfigError(f"max_resolution {limit} is not one of {list(self.config.resolutions)}")
        x = self.const.to(precision).expand(styles.shape[0], -1, -1, -1)
        x = x.contiguous(memory_format=torch.channels_last)
        upsample = ops.composition.upsample2x if plain else ops.upsample2x
        image: Tensor | None = None
        before, fused = x, None
        along: dict[str, Tensor] = {}
        if edit_weights is not None and directions is not None:
            edit_weights, directions = edit_weights.to(styles), directions.to(styles)
            if plain:
                styles = edited(styles, edit_weights, directions)
            else:
                along = self.space.split(directions)

        def edits(**shares: StyleLayer) -> dict[str, Any]:
            return along and {"edit_weights": edit_weights, **{k: along[layer.name] for k, layer in shares.items()}}

        of_layer = self.space.split(styles)
        layers = [layer for layer in self.space.layers if layer.resolution <= limit]
        for layer, following in zip(layers, [*layers[1:], None], strict=True):
            style = of_layer[layer.name]
            if layer.is_rgb:
                to_rgb = cast(ToRGB, self.to_rgb[layer.name])
                if fused is None:
                    image = to_rgb(x, edited(style, edit_weights, along.get(layer.name)))
                elif image is None:
                    image = to_rgb.finish(fused)
                else:
                    image = upsample(image, fused, to_rgb.bias, to_rgb.clamp)
                continue
            conv = self.convs[layer.name]
            if conv.up:
                before = x
            if layer.name in self.around:
                x, _ = conv(x, style, plain=plain, **edits(edit_directions=layer))
                x = x + self.around[layer.name](before, plain=plain)
                fused = None
            elif following is not None and following.is_rgb:
                x, fused = conv(
                    x,
                    style,
                    to_rgb=self.to_rgb[following.name],
                    rgb_style=of_layer[following.name],
                    rgb_only=following is layers[-1],
                    plain=plain,
                    **edits(edit_directions=layer, rgb_edit_directions=following),
                )
            else:
                x, _ = conv(x, style, plain=plain, **edits(edit_directions=layer))
        if image is None:
            raise ConfigError(
                f"a generator of architecture '{self.config.architecture}' draws at {self.resolution} only"
            )
        return image

    def _module_of(self, layer: StyleLayer) -> Any:
        return (self.to_rgb if layer.is_rgb else self.convs)[layer.name]

    def _layers_with_w(self) -> list[tuple[StyleLayer, int]]:
        """Return each layer with the index of the w that it reads: a block's toRGB shares the next block's first."""
        pairs: list[tuple[StyleLayer, int]] = []
        index = 0
        for layer in self.space.layers:
            pairs.append((layer, index))
            if not layer.is_rgb:
                index += 1
        return pairs
