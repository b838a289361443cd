"""An autoencoder with a semantic code and noise, as a diffusion autoencoder is, as a generator.

Such a model (Preechakul et al. 2022, *Diffusion Autoencoders*) reads what a picture shows into a small semantic code,
and draws a picture of that code and of noise, which holds the rest. Both are one code here; the noise is that of the
seed and edits leave it alone, so what an edit changes is what the picture shows. It has not been run on real weights.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any, ClassVar

import torch
from torch import Tensor, nn

from zoom_engine.common.errors import ConfigError, ZoomError, one_line
from zoom_engine.generators.codes import NOISE, NoisyCodes, seeded_latents
from zoom_engine.generators.decoder import Decoder
from zoom_engine.generators.style_space import StyleSpace

SEMANTIC = "semantic"


class SemanticAutoencoder(Decoder):
    """A model of semantic codes and noise as an `EditableGenerator` that finds the codes of pictures itself.

    Of the published diffusion autoencoder's `model` the three functions are ``model.encode``, ``lambda noise, code:
    model.render(noise, code, T=20)`` and ``lambda images, code: model.encode_stochastic(images, code, T=250)``, with an
    `output_range` of (0, 1).
    """

    codes: NoisyCodes
    differentiable: ClassVar[bool] = False  # type: ignore[misc] # through all steps at once

    def __init__(
        self,
        model: nn.Module,
        *,
        encode: Callable[[Any, Tensor], Tensor],
        decode: Callable[[Any, Tensor, Tensor], Tensor],
        noise_of: Callable[[Any, Tensor, Tensor], Tensor] | None = None,
        noise_shape: Sequence[int],
        semantic_codes: Tensor,
        output_range: tuple[float, float] | None = None,
    ) -> None:
        """Copy the model and try it on two codes.

        Args:
            model: the module that holds all weights; each function is given its copy first.
            encode: (model, images `[B, 3, R, R]` in [-1, 1]) → semantic codes `[B, P]`.
            decode: (model, noise `[B, *noise_shape]`, semantic codes `[B, P]`) → images `[B, 3, R, R]`; it draws no
                noise of its own.
            noise_of: (model, images, their semantic codes) → the noise `[B, *noise_shape]` that draws them again; where
                there is none, photographs get that of seed 0 and lose their details.
            noise_shape: of the noise of one picture, such as (3, R, R).
            semantic_codes: float `[K, P]`, those of pictures that it was trained on, which seeds take in turn.
            output_range: the values of its images for black and white; by default -1 and 1.

        Raises:
            ConfigError: a code has more entries than the engine edits, or it returns no square RGB images.
        """
        codes = NoisyCodes(math.prod(noise_shape), semantic_codes)
        drawing = _Drawing(model, encode, decode, noise_of, tuple(noise_shape))
        super().__init__(drawing, codes=codes, output_range=output_range)
        parts = [(NOISE, codes.noise), (SEMANTIC, codes.size - codes.noise)]
        self.space = StyleSpace([(name, self.resolution, size, False) for name, size in parts], frozen=[NOISE])

    @torch.no_grad()
    def encode(self, images: Tensor) -> Tensor:
        """Return codes `[B, S]` of images float32 `[B, 3, R, R]` in [-1, 1], RGB.

        Raises:
            ConfigError: the model fails on them, or returns codes or noise of another shape than it reads.
        """
        drawing = self.network
        assert isinstance(drawing, _Drawing)
        try:
            semantic, noise = drawing.read(images)
        except (torch.OutOfMemoryError, MemoryError, ZoomError):
            raise
        except Exception as error:  # other people's code raises what it likes
            raise ConfigError(f"the autoencoder fails on images of {list(images.shape)}: {one_line(error)}") from error
        wanted = len(images), self.codes.size - self.codes.noise
        if tuple(semantic.shape) != wanted or noise.numel() != len(images) * self.codes.noise:
            raise ConfigError(
                f"the autoencoder reads images into codes of {list(semantic.shape)} and noise of {list(noise.shape)}:"
                f" {list(wanted)} and {[len(images), *drawing.noise_shape]} are what it draws of"
            )
        return torch.cat([noise.reshape(len(images), -1), semantic], dim=1).float()


class _Drawing(nn.Module):
    """The model as a decoder of flat codes."""

    def __init__(
        self,
        model: nn.Module,
        encode: Callable[[Any, Tensor], Tensor],
        decode: Callable[[Any, Tensor, Tensor], Tensor],
        noise_of: Callable[[Any, Tensor, Tensor], Tensor] | None,
        noise_shape: tuple[int, ...],
    ) -> None:
        super().__init__()
        self.model, self.noise_shape = model, noise_shape
        self.encode_with, self.decode_with, self.noise_with = encode, decode, noise_of

    def forward(self, codes: Tensor) -> Tensor:
        """Draw pictures of codes `[B, S]`."""
        size = math.prod(self.noise_shape)
        return self.decode_with(self.model, codes[:, :size].reshape(-1, *self.noise_shape), codes[:, size:])

    def read(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """Return the semantic codes of images, and the noise that draws them."""
        semantic = self.encode_with(self.model, images)
        if self.noise_with is None:
            same = seeded_latents([0], math.prod(self.noise_shape)).to(images.device)
            return semantic, same.expand(len(images), -1)
        return semantic, self.noise_with(self.model, images, semantic)
