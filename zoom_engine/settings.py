"""What can be said of an audit's options alone: told before anything is loaded, or imported that takes seconds."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path

from zoom_engine.attributes import check_labels, parse_attributes
from zoom_engine.domains import domain_names
from zoom_engine.errors import CheckpointError, ConfigError

RANGES = ("calibrated", "paper")
SEEDS_PER_RUN = 100_000


def check_settings(
    *,
    generator: object,
    attributes: Sequence[str] | None = None,
    neutral: str | None = None,
    labels: Sequence[str] | None = None,
    edit_range: str = "calibrated",
    threshold: float | None = None,
    truncation: float = 1.0,
    truncation_cutoff: int | None = None,
    batch_size: int = 32,
    decisive_change: float | None = None,
) -> None:
    """Refuse what no models could make good; options as `Diagnoser` takes them, None for its own choice.

    Raises:
        CheckpointError: there is no such generator.
        ConfigError: for the first option that is wrong.
    """
    check_generator(generator)
    if edit_range not in RANGES:
        raise ConfigError(f"unknown range '{edit_range}'; choose one of {', '.join(RANGES)}")
    if batch_size < 1:
        raise ConfigError(f"batch size must be at least 1, got {batch_size}")
    if threshold is not None and not 0 <= threshold < 1:
        raise ConfigError(f"threshold λ must be in [0, 1), got {threshold}")
    if not math.isfinite(truncation):
        raise ConfigError(f"truncation must be a finite number, got {truncation}")
    if truncation_cutoff is not None and truncation_cutoff < 0:
        raise ConfigError(f"truncation cutoff counts layers and must be at least 0, got {truncation_cutoff}")
    if decisive_change is not None:
        check_decisive_change(decisive_change)
    of_domain = isinstance(generator, str) and generator in domain_names()
    if attributes is None and not of_domain:
        attributes = ()  # only a domain brings its own
    if attributes is not None and (neutral is not None or not of_domain):
        parse_attributes(attributes, **({} if neutral is None else {"neutral": neutral}))
    check_labels(labels or ())


def check_decisive_change(change: float) -> None:
    """Refuse what no change of an output can reach, or be below. Raises ConfigError."""
    if not 0 <= change <= 1:
        raise ConfigError(f"decisive_change must be in [0, 1], got {change}")


def check_generator(spec: object) -> None:
    """Refuse a name or a path that `load_generator` could not find. Raises CheckpointError."""
    if isinstance(spec, str | Path) and spec not in domain_names() and not Path(spec).is_file():
        raise CheckpointError(f"no generator '{spec}': neither an installed domain nor a file")


def check_images(images: int, seed: int) -> None:
    """Refuse a number of images, or a seed, whose images have no numbers. Raises ConfigError."""
    if not 1 <= images <= SEEDS_PER_RUN:
        raise ConfigError(f"images must be in 1..{SEEDS_PER_RUN}, got {images}")
    if not 0 <= seed < 2**32 // SEEDS_PER_RUN:
        raise ConfigError(f"seed must be in 0..{2**32 // SEEDS_PER_RUN - 1}, got {seed}")
