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

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file

from zoom_engine.errors import CheckpointError, one_line
from zoom_engine.files import atomic
from zoom_engine.generators.families import Generator, GeneratorConfig, network_of
from zoom_engine.generators.stylegan2.config import StyleGAN2Config
from zoom_engine.generators.stylegan3.config import StyleGAN3Config

FORMATS: dict[str, type[GeneratorConfig]] = {
    "zoom-engine/stylegan2/1": StyleGAN2Config,
    "zoom-engine/stylegan3/1": StyleGAN3Config,
}
NEVER_HALVED = ("input.freqs", "input.phases")  # angles: float16 would move and deform the picture
MAX_PARAMETERS = 500_000_000


def save_generator(
    generator: Generator, path: Path | str, *, metadata: dict[str, Any] | None = None, half: bool = False
) -> None:
    """Write ``generator`` to ``path``, whole or not at all; ``metadata`` (recipe, seed, quality) is kept beside the
    configuration.

    ``half`` stores the tensors, but frequencies and phases, as float16; they are float32 again when loaded.
    Raises OSError or SafetensorError where it cannot be written.
    """
    header = {
        "format": next(name for name, shape in FORMATS.items() if isinstance(generator.config, shape)),
        "config": json.dumps(generator.config.to_dict()),
        "info": json.dumps(metadata or {}),
    }
    tensors = {}
    for name, value in generator.state_dict().items():
        dtype = torch.float16 if half and name not in NEVER_HALVED else torch.float32
        tensors[name] = value.detach().cpu().to(dtype).contiguous()
    with atomic.replacing(path) as temporary:
        save_file(tensors, str(temporary), metadata=header)


def load_own_checkpoint(path: Path | str) -> Generator:
    """Read a generator that :func:`save_generator` wrote; :class:`CheckpointError` says what is wrong otherwise."""
    path = Path(path)
    with _opened(path) as file:
        config, _ = _header(path, file)
        with torch.device("meta"):
            generator = network_of(config)
        expected = {k: tuple(v.shape) for k, v in generator.state_dict().items()}
        found = {k: tuple(file.get_slice(k).get_shape()) for k in file.keys()}  # noqa: SIM118
        _check_shapes(path, expected, found)
        state = {k: file.get_tensor(k).float() for k in found}
    broken = next((k for k, v in state.items() if not torch.isfinite(v).all()), None)
    if broken is not None:
        raise CheckpointError(f"{path} holds non-finite values in '{one_line(broken, 80)}'; the file cannot be used")
    generator = generator.to_empty(device="cpu")
    generator.load_state_dict(state)
    return generator.eval().requires_grad_(False)


def read_own_header(path: Path | str) -> tuple[GeneratorConfig, dict[str, Any]]:
    """The configuration and the metadata of such a file, without its weights. Raises :class:`CheckpointError`."""
    path = Path(path)
    with _opened(path) as file:
        return _header(path, file)


@contextlib.contextmanager
def _opened(path: Path) -> Iterator[Any]:
    try:
        with safe_open(str(path), framework="pt") as file:
            yield file
    except (SafetensorError, ValueError, RecursionError, struct.error) as error:
        raise CheckpointError(
            f"{path} is damaged or not a safetensors file ({one_line(error)}); fetch it again"
        ) from error
    except OSError as error:
        raise CheckpointError(f"cannot read {path}: {error.strerror or error}") from error


def _header(path: Path, file: Any) -> tuple[GeneratorConfig, dict[str, Any]]:
    header = file.metadata() or {}
    shape = FORMATS.get(header.get("format", ""))
    if shape is None:
        raise CheckpointError(f"{path} is a safetensors file but not a zoom-engine generator")
    info = json.loads(header.get("info", "{}"))
    config = shape.from_dict(json.loads(header.get("config", "{}")))
    return config, info if isinstance(info, dict) else {}


def _check_shapes(path: Path, expected: dict[str, tuple[int, ...]], found: dict[str, tuple[int, ...]]) -> None:
    if sum(torch.Size(s).numel() for s in expected.values()) > MAX_PARAMETERS:
        raise CheckpointError(f"{path} describes a generator of more than {MAX_PARAMETERS} parameters")
    for name in sorted(expected.keys() | found.keys()):
        if expected.get(name) != found.get(name):
            raise CheckpointError(
                f"{path} does not fit its own configuration: '{one_line(name, 80)}' is {found.get(name, 'missing')}, "
                f"expected {expected.get(name, 'nothing')}"
            )
