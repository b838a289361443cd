"""The mapping network: from the latent z, and a class where there are classes, to w."""

from __future__ import annotations

import itertools
import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from zoom_engine.common.errors import ConfigError
from zoom_engine.generators.mapped_config import MappedConfig


class MappingNetwork(nn.Module):
    """z → w: second-moment normalisation, then fully connected layers with leaky ReLU · √2.

    A class-conditional network appends the linear embedding of the class, normalised likewise (Karras 2020, "Training
    Generative Adversarial Networks with Limited Data", appendix).
    """

    w_avg: Tensor

    def __init__(self, config: MappedConfig) -> None:
        """Build the layers, their weights random."""
        super().__init__()
        inner = config.mapping_dim or config.w_dim
        widths = [config.z_dim + config.embed_dim] + [inner] * (config.mapping_layers - 1) + [config.w_dim]
        self.embed = nn.Linear(config.c_dim, config.embed_dim) if config.c_dim else None
        self.layers = nn.ModuleList(nn.Linear(i, o) for i, o in itertools.pairwise(widths))
        self.register_buffer("w_avg", torch.zeros(config.w_dim))

    def forward(self, z: Tensor, classes: Tensor | None = None) -> Tensor:
        """Compute `w [B, w_dim]` before truncation of `z [B, z_dim]` and `classes` int64 `[B]` or None.

        Raises:
            ConfigError: classes are missing, out of range, or not wanted.
        """
        x = _second_moment_normalised(z)
        if self.embed is not None:
            if classes is None:
                raise ConfigError(
                    f"the generator draws {self.embed.in_features} classes: pass classes, or fix one with of_class(N)"
                    " or `zoom-engine convert IN OUT.safetensors --generator-class N`"
                )
            if not bool(((classes >= 0) & (classes < self.embed.in_features)).all()):
                raise ConfigError(f"classes must be in 0..{self.embed.in_features - 1}")
            x = torch.cat([x, self.embedded(classes)], dim=1)
        elif classes is not None:
            raise ConfigError("the generator is not class-conditional: leave classes out")
        for layer in self.layers:
            x = F.leaky_relu(layer(x), 0.2) * math.sqrt(2.0)
        return x

    def embedded(self, classes: Tensor) -> Tensor:
        """Compute the normalised embedding `[B, embed_dim]` of `classes [B]`."""
        assert self.embed is not None, "the network has no classes"
        one_hot = F.one_hot(classes, self.embed.in_features).to(self.embed.weight.dtype)
        return _second_moment_normalised(self.embed(one_hot))


def _second_moment_normalised(x: Tensor) -> Tensor:
    return x * (x.square().mean(dim=1, keepdim=True) + 1e-8).rsqrt()
