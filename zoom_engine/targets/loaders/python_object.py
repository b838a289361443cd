"""A function or a module: as it is, or by name, see `zoom_engine.common.python_object`."""

from __future__ import annotations

from typing import Any

from onnx import ModelProto
from torch import nn

from zoom_engine.common import python_object
from zoom_engine.common.errors import TargetError
from zoom_engine.targets.loaders.black_box import load_black_box
from zoom_engine.targets.loaders.hugging_face import is_transformers_object, load_transformers_object
from zoom_engine.targets.loaders.loaded_model import LoadedModel, Reading
from zoom_engine.targets.loaders.module import load_module
from zoom_engine.targets.loaders.predictor import is_keras, is_predictor, load_keras_module, load_predictor

OBJECTS = (
    "a name, a path, a torch module, a model or image-classification pipeline of transformers, an ONNX Runtime session,"
    " an onnx.ModelProto, an object with predict, or a function"
)


def load_object(given: object, how: Reading) -> LoadedModel:
    """Load a torch module, a model or pipeline of transformers, an object with `predict`, or any function.

    Raises:
        TargetError: it is anything else.
    """
    if is_transformers_object(given):
        return load_transformers_object(given, how)
    if isinstance(given, nn.Module):
        return load_keras_module(given, how) if is_keras(given) else load_module(given, how)
    if is_predictor(given):
        return load_predictor(given, how)
    if callable(given) and not isinstance(given, type):
        return load_black_box(given, how)
    raise TargetError(f"a {type(given).__name__} is no target: give {OBJECTS}")


def is_onnx_object(given: object) -> bool:
    """Tell whether `given` is an `onnx.ModelProto`, or a session of ONNX Runtime; that is not imported."""
    return isinstance(given, ModelProto) or all(hasattr(given, name) for name in ("get_inputs", "get_outputs", "run"))


def may_be_target(given: object) -> bool:
    """Tell whether `given` can be asked about images."""
    return callable(given) or is_predictor(given) or is_onnx_object(given)


def import_object(spec: str, *, trust: bool) -> Any:
    """Return what a name names, see `python_object.import_object`; it may be asked about images."""
    return python_object.import_object(spec, trust=trust, what="target", usable=may_be_target, refusal=TargetError)
