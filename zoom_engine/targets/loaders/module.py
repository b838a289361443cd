"""A torch module that the caller made."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from torch import nn

from zoom_engine.common.errors import TargetError, one_line
from zoom_engine.common.module_copy import drop_watching_hooks, own_copy
from zoom_engine.targets.loaders.loaded_model import LoadedModel, Reading
from zoom_engine.targets.loaders.timm_config import timm_preprocessing
from zoom_engine.targets.preprocessing import Preprocessing, scale_is_assumed
from zoom_engine.targets.target import probe_inputs
from zoom_engine.targets.tasks.guess import Final

PASS_THROUGH = (nn.Identity, nn.Flatten, nn.Dropout)


def load_module(
    module: nn.Module, how: Reading, *, usual: Preprocessing | None = None, told: bool = True
) -> LoadedModel:
    """Load a frozen copy of `module`, without hooks that only watch it (`drop_watching_hooks`).

    A timm model brings its preprocessing (`pretrained_cfg`); of others the caller may know the `usual` one, and whether
    anybody `told` its scale.

    Raises:
        TargetError: the module cannot be copied.
    """
    try:
        network = own_copy(module)
    except (RuntimeError, TypeError, NotImplementedError) as error:
        raise TargetError(
            f"the module {type(module).__name__} cannot be copied ({one_line(error)}):"
            " give one that copy.deepcopy takes"
        ) from error
    config = getattr(module, "pretrained_cfg", None)
    if usual is None and isinstance(config, Mapping):
        usual = timm_preprocessing(config)
    preprocessing = (usual or Preprocessing()).updated(how.options)
    return LoadedModel(
        network=network,
        name=type(module).__name__,
        preprocessing=preprocessing,
        assumed=scale_is_assumed(how.options, told=told and usual is not None),
        final=final_activation(network),
        note=drop_watching_hooks(network, probe_inputs(preprocessing, how.resolution)),
    )


def final_activation(module: nn.Module) -> Final:
    """Return "sigmoid", "softmax" or "": the last leaf module that does anything."""
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
