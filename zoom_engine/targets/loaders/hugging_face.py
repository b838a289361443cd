"""A Hugging Face model: of the hub, from a folder (config.json, safetensors, preprocessor_config.json) or an object."""

from __future__ import annotations

import contextlib
import dataclasses
import hashlib
import json
import math
import re
import threading
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from safetensors import SafetensorError, safe_open
from torch import nn
from torch.nn.modules.module import (
    register_module_module_registration_hook,
    register_module_parameter_registration_hook,
)

from zoom_engine.common.errors import TargetError, imported, one_line
from zoom_engine.common.files.hub import BY_OPTION
from zoom_engine.common.files.kinds_of_file import CONFIG
from zoom_engine.common.threads import quiet
from zoom_engine.targets.entry import Entry
from zoom_engine.targets.loaders.image_processors import hugging_face_preprocessing
from zoom_engine.targets.loaders.loaded_model import LoadedModel, Reading
from zoom_engine.targets.loaders.module import load_module
from zoom_engine.targets.loaders.published import HUB, INDEX, PREPROCESSOR, hub_folder
from zoom_engine.targets.loaders.timm_config import timm_preprocessing
from zoom_engine.targets.loaders.transforms import processor_preprocessing
from zoom_engine.targets.preprocessing import InputOptions, Preprocessing, scale_is_assumed
from zoom_engine.targets.tasks.guess import Final
from zoom_engine.targets.tasks.multilabel import MultiLabelTask
from zoom_engine.targets.tasks.task import Task

LARGEST_JSON = 2**24
ADAPTER = "adapter_config.json"
"""Beside it transformers loads the weights of another model, with this one's added."""
MOST_OF_CONFIG = 10**6
"""The largest number in a config: layers, classes and pixels are fewer."""
PARTS, PARTS_PER_TENSOR = 1_000, 64
"""The most modules of a network: so many, and so many more for each tensor, since some hold no weights."""
PARAMETERS = 2**22
"""The most parameters of a network beside those whose weights are in the files."""
TIMM_RESERVED = frozenset({"pretrained", "pretrained_cfg", "pretrained_cfg_overlay", "checkpoint_path", "cache_dir"})
"""Options of timm that read other files than the folder's."""


def load_from_hub(spec: str, how: Reading) -> LoadedModel:
    """Load the image classifier "hf-hub:OWNER/NAME", whose snapshot is on this machine, or with `download` fetched.

    Raises:
        TargetError: as `load_hugging_face` and `hub_folder`.
    """
    folder = hub_folder(spec, download=how.download)
    loaded = load_hugging_face(folder, how)
    if loaded.assumed and not how.download:  # a folder of the cache is not the whole of what is published
        raise TargetError(
            f"{spec}: {PREPROCESSOR}, which may say what it is fed, is not on this machine: {BY_OPTION}, or say it by"
            " --input-range, --input-mean and --input-std (preprocessing= in Python)"
        )
    return dataclasses.replace(loaded, name=spec.removeprefix(HUB))


def load_hugging_face(folder: Path, how: Reading) -> LoadedModel:
    """Load the image classifier in `folder`, with its classes and its preprocessing.

    Offline; no code of the folder's runs.

    Raises:
        TargetError: when transformers is missing, when the folder holds no image classifier in safetensors, and for a
            preprocessing that has no counterpart here.
    """
    config = read_json(folder / CONFIG)
    weights = check_folder(folder, config)
    preprocessing, told = folder_preprocessing(folder, config, how.options)
    network = _load(folder, weights)
    names = class_names(config)
    classes = _classes(names) if names is not None else None
    digest = hashlib.sha256()
    for path in [folder / CONFIG, *weights.files]:
        with path.open("rb") as file:
            while piece := file.read(1 << 20):
                digest.update(piece)
    return LoadedModel(
        network=Entry(network, "logits" if how.output is None else how.output),
        name=folder.resolve().name,
        preprocessing=preprocessing,
        assumed=scale_is_assumed(how.options, told=told),
        final=_stated_final(config) if how.output is None else "",
        classes=None if _stated_final(config) == "number" else classes,
        task=_stated_task(config, classes) if how.output is None else None,
        output_chosen=True,
        content_hash=digest.hexdigest(),
    )


def is_transformers_object(given: object) -> bool:
    """Tell whether `given` is a model or a pipeline of transformers; nothing is imported for that."""
    return any(
        kind.__name__ in ("PreTrainedModel", "Pipeline") and kind.__module__.partition(".")[0] == "transformers"
        for kind in type(given).__mro__
    )


def load_transformers_object(given: Any, how: Reading) -> LoadedModel:
    """Load a copy of a model object of transformers, or that of a pipeline with its image processor.

    Of a model object the config says the size of its pictures at most; of one with a head (such as
    ViTForImageClassification) the logits are its output.

    Raises:
        TargetError: a pipeline is for something else than image-classification, or its image processor has no
            counterpart here.
    """
    model, processor = given, None
    if not isinstance(given, nn.Module):
        if given.task != "image-classification":
            raise TargetError(
                f"a pipeline for {given.task} is no target: give one for image-classification, its model with"
                " preprocessing=pipeline.image_processor and output=, or a function of pictures that asks it"
            )
        model, processor = given.model, given.image_processor
    config = model.config.to_dict()
    usual, told = None, True
    if processor is not None:
        usual = processor_preprocessing(processor, how.options)
    elif isinstance(timm := config.get("pretrained_cfg"), dict):
        usual = timm_preprocessing(timm)
    elif (size := _image_size(config.get("image_size"))) is not None:
        usual, told = Preprocessing(size=size), False
    loaded = dataclasses.replace(load_module(model, how, usual=usual, told=told), final="")
    if "For" not in type(model).__name__ or how.output is not None:
        return loaded
    classes = _classes({str(index): name for index, name in model.config.id2label.items()})
    return dataclasses.replace(
        loaded,
        network=Entry(loaded.network, "logits"),
        final=_stated_final(config),
        classes=None if _stated_final(config) == "number" else classes,
        task=_stated_task(config, classes),
        output_chosen=True,
    )


def _image_size(given: object) -> int | tuple[int, int] | None:
    if isinstance(given, list | tuple) and len(given) == 2 and all(isinstance(side, int) for side in given):
        return given[0], given[1]
    return given if isinstance(given, int) and not isinstance(given, bool) else None


def _stated_final(config: Mapping[str, object]) -> Final:
    """Return what a head of transformers ends with: its outputs are called `logits`."""
    return "number" if config.get("problem_type") == "regression" else "logits"


def _stated_task(config: Mapping[str, object], classes: Sequence[str] | None) -> Task | None:
    """Return the task that the config says, as transformers' pipelines read it; None where the outputs tell."""
    several = config.get("problem_type") == "multi_label_classification" and len(classes or ()) > 1
    return MultiLabelTask(classes=tuple(classes or ())) if several else None


class Weights(NamedTuple):
    """The files of weights of a folder, and how many tensors and numbers they hold."""

    files: list[Path]
    tensors: int
    numbers: int


def check_folder(folder: Path, config: Mapping[str, object]) -> Weights:
    """Refuse what can be told of a folder without building its network: loading and describing it both begin so.

    Raises:
        TargetError: it brings code, is an adapter of another model, lacks weights in safetensors, or its config holds
            numbers that no image classifier has.
    """
    if "auto_map" in config:
        raise TargetError(f"{folder}: brings code of its own (auto_map in {CONFIG}), refused: export the model to ONNX")
    if (folder / ADAPTER).exists():
        raise TargetError(
            f"{folder}: refused, since {ADAPTER} names a model elsewhere: merge the adapter into it"
            " (merge_and_unload of peft) and save that"
        )
    files = sorted(folder.glob("*.safetensors"))
    if not files:
        raise TargetError(f"{folder}: has no .safetensors file: save the model with safe_serialization=True")
    if (index := folder / INDEX).is_file():
        parts = read_json(index).get("weight_map")
        if not isinstance(parts, dict) or not {str(name) for name in parts.values()} <= {file.name for file in files}:
            raise TargetError(f"{folder}: {INDEX} names other files than those beside it: fetch all of them")
    for place, number in _numbers(config):
        if abs(number) > MOST_OF_CONFIG:
            raise TargetError(
                f"{folder}: refused, since {one_line(place, 80)} in {CONFIG} is more than {MOST_OF_CONFIG}, as in no"
                " image classifier"
            )
    if _is_of_timm(config):
        _check_timm(folder, config)
    tensors = numbers = 0
    for path in files:
        try:
            with safe_open(path, framework="numpy") as file:
                names = file.keys()
                shapes = [file.get_slice(name).get_shape() for name in names]
        except (SafetensorError, OSError) as error:
            raise TargetError(f"{path}: is a damaged safetensors file ({one_line(error)}): fetch it again") from error
        tensors, numbers = tensors + len(shapes), numbers + sum(map(math.prod, shapes))
    return Weights(files, tensors, numbers)


def _is_of_timm(config: Mapping[str, object]) -> bool:
    """Tell whether transformers reads it as a timm model; timm itself saves no type of model."""
    return config.get("model_type", "timm_wrapper" if "pretrained_cfg" in config else None) == "timm_wrapper"


def class_names(config: Mapping[str, object]) -> Mapping[str, object] | None:
    """Return the names of the classes by their numbers, as texts; None where there are none."""
    if _is_of_timm(config) and isinstance(names := config.get("label_names"), list):
        return {str(index): name for index, name in enumerate(names)}
    names = config.get("id2label")
    return names if isinstance(names, dict) else None


def _check_timm(folder: Path, config: Mapping[str, object]) -> None:
    """Refuse a timm model that would be fetched, or read from other files than the folder's."""
    given = config.get("model_args") or {}
    if not isinstance(given, dict) or TIMM_RESERVED.intersection(given):
        raise TargetError(f"{folder}: refused, since model_args in {CONFIG} can name other files: give timm:NAME@FILE")
    name = config.get("architecture", "")
    if not isinstance(name, str) or not re.fullmatch(r"[\w.]*", name):
        raise TargetError(f"{folder}: architecture in {CONFIG} is no name of a timm model: give timm:NAME@FILE")


def _numbers(value: object, place: str = "") -> Iterator[tuple[str, int]]:
    """Yield the whole numbers in a JSON value, with the keys that lead there; of a list their sum."""
    if isinstance(value, dict):
        for key, entry in value.items():
            yield from _numbers(entry, f"{place}.{key}" if place else str(key))
    elif isinstance(value, list):
        whole = [entry for entry in value if isinstance(entry, int)]
        yield place, sum(map(abs, whole))
        for entry in value:
            yield from _numbers(entry, place) if not isinstance(entry, int) else ()
    elif isinstance(value, int):
        yield place, value


@contextlib.contextmanager
def _no_larger_than(weights: Weights, folder: Path) -> Iterator[None]:
    """Refuse, while a network is built in this thread, one of many more parts or parameters than it has weights."""
    thread, built = threading.get_ident(), Counter[str]()
    most = {"parts": PARTS + PARTS_PER_TENSOR * weights.tensors, "parameters": PARAMETERS + 2 * weights.numbers}

    def counted(what: str, count: int) -> None:
        if threading.get_ident() != thread:
            return
        built[what] += count
        if built[what] > most[what]:
            raise TargetError(
                f"{folder}: refused, since {CONFIG} describes a network of more than {most[what]} {what}, where its"
                f" weights are {weights.numbers} numbers in {weights.tensors} tensors"
            )

    def part(parent: nn.Module, name: str, child: nn.Module | None) -> None:
        counted("parts", 1)

    def parameter(parent: nn.Module, name: str, value: nn.Parameter | None) -> None:
        counted("parameters", 0 if value is None else value.numel())

    hooks = [register_module_module_registration_hook(part), register_module_parameter_registration_hook(parameter)]
    try:
        yield
    finally:
        for hook in hooks:
            hook.remove()


def _load(folder: Path, weights: Weights) -> nn.Module:
    what = f"the Hugging Face model {folder} cannot be read"
    transformers = imported("transformers", TargetError, what, install="zoom-engine[huggingface]")
    bars = transformers.utils.logging
    # It tells of missing weights by a log line; here that is an error.
    with quiet("transformers"), _no_larger_than(weights, folder):
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
        except TargetError:
            raise
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
    """Read a JSON object from a file.

    Raises:
        TargetError: it holds anything else.
    """
    try:
        if path.stat().st_size > LARGEST_JSON:
            raise ValueError(f"of {path.stat().st_size} bytes, where {LARGEST_JSON} are the limit")
        values = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise TargetError(f"{path}: cannot be read as JSON ({one_line(error)})") from error
    if not isinstance(values, dict):
        raise TargetError(f"{path}: holds no JSON object")
    return values


def folder_preprocessing(
    folder: Path, config: Mapping[str, object], options: InputOptions
) -> tuple[Preprocessing, bool]:
    """Return the folder's own preprocessing with the user's `options` in it, and whether the folder says any.

    Raises:
        TargetError: for one that has no counterpart here, where the user says nothing in its place.
    """
    stored = folder / PREPROCESSOR
    if stored.is_file():
        return hugging_face_preprocessing(read_json(stored), stored, options), True
    if _is_of_timm(config) and isinstance(timm := config.get("pretrained_cfg"), dict):
        try:
            return timm_preprocessing(timm).updated(options), True
        except TargetError as error:
            raise TargetError(f"{folder / CONFIG}: {error}") from error
    return Preprocessing().updated(options), False


def _classes(names: Mapping[str, object]) -> tuple[str, ...]:
    try:
        return tuple(str(names[str(index)]) for index in range(len(names)))
    except KeyError as error:
        raise TargetError(f"id2label in {CONFIG} numbers its classes with gaps: it lacks {error}") from error
