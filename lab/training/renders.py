"""Renders on disk: made once, shared by all recipes, and read a batch at a time."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Generic

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

from lab.training.subject import TrainingSubject
from zoom_engine.common.errors import ConfigError, one_line
from zoom_engine.common.files.atomic import replacing
from zoom_engine.common.progress import forced
from zoom_engine.domains.networks import to_float
from zoom_engine.domains.parameters import LATENT_DIM
from zoom_engine.domains.truth import Table

CHUNK = 1000


class Pictures:
    """Arrays of equal shape in files of `CHUNK` rows, of which only the rows that are asked for come into memory.

    Files are mapped: one that is replaced later (a data set that grows) is read as it was when this was made.
    """

    def __init__(self, paths: Sequence[Path], count: int) -> None:
        """Map the first `count` rows.

        Raises:
            ConfigError: a file is missing or damaged, has too few rows, or rows of another shape than the others.
        """
        self.count = count
        self.chunks = [mapped(path, rows) for path, rows in zip(paths, rows_of(count), strict=True)]
        for path, chunk in zip(paths, self.chunks, strict=True):
            if chunk.shape[1:] != self.chunks[0].shape[1:]:
                raise ConfigError(
                    f"{path} has pictures of {chunk.shape[1:]}, {paths[0].name} of {self.chunks[0].shape[1:]}; remove"
                    " the one that is of another recipe"
                )

    def __len__(self) -> int:
        return self.count

    def __getitem__(self, rows: slice | NDArray[np.int64]) -> NDArray[np.uint8]:
        """Read some rows, uint8 `[n, …]`, in their order."""
        wanted = np.arange(self.count)[rows]
        result = np.empty((len(wanted), *self.chunks[0].shape[1:]), dtype=np.uint8)
        which = wanted // CHUNK
        for chunk in np.unique(which):
            here = which == chunk
            result[here] = self.chunks[chunk][wanted[here] % CHUNK]
        return result


@dataclass(frozen=True)
class Renders(Generic[Table]):
    """Pictures with their `latents [n, 64]` and `parameters`; of a row the picture is uint8 `[R, R, 3]`.

    The first `held_out` are for measuring: `draw` leaves them out.
    """

    images: Pictures
    latents: NDArray[np.float32]
    parameters: Table
    held_out: int = 0

    def __len__(self) -> int:
        return len(self.images)

    def draw(self, rng: np.random.Generator, count: int) -> NDArray[np.int64]:
        """Draw `count` of the rows that training may see."""
        return rng.integers(self.held_out, len(self), count)

    def measured_on(self, most: int) -> NDArray[np.int64]:
        """Return the rows that figures are measured on, `most` at the most: those held out, where there are any."""
        return np.arange(min(self.held_out or len(self), most))

    def batch(self, rows: NDArray[np.int64], *, side: int | None = None, resize: str = "bilinear") -> Tensor:
        """float32 ``[b, 3, R, R]`` in [-1, 1], or resized to ``side`` as preprocessing does it."""
        images = to_float(torch.from_numpy(self.images[rows]))
        if side is None or images.shape[-1] == side:
            return images
        return F.interpolate(images, (side, side), mode=resize, antialias=True).clamp(-1, 1)


def latents_for(count: int, seed: int) -> NDArray[np.float32]:
    return np.random.default_rng(seed).standard_normal((count, LATENT_DIM)).astype(np.float32)


def renders(
    subject: TrainingSubject[Table],
    work: Path,
    count: int,
    seed: int,
    *,
    change: Callable[[Table], Table] | None = None,
    name: str = "sample",
) -> Renders[Table]:
    """Render ``count`` pictures of a subject, or read those that an earlier run rendered.

    ``change`` edits the sampled parameters before rendering (to break or plant ties); ``name`` tells such
    sets apart on disk. An interrupted rendering goes on at the last whole chunk. Of a subject whose pictures are stored
    nothing is rendered.

    Raises:
        ConfigError: a file of pictures is damaged, or there are fewer stored ones.
    """
    if count <= subject.held_out:
        raise ConfigError(f"{count} pictures are too few: {subject.held_out} are held out; render more")
    latents = latents_for(count, seed)
    parameters = subject.table.from_latents(latents)
    if change is not None:
        parameters = change(parameters)
    if subject.stored is not None:
        images = Pictures(chunk_paths(subject.stored, f"{name}-{seed}", count), count)
    else:
        images = in_chunks(work / "renders", f"{name}-{seed}", count, lambda rows: subject.render(parameters[rows]))
    return Renders(images, latents, parameters, subject.held_out)


def in_chunks(folder: Path, name: str, count: int, make: Callable[[slice], NDArray[np.uint8]]) -> Pictures:
    """The ``count`` pictures that ``make`` gives for slices of rows, made once and kept in ``folder``.

    A file that has fewer rows than are wanted of it, as an earlier, smaller set leaves one, is made again.
    """
    folder.mkdir(parents=True, exist_ok=True)
    paths = chunk_paths(folder, name, count)
    missing = [
        (index, path, rows)
        for index, (path, rows) in enumerate(zip(paths, rows_of(count), strict=True))
        if not path.exists() or len(mapped(path, 0)) < rows
    ]
    for index, path, rows in forced(missing, f"Making {name}", unit="chunk"):
        with replacing(path) as temporary:
            np.save(temporary, make(slice(index * CHUNK, index * CHUNK + rows)))
    return Pictures(paths, count)


def chunk_paths(folder: Path, name: str, count: int) -> list[Path]:
    """Return the files of the first `count` pictures of a set."""
    return [folder / f"{name}-{chunk}.npy" for chunk in range(len(rows_of(count)))]


def rows_of(count: int) -> list[int]:
    """Return how many of `count` rows each file has: `CHUNK`, and what is left."""
    return [min(CHUNK, count - begin) for begin in range(0, count, CHUNK)]


def mapped(path: Path, rows: int) -> NDArray[np.uint8]:
    """Map the file of a chunk that has at least `rows` rows.

    Raises:
        ConfigError: it is missing or damaged, holds no pictures, or fewer of them.
    """
    try:
        chunk: NDArray[np.uint8] = np.load(path, mmap_mode="r", allow_pickle=False)
    except FileNotFoundError as error:
        raise ConfigError(f"{path} is missing: render these pictures, or ask for fewer") from error
    except (OSError, ValueError, EOFError) as error:
        raise ConfigError(f"{path} is no file of pictures ({one_line(error)}); remove it") from error
    if chunk.dtype != np.uint8 or chunk.ndim < 2:
        raise ConfigError(f"{path} holds {chunk.dtype} {list(chunk.shape)}, not pictures; remove it")
    if len(chunk) < rows:
        raise ConfigError(f"{path} has {len(chunk)} of {rows} pictures: render the others, or ask for fewer")
    return chunk
