"""StyleSpace: where each layer's modulation inputs live in one flat style vector (Wu et al., 2021)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from zoom_engine.common.errors import ConfigError


@dataclass(frozen=True)
class StyleLayer:
    """One modulated convolution's share of the style vector: entries ``start`` to ``stop`` of S.

    ``is_motion``: of no convolution, but where the picture is and how it is turned (StyleGAN3's input).
    """

    name: str
    resolution: int
    channels: int
    start: int
    is_rgb: bool
    is_motion: bool = False

    @property
    def stop(self) -> int:
        return self.start + self.channels


class StyleSpace:
    """The ordered layers of a generator; a style vector is one flat float tensor ``[B, S]``.

    ``layers`` holds one entry for each modulated convolution in the order of execution;
    ``size`` is S, the sum of their input channels. ``motion`` names the layer that moves the picture.
    """

    def __init__(self, layers: Sequence[tuple[str, int, int, bool]], *, motion: str | None = None) -> None:
        placed: list[StyleLayer] = []
        start = 0
        for name, resolution, channels, is_rgb in layers:
            placed.append(StyleLayer(name, resolution, channels, start, is_rgb, name == motion))
            start += channels
        self.layers: tuple[StyleLayer, ...] = tuple(placed)
        self.size = start

    def split(self, styles: Tensor) -> dict[str, Tensor]:
        """Style vectors ``[B, S]`` → each layer's share ``[B, channels]`` by its name.

        In one cut, of which the gradient is one concatenation; that of a slice is as long as the style vector.
        Raises ConfigError for what is no style vector.
        """
        if styles.dim() != 2 or styles.shape[1] != self.size:
            raise ConfigError(f"styles must be [B, {self.size}], got {list(styles.shape)}")
        shares = torch.split(styles, [layer.channels for layer in self.layers], dim=1)
        return {layer.name: share for layer, share in zip(self.layers, shares, strict=True)}

    def fixed_mask(self) -> Tensor:
        """Bool ``[S]``: true for the entries that edit directions leave alone: those that feed a toRGB convolution, and
        those that move and turn the picture as a whole.
        """
        mask = torch.zeros(self.size, dtype=torch.bool)
        for layer in self.layers:
            if layer.is_rgb or layer.is_motion:
                mask[layer.start : layer.stop] = True
        return mask
