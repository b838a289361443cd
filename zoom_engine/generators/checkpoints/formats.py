"""The formats of checkpoints, told by their first bytes, never by their names; loading, describing, converting.

Each file becomes a `Recipe` first, by its entry in `FORMATS`. Describing prints that and loads it too: only loading can
tell whether a file can be loaded, and what the generator's hash is.
"""

from __future__ import annotations

import contextlib
import hashlib
import mmap
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, NamedTuple

import numpy as np
from safetensors import SafetensorError

from zoom_engine.common.errors import CheckpointError, UnsafeCheckpointError, ZoomError, one_line
from zoom_engine.common.files.foreign_models import foreign_model
from zoom_engine.common.files.json_file import opened
from zoom_engine.common.files.safetensors_header import is_safetensors
from zoom_engine.common.terminal import wrapped
from zoom_engine.generators.checkpoints.nvidia import nvidia_recipe
from zoom_engine.generators.checkpoints.pickles import (
    is_legacy_torch_file,
    read_legacy_torch_file,
    read_network_pickle,
    read_torch_archive,
)
from zoom_engine.generators.checkpoints.recipe import Recipe, count_parameters
from zoom_engine.generators.checkpoints.rosinality import rosinality_recipe
from zoom_engine.generators.checkpoints.safetensors_file import engine_recipe, save_generator
from zoom_engine.generators.checkpoints.tensorflow import tensorflow_recipe
from zoom_engine.generators.families import Generator, GeneratorConfig
from zoom_engine.generators.generator import EditableGenerator
from zoom_engine.generators.mapped_generator import check_class
from zoom_engine.generators.stylegan3.config import StyleGAN3Config

LONGEST_LINE = 1_000  # of a description
LABEL_WIDTH = 14  # columns
OLD_PICKLES = b"(]})ci"  # how protocols 0 and 1 begin a tuple, list, dictionary or object


@dataclass(frozen=True)
class Description:
    """A description of a file in lines "what: value", as far as it is known; `refusal` says why it cannot be loaded."""

    text: str
    refusal: ZoomError | None = None

    def wrapped(self, width: int) -> str:
        """Return the text for a terminal of `width` columns."""
        return "\n".join(wrapped(line, width=width, hanging=LABEL_WIDTH) for line in self.text.split("\n"))


Container = Literal["safetensors", "torch file", "pickle"]


class Format(NamedTuple):
    """A format of checkpoints.

    Attributes:
        container: what it is written in.
        content: the type of what lies in that.
        recipe: makes a recipe of the content.
    """

    container: Container
    content: type
    recipe: Callable[[Any], Recipe]


FORMATS = (
    Format("safetensors", Path, engine_recipe),
    Format("torch file", object, rosinality_recipe),
    Format("pickle", tuple, tensorflow_recipe),
    Format("pickle", object, nvidia_recipe),
)
"""The known formats: the first that fits is taken. Nothing of a file is run: its content becomes inert records."""


def load_checkpoint(path: Path) -> Generator:
    """Return the generator in a file of any known format, frozen, in evaluation mode.

    Raises:
        UnsafeCheckpointError: the file asks to run code.
        CheckpointError: it is damaged, incomplete, or of a kind that is not supported.
    """
    mapped = _mapped(path)
    with _naming(path):
        return _recipe(path, mapped).build(len(mapped))


def describe_checkpoint(path: Path, *, class_index: int | None = None) -> Description:
    """Describe a file, as `zoom-engine inspect` prints it: `load_checkpoint` decides whether it is refused.

    Args:
        path: the file.
        class_index: of a class-conditional generator the class that the content hash is of.

    Raises:
        CheckpointError: the file cannot be read at all.
        ConfigError: there is no such class.
    """
    mapped = _mapped(path)
    lines = [("file", str(path)), ("bytes", str(len(mapped))), ("sha-256", checkpoint_hash(path))]
    try:
        with _naming(path):
            recipe = _recipe(path, mapped)
            lines += [("format", recipe.format), *_config_lines(recipe.config), *recipe.facts]
            lines += _hash_lines(recipe.build(len(mapped)), class_index)
    except CheckpointError as error:
        return Description(table(lines), error)
    return Description(table(lines))


def describe_generator(generator: EditableGenerator, *, class_index: int | None = None) -> Description:
    """Describe a generator that is loaded, as `describe_checkpoint` describes a file.

    Raises:
        ConfigError: there is no such class.
    """
    if not isinstance(generator, Generator):
        if class_index is not None:
            check_class(class_index, 0)
        code = f"{generator.space.size} numbers"
        lines = [("architecture", type(generator).__name__), ("code", code), ("resolution", str(generator.resolution))]
        return Description(table([*lines, ("content hash", generator.content_hash)]))
    return Description(table([*_config_lines(generator.config), *_hash_lines(generator, class_index)]))


def _hash_lines(generator: Generator, class_index: int | None) -> list[tuple[str, str]]:
    """Return the hash by which an audit's manifest and cached edit directions name the generator."""
    if class_index is not None:
        return [("class", str(class_index)), ("content hash", generator.of_class(class_index).content_hash)]
    other = ("note", "an audit draws one class, whose hash is another: see it with --generator-class")
    return [("content hash", generator.content_hash), *([other] if generator.config.c_dim else [])]


def table(lines: Iterable[tuple[str, str]]) -> str:
    """Put labels and texts below each other; what comes from a file is made printable and shortened."""
    return "\n".join(f"{f'{label}: ':<{LABEL_WIDTH}}{one_line(text, LONGEST_LINE)}" for label, text in lines)


def checkpoint_hash(path: Path) -> str:
    """Return the SHA-256 (hex) of a file."""
    return hashlib.sha256(_mapped(path)).hexdigest()


def _mapped(path: Path) -> mmap.mmap:
    try:
        with opened(path) as file:
            return mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
    except ValueError as error:
        raise CheckpointError(f"{path} is damaged: it is empty; fetch it again") from error
    except OSError as error:
        raise CheckpointError(f"cannot read {path}: {error.strerror or error}") from error


@contextlib.contextmanager
def _naming(path: Path) -> Iterator[None]:
    """Put the file's name before messages, which say what is wrong.

    Numbers that overflow, and divisions by zero, become infinite without a warning: infinities are refused.
    """
    try:
        with np.errstate(over="ignore", invalid="ignore", divide="ignore"):
            yield
    except CheckpointError as error:
        raise type(error)(f"{path} {error}") from error
    except MemoryError as error:
        raise CheckpointError(f"{path} needs more memory than there is") from error


def _recipe(path: Path, mapped: mmap.mmap) -> Recipe:
    try:
        container, content = _opened(path, mapped)
    except CheckpointError as error:
        if (foreign := foreign_model(path)) is not None:
            raise type(error)(foreign) from error
        if isinstance(error, UnsafeCheckpointError) and not _is_pickle(mapped):
            raise UnsafeCheckpointError(
                f"{error}; of a whole decoder make an ONNX file, with torch.onnx.export(decoder, codes, 'decoder.onnx')"
            ) from error
        raise
    return next(f for f in FORMATS if f.container == container and isinstance(content, f.content)).recipe(content)


def _opened(path: Path, mapped: mmap.mmap) -> tuple[Container, Any]:
    data = memoryview(mapped)
    if is_safetensors(mapped[:9]):
        return "safetensors", path
    if mapped[:4] == b"PK\x03\x04":
        return "torch file", read_torch_archive(path, mapped)
    if is_legacy_torch_file(data):
        return "torch file", read_legacy_torch_file(data)
    if _is_pickle(mapped):
        return "pickle", read_network_pickle(data)
    raise CheckpointError(
        "is damaged or no generator checkpoint: it begins neither as safetensors, nor as a torch file or a pickle"
    )


def _is_pickle(mapped: mmap.mmap) -> bool:
    """Return whether a file is of `pickle` alone: neither an archive, nor one of torch's older files.

    The latter are some pickles and more.
    """
    return (mapped[0] == 0x80 or mapped[0] in OLD_PICKLES) and not is_legacy_torch_file(memoryview(mapped))


def _config_lines(config: GeneratorConfig) -> list[tuple[str, str]]:
    if isinstance(config, StyleGAN3Config):
        kernels = sorted({layer.kernel for layer in config.layers[:-1]})
        radial = any(len(layer.down_filter) == 2 for layer in config.layers)
        filters = "radial" if radial else "separable"
        architecture = f"StyleGAN3, kernels of {' and '.join(map(str, kernels))}, {filters} filters"
        channels = (config.input_channels, *(layer.channels for layer in config.layers))
    else:
        architecture, channels = f"StyleGAN2, {config.architecture}", config.channels
    inner = "" if config.mapping_dim is None else f" of width {config.mapping_dim}"
    return [
        ("architecture", architecture),
        ("resolution", str(config.resolution)),
        ("channels", " ".join(map(str, channels))),
        ("mapping", f"z {config.z_dim} → w {config.w_dim}, {config.mapping_layers} layers{inner}"),
        ("classes", f"{config.c_dim}, embedded in {config.embed_dim}" if config.c_dim else "none"),
        ("conv_clamp", "none" if config.conv_clamp is None else f"{config.conv_clamp:g}"),
        ("parameters", str(count_parameters(config))),
    ]


def convert_checkpoint(source: Path, out: Path, *, class_index: int | None = None, half: bool = False) -> None:
    """Write the generator in `source` to `out`, whole or not at all; its origin is kept in the metadata.

    Args:
        source: a checkpoint of any known format.
        out: a path that ends in `.safetensors`: anything else may be somebody's original.
        class_index: the class that the written generator draws, where `source` draws several.
        half: store float16.

    Raises:
        CheckpointError: `source` cannot be loaded or `out` cannot be written.
        ConfigError: there is no such class.
    """
    if out.suffix != ".safetensors":
        raise CheckpointError(f"the converted file must be named *.safetensors, not '{out}'")
    generator = load_checkpoint(source)
    if class_index is not None:
        generator = generator.of_class(class_index)
    metadata = {"source": source.name, "source_sha256": checkpoint_hash(source)}
    if class_index is not None:
        metadata["source_class"] = str(class_index)
    try:
        save_generator(generator, out, metadata=metadata, half=half)
    except (OSError, SafetensorError) as error:  # safetensors has its own error for a full disk
        reason = (error.strerror if isinstance(error, OSError) else None) or one_line(error)
        raise CheckpointError(f"cannot write {out}: {reason}") from error
