"""Preprocessings as other libraries hand them over: torchvision's transforms, timm's data config, image processors."""

from __future__ import annotations

import enum
import json
import types
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, NoReturn

import numpy as np
import torch
from torch import nn

from zoom_engine.common.errors import TargetError, one_line
from zoom_engine.targets.loaders.image_processors import hugging_face_preprocessing
from zoom_engine.targets.loaders.timm_config import timm_preprocessing
from zoom_engine.targets.preprocessing import InputOptions, Preprocessing

StatedInput = InputOptions | Callable[..., object]
"""What a user says of a target's input: `InputOptions`, or what another library makes of pictures."""
TIMM_KEYS = frozenset({"input_size", "interpolation", "mean", "std", "crop_pct", "crop_mode"})
"""What `timm.data.resolve_data_config` says."""
LIBRARIES = ("torchvision", "timm", "open_clip", "clip")
FILTERS = {"bilinear": "bilinear", "bicubic": "bicubic", "nearest": "nearest", "nearest-exact": "nearest"}
NOTHING = ("Identity", "RGB", "ToPureTensor", "_convert_to_rgb", "_convert_image_to_rgb")
"""Steps that change nothing of an RGB picture's numbers."""
TO_BYTES = ("PILToTensor", "MaybePILToTensor", "ToImage")
TO_FLOATS = ("ToTensor", "MaybeToTensor", "ObjectDetection")
HOW = "give what evaluation uses without it, or make it the model's first layer"


def stated_preprocessing(given: object) -> InputOptions:
    """Return what the user says of a target's input.

    Args:
        given: a `Preprocessing`, or a mapping of some of its fields; a transform of torchvision's (v1, v2, or one of
            published weights), made for evaluation; what `timm.data.resolve_data_config` returns; an image processor of
            transformers.

    Raises:
        TargetError: it holds something that has no counterpart here, which is named, or is something else.
    """
    if given is None or isinstance(given, Preprocessing):
        return given
    if isinstance(given, Mapping):
        return _of_timm(given) if {"input_size", "interpolation", "crop_pct", "crop_mode"} & set(given) else given
    if callable(getattr(given, "to_json_string", None)) and hasattr(given, "preprocess"):
        return processor_preprocessing(given)
    if isinstance(given, nn.Sequential) or (_library_of(given) in LIBRARIES and not isinstance(given, enum.Enum)):
        return transform_preprocessing(given)
    raise TargetError(
        f"preprocessing: {_shown(given)} is none: give a Preprocessing, a table of its options, a torchvision transform"
        " for evaluation such as weights.transforms(), the dictionary of timm.data.resolve_data_config or an image"
        " processor of transformers"
    )


def processor_preprocessing(processor: Any, options: InputOptions = None) -> Preprocessing:
    """Convert an image processor of transformers as `hugging_face_preprocessing` does its file.

    That of a timm model holds what `timm.data.resolve_data_config` returned.
    """
    values = json.loads(processor.to_json_string())
    if isinstance(timm := values.get("data_config"), dict):
        return timm_preprocessing(timm).updated(options)
    return hugging_face_preprocessing(values, type(processor).__name__, options)


def transform_preprocessing(transform: object) -> Preprocessing:
    """Convert a transform of torchvision's that evaluation uses.

    It is one of Resize, CenterCrop, ToTensor, PILToTensor, ToImage, ConvertImageDtype, ToDtype and Normalize, several
    of them in a Compose or an nn.Sequential, or what published weights come with (`weights.transforms()`).

    Raises:
        TargetError: a step, which is named, has no counterpart here.
    """
    read = _Reader()
    for step in _steps(transform):
        read.step(step)
    return read.result(transform)


def _of_timm(config: Mapping[str, Any]) -> Preprocessing:
    if unknown := sorted(str(key) for key in set(config) - TIMM_KEYS):
        raise TargetError(
            f"preprocessing: {unknown[0]!r} has no counterpart here beside a timm data config, whose keys are"
            f" {', '.join(sorted(TIMM_KEYS))}"
        )
    size = config.get("input_size") or (3,)
    if not isinstance(size, Sequence) or len(size) not in (1, 3) or size[0] != 3:
        raise TargetError(
            f"preprocessing: input_size {_shown(size)} is not that of RGB pictures, such as (3, 224, 224)"
        )
    try:
        return timm_preprocessing(config)
    except TargetError as error:
        raise TargetError(f"preprocessing: {error}") from error


def _library_of(thing: object) -> str:
    return str(getattr(thing, "__module__", None) or type(thing).__module__).partition(".")[0]


def _name_of(step: object) -> str:
    return str(getattr(step, "__name__", type(step).__name__))


def _steps(transform: Any) -> Iterator[Any]:
    """Yield the steps of a transform, one that holds others as those."""
    if isinstance(transform, nn.Sequential):
        parts: Sequence[Any] = list(transform)
    elif _name_of(transform) == "Compose" and _library_of(transform) in LIBRARIES:
        parts = transform.transforms
    else:
        yield transform
        return
    for part in parts:
        yield from _steps(part)


class _Reader:
    """Reads the steps of a transform in turn; they must come in an order that `Preprocessing` has."""

    def __init__(self) -> None:
        self.resize: tuple[Any, str] | None = None
        self.crop: tuple[int, int] | None = None
        self.scale: float | None = None
        self.numbers: tuple[tuple[float, ...], tuple[float, ...]] | None = None
        self.of_tensors = False
        self.unsmoothed: Any = None

    def step(self, step: Any) -> None:
        """Read the next step.

        Raises:
            TargetError: it has no counterpart here.
        """
        name = _name_of(step) if _library_of(step) in LIBRARIES else ""
        if name in ("ImageClassification", "SemanticSegmentation"):
            self._resize(step, step.resize_size)
            if step.antialias is False:
                self._refuse_unsmoothed()
            if name == "ImageClassification":
                self._crop(step, step.crop_size)
            self._floats(1.0)
            self._normalise(step)
        elif name == "Resize":
            self._resize(step, step.size)
        elif name == "CenterCrop":
            self._crop(step, step.size)
        elif name in TO_FLOATS:
            self._floats(255.0 if (name, _library_of(step)) == ("ToTensor", "timm") else 1.0)
        elif name in TO_BYTES:
            self.of_tensors = True
        elif name in ("ToDtype", "ConvertImageDtype"):
            self._dtype(step)
        elif name == "Normalize":
            self._normalise(step)
        elif name not in NOTHING:
            _refuse(step, HOW)

    def _resize(self, step: Any, size: Any) -> None:
        if self.resize is not None or self.crop is not None:
            _refuse(step, "a resize comes first here, and one crop after it")
        if getattr(step, "max_size", None) is not None or size is None:
            _refuse(step, "say the size without max_size, such as Resize((224, 224))")
        kind = str(getattr(step.interpolation, "value", step.interpolation))
        if kind not in FILTERS or (kind == "nearest" and self.of_tensors):
            _refuse(step, "filters here are bilinear, bicubic and nearest-exact, and nearest before ToTensor()")
        if kind == "bicubic" and self.scale is not None:
            _refuse(step, "by bicubic before it makes floats, as it is cut off at black and white")
        if getattr(step, "antialias", True) is False and kind in ("bilinear", "bicubic"):
            self.unsmoothed = step
            if self.of_tensors:
                self._refuse_unsmoothed()
        sides = [int(side) for side in size] if isinstance(size, Sequence) else [int(size)]
        self.resize = (sides[0] if len(sides) == 1 else (sides[0], sides[1])), FILTERS[kind]

    def _refuse_unsmoothed(self) -> None:
        _refuse(self.unsmoothed, "pictures are resized with antialias=True here")

    def _crop(self, step: Any, size: Any) -> None:
        if self.crop is not None:
            _refuse(step, "there is one crop here")
        if self.resize is None:
            _refuse(step, "a crop comes after a resize here, such as Resize(256)")
        sides = [int(side) for side in size] if isinstance(size, Sequence) else [int(size)]
        self.crop = (sides[0], sides[-1])

    def _floats(self, white: float) -> None:
        self.of_tensors = True
        if self.scale is None:
            self.scale = white

    def _dtype(self, step: Any) -> None:
        dtype = step.dtype
        if dtype == torch.uint8 and self.scale is None:
            return
        if dtype != torch.float32:
            _refuse(step, f"a network is fed torch.float32 here, not {dtype}")
        if self.unsmoothed is not None and not self.of_tensors:
            self._refuse_unsmoothed()  # this step takes tensors, and so did the resize
        self._floats(1.0 if getattr(step, "scale", True) else 255.0)

    def _normalise(self, step: Any) -> None:
        if self.numbers is not None:
            _refuse(step, "there is one Normalize here: combine both")
        if self.scale is None:
            _refuse(step, "it comes after what makes floats of a picture, such as ToTensor()")
        self.numbers = _numbers(step.mean), _numbers(step.std)

    def result(self, transform: object) -> Preprocessing:
        """Return the preprocessing of the steps.

        Raises:
            TargetError: they end in something else than numbers of one size.
        """
        if self.scale is None:
            _refuse(
                transform, "it makes no floats: add ToTensor(), or ToImage() and ToDtype(torch.float32, scale=True)"
            )
        if self.unsmoothed is not None and not self.of_tensors:
            self._refuse_unsmoothed()
        size, resized = self.crop, None if self.resize is None else self.resize[0]
        if size is None and isinstance(resized, int):
            _refuse(
                f"Resize({resized})",
                f"it keeps the sides' proportion, so pictures have several sizes: give Resize(({resized}, {resized})),"
                f" or CenterCrop({resized}) after it",
            )
        if size is None:
            size, resized = resized, None
        mean, std = self.numbers or ((0.0,), (1.0,))
        return Preprocessing(
            size=size[0] if size is not None and size[0] == size[1] else size,
            resize_size=resized,
            resize="bilinear" if self.resize is None else self.resize[1],  # type: ignore[arg-type]
            value_range=(0.0, self.scale or 1.0),
            mean=mean,
            std=std,
        )


def _numbers(values: Any) -> tuple[float, ...]:
    """Return numbers as they were written: timm keeps them in float32, where 0.485 is 0.48500001."""
    return tuple(float(str(value)) for value in np.atleast_1d(np.asarray(values)))


def _refuse(step: object, how: str) -> NoReturn:
    raise TargetError(f"preprocessing: {_shown(step)} has no counterpart here: {how}")


def _shown(thing: object) -> str:
    named = isinstance(thing, types.FunctionType)
    return one_line(thing if isinstance(thing, str) else f"function {_name_of(thing)!r}" if named else repr(thing), 100)
