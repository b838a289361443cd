"""Weight files of the embedded domains' networks: safetensors with a JSON header, float16 on disk."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open

from zoom_engine.common.errors import TargetError
from zoom_engine.domains.networks import SmallCNN, SmallUNet

NETWORKS: dict[str, type[SmallCNN] | type[SmallUNet]] = {"SmallCNN": SmallCNN, "SmallUNet": SmallUNet}


def load_network(path: Path) -> tuple[SmallCNN | SmallUNet, dict[str, Any]]:
    """Load a network in evaluation mode, and its info, which says what it is.

    The info has `kind` and `width` where they are not those of a `SmallCNN` by default, and the names of its `outputs`.

    Raises:
        TargetError: the file is missing or damaged.
    """
    try:
        with safe_open(str(path), framework="pt") as file:
            info: dict[str, Any] = json.loads((file.metadata() or {})["info"])
            state = {k: file.get_tensor(k) for k in file.keys()}  # noqa: SIM118
    except (OSError, SafetensorError, KeyError, json.JSONDecodeError) as error:
        raise TargetError(f"{path.name} is missing or damaged ({error}); install zoom-engine again") from error
    kind = NETWORKS[info.get("kind", "SmallCNN")]
    network = kind(len(info["outputs"]), **{key: info[key] for key in ("width",) if key in info})
    network.load_state_dict({k: v.float() if v.dtype == torch.float16 else v for k, v in state.items()})
    return network.eval().requires_grad_(False), info
