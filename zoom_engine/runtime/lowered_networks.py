"""Networks that a gradient search follows, in bfloat16 where the processor multiplies it itself.

A target and a text encoder cost as much as the picture that they read. Their gradients only steer: what a record says
of a point is evaluated in float32 (`zoom_engine.search.reevaluated`), so a copy in bfloat16 leads the way, if its
gradients point where those of float32 do.
"""

from __future__ import annotations

import copy
import threading
from functools import partial
from weakref import WeakKeyDictionary

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from zoom_engine.common.errors import one_line
from zoom_engine.common.machine import bf16_in_hardware
from zoom_engine.runtime.lowered_layers import with_faster_layers, without_batch_norm

# Of the two gradients of any probe image. Rounding is noise in the pixels that edits, which move many, average out: a
# ResNet-50 of random weights with 0.90 there has 0.97 to 0.99 in the gradients of edit weights.
LEAST_COSINE = 0.85

_LOWERED: WeakKeyDictionary[nn.Module, dict[tuple[object, ...], LoweredNetwork]] = WeakKeyDictionary()
"""Those whose gradients agree, by the module that they are made of."""


class LoweredNetwork(nn.Module):
    """A copy of `network` that computes in bfloat16, channels last; takes and gives float32.

    The layer that makes the outputs, where `head` names it, stays in float32: a logit of 14 has neighbours 1/16 away in
    bfloat16, and a search that compares small steps would follow their rounding.
    """

    def __init__(self, network: nn.Module, head: str | None = None) -> None:
        """Copy `network`, all but the layer `head` in bfloat16."""
        super().__init__()
        lowered = with_faster_layers(
            without_batch_norm(copy.deepcopy(network).eval()).to(torch.bfloat16).requires_grad_(False)
        )
        if head is not None:
            lowered.set_submodule(head, _InFloat32(network.get_submodule(head)))
        self.network = lowered.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        self._of_thread = threading.local()

    def forward(self, x: Tensor) -> Tensor:
        """Return the outputs of `x`, float32."""
        outputs: Tensor = self._network_of_thread()(x.to(torch.bfloat16, memory_format=torch.channels_last))
        return outputs.float()

    def _network_of_thread(self) -> nn.Module:
        """Return this thread's copy, of the same tensors."""
        # Other people's modules may keep something between two layers.
        if not hasattr(self._of_thread, "network"):
            shared = {id(tensor): tensor for tensor in (*self.network.parameters(), *self.network.buffers())}
            self._of_thread.network = copy.deepcopy(self.network, shared)
        network: nn.Module = self._of_thread.network
        return network


class _InFloat32(nn.Module):
    """A copy of a layer that takes what others computed in bfloat16 and gives float32."""

    def __init__(self, layer: nn.Module) -> None:
        super().__init__()
        self.layer = copy.deepcopy(layer).requires_grad_(False)

    def forward(self, x: Tensor) -> Tensor:
        outputs: Tensor = self.layer(x.float())
        return outputs


def lowered_network(
    network: nn.Module, example: Tensor, *, made_of: tuple[nn.Module, str] | None = None
) -> tuple[nn.Module, str]:
    """Return a `LoweredNetwork` whose gradients agree on `example [B, …]`, or `network` itself; and why.

    Of what is `made_of` a module with a content of some hash it is made once in a process.
    """
    if example.device.type != "cpu":
        return network, "fp32: nothing was measured beside the CPU"
    if not bf16_in_hardware():
        return network, "fp32: no bf16 arithmetic here"
    made: dict[tuple[object, ...], LoweredNetwork] = {} if made_of is None else _LOWERED.setdefault(made_of[0], {})
    key = (type(network), example.shape, made_of and made_of[1])
    if key in made:
        return made[key], "bf16"
    try:
        lowered = LoweredNetwork(network, _head(network, example[:1])).eval()
        slopes, wanted = _slopes(lowered, example), _slopes(network, example)
    except Exception as error:  # other people's modules raise anything
        return network, f"fp32: it does not compute in bf16 ({one_line(error)})"
    cosine = float(F.cosine_similarity(slopes, wanted, dim=1).min())
    if not cosine >= LEAST_COSINE:
        return network, f"fp32: in bf16 its gradients turn (cosine {cosine:.2f}; {LEAST_COSINE} is least)"
    made[key] = lowered
    return lowered, "bf16"


@torch.no_grad()
def _head(network: nn.Module, example: Tensor) -> str | None:
    """Return the name of the last layer with weights that runs on `example`, if it is linear."""
    ran: list[str] = []
    weighted = {name: layer for name, layer in network.named_modules() if any(True for _ in layer.parameters(False))}
    thread = threading.get_ident()

    def keep(name: str, *_: object) -> None:
        if threading.get_ident() == thread:  # another may be looking at a picture with this network
            ran.append(name)

    hooks = [layer.register_forward_hook(partial(keep, name)) for name, layer in weighted.items()]
    try:
        network(example)
    finally:
        for hook in hooks:
            hook.remove()
    return ran[-1] if ran and ran[-1] and type(weighted[ran[-1]]) is nn.Linear else None


@torch.enable_grad()
def _slopes(network: nn.Module, example: Tensor) -> Tensor:
    """Return the gradient `[B, P]` of each image's outputs, weighted by 1, −1, 1, …."""
    x = example.detach().clone().requires_grad_(True)
    outputs: Tensor = network(x).flatten(1)
    # Of unit vectors a plain sum is flat.
    signs = 1.0 - 2.0 * (torch.arange(outputs.shape[1], device=outputs.device) % 2)
    (slope,) = torch.autograd.grad((outputs * signs).sum(), x)
    return slope.flatten(1)
