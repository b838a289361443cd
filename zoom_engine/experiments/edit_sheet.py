"""A contact sheet of edits: one row per image and attribute, one column per edit weight."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from zoom_engine import atomic
from zoom_engine.cache_folder import default_cache
from zoom_engine.directions import find_directions
from zoom_engine.domains import find_domain
from zoom_engine.errors import ConfigError
from zoom_engine.gallery import png_bytes, to_pixels
from zoom_engine.generators import load_generator, of_one_class
from zoom_engine.progress import ProgressFactory, silent
from zoom_engine.runtime import choose_synthesizer
from zoom_engine.text import text_encoder_for

MOST_PICTURES = 2000


def write_edit_sheet(
    out: Path,
    *,
    generator: str,
    generator_class: int | None = None,
    attributes: Sequence[str],
    neutral: str | None = None,
    text_encoder: str | None = None,
    method: str = "regression",
    weights: Sequence[float] = (-30.0, -15.0, 0.0, 15.0, 30.0),
    seeds: Sequence[int] = tuple(range(8)),
    truncation: float = 1.0,
    download: bool = False,
    progress: ProgressFactory = silent,
) -> None:
    """Write ``out`` (PNG): for every attribute the rows of all seeds, for every weight a column."""
    count = len(attributes) * len(seeds) * len(weights)
    if not 1 <= count <= MOST_PICTURES:
        raise ConfigError(f"the sheet would hold {count} pictures; choose 1 to {MOST_PICTURES}")
    domain = find_domain(generator)
    network = of_one_class(load_generator(generator), generator_class)
    encoder = text_encoder_for(generator, text_encoder, download=download)
    synthesize = choose_synthesizer(network, cache=default_cache())
    directions = find_directions(
        network,
        encoder,
        attributes,
        neutral=neutral or (domain.neutral if domain else "a face"),
        method=method,  # type: ignore[arg-type]
        truncation=truncation,
        synthesizer=synthesize,
        cache=default_cache(),
        progress=progress,
    )
    rows: list[NDArray[np.uint8]] = []
    with torch.no_grad():
        styles = network.styles(network.mapping(network.latents(seeds), truncation=truncation))
        for direction in directions.matrix:
            for style in styles:
                edited = style + torch.tensor(weights)[:, None] * direction
                rows.append(np.concatenate(list(to_pixels(synthesize(edited))), axis=1))
    try:
        atomic.write_bytes(out, png_bytes(np.concatenate(rows)))
    except OSError as error:
        raise ConfigError(f"cannot write {out}: {error.strerror or error}") from error
