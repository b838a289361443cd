"""The export of a generator's synthesis as an ONNX file, after it was compared with torch."""

from __future__ import annotations

import dataclasses
import hashlib
import json
from pathlib import Path

import onnx
from torch import Tensor

from zoom_engine.common import registry
from zoom_engine.common.errors import ExportError, system_errors
from zoom_engine.common.files import atomic
from zoom_engine.directions import EditDirections
from zoom_engine.export.parity import LIMITS, Parity, measure_parity
from zoom_engine.export.tensorrt_support import Support, check_tensorrt_support
from zoom_engine.generators import StyleGAN2, is_registered, load_stylegan2
from zoom_engine.runtime.graphs import synthesis_model
from zoom_engine.runtime.graphs.metadata import PREFIX


@dataclasses.dataclass(frozen=True)
class Exported:
    """A file that was written: its parity with torch, and what TensorRT is known to take of its operators."""

    path: Path
    parity: Parity
    support: Support


def export_synthesis(
    generator: str | Path | StyleGAN2,
    output: str | Path,
    *,
    generator_class: int | None = None,
    directions: EditDirections | None = None,
    max_resolution: int | None = None,
    precision: str = "fp32",
    seed: int = 0,
) -> Exported:
    """Write `output`: an ONNX file from styles and edit weights to images, see `synthesis_model`.

    Args:
        generator: a domain's name, the path of a checkpoint, or a `StyleGAN2`.
        output: the `.onnx` file; its folder is made.
        generator_class: of a class-conditional generator the class that it draws.
        directions: become a constant of the graph, otherwise they are an input.
        max_resolution: stop after the block of that resolution.
        precision: "fp32", "fp16" or "bf16", of activations and convolutions.
        seed: of the random styles that parity is measured on.

    Returns:
        The file, its parity with torch and what TensorRT takes of it.

    Raises:
        ExportError: the graph's images differ from torch's by more than `parity.LIMITS` of the precision, or the file
            cannot be written; either leaves no file.
        ConfigError: a class must be chosen and is not, there is none to choose, or no such class.
        BackendError: no runtime here can run the graph, so that it cannot be checked.
    """
    network = load_stylegan2(generator, generator_class).cpu()
    matrix = matrix_of(directions, network)
    model = synthesis_model(
        network,
        directions=matrix,
        max_resolution=max_resolution,
        precision=precision,
        metadata=source_metadata(generator, directions),
    )
    parity = measure_parity(
        model,
        network,
        lambda styles: {"images": network.synthesis(styles, max_resolution=max_resolution, plain=True)},
        precision=precision,
        directions=matrix,
        seed=seed,
    )
    parity.check({"images": LIMITS[precision]})
    return write_model(model, output, parity)


def write_model(model: onnx.ModelProto, output: str | Path, parity: Parity) -> Exported:
    """Write a checked model, whole or not at all.

    Raises:
        ExportError: it is too large for one file, or cannot be written.
    """
    path = Path(output)
    try:
        content = model.SerializeToString(deterministic=True)
    except ValueError as error:  # protobuf's limit of 2 GiB
        raise ExportError(f"cannot write {path}: the model is too large for one ONNX file ({error})") from error
    with system_errors(ExportError, f"cannot write {path}", advice="; choose another folder"):
        path.parent.mkdir(parents=True, exist_ok=True)
        atomic.write_bytes(path, content)
    return Exported(path, parity, check_tensorrt_support(model))


def source_metadata(generator: str | Path | StyleGAN2, directions: EditDirections | None) -> dict[str, str]:
    """Return name and SHA-256 of the file that the generator came from, and the attributes of constant directions.

    Of what a package brings, a domain or FAMILY:REST, there is the name alone.
    """
    metadata: dict[str, str] = {}
    if not isinstance(generator, StyleGAN2):
        name = generator if isinstance(generator, str) else ""
        brought = name in registry.names(registry.DOMAINS) or (":" in name and is_registered(name))
        metadata[f"{PREFIX}source"] = name if brought else Path(generator).name
        if not brought:
            metadata[f"{PREFIX}source_sha256"] = hashlib.sha256(Path(generator).read_bytes()).hexdigest()
    if directions is not None:
        metadata[f"{PREFIX}attributes"] = json.dumps(directions.attributes)
    return metadata


def matrix_of(directions: EditDirections | None, network: StyleGAN2) -> Tensor | None:
    """Return the matrix `[N, S]` of the directions, after a check that they are of this generator."""
    if directions is None:
        return None
    directions.check_fits(network)
    return directions.matrix
