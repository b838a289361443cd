"""The unedited style vectors of many seeds, mapped when they are asked for."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence

import torch
from torch import Tensor

from zoom_engine.generators.generator import EditableGenerator

CACHED_ROWS = 256  # rows; a search asks for those of the images under way again and again


class SeedStyles:
    """A stand-in for the tensor `[I, S]` (float32, on the generator's device) of `seeds`, a row each, of any length.

    `styles[i]` is `[S]`, `styles[a:b]` and `styles[index]` with an int64 tensor are `[B, S]`. Every row is mapped
    alone, so that no bit of it depends on the rows beside it. Only the `CACHED_ROWS` rows used last are in memory.
    """

    def __init__(
        self,
        generator: EditableGenerator,
        seeds: Sequence[int],
        *,
        truncation: float = 1.0,
        truncation_cutoff: int | None = None,
    ) -> None:
        """Keep the seeds; nothing is mapped yet."""
        self._generator, self._seeds = generator, seeds
        self._truncation, self._truncation_cutoff = truncation, truncation_cutoff
        self._rows: OrderedDict[int, Tensor] = OrderedDict()

    def __len__(self) -> int:
        """Return the number of seeds."""
        return len(self._seeds)

    @property
    def device(self) -> torch.device:
        """The device of the rows."""
        return self._generator.device

    def __getitem__(self, index: int | slice | Tensor) -> Tensor:
        """Return one row `[S]`, or the rows `[B, S]` of a slice or an int64 tensor."""
        if isinstance(index, int):
            return self._row(range(len(self))[index])
        chosen = range(len(self))[index] if isinstance(index, slice) else index.tolist()
        if not len(chosen):
            return torch.empty(0, self._generator.space.size, device=self.device)
        return torch.stack([self._row(row) for row in chosen])

    @torch.no_grad()
    def _row(self, row: int) -> Tensor:
        if row not in self._rows:
            self._rows[row] = self._generator.sample(
                [self._seeds[row]], truncation=self._truncation, truncation_cutoff=self._truncation_cutoff
            )[0]
            while len(self._rows) > CACHED_ROWS:
                self._rows.popitem(last=False)
        self._rows.move_to_end(row)
        return self._rows[row]


StyleRows = Tensor | SeedStyles
"""Style vectors ``[I, S]`` whose rows are taken."""
