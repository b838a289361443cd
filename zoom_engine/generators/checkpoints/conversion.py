"""The conversion of any checkpoint that can be loaded to our own safetensors."""

from __future__ import annotations

from pathlib import Path

from safetensors import SafetensorError

from zoom_engine.common.errors import CheckpointError, one_line
from zoom_engine.generators.checkpoints.formats import checkpoint_hash, load_checkpoint
from zoom_engine.generators.checkpoints.safetensors_file import save_generator


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
