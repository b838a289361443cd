"""Any torch module with a flat code as a generator.

Its codes come from a standard normal distribution, or from a file of codes (the latents of a training set, a VAE's
means). They are their own latents, and every entry may be edited.
"""

from __future__ import annotations

from typing import Self

import numpy as np
import torch
from torch import Tensor, nn

from zoom_engine.common.errors import ConfigError, ZoomError, one_line
from zoom_engine.common.module_copy import drop_watching_hooks, other_precision, own_copy
from zoom_engine.common.module_hash import Identity, module_hash
from zoom_engine.common.probes import Answers, short_answers
from zoom_engine.generators.codes import Codes, DrawnFromCodes
from zoom_engine.generators.generator import shown
from zoom_engine.generators.style_space import StyleSpace
from zoom_engine.ops.modulation import edited

MOST_SIDE = 4096  # pixels
PROBES = 8
"""The number of codes whose pictures identify a decoder."""


class Decoder(DrawnFromCodes, nn.Module):
    """A torch module from codes `[B, S]` to images `[B, 3, R, R]`, frozen, as an `EditableGenerator`."""

    differentiable = True

    def __init__(
        self,
        network: nn.Module,
        *,
        code_size: int | None = None,
        codes: Tensor | Codes | None = None,
        output_range: tuple[float, float] | None = None,
    ) -> None:
        """Copy the module and try it on two codes.

        Args:
            network: the module; it is copied, without hooks that only watch it (`drop_watching_hooks`).
            code_size: S; where it is not given, that of `codes`, else the network's own `code_size`, `latent_dim` or
                `z_dim`.
            codes: float `[K, S]`, what to sample from in place of a standard normal distribution; or what samples.
            output_range: the values of the network's output for black and white; by default -1 and 1.

        Raises:
            ConfigError: S is nowhere said, or the network returns no square RGB images of finite numbers.
        """
        super().__init__()
        if not isinstance(codes, Codes):
            size = code_size or (codes.shape[-1:].numel() if codes is not None else _code_size(network))
            codes = Codes(size, codes)
        self.codes, size = codes, codes.size
        self._range = checked_range(output_range)
        self.network = own_copy(network)
        self.eval().requires_grad_(False)
        self.note = drop_watching_hooks(self.network, self.codes.sample([0, 1], 1.0, None))
        self.register_buffer("_place", torch.zeros(()), persistent=False)
        self.space = StyleSpace([("code", 0, size, False)])
        self.content_hash = Identity(module_hash(self.network, self.codes.identity, {"range": list(self._range)}))
        with torch.no_grad():
            first = self._drawn(self.sample([0, 1]))
            self.resolution = checked_side(first, sure=output_range is not None)
            self.content_hash.answers = self._answers(first)

    def _answers(self, first: Tensor) -> Answers | None:
        """Return the answers to some codes, the `first` two among them.

        None where a code is drawn differently each time.
        """
        if not torch.allclose(self._drawn(self.sample([0, 1])), first, rtol=1e-4, atol=1e-4):
            return None
        images = [first, *(self._drawn(self.sample([seed])) for seed in range(2, PROBES))]
        return short_answers(torch.cat(images).cpu().numpy())

    @property
    def device(self) -> torch.device:
        """The device of the module."""
        place = self._place
        assert isinstance(place, Tensor)
        return place.device

    def train(self, mode: bool = True) -> Self:
        """Stay in evaluation mode: the generator is under audit."""
        return super().train(False)

    def render(self, codes: Tensor, edit_weights: Tensor | None = None, directions: Tensor | None = None) -> Tensor:
        """Draw pictures, see `EditableGenerator.render`."""
        return shown(self._drawn(edited(codes, edit_weights, directions)))

    def _drawn(self, codes: Tensor) -> Tensor:
        try:
            images = self.network(codes.clone())  # it may change its input in place
        except (torch.OutOfMemoryError, MemoryError, ZoomError):
            raise
        except Exception as error:  # other people's code raises what it likes
            if other := other_precision(self.network):
                raise ConfigError(
                    f"the decoder has weights in {other}, and codes come in float32: give it in float32, such as"
                    " model.float()"
                ) from error
            raise ConfigError(f"the decoder fails on codes of {list(codes.shape)}: {one_line(error)}") from error
        return scaled(images, self._range)


def _code_size(network: nn.Module) -> int:
    for name in ("code_size", "latent_dim", "z_dim"):
        size = getattr(network, name, None)
        if isinstance(size, int) and not isinstance(size, bool):
            return size
    raise ConfigError(
        f"how many numbers a code of {type(network).__name__} has is not known: give Decoder(network, code_size=...)"
    )


def checked_range(output_range: tuple[float, float] | None) -> tuple[float, float]:
    """Return black and white as floats, by default -1 and 1.

    Raises:
        ConfigError: they are not two different finite numbers.
    """
    black, white = (float(value) for value in ((-1, 1) if output_range is None else output_range))
    if not (np.isfinite([black, white]).all() and black != white):
        raise ConfigError(f"output_range must be two different finite numbers, black and white, not {output_range}")
    return black, white


def scaled(images: object, output_range: tuple[float, float]) -> Tensor:
    """Return a decoder's output `[B, 3, R, R]` scaled to [-1, 1].

    Raises:
        ConfigError: the output has another shape, or is not of floats.
    """
    if not isinstance(images, Tensor) or images.ndim != 4 or images.shape[1] != 3 or not images.is_floating_point():
        what = list(images.shape) if isinstance(images, Tensor) else type(images).__name__
        raise ConfigError(f"the decoder must return images [B, 3, R, R] of floats, not {what}")
    black, white = output_range
    return images if output_range == (-1.0, 1.0) else (images - black) * (2 / (white - black)) - 1


def checked_side(images: Tensor, *, sure: bool) -> int:
    """Return the side R of a decoder's images of two codes; `sure` says that their range was given.

    Raises:
        ConfigError: they are not `[2, 3, R, R]` with R of 4 to `MOST_SIDE`, not finite, or out of range.
    """
    rows, columns = images.shape[-2:]
    if len(images) != 2 or rows != columns or not 4 <= rows <= MOST_SIDE:
        raise ConfigError(
            f"the decoder's images of two codes are {list(images.shape)}: they must be [2, 3, R, R] with R of 4 to"
            f" {MOST_SIDE}"
        )
    if not bool(images.isfinite().all()):
        raise ConfigError("the decoder's images hold NaN or infinity: check its weights")
    if float(images.abs().max()) > 4:
        raise ConfigError(
            f"the decoder's images reach {float(images.abs().max()):.3g}, where black is -1 and white 1: give its"
            " output_range, such as (0, 255)"
        )
    if not sure and float(images.min()) >= 0:
        raise ConfigError(
            f"the decoder's images have nothing below {float(images.min()):.3g}, where black is -1 and white 1: give"
            " its output_range, (0, 1), or (-1, 1) where they are that bright"
        )
    return int(rows)
