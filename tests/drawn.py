"""What tests of drawn domains do with parameters and pictures."""

from __future__ import annotations

from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from zoom_engine.domains.canvas import SIZE, Box
from zoom_engine.domains.parameters import LATENT_DIM, ParameterTable

Rows = TypeVar("Rows", bound=ParameterTable)


def sampled(table: type[Rows], n: int, seed: int = 0) -> Rows:
    """As they are drawn."""
    return table.from_latents(np.random.default_rng(seed).standard_normal((n, LATENT_DIM)))


def at_the_ends(table: type[Rows], n: int, seed: int = 0) -> Rows:
    """Each parameter at one end of its range or the other."""
    low, high = table.scheme.bounds
    return table(np.where(np.random.default_rng(seed).random((n, len(low))) < 0.5, low, high))


def difference(first: NDArray[np.uint8], second: NDArray[np.uint8]) -> NDArray[np.int16]:
    return np.abs(first.astype(np.int16) - second.astype(np.int16))


def grown(box: Box) -> Box:
    """Ten pixels more on each side."""
    return Box(*(slice(max(0, span.start - 10), min(SIZE, span.stop + 10)) for span in box))


def coarse(images: NDArray[np.uint8]) -> NDArray[np.float64]:
    """The mean of pictures `[n, 128, 128, 3]`, on a 4 by 4 grid."""
    grid: NDArray[np.float64] = images.mean(axis=(0, 3)).reshape(4, 32, 4, 32).mean(axis=(1, 3))
    return grid
