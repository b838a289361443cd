"""The writing of a target as ONNX, with everything needed to read it back, by torch's tracing exporter.

That exporter needs no further package.
"""

from __future__ import annotations

import json
import tempfile
from collections.abc import Sequence
from pathlib import Path

import onnx
import torch
from onnx import helper

from zoom_engine.common.errors import TargetError, one_line
from zoom_engine.common.files.atomic import write_bytes
from zoom_engine.common.threads import quiet
from zoom_engine.targets.onnx.load import METADATA_KEY
from zoom_engine.targets.preprocessing import Preprocessing
from zoom_engine.targets.target import Target
from zoom_engine.targets.tasks import Task

OPSET = 17


def save_onnx(target: Target, path: str | Path, *, resolution: int | None = None) -> None:
    """Write the target's network, raw outputs and all, as an ONNX file that `load_target` reads back.

    The preprocessing is not part of the graph; it, the task and the labels go into the metadata.

    Args:
        target: a torch network's.
        path: where to.
        resolution: side of the network's input where the preprocessing does not fix it.

    Raises:
        TargetError: torch's exporter cannot write the network.
    """
    model = target_model(target, resolution=resolution)
    note_target(model, target.name, target.task, target.preprocessing, labels=target.labels)
    write_bytes(path, model.SerializeToString())


def note_target(
    model: onnx.ModelProto, name: str, task: Task, preprocessing: Preprocessing, *, labels: Sequence[str] = ()
) -> None:
    """Note in a model's metadata what `load_target` reads back: the target's name, task, classes, labels and input."""
    described = {
        "name": name,
        "task": task.to_dict(),
        "preprocessing": preprocessing.to_dict(),
        "labels": list(labels),
        "classes": list(getattr(task, "classes", ())),
    }
    helper.set_model_props(model, {METADATA_KEY: json.dumps(described)})


def target_model(target: Target, *, resolution: int | None = None) -> onnx.ModelProto:
    """Return the target's network as a checked model: from its input, "images", to what it returns, "raw".

    Raises:
        TargetError: torch's exporter cannot write the network, as that of a black box, or its input size is not known.
    """
    hw = target.preprocessing.hw or ((resolution, resolution) if resolution else None)
    if hw is None:
        raise TargetError(f"target {target.name!r}: its input size is not known, so give the resolution")
    shape = (2, *hw, 3) if target.preprocessing.layout == "NHWC" else (2, 3, *hw)
    # The exporter that needs no onnxscript is called legacy.
    with tempfile.TemporaryDirectory() as folder, quiet():
        try:
            torch.onnx.export(
                target.network,
                (torch.zeros(shape),),
                f"{folder}/network.onnx",
                dynamo=False,
                opset_version=OPSET,
                input_names=["images"],
                output_names=["raw"],
                dynamic_axes={"images": {0: "batch"}, "raw": {0: "batch"}},
            )
            model = onnx.load(f"{folder}/network.onnx")
            onnx.checker.check_model(model, full_check=True)
        except Exception as error:  # the exporter runs the network's own code, and raises anything
            raise TargetError(f"target {target.name!r} cannot be written as ONNX ({one_line(error)})") from error
    if len(model.graph.output) != 1:
        raise TargetError(f"target {target.name!r} cannot be written as ONNX: it returns more than one tensor")
    if not model.graph.input:  # as of a function or a service, whose answers are constants to the exporter
        raise TargetError(f"target {target.name!r} cannot be written as ONNX: torch computes nothing of its pictures")
    return model
