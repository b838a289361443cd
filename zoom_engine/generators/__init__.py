"""Generators whose pictures can be edited through a flat code, and the loading of one."""

from __future__ import annotations

from zoom_engine.generators.checkpoints.formats import convert_checkpoint, describe_checkpoint, describe_generator
from zoom_engine.generators.checkpoints.safetensors_file import save_generator
from zoom_engine.generators.codes import read_codes
from zoom_engine.generators.contract import check_editable_generator
from zoom_engine.generators.decoder import Decoder
from zoom_engine.generators.families import Generator
from zoom_engine.generators.generator import (
    EditableGenerator,
    Encoding,
    GeneratorFamily,
    RandomlyDirected,
    Renderer,
    TextDirected,
    batch_size_of,
    shown,
)
from zoom_engine.generators.loading import (
    check_generator_options,
    check_gradients_of,
    is_registered,
    load_generator,
    load_stylegan2,
    of_one_class,
)
from zoom_engine.generators.onnx_decoder import OnnxDecoder
from zoom_engine.generators.prompted_codes import DrawnFromPrompts, PromptedCodes, read_prompts
from zoom_engine.generators.seed_styles import SeedStyles, StyleRows
from zoom_engine.generators.semantic_autoencoder import SemanticAutoencoder
from zoom_engine.generators.style_space import StyleSpace
from zoom_engine.generators.style_statistics import StyleStatistics, sample_styles, style_statistics
from zoom_engine.generators.stylegan2.config import StyleGAN2Config
from zoom_engine.generators.stylegan2.network import StyleGAN2
from zoom_engine.generators.stylegan3.config import StyleGAN3Config
from zoom_engine.generators.stylegan3.network import StyleGAN3
from zoom_engine.ops.modulation import edited

__all__ = [
    "Decoder",
    "DrawnFromPrompts",
    "EditableGenerator",
    "Encoding",
    "Generator",
    "GeneratorFamily",
    "OnnxDecoder",
    "PromptedCodes",
    "RandomlyDirected",
    "Renderer",
    "SeedStyles",
    "SemanticAutoencoder",
    "StyleGAN2",
    "StyleGAN2Config",
    "StyleGAN3",
    "StyleGAN3Config",
    "StyleRows",
    "StyleSpace",
    "StyleStatistics",
    "TextDirected",
    "batch_size_of",
    "check_editable_generator",
    "check_generator_options",
    "check_gradients_of",
    "convert_checkpoint",
    "describe_checkpoint",
    "describe_generator",
    "edited",
    "is_registered",
    "load_generator",
    "load_stylegan2",
    "of_one_class",
    "read_codes",
    "read_prompts",
    "sample_styles",
    "save_generator",
    "shown",
    "style_statistics",
]
