"""What a discovery measures of its images, stored as it is measured: a stopped run resumes where it was.

A few images at a time are measured and stored in one file. So whoever measures them sees the same batches, and a run
that was stopped anywhere ends with the numbers of one that was not.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import torch
from torch import Tensor

from zoom_engine.common.errors import AuditError, CacheError, one_line
from zoom_engine.common.progress import ProgressFactory, silent
from zoom_engine.directions.cache import DirectionCache

Rows = dict[str, Tensor]


class Checkpoint:
    """The folder `out`/measured, or no storage at all."""

    def __init__(
        self, folder: Path | None, depends_on: Mapping[str, object], progress: ProgressFactory = silent
    ) -> None:
        """Use `folder`, or store nothing where it is None; `depends_on` is what all measurements depend on (JSON)."""
        self._store = DirectionCache(folder)
        self._common = {"all": hashlib.sha256(json.dumps(depends_on, sort_keys=True).encode()).hexdigest()}
        self._progress = progress

    def load_or_measure(
        self,
        kind: str,
        seeds: Sequence[int],
        depends_on: Sequence[Tensor],
        measure: Callable[[slice], Rows],
        *,
        at_once: int,
        doing: str,
    ) -> Rows:
        """Return what `measure` says of all images, and measure only what is not stored.

        Args:
            kind: name of the measurement.
            seeds: of the images.
            depends_on: tensors that this measurement depends on.
            measure: returns tensors with a row for each image of a slice.
            at_once: how many images are measured and stored together.
            doing: title of the progress bar.

        Raises:
            AuditError: the folder cannot be written.
        """
        base_key = {**self._common, "on": [_hash(tensor) for tensor in depends_on]}
        parts = []
        with self._progress(len(seeds), doing, unit="image") as bar:
            for first in range(0, len(seeds), at_once):
                rows = slice(first, min(first + at_once, len(seeds)))
                key = {**base_key, "seeds": list(seeds[rows])}
                cached = self._store.load(kind, key)
                if cached is None:
                    cached = measure(rows)
                    try:
                        self._store.store(kind, key, cached)
                    except CacheError as error:
                        reason = one_line(error.__cause__ or error)
                        raise AuditError(f"cannot write {self._store.folder}: {reason}: fix that") from error
                parts.append(cached)
                bar.update(rows.stop - first)
        return {name: torch.cat([part[name] for part in parts]) for name in parts[0]}


def _hash(tensor: Tensor) -> str:
    plain = tensor.detach().cpu().contiguous()
    return hashlib.sha256(f"{list(plain.shape)}".encode() + plain.numpy().tobytes()).hexdigest()
