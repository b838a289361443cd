"""Every option of a discovery beside those that it shares with an audit, written once (see `settings`)."""

from __future__ import annotations

import dataclasses
from pathlib import Path

from zoom_engine.common.errors import ConfigError
from zoom_engine.settings.audit_settings import RunSettings, checked_options, option

LEAST_IMAGES = 12
OF_AUDITS = (
    *("generator_options", "generator_class", "target_options", "neutral", "labels", "text_encoder", "templates"),
    *("smallest_effect", "truncation", "truncation_cutoff", "batch_size", "device", "backend", "precision", "cache"),
    "download",
)
"""The options of an audit that a discovery takes too, beside generator and target."""


@checked_options("option")
@dataclasses.dataclass(frozen=True, kw_only=True)
class DiscoverySettings:
    """The choice of how clusters are found and named.

    Raises:
        ConfigError: for a number of clusters that there cannot be.
    """

    vocabulary: str | Path | None = option(
        "a file of prompts to name clusters with, one a line ({} stands for the thing, such as 'a smiling {}'); they"
        " come before the domain's words and a general list",
        None,
    )
    clusters: int = option("the most clusters", 6)

    def __post_init__(self) -> None:
        """Refuse a number of clusters that there cannot be, by a ConfigError."""
        if not 1 <= self.clusters <= 64:
            raise ConfigError(f"clusters must be in 1..64, got {self.clusters}")


@checked_options("option")
@dataclasses.dataclass(frozen=True, kw_only=True)
class DiscoveryRun:
    """The choice of the images of a discovery.

    Raises:
        ConfigError: for too few, and for images that have no numbers.
    """

    images: int = option("how many generated images: one half is searched, the other held out", 64)
    seed: int = option("names the images, as an audit's does", RunSettings.seed)

    def __post_init__(self) -> None:
        """Refuse too few images, and those that have no numbers, by a ConfigError."""
        RunSettings(images=self.images, seed=self.seed)
        if self.images < LEAST_IMAGES:
            raise ConfigError(f"discover needs {LEAST_IMAGES} images or more, got {self.images}: half are held out")
