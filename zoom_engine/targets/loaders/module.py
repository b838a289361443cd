"""A torch module that the caller made."""

from __future__ import annotations

import copy
from collections.abc import Iterator, Mapping

from torch import nn

from zoom_engine.errors import TargetError, one_line
from zoom_engine.targets.loaders.loaded_model import Final, LoadedModel, Reading
from zoom_engine.targets.loaders.timm_config import timm_preprocessing
from zoom_engine.targets.preprocessing import Preprocessing, scale_is_assumed

PASS_THROUGH = (nn.Identity, nn.Flatten, nn.Dropout)


def load_module(module: nn.Module, how: Reading) -> LoadedModel:
    """A frozen copy of `module`; a timm model brings its preprocessing (`pretrained_cfg`)."""
    try:
        network = copy.deepcopy(module).eval().requires_grad_(False)
    except (RuntimeError, TypeError, NotImplementedError) as error:
        raise TargetError(
            f"the module {type(module).__name__} cannot be copied ({one_line(error)}):"
            " give one that copy.deepcopy takes"
        ) from error
    config = getattr(module, "pretrained_cfg", None)
    own = timm_preprocessing(config) if isinstance(config, Mapping) else Preprocessing()
    return LoadedModel(
        network=network,
        name=type(module).__name__,
        preprocessing=own.updated(how.options),
        assumed=scale_is_assumed(how.options, told=isinstance(config, Mapping)),
        final=final_activation(network),
    )


def final_activation(module: nn.Module) -> Final:
    """ "sigmoid", "softmax" or "": the last leaf module that does anything."""
    for leaf in reversed(list(_leaves(module))):
        if isinstance(leaf, nn.Sigmoid):
            return "sigmoid"
        if isinstance(leaf, nn.Softmax):
            return "softmax"
        if not isinstance(leaf, PASS_THROUGH):
            return ""
    return ""


def _leaves(module: nn.Module) -> Iterator[nn.Module]:
    children = list(module.children())
    if not children:
        yield module
    for child in children:
        yield from _leaves(child)
