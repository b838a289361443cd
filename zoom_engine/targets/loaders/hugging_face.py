"""A Hugging Face image classifier, of the hub or from a folder: config.json, safetensors, preprocessor_config.json."""

from __future__ import annotations

import dataclasses
import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from torch import nn

from zoom_engine.errors import TargetError, imported, one_line
from zoom_engine.targets.loaders.entry import Entry
from zoom_engine.targets.loaders.files import CONFIG
from zoom_engine.targets.loaders.loaded_model import LoadedModel, Reading
from zoom_engine.targets.loaders.published import HUB, hub_folder
from zoom_engine.targets.preprocessing import Preprocessing, scale_is_assumed
from zoom_engine.threads import quiet

PREPROCESSOR = "preprocessor_config.json"
RESAMPLE = {0: "nearest", 2: "bilinear", 3: "bicubic"}
"""Pillow's numbers of the filters that have a counterpart here."""


def load_from_hub(spec: str, how: Reading) -> LoadedModel:
    """The same of "hf-hub:OWNER/NAME", whose snapshot is on this machine, or with `download` fetched. Raises as
    `load_hugging_face` and `hub_folder`."""
    loaded = load_hugging_face(hub_folder(spec, download=how.download), how)
    return dataclasses.replace(loaded, name=spec.removeprefix(HUB))


def load_hugging_face(folder: Path, how: Reading) -> LoadedModel:
    """The image classifier in `folder`, with its classes and its preprocessing. Offline; no code of the folder's runs.

    Raises:
        TargetError: when transformers is missing, when the folder holds no image classifier in safetensors, and for a
            preprocessing that has no counterpart here.
    """
    config = read_json(folder / CONFIG)
    if "auto_map" in config:
        raise TargetError(f"{folder} brings code of its own (auto_map in {CONFIG}): refused; export the model to ONNX")
    files = sorted(folder.glob("*.safetensors"))
    if not files:
        raise TargetError(f"{folder} has no .safetensors file: save the model with safe_serialization=True")
    stored = folder / PREPROCESSOR
    own = hugging_face_preprocessing(read_json(stored), stored) if stored.is_file() else Preprocessing()
    network = _load(folder)
    names = config.get("id2label")
    digest = hashlib.sha256()
    for file in [folder / CONFIG, *files]:
        digest.update(file.read_bytes())
    return LoadedModel(
        network=Entry(network, "logits"),
        name=folder.resolve().name,
        preprocessing=own.updated(how.options),
        assumed=scale_is_assumed(how.options, told=stored.is_file()),
        classes=_classes(names) if isinstance(names, dict) else None,
        content_hash=digest.hexdigest(),
    )


def _load(folder: Path) -> nn.Module:
    what = f"the Hugging Face model {folder} cannot be read"
    transformers = imported("transformers", TargetError, what, install="zoom-engine[huggingface]")
    bars = transformers.utils.logging
    with quiet("transformers"):  # it tells of missing weights by a log line; here that is an error
        shown = bars.is_progress_bar_enabled()
        bars.disable_progress_bar()
        try:
            network, report = transformers.AutoModelForImageClassification.from_pretrained(
                str(folder),
                local_files_only=True,
                trust_remote_code=False,
                use_safetensors=True,
                output_loading_info=True,
            )
        except Exception as error:  # transformers, safetensors and json each raise their own
            raise TargetError(
                f"{folder}: transformers cannot load it as an image classifier ({one_line(error)})"
            ) from error
        finally:
            if shown:
                bars.enable_progress_bar()
    missing = sorted(report.get("missing_keys") or [])
    if missing:
        raise TargetError(f"{folder}: its weights lack {missing[0]!r}: it is no finished image classifier")
    module: nn.Module = network.eval().requires_grad_(False).float()
    return module


def read_json(path: Path) -> dict[str, Any]:
    """A JSON object from a file; `TargetError` for anything else."""
    try:
        values = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise TargetError(f"{path}: cannot be read as JSON ({one_line(error)})") from error
    if not isinstance(values, dict):
        raise TargetError(f"{path}: holds no JSON object")
    return values


def hugging_face_preprocessing(values: Mapping[str, Any], path: Path) -> Preprocessing:
    """`preprocessor_config.json` as `Preprocessing`: do_resize, do_center_crop, do_rescale and do_normalize with what
    belongs to them.

    Raises:
        TargetError: for a size or filter that has no counterpart here.
    """
    size = _size(values.get("size")) if values.get("do_resize", True) else None
    crop = _size(values.get("crop_size")) if values.get("do_center_crop", False) else None
    if isinstance(crop, int):
        crop = (crop, crop)
    resize = RESAMPLE.get(values.get("resample", 2))
    if resize is None or (size is None and values.get("do_resize", True)):
        raise TargetError(f"{path}: resizes in a way that is not known here: give preprocessing with size and resize")
    if isinstance(size, int) and crop is None:
        raise TargetError(f"{path}: resizes the shorter side without a crop: give preprocessing with a size")
    factor = float(values.get("rescale_factor", 1 / 255)) * 255 if values.get("do_rescale", True) else 255.0
    low = -1.0 if values.get("rescale_offset", False) else 0.0
    normalise = values.get("do_normalize", True)
    return Preprocessing(
        size=crop or size,
        resize_size=size if crop else None,
        resize=resize,  # type: ignore[arg-type]
        value_range=(low, factor + low),
        mean=tuple(values.get("image_mean") or (0.5,)) if normalise else (0.0,),
        std=tuple(values.get("image_std") or (0.5,)) if normalise else (1.0,),
    )


def _size(value: Any) -> int | tuple[int, int] | None:
    """A number or {"shortest_edge"}: the shorter side; {"height", "width"}: both."""
    if isinstance(value, int):
        return value
    if isinstance(value, Mapping) and isinstance(edge := value.get("shortest_edge"), int):
        return edge
    if isinstance(value, Mapping) and isinstance(value.get("height"), int) and isinstance(value.get("width"), int):
        return value["height"], value["width"]
    return None


def _classes(names: Mapping[str, Any]) -> tuple[str, ...]:
    try:
        return tuple(str(names[str(index)]) for index in range(len(names)))
    except KeyError as error:
        raise TargetError(f"id2label in {CONFIG} numbers its classes with gaps: it lacks {error}") from error
