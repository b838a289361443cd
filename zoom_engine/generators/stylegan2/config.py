"""The shape of a StyleGAN2 generator, checked: what a checkpoint must say besides its weights."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass, field
from typing import Any

from zoom_engine.common.errors import CheckpointError, one_line
from zoom_engine.generators.mapped_config import MappedConfig, check_positive

ARCHITECTURES = ("skip", "orig", "resnet")


@dataclass(frozen=True)
class StyleGAN2Config(MappedConfig):
    """The shape of a StyleGAN2 generator, see `MappedConfig`.

    Attributes:
        channels: `channels[i]` is the width at resolution `4 * 2**i`; the last entry belongs to `resolution`.
        architecture: "skip" adds an RGB picture of every block, "orig" has only the last block's, "resnet" has only
            that too and a linear path around every block (Karras 2020, figure 7).
    """

    resolution: int
    channels: tuple[int, ...]
    architecture: str = field(default="skip", kw_only=True)

    def __post_init__(self) -> None:
        """Refuse a shape that no such generator has, by a CheckpointError."""
        self.check_sizes(*self.channels)
        if self.architecture not in ARCHITECTURES:
            given = one_line(repr(self.architecture), 80)
            raise CheckpointError(f"generator architecture {given} is not one of {', '.join(ARCHITECTURES)}")
        if self.conv_clamp is not None:
            check_positive("conv_clamp", self.conv_clamp)
        wanted = int(math.log2(self.resolution)) - 1 if self.resolution >= 4 else 0
        if self.resolution != 4 * 2 ** max(wanted - 1, 0):
            raise CheckpointError(f"generator resolution {self.resolution} is not a power of two of at least 4")
        if len(self.channels) != wanted:
            raise CheckpointError(
                f"generator of resolution {self.resolution} needs {wanted} channel widths, got {len(self.channels)}"
            )

    @property
    def resolutions(self) -> tuple[int, ...]:
        """The resolution of each block: 4, 8, …."""
        return tuple(4 * 2**i for i in range(len(self.channels)))

    @property
    def num_ws(self) -> int:
        """How many entries a w has."""
        return 2 * len(self.channels)

    def to_dict(self) -> dict[str, Any]:
        """Return the fields, ready for JSON."""
        # Later fields appear only where they say something: content hashes outlive new fields.
        later = {"architecture": "skip", "c_dim": 0, "embed_dim": 0, "mapping_dim": None}
        return {key: value for key, value in asdict(self).items() if key not in later or value != later[key]}

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> StyleGAN2Config:
        """Make the configuration of what `to_dict` returned.

        Raises:
            CheckpointError: the values are not understood.
        """
        try:
            return cls(**{**values, "channels": tuple(values["channels"])})
        except (KeyError, TypeError, ValueError) as error:
            raise CheckpointError(f"generator configuration is not understood: {one_line(error)}") from error
