"""StyleSpace: the place of each layer's modulation inputs in one flat style vector (Wu et al., 2021)."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from zoom_engine.common.errors import ConfigError
from zoom_engine.common.typed import one_of


@dataclass(frozen=True)
class StyleLayer:
    """One modulated convolution's part of the style vector: entries `start` to `stop` of S.

    `is_motion` marks a part of no convolution: where the picture is and how it is turned (StyleGAN3's input).
    `is_frozen` marks any other part that edits must leave alone.
    """

    name: str
    resolution: int
    channels: int
    start: int
    is_rgb: bool
    is_motion: bool = False
    is_frozen: bool = False

    @property
    def stop(self) -> int:
        """The entry behind its last."""
        return self.start + self.channels


class StyleSpace:
    """The ordered layers of a generator; a style vector is one flat float tensor `[B, S]`.

    `layers` holds one entry for each modulated convolution in the order of execution; `size` is S, the sum of their
    input channels.
    """

    def __init__(
        self, layers: Sequence[tuple[str, int, int, bool]], *, motion: str | None = None, frozen: Collection[str] = ()
    ) -> None:
        """Place the layers one after the other.

        Args:
            layers: name, resolution, channels, and whether it is a toRGB convolution, of each.
            motion: the name of the layer that moves the picture.
            frozen: the names of further layers that edits must leave alone.

        Raises:
            ConfigError: there is no layer of a name in `frozen`.
        """
        names = [name for name, *_ in layers]
        if unknown := [name for name in frozen if name not in names]:
            raise ConfigError(f"a code has no part {one_of(unknown[0], names)}")
        placed: list[StyleLayer] = []
        start = 0
        for name, resolution, channels, is_rgb in layers:
            placed.append(StyleLayer(name, resolution, channels, start, is_rgb, name == motion, name in frozen))
            start += channels
        self.layers: tuple[StyleLayer, ...] = tuple(placed)
        self.size = start

    def split(self, styles: Tensor) -> dict[str, Tensor]:
        """Split style vectors `[B, S]` into each layer's part `[B, channels]` by its name.

        Raises:
            ConfigError: these are no style vectors.
        """
        if styles.dim() != 2 or styles.shape[1] != self.size:
            raise ConfigError(f"styles must be [B, {self.size}], got {list(styles.shape)}")
        # In one cut, of which the gradient is one concatenation; that of a slice is as long as the style vector.
        shares = torch.split(styles, [layer.channels for layer in self.layers], dim=1)
        return {layer.name: part for layer, part in zip(self.layers, shares, strict=True)}

    def fixed_mask(self) -> Tensor:
        """Return bool `[S]`: true for the entries that edit directions leave alone.

        These feed a toRGB convolution, move and turn the picture as a whole, or are frozen.
        """
        mask = torch.zeros(self.size, dtype=torch.bool)
        for layer in self.layers:
            if layer.is_rgb or layer.is_motion or layer.is_frozen:
                mask[layer.start : layer.stop] = True
        return mask
