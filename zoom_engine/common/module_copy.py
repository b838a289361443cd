"""Copies of modules that the caller has.

The caller's hooks that only watch are left out, or an audit would set them off. What torch itself attaches to a module
(weight norm, spectral norm, pruning) computes its weights, and stays.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import torch
from torch import Tensor, nn

Hooks = dict[int, Callable[..., Any]]


def own_copy(module: nn.Module) -> nn.Module:
    """Return a frozen copy in evaluation mode; raises what `copy.deepcopy` does."""
    computed = (value for layer in module.modules() for value in vars(layer).values() if isinstance(value, Tensor))
    memo: dict[int, Any] = {id(value): value.detach().clone() for value in computed if not value.is_leaf}
    return copy.deepcopy(module, memo).eval().requires_grad_(False)


def drop_watching_hooks(network: nn.Module, inputs: Tensor) -> str:
    """Remove from `network`, a copy, the hooks that only watch.

    These are all on gradients that are not torch's, and those on forward passes without which `inputs` are answered the
    same. Where there are hooks of others on forward passes, the network runs twice, and once more for each if they are
    not all the same.

    Returns:
        A sentence on the hooks that stay, "" where none does.
    """
    for layer in network.modules():
        for hooks in (layer._backward_hooks, layer._backward_pre_hooks):
            for key in [key for key, hook in hooks.items() if not _is_torchs(hook)]:
                del hooks[key]
    foreign = [(hooks, key) for hooks in _forward_hooks(network) for key in hooks if not _is_torchs(hooks[key])]
    if not foreign:
        return ""
    before = _answers(network, inputs)
    for part in (foreign, *([one] for one in foreign)):
        hooks_before = [(hooks, hooks.copy()) for hooks, _ in part]
        for hooks, key in part:
            hooks.pop(key, None)
        if _same(_answers(network, inputs), before):
            if part is foreign:
                return ""
            continue
        for hooks, whole in reversed(hooks_before):  # in their order
            hooks.clear()
            hooks.update(whole)
    names = sorted({_named(hooks[key]) for hooks, key in foreign if key in hooks})
    return f"its forward hooks change what it answers and belong to it: {', '.join(names)}"


def _forward_hooks(module: nn.Module) -> Iterator[Hooks]:
    for layer in module.modules():
        yield layer._forward_pre_hooks
        yield layer._forward_hooks


def _is_torchs(hook: object) -> bool:
    hook = getattr(hook, "func", hook)
    return str(getattr(hook, "__module__", "")).partition(".")[0] == "torch"


def _named(hook: object) -> str:
    return str(getattr(hook, "__name__", type(hook).__name__))


def _answers(module: nn.Module, inputs: Tensor) -> list[Tensor] | None:
    """Return all tensors that the module returns, None where it fails.

    Torch's random numbers are the same each time.
    """
    place = next(iter((*module.parameters(), *module.buffers())), inputs).device
    with torch.no_grad(), torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(0)
        try:
            return list(_tensors(module(inputs.to(place, copy=True))))
        except Exception:  # whatever the caller's code raises: it is reported where the module is tried
            return None


def _tensors(result: object) -> Iterator[Tensor]:
    if isinstance(result, Tensor):
        yield result
    elif isinstance(result, Mapping | list | tuple):
        for item in result.values() if isinstance(result, Mapping) else result:
            yield from _tensors(item)


def _same(some: list[Tensor] | None, others: list[Tensor] | None) -> bool:
    if some is None or others is None or len(some) != len(others):
        return False
    return all(
        a.shape == b.shape and torch.allclose(a.double(), b.double(), equal_nan=True)
        for a, b in zip(some, others, strict=True)
    )


def other_precision(network: nn.Module) -> str:
    """Return the first precision of a network's weights that is not float32; "" where there is none."""
    dtypes = (str(weight.dtype) for weight in network.parameters() if weight.is_floating_point())
    return next((name.removeprefix("torch.") for name in dtypes if name != "torch.float32"), "")
