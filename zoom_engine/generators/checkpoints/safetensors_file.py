"""The project's own generator format: safetensors, with the network's shape in the metadata.

Nothing in such a file can run code; its shapes are checked against the configuration before use.
"""

from __future__ import annotations

import contextlib
import json
import struct
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file

from zoom_engine.common.errors import CheckpointError, one_line
from zoom_engine.common.files import atomic
from zoom_engine.generators.checkpoints.pickles import printable
from zoom_engine.generators.checkpoints.recipe import W_AVG, Array, Recipe, Source
from zoom_engine.generators.families import Generator, GeneratorConfig
from zoom_engine.generators.stylegan2.config import StyleGAN2Config
from zoom_engine.generators.stylegan3.config import StyleGAN3Config

FORMAT = "zoom-engine safetensors"
FAMILIES: dict[str, type[GeneratorConfig]] = {
    "zoom-engine/stylegan2/1": StyleGAN2Config,
    "zoom-engine/stylegan3/1": StyleGAN3Config,
}
STORED = (torch.float32, torch.float16, torch.bfloat16, torch.float64)
NEVER_HALVED = ("input.freqs", "input.phases")  # angles: float16 would move and deform the picture


def save_generator(
    generator: Generator, path: Path | str, *, metadata: dict[str, Any] | None = None, half: bool = False
) -> None:
    """Write `generator` to `path`, whole or not at all.

    Args:
        generator: what is written.
        path: the file.
        metadata: kept beside the configuration (recipe, seed, quality).
        half: store the tensors, but frequencies and phases, as float16; they are float32 again when loaded.

    Raises:
        CheckpointError: float16 does not reach to its numbers.
        OSError: it cannot be written; so does SafetensorError.
    """
    header = {
        "format": next(name for name, shape in FAMILIES.items() if isinstance(generator.config, shape)),
        "config": json.dumps(generator.config.to_dict()),
        "info": json.dumps(metadata or {}),
    }
    tensors = {}
    for name, value in generator.state_dict().items():
        dtype = torch.float16 if half and name not in NEVER_HALVED else torch.float32
        stored = value.detach().cpu().to(dtype).contiguous()
        if half and bool(stored.isinf().any()):
            raise CheckpointError(f"'{name}' has numbers beyond those of float16: write it without half (--half)")
        tensors[name] = stored
    with atomic.replacing(path) as temporary:
        save_file(tensors, str(temporary), metadata=header)


def is_engine_file(path: Path) -> bool:
    """Return whether the file says that `save_generator` wrote it, whether or not it can be used."""
    try:
        with _opened(path) as file:
            return (file.metadata() or {}).get("format") in FAMILIES
    except CheckpointError:
        return False


def engine_recipe(path: Path) -> Recipe:
    """Return the recipe of a file that `save_generator` wrote.

    Raises:
        CheckpointError: it is none, or is damaged.
    """
    with _opened(path) as file:
        header = file.metadata() or {}
        names = list(file.keys())
        if (family := FAMILIES.get(header.get("format", ""))) is None:
            raise CheckpointError("is a safetensors file but not a zoom-engine generator")
        info = json.loads(header.get("info", "{}"))
        config = family.from_dict(json.loads(header.get("config", "{}")))
    if W_AVG not in names:
        raise CheckpointError(f"does not fit: '{W_AVG}' is missing")
    facts = info.items() if isinstance(info, dict) else ()
    return Recipe(
        FORMAT,
        config,
        {name: _reading(path, name) for name in names},
        tuple((f"info {printable(key)}", str(value)) for key, value in facts),
    )


def _reading(path: Path, name: str) -> Source:
    def source() -> Array:
        with _opened(path) as file:
            stored = file.get_tensor(name)
        if stored.dtype not in STORED:
            kind = str(stored.dtype).removeprefix("torch.")
            raise CheckpointError(f"stores '{one_line(name, 80)}' as {kind}; only floats of 16 to 64 bits are read")
        value: Array = stored.float().numpy()
        if not np.isfinite(value).all() and not (name == W_AVG and np.isnan(value).all()):
            raise CheckpointError(f"holds non-finite values in '{one_line(name, 80)}'; the file cannot be used")
        return value

    return source


@contextlib.contextmanager
def _opened(path: Path) -> Iterator[Any]:
    try:
        with safe_open(str(path), framework="pt") as file:
            yield file
    except (SafetensorError, ValueError, RecursionError, struct.error) as error:
        raise CheckpointError(f"is damaged or not a safetensors file ({one_line(error)}); fetch it again") from error
    except OSError as error:
        raise CheckpointError(f"cannot be read ({error.strerror or error})") from error
