"""A function or a module: as it is, or by name, "python:FILE.py:NAME" or "python:PACKAGE.MODULE:NAME".

A name is how a black box comes to the command line. Importing code runs it, so the user must say that it is trusted.
"""

from __future__ import annotations

import importlib
import importlib.util
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

from onnx import ModelProto
from torch import nn

from zoom_engine.common.errors import TargetError, one_line
from zoom_engine.targets.loaders.black_box import load_black_box
from zoom_engine.targets.loaders.hugging_face import is_transformers_object, load_transformers_object
from zoom_engine.targets.loaders.loaded_model import LoadedModel, Reading
from zoom_engine.targets.loaders.module import load_module
from zoom_engine.targets.loaders.predictor import is_keras, is_predictor, load_keras_module, load_predictor

PREFIX = "python:"
HOW = "write python:FILE.py:NAME or python:MODULE:NAME"
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


def import_object(
    spec: str, *, trust: bool, what: str = "target", usable: Callable[[object], bool] = may_be_target
) -> Any:
    """Return the function or object that `spec` names.

    The folder of a FILE.py goes to the end of `sys.path`, so that it can import what lies beside it.

    Args:
        spec: "python:FILE.py:NAME" or "python:MODULE:NAME".
        trust: whether the code may run.
        what: what messages call it.
        usable: tells what it may be.

    Raises:
        TargetError: without `trust`; where the code is missing or fails, and where it has nothing of that name that is
            usable.
    """
    source, _, name = spec.removeprefix(PREFIX).rpartition(":")
    if not source or not name:
        raise TargetError(f"{what} {spec!r} names no Python function: {HOW}")
    if not trust:
        raise TargetError(
            f"{what} {spec!r} is Python code, which runs when it is imported; if you trust its maker, say so with"
            " trust=True (--trust)"
        )
    module = _module(source)
    item = getattr(module, name, None)
    if isinstance(item, type):
        raise TargetError(f"{name!r} of {source} is a class: name a function or an instance, such as {name.lower()}")
    if not usable(item):
        others = sorted(key for key, value in vars(module).items() if _is_defined_in(value, module))
        raise TargetError(f"{source} has no function {name!r}: it has {', '.join(others[:10]) or 'none'}")
    return item


def _is_defined_in(value: object, module: ModuleType) -> bool:
    return callable(value) and getattr(value, "__module__", None) == module.__name__ and not isinstance(value, type)


def _module(source: str) -> ModuleType:
    path = Path(source)
    try:
        if path.suffix != ".py":
            return importlib.import_module(source)
        if not path.is_file():
            raise TargetError(f"there is no Python file {source!r}: {HOW}")
        return _from_file(path.resolve())
    except TargetError:
        raise
    except (Exception, SystemExit) as error:  # whatever the user's code raises while it is imported
        advice = f"; {HOW}" if isinstance(error, ModuleNotFoundError) and error.name == source.partition(".")[0] else ""
        raise TargetError(f"{source} cannot be imported ({type(error).__name__}: {one_line(error)}){advice}") from error


def _from_file(path: Path) -> ModuleType:
    name = f"zoom_engine_target_{path.stem}"
    spec = importlib.util.spec_from_file_location(name, path)
    if spec is None or spec.loader is None:
        raise TargetError(f"{path} is no Python file: {HOW}")
    if str(path.parent) not in sys.path:
        sys.path.append(str(path.parent))
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module  # dataclasses and pickle look their module up
    try:
        spec.loader.exec_module(module)
    except BaseException:
        del sys.modules[name]
        raise
    return module
