"""Convolution weights as the native operators read them, packed once and kept as long as the weights live."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.utils.weak import WeakTensorKeyDictionary

from zoom_engine.common.threads import Turns
from zoom_engine.ops import modulation, native

Form = tuple[bool, str, str]
State = tuple[int, int]


@dataclass(frozen=True)
class Packed:
    """The packed weights of one layer.

    Attributes:
        handle: what the extension takes.
        energy: `[Cout, Cin]`, for the demodulation.
        source: the state of the tensor that they were made of.
    """

    handle: Any
    energy: Tensor
    source: State


def state_of(tensor: Tensor) -> State:
    """Return address and version: while a tensor lives, its content changes only with its state.

    An exception is a change through `tensor.data`, which torch does not count.
    """
    return tensor.data_ptr(), 0 if tensor.is_inference() else tensor._version


_cache: WeakTensorKeyDictionary = WeakTensorKeyDictionary()
_turns = Turns()


def packed(weight: Tensor, *, up: bool, dtype: torch.dtype) -> Packed:
    """Return `weight [Cout, Cin, K, K]` packed for activations of `dtype` and the instruction set in use.

    The result is kept with the tensor itself: weights whose state changes (`state_of`) are packed again, those that
    nobody holds any more are forgotten.
    """
    form: Form = (up, native.DTYPES[dtype], native.isa())
    source = state_of(weight)
    with _turns.taken():
        if weight not in _cache:
            _cache[weight] = {}
        forms: dict[Form, Packed] = _cache[weight]
        form_packed = forms.get(form)
        if form_packed is None or form_packed.source != source:
            wide = weight.detach().to(torch.float32).contiguous()
            handle = native.require().PackedWeight(weight=native.view(wide), up=up, storage=form[1])
            form_packed = forms[form] = Packed(handle, modulation.energy(wide), source)
        return form_packed
