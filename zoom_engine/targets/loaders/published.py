"""Published weights of torchvision, timm and the Hugging Face hub: from their own caches, or fetched into them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import huggingface_hub
import torch

from zoom_engine.common.errors import TargetError, one_line
from zoom_engine.common.files import hub
from zoom_engine.common.files.kinds_of_file import CONFIG

HUB = "hf-hub:"
TIMM_FILES = ("model.safetensors", "pytorch_model.bin")
INDEX = "model.safetensors.index.json"
PREPROCESSOR = "preprocessor_config.json"
HUB_FILES = (CONFIG, PREPROCESSOR, "model*.safetensors", INDEX)
"""The files that are read of a Hugging Face image classifier."""


def torchvision_weights(name: str, published: Any, tag: str, *, download: bool = False) -> tuple[Any, Path]:
    """Return torchvision's weights `tag` of a model and their file in torch's cache, where `download` puts it.

    Raises:
        TargetError: for an unknown tag, and where the file is not there: how to fetch it, and where to put it.
    """
    if tag not in published.__members__:
        raise TargetError(
            f"there is no file {tag!r}, and torchvision has no such weights of {name}: it has"
            f" {', '.join(published.__members__)}"
        )
    weights = published[tag]
    folder, url = Path(torch.hub.get_dir()) / "checkpoints", str(weights.url)
    path = folder / url.rpartition("/")[2]
    if path.is_file():
        return weights, path
    what, by_hand = f"the file of torchvision's weights {tag} of {name}", f"fetch {url} once and put it in {folder}"
    digest = torch.hub.HASH_REGEX.search(path.name)
    with hub.fetching(what, TargetError, instead=by_hand, allowed=download):
        folder.mkdir(parents=True, exist_ok=True)
        torch.hub.download_url_to_file(url, str(path), digest and digest.group(1), progress=True)
    return weights, path


def timm_weights(timm: Any, name: str, tag: str, *, download: bool = False) -> Path:
    """Return the file of timm's weights `tag` of a model in the Hugging Face cache, where `download` puts it.

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
        if (cached := hub.cached(repository, file)) is not None:
            return cached
    what = f"the file of timm's weights {tag} of {name}"
    by_hand = (
        f"fetch {TIMM_FILES[0]} once with 'hf download {repository} {TIMM_FILES[0]}'"
        f" (to {huggingface_hub.constants.HF_HUB_CACHE})"
    )
    with hub.fetching(what, TargetError, instead=by_hand, allowed=download):
        return hub.fetch_first(repository, TIMM_FILES)


def hub_folder(spec: str, *, download: bool = False) -> Path:
    """Return the folder of "hf-hub:OWNER/NAME" or "hf-hub:OWNER/NAME@REVISION" in the Hugging Face cache.

    With `download` what is needed of it is fetched there: transformers itself keeps no image processor beside a model.

    Raises:
        TargetError: as `torchvision_weights`.
    """
    repository, _, revision = spec.removeprefix(HUB).partition("@")
    try:
        config = hub.cached(repository, CONFIG, revision=revision or None)
    except ValueError as error:
        raise TargetError(f"{spec!r} names no Hugging Face repository: {one_line(error)}") from error
    folder = None if config is None or not _has_weights(config.parent) else config.parent
    if folder is not None and (not download or (folder / PREPROCESSOR).is_file()):
        return folder
    files = " ".join(f'--include "{file}"' for file in HUB_FILES)
    version = f" --revision {revision}" if revision else ""
    by_hand = (
        f"fetch it once with 'hf download {repository}{version} {files}' (to {huggingface_hub.constants.HF_HUB_CACHE})"
    )
    with hub.fetching(f"target {spec!r}", TargetError, instead=by_hand, allowed=download):
        return hub.fetch_folder(repository, HUB_FILES, revision=revision or None)


def _has_weights(folder: Path) -> bool:
    """Return whether all files of weights are there: an interrupted download leaves some."""
    try:
        index = json.loads((folder / INDEX).read_text(encoding="utf-8"))
        return all((folder / str(name)).is_file() for name in index["weight_map"].values())
    except FileNotFoundError:
        return any(folder.glob("model*.safetensors"))
    except (OSError, ValueError, TypeError, KeyError, AttributeError):
        return False
