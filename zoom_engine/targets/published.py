"""Published weights of torchvision and timm that are on this machine already; nothing is downloaded."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import huggingface_hub
import torch

from zoom_engine.errors import TargetError

TIMM_FILES = ("model.safetensors", "pytorch_model.bin")


def torchvision_weights(name: str, published: Any, tag: str) -> tuple[Any, Path]:
    """torchvision's weights `tag` of a model and their file in torch's cache.

    Raises:
        TargetError: for an unknown tag, and where the file is not there: from where to fetch it, and where to put it.
    """
    if tag not in published.__members__:
        raise TargetError(
            f"there is no file {tag!r}, and torchvision has no such weights of {name}: it has"
            f" {', '.join(published.__members__)}"
        )
    weights = published[tag]
    folder = Path(torch.hub.get_dir()) / "checkpoints"
    path = folder / str(weights.url).rpartition("/")[2]
    if not path.is_file():
        raise TargetError(
            f"torchvision's weights {tag} of {name} are not on this machine: fetch {weights.url} once and put it in"
            f" {folder}"
        )
    return weights, path


def timm_weights(timm: Any, name: str, tag: str) -> Path:
    """The file of timm's weights `tag` of a model in the Hugging Face cache.

    Raises:
        TargetError: as `torchvision_weights`.
    """
    try:
        config = timm.get_pretrained_cfg(f"{name}.{tag}", allow_unregistered=False)
    except RuntimeError:  # its answer to an unknown tag
        config = None
    repository = "" if config is None else str(config.hf_hub_id or "")
    if not repository:
        tags = [full.partition(".")[2] for full in timm.list_models(f"{name}.*", pretrained=True)]
        raise TargetError(
            f"there is no file {tag!r}, and timm has no such weights of {name}: it has {', '.join(tags) or 'none'}"
        )
    for file in TIMM_FILES:
        found = huggingface_hub.try_to_load_from_cache(repository, file)
        if isinstance(found, str):
            return Path(found)
    raise TargetError(
        f"timm's weights {tag} of {name} are not on this machine: fetch {TIMM_FILES[0]} once with 'hf download"
        f" {repository} {TIMM_FILES[0]}' (to {huggingface_hub.constants.HF_HUB_CACHE})"
    )
