"""A recipe of a generator, from the weights in somebody's file: every checkpoint format is turned into one first.

A recipe holds no weights, only where they are, so that a file can be described without being loaded.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from zoom_engine.common.errors import CheckpointError, one_line
from zoom_engine.generators.families import Generator, GeneratorConfig, network_of

W_AVG = "mapping_network.w_avg"
AVERAGED_LATENTS = 16_384
MOST_MAPPING_LAYERS = 64
MOST_PARAMETERS = 500_000_000

Array = NDArray[np.float32]
Source = Callable[[], Array]


@dataclass(frozen=True)
class Recipe:
    """A generator in a file.

    Attributes:
        format: what people call the file's format.
        config: the generator's shape.
        sources: `sources[name]` reads the weights of `network_of(config).state_dict()[name]`, checked and finite.
            Without `mapping_network.w_avg` the average latent is measured, but not of a class-conditional network:
            there it stays unknown (NaN), and nothing is truncated.
        facts: what else the file says, as labels and texts.
    """

    format: str
    config: GeneratorConfig
    sources: Mapping[str, Source]
    facts: tuple[tuple[str, str], ...] = ()

    def build(self, file_size: int) -> Generator:
        """Build the generator, frozen, in evaluation mode.

        Raises:
            CheckpointError: a weight is missing, superfluous, of another shape or not finite, or the weights are more
                than a file of `file_size` bytes can hold.
        """
        parameters = count_parameters(self.config)
        if parameters > MOST_PARAMETERS:
            raise CheckpointError(f"describes a generator of more than {MOST_PARAMETERS} parameters")
        if 2 * parameters > file_size + (1 << 20):
            raise CheckpointError(f"is damaged: {file_size} bytes cannot hold a generator of {parameters} parameters")
        generator = _empty(self.config)
        expected = {name: tuple(value.shape) for name, value in generator.state_dict().items()}
        wrong = next(iter((expected.keys() - {W_AVG}) ^ (self.sources.keys() - {W_AVG})), None)
        if wrong is not None:
            what = "missing" if wrong in expected else "superfluous"
            raise CheckpointError(f"does not fit: '{one_line(wrong, 80)}' is {what}")
        state: dict[str, torch.Tensor] = {}
        for name, source in self.sources.items():
            value = source()
            if value.shape != expected[name]:
                raise CheckpointError(f"does not fit: '{name}' is {list(value.shape)}, expected {list(expected[name])}")
            if not np.isfinite(value).all() and not (name == W_AVG and np.isnan(value).all()):
                raise CheckpointError(f"cannot be used: '{name}' is not finite once its gain is multiplied in")
            # A copy lies in memory as torch lays its own: on some processors that moves the last digit of a product.
            state[name] = torch.from_numpy(np.ascontiguousarray(value, dtype=np.float32)).clone()
        without_mean = W_AVG not in state
        if without_mean:
            state[W_AVG] = torch.full((self.config.w_dim,), torch.nan)
        generator.load_state_dict(state, assign=True)
        generator = generator.eval().requires_grad_(False)
        if without_mean and not self.config.c_dim:
            _measure_average_latent(generator)
        return generator


def count_parameters(config: GeneratorConfig) -> int:
    """Return how many numbers such a generator has, its constant noise included."""
    return sum(value.numel() for value in _empty(config).state_dict().values())


def mapping_fields(
    inputs: int, inner: int, w_dim: int, *, layers: int, c_dim: int, embed_dim: int
) -> dict[str, int | None]:
    """Return the fields of a generator's configuration that the widths of its mapping network tell.

    Args:
        inputs: the width of the input, with the class embedding.
        inner: that of the hidden layers.
        w_dim: that of the output.
        layers: how many layers there are.
        c_dim: how many classes there are.
        embed_dim: the width of the class embedding.
    """
    return {
        "z_dim": inputs - embed_dim,
        "w_dim": w_dim,
        "mapping_layers": layers,
        "mapping_dim": None if inner == w_dim else inner,
        "c_dim": c_dim,
        "embed_dim": embed_dim,
    }


def _empty(config: GeneratorConfig) -> Generator:
    with torch.device("meta"):
        return network_of(config)


def _measure_average_latent(generator: Generator) -> None:
    """Measure the mean of w over random latents of a fixed seed, as rosinality's own sampling script does."""
    z = torch.randn(AVERAGED_LATENTS, generator.z_dim, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        average = torch.stack([generator.mapping_network(part).double().mean(0) for part in z.chunk(16)]).mean(0)
    generator.mapping_network.w_avg.copy_(average)
