"""An object with `predict`, as scikit-learn's estimators and Keras' models have it: a black box fed floats."""

from __future__ import annotations

import dataclasses
import inspect
from typing import Any, Protocol, runtime_checkable

import numpy as np
import torch
from torch import Tensor, nn

from zoom_engine.common.errors import TargetError, one_line
from zoom_engine.targets.loaders.black_box import hash_of_answers
from zoom_engine.targets.loaders.loaded_model import LoadedModel, Reading
from zoom_engine.targets.loaders.module import load_module
from zoom_engine.targets.preprocessing import Preprocessing, scale_is_assumed
from zoom_engine.targets.tasks.guess import Final

SCORES = ("predict_proba", "decision_function")
"""What classifiers of scikit-learn answer beside labels, in the order in which it is asked for."""
FINALS: dict[str, Final] = {"softmax": "softmax", "sigmoid": "sigmoid"}


@runtime_checkable
class Predictor(Protocol):
    """Anything that predicts of an array of pictures."""

    def predict(self, pictures: Any, /) -> Any:
        """Return an array with a row for each picture."""


class PredictorNetwork(nn.Module):
    """A module that hands pictures to a method of an object and checks what comes back."""

    def __init__(self, predictor: Any, method: str, *, rows: bool) -> None:
        """Keep the object.

        Args:
            predictor: the object.
            method: the name of its method that is asked.
            rows: whether it takes each picture as one row of numbers.
        """
        super().__init__()
        self.predictor, self.method, self.rows = predictor, method, rows
        asked = getattr(predictor, method)
        self.silently = {"verbose": 0} if "verbose" in _parameters(asked) else {}

    def forward(self, x: Tensor) -> Tensor:
        """Return what the method returns for float32 images in their layout, or rows of them, as float32 `[B, …]`.

        Raises:
            TargetError: the method raises, or returns no array of numbers with one row per image.
        """
        pictures = np.ascontiguousarray(x.detach().float().cpu().numpy())
        given = pictures.reshape(len(pictures), -1) if self.rows else pictures
        try:
            answer = getattr(self.predictor, self.method)(given, **self.silently)
            values = np.asarray(answer, dtype=np.float32)
        except (Exception, SystemExit) as error:  # whatever the object raises
            raise TargetError(
                f"{self.method} of the {type(self.predictor).__name__} fails on float32 {given.shape}"
                f" ({type(error).__name__}: {one_line(error)}): say size and layout with preprocessing="
            ) from error
        if values.ndim < 1 or len(values) != len(pictures):
            raise TargetError(
                f"{self.method} of the {type(self.predictor).__name__} returns shape {values.shape} for"
                f" {len(pictures)} images: it must be one row for each"
            )
        return torch.from_numpy(values.copy()).to(x.device)


def is_predictor(given: object) -> bool:
    """Tell whether `given` is an object with a method `predict`."""
    return not isinstance(given, type | nn.Module) and callable(getattr(given, "predict", None))


def is_keras(module: nn.Module) -> bool:
    """Tell whether a module is a Keras model, as Keras makes modules of models where it runs on torch."""
    return hasattr(module, "input_shape") and callable(getattr(module, "predict", None))


def load_keras_module(module: nn.Module, how: Reading) -> LoadedModel:
    """Load a Keras model that is a module, with its gradients; its `input_shape` says size and order of axes."""
    name = str(getattr(module, "name", None) or type(module).__name__)
    usual, _ = _input_of(module, name)
    loaded = load_module(module, how, usual=usual, told=False)
    preprocessing = dataclasses.replace(loaded.preprocessing, layout=usual.layout)
    content_hash = hash_of_answers(loaded.network, name, preprocessing, how, _made_of(module, "predict"))
    return dataclasses.replace(
        loaded, name=name, preprocessing=preprocessing, final=_final(module), content_hash=content_hash
    )


def load_predictor(given: Any, how: Reading) -> LoadedModel:
    """Load an object with `predict`; of a classifier of scikit-learn's its probabilities or scores are asked for.

    It is given float32 RGB pictures in [0, 1], `[B, H, W, 3]`, or as the options say. Keras' `input_shape` says the
    size and the order of axes; `n_features_in_` of scikit-learn's says that each picture is a row of so many numbers.

    Raises:
        TargetError: it takes no RGB pictures, or answers with labels alone.
    """
    name = str(getattr(given, "name", None) or type(given).__name__)
    usual, rows = _input_of(given, name)
    preprocessing = usual.updated(how.options)
    if getattr(given, "input_shape", None) is not None:  # its order of axes stays, whatever a whole preprocessing says
        preprocessing = dataclasses.replace(preprocessing, layout=usual.layout)
    features = getattr(given, "n_features_in_", None) if rows else None
    height, width = preprocessing.hw or (how.resolution, how.resolution)
    if features is not None and 3 * height * width != features:
        raise TargetError(
            f"{name} takes rows of {features} numbers, which are no RGB pictures of {height}×{width}: say their size"
            " with preprocessing={'size': …}, or give a function of pictures that makes its rows"
        )
    method, labels = "predict", getattr(given, "classes_", None)
    if labels is not None:
        method = next((score for score in SCORES if callable(getattr(given, score, None))), "")
        if not method:
            raise TargetError(
                f"{name} answers with labels alone: give a function of pictures that returns probabilities"
            )
    network = PredictorNetwork(given, method, rows=rows)
    return LoadedModel(
        network=network,
        name=name,
        preprocessing=preprocessing,
        assumed=scale_is_assumed(how.options, told=False),
        classes=None if labels is None else tuple(map(str, labels)),
        final="probabilities" if method == SCORES[0] else "number" if rows and labels is None else _final(given),
        differentiable=False,
        note=f"{method} of an object that is only called, so there are no gradients",
        content_hash=hash_of_answers(network, name, preprocessing, how, _made_of(given, method)),
    )


def _input_of(given: Any, name: str) -> tuple[Preprocessing, bool]:
    """Return the pictures that it takes, as far as it says, and whether each is one row of numbers.

    Raises:
        TargetError: it takes something else.
    """
    features = getattr(given, "n_features_in_", None)
    if features is not None:
        side = round((features / 3) ** 0.5)
        return Preprocessing(layout="NHWC", size=side if 3 * side * side == features else None), True
    shape = getattr(given, "input_shape", None)
    if shape is None:
        return Preprocessing(layout="NHWC"), False
    sides = list(shape) if isinstance(shape, tuple | list) else []
    if len(sides) != 4 or 3 not in (sides[1], sides[3]):
        raise TargetError(f"{name} takes {one_line(repr(shape), 80)}; a target takes RGB pictures, (None, H, W, 3)")
    last = sides[3] == 3
    height, width = sides[1:3] if last else sides[2:]
    size = (int(height), int(width)) if height and width else None
    return Preprocessing(layout="NHWC" if last else "NCHW", size=size), False


def _made_of(given: Any, method: str) -> object:
    """Return what tells it from others: its method, which has it and its code, or of a Keras model its weights.

    Keras counts and notes things in a model as it is used, so its other parts are no content of it.
    """
    weights = getattr(given, "get_weights", None)
    return weights() if hasattr(given, "input_shape") and callable(weights) else getattr(given, method)


def _final(given: Any) -> Final:
    """Return what Keras says of its last layer's activation; "" where nothing does."""
    layers = getattr(given, "layers", None) or [None]
    return FINALS.get(str(getattr(getattr(layers[-1], "activation", None), "__name__", "")), "")


def _parameters(method: Any) -> set[str]:
    try:
        return set(inspect.signature(method).parameters)
    except (TypeError, ValueError):  # a method of a compiled class
        return set()
