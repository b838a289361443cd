"""The part that generators with a mapping network share: seeds → z → w, classes, and the content hash."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import replace
from typing import Self

import torch
from torch import Tensor, nn

from zoom_engine import ops
from zoom_engine.common.errors import ConfigError
from zoom_engine.generators.codes import seeded_latents
from zoom_engine.generators.mapped_config import MappedConfig
from zoom_engine.generators.mapping import MappingNetwork


def random_weights(*shape: int, divisor: float = 1.0, gain: float = 1.0) -> Tensor:
    """Draw the first weights of a network from a normal distribution, over `divisor` and times `gain`.

    On torch's device "meta", where those of a file take their places, nothing is drawn: for that, torch would import
    its compiler.
    """
    empty = torch.empty(shape)
    return empty if empty.is_meta else torch.randn(shape) / divisor * gain


class MappedGenerator(nn.Module):
    """A generator up to w; a family adds how w becomes styles and styles become an image.

    All methods take and return float32 tensors on the module's device.
    """

    differentiable = True
    population = None  # seeds never end

    def __init__(self, config: MappedConfig) -> None:
        """Build the mapping network, its weights random."""
        super().__init__()
        self.config = config
        self.resolution, self.num_ws = config.resolution, config.num_ws
        self.z_dim, self.w_dim = config.z_dim, config.w_dim
        self.mapping_network = MappingNetwork(config)
        self._hashed: tuple[str, list[tuple[str, ops.State]], list[tuple[str, Tensor]]] | None = None

    @property
    def device(self) -> torch.device:
        """The device of the weights."""
        return self.mapping_network.w_avg.device

    @property
    def classes(self) -> int:
        """How many it draws; 0 of one that is not class-conditional."""
        return self.config.c_dim

    def of_class(self, index: int) -> Self:
        """Return a copy of a class-conditional network that draws class `index` alone and asks for no class.

        It is the same function: the class's embedding is one constant vector, so what the first mapping layer makes of
        it is a constant that joins that layer's bias. The average latent stays that of all classes.

        Raises:
            ConfigError: there is no such class.
        """
        check_class(index, self.config.c_dim)
        with torch.no_grad():
            embedding = self.mapping_network.embedded(torch.tensor([index], device=self.device))[0]
            state = dict(self.state_dict())
            weight = state["mapping_network.layers.0.weight"]
            state["mapping_network.layers.0.bias"] = (
                state["mapping_network.layers.0.bias"] + weight[:, self.z_dim :] @ embedding
            )
            state["mapping_network.layers.0.weight"] = weight[:, : self.z_dim]
            state = {key: value.clone() for key, value in state.items() if ".embed." not in key}
        with torch.device("meta"):
            fixed = type(self)(replace(self.config, c_dim=0, embed_dim=0))
        fixed.load_state_dict(state, assign=True)
        return fixed.eval().requires_grad_(False)

    @property
    def content_hash(self) -> str:
        """The SHA-256 (hex) over the configuration and every weight; the key of all caches.

        It is kept until a weight changes (`ops.state_of`).
        """
        weights = sorted(self.state_dict(keep_vars=True).items())
        states = [(name, ops.state_of(value)) for name, value in weights]
        if self._hashed is None or self._hashed[1] != states:
            digest = hashlib.sha256(json.dumps(self.config.to_dict(), sort_keys=True).encode())
            for name, value in weights:
                digest.update(name.encode())
                digest.update(value.detach().cpu().contiguous().float().numpy())
            # The weights are held so that no other tensors get their addresses.
            self._hashed = digest.hexdigest(), states, weights
        return self._hashed[0]

    def latents(self, seeds: Sequence[int]) -> Tensor:
        """Return the latent of each seed, `[B, z_dim]`: NVIDIA's `RandomState(seed).randn(1, z_dim)`."""
        return seeded_latents(seeds, self.z_dim).to(self.device)

    def sample(self, seeds: Sequence[int], *, truncation: float = 1.0, truncation_cutoff: int | None = None) -> Tensor:
        """Return the style vectors `[B, S]` of the seeds."""
        w = self.mapping(self.latents(seeds), truncation=truncation, truncation_cutoff=truncation_cutoff)
        return self.styles(w)

    def draw(
        self, count: int, random: torch.Generator, *, truncation: float = 1.0, truncation_cutoff: int | None = None
    ) -> tuple[Tensor, Tensor]:
        """Draw random `w [count, w_dim]` and their style vectors `[count, S]`.

        All entries of one w are affine images of one another: the last, truncated least, stands for all.
        """
        z = torch.randn(count, self.z_dim, generator=random).to(self.device)
        w = self.mapping(z, truncation=truncation, truncation_cutoff=truncation_cutoff)
        return w[:, -1], self.styles(w)

    def styles(self, w: Tensor) -> Tensor:
        """Compute style vectors `[B, S]` of `w [B, num_ws, w_dim]`, in the order of the family's `space`."""
        raise NotImplementedError

    def mapping(
        self,
        z: Tensor,
        *,
        truncation: float = 1.0,
        truncation_cutoff: int | None = None,
        classes: Tensor | None = None,
    ) -> Tensor:
        """Compute `w [B, num_ws, w_dim]` of `z [B, z_dim]`.

        Args:
            z: latents.
            truncation: ψ pulls entries toward the average latent: w ← w_avg + ψ·(w − w_avg) (Karras 2019).
            truncation_cutoff: how many of the first entries are pulled (None: all).
            classes: int64 `[B]`, which a class-conditional network needs.

        Raises:
            ConfigError: a truncation where a file brought no average latent.
        """
        if truncation != 1.0 and bool(self.mapping_network.w_avg.isnan().any()):
            raise ConfigError(
                "the generator's file has no average latent, toward which a truncation pulls: leave truncation at 1"
            )
        w: Tensor = self.mapping_network(z, classes).unsqueeze(1).repeat(1, self.num_ws, 1)
        if truncation != 1.0:
            cutoff = self.num_ws if truncation_cutoff is None else truncation_cutoff
            w[:, :cutoff] = self.mapping_network.w_avg.lerp(w[:, :cutoff], truncation)
        return w


def check_class(index: int, classes: int) -> None:
    """Refuse a class `index` that a generator of that many `classes` (0: of none) does not have.

    Raises:
        ConfigError: there is no such class.
    """
    if not classes:
        raise ConfigError("the generator is not class-conditional: no class can be fixed")
    if not 0 <= index < classes:
        raise ConfigError(f"class {index} is outside 0..{classes - 1}")
