"""A target's network as ONNX: the file that it came from, or written from torch."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import onnx
from torch import nn

from zoom_engine.common.errors import ExportError, TargetError, one_line
from zoom_engine.common.files.kinds_of_file import kind_of_file
from zoom_engine.targets import Target
from zoom_engine.targets.onnx.load import chosen_output, one_output
from zoom_engine.targets.onnx.write import target_model


def target_network(
    spec: str | Path | nn.Module, target: Target, options: Mapping[str, Any], *, resolution: int
) -> onnx.ModelProto:
    """Return the network of `target` as ONNX, for pictures of `resolution`.

    An ONNX file is taken as it is, everything else is written by torch's exporter (`zoom_engine.targets.onnx.write`).

    Args:
        spec: where the target came from.
        target: what `load_target(spec, **options)` has loaded and tried.
        options: of `load_target`.
        resolution: side of the pictures, in pixels.

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
