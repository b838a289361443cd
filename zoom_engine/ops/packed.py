"""Convolution weights as the native operators read them, packed once and kept as long as the weights live."""

from __future__ import annotations

import threading
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.utils.weak import WeakTensorKeyDictionary

from zoom_engine.ops import modulation, native

Form = tuple[bool, str, str]


@dataclass(frozen=True)
class Packed:
    """The weights of one layer: `handle` for the extension, `energy [Cout, Cin]` for the demodulation.

    `source` is what they were made of: the address and the version of the tensor.
    """

    handle: Any
    energy: Tensor
    source: tuple[int, int]


_kept: WeakTensorKeyDictionary = WeakTensorKeyDictionary()
_lock = threading.Lock()


def packed(weight: Tensor, *, up: bool, dtype: torch.dtype) -> Packed:
    """`weight [Cout, Cin, K, K]` packed for activations of `dtype` and the instruction set in use.

    Kept by the tensor itself: weights that are changed in place are packed anew, those that nobody holds any more are
    forgotten. A change through `weight.data`, of which torch keeps no count, is not seen.
    """
    form: Form = (up, native.DTYPES[dtype], native.isa())
    source = (weight.data_ptr(), 0 if weight.is_inference() else weight._version)
    with _lock:
        if weight not in _kept:
            _kept[weight] = {}
        forms: dict[Form, Packed] = _kept[weight]
        found = forms.get(form)
        if found is None or found.source != source:
            wide = weight.detach().to(torch.float32).contiguous()
            handle = native.require().PackedWeight(weight=native.view(wide), up=up, storage=form[1])
            found = forms[form] = Packed(handle, modulation.energy(wide), source)
        return found
