"""Generators: StyleGAN2 and StyleGAN3 in StyleSpace, and how to load one."""

from __future__ import annotations

from pathlib import Path

from zoom_engine import registry
from zoom_engine.audit.settings import check_generator
from zoom_engine.errors import ConfigError
from zoom_engine.generators.checkpoints.conversion import convert_checkpoint
from zoom_engine.generators.checkpoints.formats import describe_checkpoint, describe_generator, load_checkpoint
from zoom_engine.generators.checkpoints.safetensors_file import save_generator
from zoom_engine.generators.families import Generator, GeneratorConfig
from zoom_engine.generators.seed_styles import SeedStyles, StyleRows
from zoom_engine.generators.style_space import StyleLayer, StyleSpace
from zoom_engine.generators.style_statistics import StyleStatistics, sample_styles, style_statistics
from zoom_engine.generators.stylegan2.config import StyleGAN2Config
from zoom_engine.generators.stylegan2.network import StyleGAN2
from zoom_engine.generators.stylegan3.config import StyleGAN3Config, StyleGAN3Layer
from zoom_engine.generators.stylegan3.network import StyleGAN3

__all__ = [
    "Generator",
    "GeneratorConfig",
    "SeedStyles",
    "StyleGAN2",
    "StyleGAN2Config",
    "StyleGAN3",
    "StyleGAN3Config",
    "StyleGAN3Layer",
    "StyleLayer",
    "StyleRows",
    "StyleSpace",
    "StyleStatistics",
    "convert_checkpoint",
    "describe_checkpoint",
    "describe_generator",
    "load_generator",
    "of_one_class",
    "sample_styles",
    "save_generator",
    "style_statistics",
]


def load_generator(spec: str | Path | Generator) -> Generator:
    """A generator from a domain's name ("avatars"), the path of a checkpoint, or a ready one.

    The file's content tells its format: our safetensors, NVIDIA's PyTorch or TensorFlow pickles, rosinality's
    ``.pt``. Nothing in it is executed. The result is frozen and in evaluation mode.

    Raises:
        UnsafeCheckpointError: the file asks to run code; no option overrides it.
        CheckpointError: there is no such file, or it cannot be loaded.
    """
    if isinstance(spec, Generator):
        return spec.eval().requires_grad_(False)
    if isinstance(spec, str) and (domain := registry.find(registry.DOMAINS, spec)) is not None:
        generator: Generator = domain.generator()
        return generator
    check_generator(spec)
    return load_checkpoint(Path(spec))


def of_one_class(generator: Generator, index: int | None) -> StyleGAN2:
    """A generator to audit with, which needs no class: of a class-conditional one the copy that draws ``index`` alone.

    Raises ConfigError for a StyleGAN3, which no runtime draws yet, where a class must be chosen and is not, where there
    is none to choose, and for a number out of range.
    """
    if isinstance(generator, StyleGAN3):
        raise ConfigError("the generator is a StyleGAN3: it can be loaded and converted, but not audited with yet")
    if index is not None:
        return generator.of_class(index)
    if generator.config.c_dim:
        raise ConfigError(
            f"the generator draws {generator.config.c_dim} classes: choose the one to draw, 0 to"
            f" {generator.config.c_dim - 1}, with generator_class (--generator-class)"
        )
    return generator
