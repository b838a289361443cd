"""What the configurations of all generators with a mapping network say, and the checks that they share."""

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

    ``conv_clamp`` limits the activations of every convolution to ±conv_clamp (None: no limit). ``c_dim`` counts the
    classes of a class-conditional network, ``embed_dim`` is the width of their embedding; both 0 without classes.
    ``mapping_dim`` is the width of the mapping network's inner layers (None: ``w_dim``).
    """

    resolution: int
    z_dim: int = 512
    w_dim: int = 512
    mapping_layers: int = 8
    conv_clamp: float | None = None
    c_dim: int = 0
    embed_dim: int = 0
    mapping_dim: int | None = None

    def check_sizes(self, *own: int) -> None:
        """CheckpointError where a size of these fields, or one of a family's ``own``, is out of range."""
        sizes = [self.resolution, *own, self.z_dim, self.w_dim, self.mapping_layers]
        sizes += [] if self.mapping_dim is None else [self.mapping_dim]
        sizes += [self.c_dim, self.embed_dim] if self.c_dim != 0 or self.embed_dim != 0 else []
        check_whole("generator sizes", sizes, LARGEST_SIZE)

    @property
    def num_ws(self) -> int:
        """How many entries a w has."""
        raise NotImplementedError

    def to_dict(self) -> dict[str, Any]:
        """JSON-ready; the content hash covers it."""
        raise NotImplementedError


def check_positive(name: str, value: object) -> None:
    """CheckpointError where the value is no number above 0 of at most `LARGEST_NUMBER`."""
    if not (type(value) in (int, float) and 0 < value <= LARGEST_NUMBER):  # type: ignore[operator]
        raise CheckpointError(
            f"generator {name} must be a positive number of at most {LARGEST_NUMBER:g}, got {one_line(repr(value), 80)}"
        )


def check_whole(what: str, sizes: Iterable[int], most: int) -> None:
    """CheckpointError where one of the sizes is no whole number in 1..``most``."""
    sizes = list(sizes)
    if any(type(n) is not int or not 1 <= n <= most for n in sizes):
        raise CheckpointError(f"{what} must be whole numbers in 1..{most}, got {one_line(repr(sizes), 200)}")
