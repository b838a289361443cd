"""The sources of a decoder's codes: a standard normal distribution, or a file."""

from __future__ import annotations

import hashlib
import io
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors.torch import load as load_safetensors
from torch import Tensor

from zoom_engine.common.errors import CheckpointError, ConfigError, one_line

MOST_ENTRIES = 1 << 16  # of a code


def check_seeds(seeds: Sequence[int]) -> None:
    """Refuse seeds that NumPy's `RandomState` does not take.

    Raises:
        ConfigError: one is outside 0..2³²-1.
    """
    if any(not 0 <= int(seed) < 2**32 for seed in seeds):
        raise ConfigError("seeds must be integers in 0..4294967295")


def seeded_latents(seeds: Sequence[int], size: int) -> Tensor:
    """Draw standard normal latents `[B, size]` (float32), row i by NumPy's `RandomState(seeds[i])`, as NVIDIA does.

    Raises:
        ConfigError: as `check_seeds`.
    """
    check_seeds(seeds)
    rows = [np.random.RandomState(int(seed)).randn(size) for seed in seeds]
    return torch.from_numpy(np.array(rows, dtype=np.float32).reshape(-1, size))


def _copied(table: Tensor) -> Tensor:
    """Return a copy of a table, float32 on the CPU, which neither gradients nor changes of the original reach."""
    if not table.is_complex():
        copied = table.detach().to("cpu", torch.float32, copy=True)
        if bool(copied.isfinite().all()):
            return copied
    raise ConfigError(f"codes must be finite numbers of float32, those given ({table.dtype}) hold others")


class Codes:
    """The source of a decoder's codes `[S]`: `table [K, S]`, or (None) a standard normal distribution."""

    def __init__(self, size: int, table: Tensor | None = None) -> None:
        """Check the size S of a code and the table.

        Raises:
            ConfigError: the size is out of range, or the table is not `[K, S]` of finite numbers.
        """
        if table is not None and (table.ndim != 2 or not len(table)):
            raise ConfigError(f"codes must be [K, S], those given are {list(table.shape)}")
        if not 1 <= size <= MOST_ENTRIES:
            raise ConfigError(f"a code has {size} entries; the engine edits codes of 1 to {MOST_ENTRIES}")
        if table is not None and table.shape[1] != size:
            raise ConfigError(f"the decoder reads codes of {size} entries, but those given are {list(table.shape)}")
        self.size, self.table = size, None if table is None else _copied(table)

    @property
    def population(self) -> int | None:
        """K, None for a normal distribution."""
        return None if self.table is None else len(self.table)

    @property
    def identity(self) -> dict[str, Any]:
        """What sampled codes depend on, ready for JSON."""
        table = self.table
        return {"codes": "normal" if table is None else hashlib.sha256(table.numpy().tobytes()).hexdigest()}

    def sample(self, seeds: Sequence[int], truncation: float, truncation_cutoff: int | None) -> Tensor:
        """Return the codes of the seeds: row i modulo K of the table for seed i, else `seeded_latents`."""
        if self.table is None:
            codes = seeded_latents(seeds, self.size)
        else:
            check_seeds(seeds)
            codes = self.table[torch.tensor([int(seed) % len(self.table) for seed in seeds], dtype=torch.long)]
        return self._truncated(codes, truncation, truncation_cutoff)

    def draw(
        self, count: int, random: torch.Generator, truncation: float, truncation_cutoff: int | None
    ) -> tuple[Tensor, Tensor]:
        """Draw latents and codes, see `EditableGenerator.draw`; rows of the table are drawn with replacement."""
        if self.table is None:
            codes = torch.randn(count, self.size, generator=random)
        else:
            codes = self.table[torch.randint(len(self.table), (count,), generator=random)]
        codes = self._truncated(codes, truncation, truncation_cutoff)
        return codes, codes

    def _truncated(self, codes: Tensor, truncation: float, cutoff: int | None) -> Tensor:
        """Compute c ← c̄ + ψ·(c − c̄), c̄ being the average code."""
        if cutoff is not None:
            raise ConfigError("truncation_cutoff counts a StyleGAN's layers: a decoder's code has none, leave it out")
        if truncation == 1.0:
            return codes
        return self.average.lerp(codes, truncation)

    @property
    def average(self) -> Tensor:
        """The average code `[S]`."""
        return torch.zeros(self.size) if self.table is None else self.table.mean(0)


NOISE = "noise"
"""What the part of a code is called that `NoisyCodes` draws."""


class NoisyCodes(Codes):
    """The source of codes of noise, which is standard normal by the seed, and of a row that says what is drawn."""

    def __init__(self, noise: int, rows: Tensor) -> None:
        """Check the sizes.

        Args:
            noise: how many numbers of a code are noise.
            rows: `[K, P]`, which the seeds take in turn.

        Raises:
            ConfigError: a code is too large or without noise, or there are no rows, or such that are not finite.
        """
        if noise < 1:
            raise ConfigError(f"codes of noise need 1 number of it or more, not {noise}")
        if rows.ndim != 2 or not rows.numel():
            raise ConfigError(f"what codes of noise say beside it must be [K, P], not {list(rows.shape)}")
        super().__init__(noise + rows.shape[1])
        self.noise, self.rows = noise, _copied(rows)

    @property
    def identity(self) -> dict[str, Any]:
        """What sampled codes depend on, ready for JSON."""
        return {"noise": self.noise, "rows": hashlib.sha256(self.rows.numpy().tobytes()).hexdigest()}

    def sample(self, seeds: Sequence[int], truncation: float, truncation_cutoff: int | None) -> Tensor:
        """Return the codes of the seeds: noise of seed i, and row i modulo K."""
        noise = seeded_latents(seeds, self.noise)
        rows = torch.tensor([int(seed) % len(self.rows) for seed in seeds], dtype=torch.long)
        return self._truncated(torch.cat([noise, self.rows[rows]], dim=1), truncation, truncation_cutoff)

    def draw(
        self, count: int, random: torch.Generator, truncation: float, truncation_cutoff: int | None
    ) -> tuple[Tensor, Tensor]:
        """Draw latents and codes, see `EditableGenerator.draw`; rows are drawn with replacement."""
        noise = torch.randn(count, self.noise, generator=random)
        rows = torch.randint(len(self.rows), (count,), generator=random)
        codes = self._truncated(torch.cat([noise, self.rows[rows]], dim=1), truncation, truncation_cutoff)
        return codes, codes

    @property
    def average(self) -> Tensor:
        """The average code `[S]`."""
        return torch.cat([torch.zeros(self.noise), self.rows.mean(dim=0)])


class DrawnFromCodes:
    """The part that generators share whose codes are their own latents: `codes` is their source."""

    codes: Codes

    @property
    def device(self) -> torch.device:
        """The device on which codes are wanted."""
        raise NotImplementedError

    @property
    def population(self) -> int | None:
        """How many codes there are, None without end."""
        return self.codes.population

    def sample(self, seeds: Sequence[int], *, truncation: float = 1.0, truncation_cutoff: int | None = None) -> Tensor:
        """Return the codes of the seeds, see `EditableGenerator.sample`."""
        return self.codes.sample(seeds, truncation, truncation_cutoff).to(self.device)

    def draw(
        self, count: int, random: torch.Generator, *, truncation: float = 1.0, truncation_cutoff: int | None = None
    ) -> tuple[Tensor, Tensor]:
        """Draw latents and codes, see `EditableGenerator.draw`."""
        latents, codes = self.codes.draw(count, random, truncation, truncation_cutoff)
        return latents.to(self.device), codes.to(self.device)

    def affine_weight(self) -> None:
        """Return None: codes are their own latents."""


def read_codes(path: str | Path) -> Tensor:
    """Read codes `[K, S]` (float32) from a file: NumPy's `.npy`, or safetensors with one tensor.

    Raises:
        CheckpointError: it cannot be read, or holds anything else, or numbers that are not finite.
    """
    path = Path(path)
    try:
        content = path.read_bytes()
        if content.startswith(b"\x93NUMPY"):
            array = np.load(io.BytesIO(content), allow_pickle=False)
            table = torch.from_numpy(array.astype(np.float32, casting="same_kind"))
        else:
            tensors = load_safetensors(content)
            if len(tensors) != 1:
                raise CheckpointError(f"{path} holds {len(tensors)} tensors: a file of codes holds one, [K, S]")
            (table,) = tensors.values()
            if table.is_complex():
                raise TypeError("its numbers are complex")
            table = table.float()
    except CheckpointError:
        raise
    except Exception as error:  # NumPy, which also parses a header's text, and safetensors raise many kinds
        raise CheckpointError(f"{path} holds no codes (.npy or safetensors, [K, S]): {one_line(error)}") from error
    if table.ndim != 2 or not table.numel() or not bool(table.isfinite().all()):
        raise CheckpointError(f"{path} holds no codes: [K, S] finite numbers are needed, not {list(table.shape)}")
    return table
