"""Weights as they are shipped; `domains.weights_files` reads them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from safetensors.torch import save_file
from torch import nn

from zoom_engine.common.files.atomic import replacing


def save_network(network: nn.Module, path: Path, info: dict[str, Any]) -> None:
    """Write the weights as float16 (integers as they are) with ``info`` in the metadata."""
    tensors = {
        k: (v.half() if v.dtype.is_floating_point else v).detach().cpu().contiguous()
        for k, v in network.state_dict().items()
    }
    path.parent.mkdir(parents=True, exist_ok=True)
    with replacing(path) as temporary:
        save_file(tensors, str(temporary), metadata={"info": json.dumps(info)})
