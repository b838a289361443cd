"""Every option of `zoom-engine fit` beside those that it shares with an audit, written once (see `settings`)."""

from __future__ import annotations

import dataclasses

from zoom_engine.common.errors import ConfigError
from zoom_engine.settings.audit_settings import RunSettings, checked_options, option

OF_AUDITS = (
    *("generator_options", "generator_class", "preset", "target_options", "neutral", "labels", "text_encoder"),
    *("templates", "directions", "keep", "samples", "threshold", "level", "truncation", "truncation_cutoff", "search"),
    *("edit_range", "decisive_change", "smallest_effect", "batch_size", "device", "backend", "precision", "cache"),
    "download",
)
"""The options of an audit that a fit takes too, beside generator, target and attributes."""
LEAST_PILOT = 4
MOST_PICTURES = 5_000


@checked_options("option")
@dataclasses.dataclass(frozen=True, kw_only=True)
class FitSettings:
    """The choice of how many pictures are looked at.

    Raises:
        ConfigError: for numbers that there cannot be.
    """

    generated: int = option("how many generated images photographs are compared with", 256)
    inverted: int = option("how many photographs are looked for in the generator; 0: none", 16)
    pilot: int = option("images of a small audit, by which power is estimated; 0: none", 8)
    seed: int = option("names the images, as an audit's does", RunSettings.seed)

    def __post_init__(self) -> None:
        """Refuse numbers that there cannot be, by a ConfigError."""
        RunSettings(seed=self.seed)
        if not 16 <= self.generated <= MOST_PICTURES:
            raise ConfigError(f"generated must be in 16..{MOST_PICTURES}, got {self.generated}")
        if not 0 <= self.inverted <= MOST_PICTURES:
            raise ConfigError(f"inverted must be in 0..{MOST_PICTURES}, got {self.inverted}")
        if self.pilot and not LEAST_PILOT <= self.pilot <= MOST_PICTURES:
            raise ConfigError(f"pilot must be 0 or in {LEAST_PILOT}..{MOST_PICTURES}, got {self.pilot}")
