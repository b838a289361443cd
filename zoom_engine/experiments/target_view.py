"""The pictures that a target sees: generated images after its resize, crop and normalisation."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch

from zoom_engine import atomic
from zoom_engine.errors import ConfigError
from zoom_engine.gallery import png_bytes, to_pixels
from zoom_engine.generators import load_generator, of_one_class
from zoom_engine.runtime import choose_synthesizer
from zoom_engine.targets import check_target_options, load_target


def write_target_view(
    out: Path,
    *,
    generator: str,
    generator_class: int | None = None,
    target: str,
    target_options: Mapping[str, Any] | None = None,
    seeds: Sequence[int] = tuple(range(8)),
) -> None:
    """Write ``out`` (PNG): side by side what the target's network is fed for the generator's seeds, turned back into
    pictures. A wrong size, crop, range or channel order shows here."""
    network = of_one_class(load_generator(generator), generator_class)
    loaded = load_target(target, resolution=network.resolution, **check_target_options(target_options))
    with torch.no_grad():
        styles = network.styles(network.mapping(network.latents(seeds)))
        images = choose_synthesizer(network)(styles).float().clamp(-1, 1)
        seen = loaded.preprocessing.picture(loaded.preprocessing(images))
    try:
        atomic.write_bytes(out, png_bytes(np.concatenate(list(to_pixels(seen)), axis=1)))
    except OSError as error:
        raise ConfigError(f"cannot write {out}: {error.strerror or error}") from error
