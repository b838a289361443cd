"""Renders on disk: made once, shared by all recipes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Generic

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from lab.training.subject import TrainingSubject
from zoom_engine.common.files.atomic import replacing
from zoom_engine.common.progress import forced
from zoom_engine.domains.networks import to_float
from zoom_engine.domains.parameters import LATENT_DIM
from zoom_engine.domains.truth import Table

CHUNK = 1000


@dataclass(frozen=True)
class Renders(Generic[Table]):
    """``images`` uint8 ``[n, 128, 128, 3]`` (on disk), their ``latents [n, 64]`` and ``parameters``."""

    images: NDArray[np.uint8]
    latents: NDArray[np.float32]
    parameters: Table

    def __len__(self) -> int:
        return len(self.images)

    def batch(self, rows: NDArray[np.int64]) -> Tensor:
        """float32 ``[b, 3, 128, 128]`` in [-1, 1]."""
        return to_float(torch.from_numpy(self.images[rows]))


def latents_for(count: int, seed: int) -> NDArray[np.float32]:
    return np.random.default_rng(seed).standard_normal((count, LATENT_DIM)).astype(np.float32)


def renders(
    subject: TrainingSubject[Table],
    folder: Path,
    count: int,
    seed: int,
    *,
    change: Callable[[Table], Table] | None = None,
    name: str = "sample",
) -> Renders[Table]:
    """Render ``count`` pictures of a subject, or read those that an earlier run rendered.

    ``change`` edits the sampled parameters before rendering (to break or plant ties); ``name`` tells such
    sets apart on disk. An interrupted rendering goes on at the last whole chunk.
    """
    latents = latents_for(count, seed)
    parameters = subject.table.from_latents(latents)
    if change is not None:
        parameters = change(parameters)
    images = in_chunks(folder / "renders", f"{name}-{seed}", count, lambda rows: subject.render(parameters[rows]))
    return Renders(images, latents, parameters)


def in_chunks(folder: Path, name: str, count: int, make: Callable[[slice], NDArray[np.uint8]]) -> NDArray[np.uint8]:
    """The ``count`` pictures that ``make`` gives for slices of rows, made once and kept in ``folder``."""
    folder.mkdir(parents=True, exist_ok=True)
    chunks = [folder / f"{name}-{begin // CHUNK}.npy" for begin in range(0, count, CHUNK)]
    missing = [(i, path) for i, path in enumerate(chunks) if not path.exists()]
    for index, path in forced(missing, f"Making {name}", unit="chunk"):
        with replacing(path) as temporary:
            np.save(temporary, make(slice(index * CHUNK, min((index + 1) * CHUNK, count))))
    images: NDArray[np.uint8] = np.concatenate([np.load(path) for path in chunks])
    return images
