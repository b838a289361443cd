"""The part of a configuration that all generators with a mapping network share, and its checks."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from zoom_engine.common.errors import CheckpointError, one_line

LARGEST_SIZE = 16_384  # of a width, a resolution or a number of layers: refuses sizes no memory holds
LARGEST_NUMBER = 1e9  # of a scale or a limit


@dataclass(frozen=True, kw_only=True)
class MappedConfig:
    """The shape of a generator, as far as all families share it.

    Attributes:
        resolution: side of the pictures, in pixels.
        z_dim: width of the latent z.
        w_dim: width of w.
        mapping_layers: how many layers the mapping network has.
        conv_clamp: limits the activations of every convolution to ±conv_clamp (None: no limit).
        c_dim: how many classes a class-conditional network has; 0 without classes.
        embed_dim: the width of their embedding; 0 without classes.
        mapping_dim: the width of the mapping network's inner layers (None: `w_dim`).
    """

    resolution: int
    z_dim: int = 512
    w_dim: int = 512
    mapping_layers: int = 8
    conv_clamp: float | None = None
    c_dim: int = 0
    embed_dim: int = 0
    mapping_dim: int | None = None

    def check_sizes(self, *more: int) -> None:
        """Refuse sizes of these fields, and of a family's `more`, that are out of range.

        Raises:
            CheckpointError: for such a size.
        """
        sizes = [self.resolution, *more, self.z_dim, self.w_dim, self.mapping_layers]
        sizes += [] if self.mapping_dim is None else [self.mapping_dim]
        sizes += [self.c_dim, self.embed_dim] if self.c_dim != 0 or self.embed_dim != 0 else []
        check_whole("generator sizes", sizes, LARGEST_SIZE)

    @property
    def num_ws(self) -> int:
        """How many entries a w has."""
        raise NotImplementedError

    def to_dict(self) -> dict[str, Any]:
        """Return the fields, ready for JSON; the content hash covers them."""
        raise NotImplementedError


def check_positive(name: str, value: object) -> None:
    """Refuse a value that is no number above 0 of at most `LARGEST_NUMBER`.

    Raises:
        CheckpointError: it is none.
    """
    if not (type(value) in (int, float) and 0 < value <= LARGEST_NUMBER):  # type: ignore[operator]
        raise CheckpointError(
            f"generator {name} must be a positive number of at most {LARGEST_NUMBER:g}, got {one_line(repr(value), 80)}"
        )


def check_whole(what: str, sizes: Iterable[int], most: int) -> None:
    """Refuse sizes that are no whole numbers in 1..`most`.

    Raises:
        CheckpointError: one of them is none.
    """
    sizes = list(sizes)
    if any(type(n) is not int or not 1 <= n <= most for n in sizes):
        raise CheckpointError(f"{what} must be whole numbers in 1..{most}, got {one_line(repr(sizes), 200)}")
