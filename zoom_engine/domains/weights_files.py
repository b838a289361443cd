"""Weight files of the embedded domains' networks: safetensors with a JSON header, float16 on disk."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import nn

from zoom_engine.domains.networks import SmallCNN
from zoom_engine.errors import TargetError
from zoom_engine.files.atomic import replacing


def save_network(network: nn.Module, path: Path, info: dict[str, Any]) -> None:
    """Write the weights as float16 (integers as they are) with ``info`` in the metadata."""
    tensors = {
        k: (v.half() if v.dtype.is_floating_point else v).detach().cpu().contiguous()
        for k, v in network.state_dict().items()
    }
    path.parent.mkdir(parents=True, exist_ok=True)
    with replacing(path) as temporary:
        save_file(tensors, str(temporary), metadata={"info": json.dumps(info)})


def load_network(path: Path, *, outputs: int | None = None) -> tuple[SmallCNN, dict[str, Any]]:
    """A ``SmallCNN`` in evaluation mode and its info. ``outputs`` defaults to the length of ``info["outputs"]``."""
    try:
        with safe_open(str(path), framework="pt") as file:
            info: dict[str, Any] = json.loads((file.metadata() or {})["info"])
            state = {k: file.get_tensor(k) for k in file.keys()}  # noqa: SIM118
    except (OSError, SafetensorError, KeyError, json.JSONDecodeError) as error:
        raise TargetError(f"{path.name} is missing or damaged ({error}); install zoom-engine again") from error
    network = SmallCNN(len(info["outputs"]) if outputs is None else outputs)
    network.load_state_dict({k: v.float() if v.dtype == torch.float16 else v for k, v in state.items()})
    return network.eval().requires_grad_(False), info
