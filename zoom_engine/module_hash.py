"""The identity of a torch module."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import Any

import torch
from torch import nn


def module_hash(module: nn.Module, *extra: Mapping[str, Any]) -> str:
    """SHA-256 of a module's structure, its parameters and buffers, and of any JSON-ready dicts beside it."""
    digest = hashlib.sha256(repr(module).encode())
    for name, value in module.state_dict().items():
        digest.update(f"{name} {value.dtype} {tuple(value.shape)}".encode())
        digest.update(value.detach().cpu().contiguous().reshape(-1).view(torch.uint8).numpy().tobytes())
    for values in extra:
        digest.update(json.dumps(values, sort_keys=True).encode())
    return digest.hexdigest()
