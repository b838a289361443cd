"""Generators: StyleGAN2 in StyleSpace, and how to load one."""

from __future__ import annotations

from pathlib import Path

from zoom_engine.domains import find_domain
from zoom_engine.errors import CheckpointError
from zoom_engine.generators.checkpoint import load_own_checkpoint, save_generator
from zoom_engine.generators.statistics import StyleStatistics, sample_styles, style_statistics
from zoom_engine.generators.style_space import StyleLayer, StyleSpace
from zoom_engine.generators.stylegan2 import StyleGAN2, StyleGAN2Config

__all__ = [
    "StyleGAN2",
    "StyleGAN2Config",
    "StyleLayer",
    "StyleSpace",
    "StyleStatistics",
    "load_generator",
    "sample_styles",
    "save_generator",
    "style_statistics",
]


def load_generator(spec: str | Path | StyleGAN2) -> StyleGAN2:
    """A generator from a domain's name ("avatars"), the path of a checkpoint, or a ready ``StyleGAN2``.

    The result is frozen and in evaluation mode. Raises :class:`CheckpointError`.
    """
    if isinstance(spec, StyleGAN2):
        return spec.eval().requires_grad_(False)
    if isinstance(spec, str) and (domain := find_domain(spec)) is not None:
        return domain.generator()
    if not Path(spec).is_file():
        raise CheckpointError(f"no generator '{spec}': neither an installed domain nor a file")
    return load_own_checkpoint(spec)
