"""The export of generator and target as one ONNX file, after it was compared with torch."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import onnx
import torch
from torch import Tensor, nn

from zoom_engine.common.errors import ExportError, TargetError, one_line
from zoom_engine.common.files.kinds_of_file import kind_of_file
from zoom_engine.common.notices import Notify, null_notifier
from zoom_engine.directions import EditDirections
from zoom_engine.export.parity import LIMITS, OUTPUT_LIMITS, measure_parity
from zoom_engine.export.synthesis_file import Exported, matrix_of, source_metadata, write_model
from zoom_engine.generators import StyleGAN2, load_stylegan2
from zoom_engine.runtime.graphs import audit_model
from zoom_engine.runtime.graphs.metadata import PREFIX
from zoom_engine.targets import Target, check_target_options, input_notices, load_target
from zoom_engine.targets.onnx.load import chosen_output, one_output
from zoom_engine.targets.onnx.write import target_model
from zoom_engine.targets.target import probe_images


def export_audit_graph(
    generator: str | Path | StyleGAN2,
    target: str | Path | nn.Module,
    output: str | Path,
    *,
    generator_class: int | None = None,
    target_options: Mapping[str, object] | None = None,
    directions: EditDirections | None = None,
    images: bool = False,
    max_resolution: int | None = None,
    precision: str = "fp32",
    seed: int = 0,
    notify: Notify = null_notifier,
) -> Exported:
    """Write `output`: an ONNX file from styles and edit weights to what the target's network returns.

    Args:
        generator: see `export_synthesis`.
        target: whatever `load_target` takes, but for black boxes: "domain:name", the path of an ONNX, TorchScript or
            `torch.export` file, a library's model, an `nn.Module` or a `Target`.
        output: the `.onnx` file; its folder is made.
        generator_class: see `export_synthesis`.
        target_options: passed to `load_target`, such as `{"trust": True}` or the preprocessing.
        directions: see `export_synthesis`.
        images: return the pictures too.
        max_resolution: see `export_synthesis`.
        precision: see `export_synthesis`; the target's network keeps its own precision.
        seed: see `export_synthesis`.
        notify: takes lines on what is assumed of the target's input, which the graph has built in.

    Returns:
        The file, its parity with torch and what TensorRT takes of it.

    Raises:
        ExportError: an output or the pictures differ from torch's by more than is allowed, the target cannot be written
            as ONNX or its graph not be joined, or the file cannot be written; each leaves no file.
        TargetError: the target cannot be loaded.
        ConfigError: as `export_synthesis` has it.
        BackendError: no runtime here can run the graph, so that it cannot be checked.
    """
    options = check_target_options(target_options)
    network = load_stylegan2(generator, generator_class).cpu()
    size = max_resolution or network.resolution
    loaded = load_target(target, **{"resolution": size, **options})
    for notice in input_notices(loaded, resolution=size):
        notify(notice)
    matrix = matrix_of(directions, network)
    with torch.no_grad():
        shape = list(loaded.network(loaded.preprocessing(probe_images(size, size, count=2))).shape[1:])
    model = audit_model(
        network,
        target_network(target, loaded, options, resolution=size),
        loaded.preprocessing,
        output_shape=shape,
        directions=matrix,
        images=images,
        max_resolution=max_resolution,
        precision=precision,
        metadata={
            **source_metadata(generator, directions),
            f"{PREFIX}target": loaded.name,
            f"{PREFIX}target_hash": loaded.content_hash,
        },
    )

    def reference(styles: Tensor) -> dict[str, Tensor]:
        pictures = network.synthesis(styles, max_resolution=max_resolution, plain=True).clamp(-1, 1)
        return {"images": pictures, "outputs": loaded.network(loaded.preprocessing(pictures))}

    parity = measure_parity(model, network, reference, precision=precision, directions=matrix, seed=seed)
    parity.check({"images": LIMITS[precision], "outputs": OUTPUT_LIMITS[precision]})
    return write_model(model, output, parity)


def target_network(
    spec: str | Path | nn.Module, target: Target, options: Mapping[str, Any], *, resolution: int
) -> onnx.ModelProto:
    """Return the network of `target`, loaded and tried by `load_target(spec, **options)`, for pictures of `resolution`.

    An ONNX file is taken as it is, everything else is written by torch's exporter
    (:mod:`zoom_engine.targets.onnx.write`).

    Raises:
        ExportError: it cannot be written, or the file cannot be read again.
    """
    path = Path(spec) if isinstance(spec, str | Path) else None
    if path is not None and (path.is_file() or path.suffix == ".onnx") and kind_of_file(path) == "onnx":
        try:
            model = onnx.load(path)
            return one_output(model, chosen_output(path, model, options.get("output")))
        except (OSError, ValueError) as error:
            raise ExportError(f"cannot read {path} again: {one_line(error)}") from error
    try:
        return target_model(target, resolution=resolution)
    except TargetError as error:
        raise ExportError(str(error)) from error
