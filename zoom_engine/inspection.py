"""What a file of somebody else's holds, generator or target; nothing in it is loaded or run."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from zoom_engine.errors import CheckpointError, ConfigError, TargetError
from zoom_engine.generators import describe_checkpoint
from zoom_engine.generators.checkpoint import read_own_header
from zoom_engine.generators.formats import checkpoint_hash, table
from zoom_engine.targets import describe_target_file
from zoom_engine.targets.architectures import LIBRARIES, choose_architecture
from zoom_engine.targets.describe import describe_architecture
from zoom_engine.targets.files import is_safetensors, kind_by_content, kind_of_file
from zoom_engine.targets.published import HUB, hub_folder


def describe_file(spec: str | Path, preprocessing: Mapping[str, Any] | None = None, *, download: bool = False) -> str:
    """Lines "what: value" on a generator checkpoint or a target model, and why it would be refused.

    Args:
        spec: the path of a file or folder, or "torchvision:NAME@WEIGHTS", "timm:NAME@WEIGHTS" or "hf-hub:OWNER/NAME".
        preprocessing: of a target, the fields that the user would give `load_target`: shown within the whole.
        download: fetch what is published and not on this machine.

    Raises:
        CheckpointError or TargetError: it cannot be read at all.
        ConfigError: a preprocessing beside a generator.
    """
    options = preprocessing or None
    if str(spec).partition(":")[0] in LIBRARIES:
        architecture = choose_architecture(str(spec), download=download)
        return _describe_target(architecture.weights, describe_architecture(architecture, options))
    path = hub_folder(str(spec), download=download) if str(spec).startswith(HUB) else Path(spec)
    if holds_target(path):
        return _describe_target(path, describe_target_file(path, options))
    if options:
        raise ConfigError(f"{path} is no target: the options of a target's input do not belong to it")
    return describe_checkpoint(path)


def holds_target(path: Path) -> bool:
    """Whether ``path`` is a target model (or the weights of one) rather than a generator checkpoint."""
    if path.is_file() and is_safetensors(path):
        try:
            read_own_header(path)
        except CheckpointError:
            return True
        return False
    try:
        kind = kind_by_content(path) if path.is_file() else kind_of_file(path)
    except TargetError:
        return False
    return kind not in ("state-dict", None)


def _describe_target(path: Path, lines: list[str]) -> str:
    about = [("file", str(path))]
    if not path.is_dir():
        about += [("bytes", str(path.stat().st_size)), ("sha-256", checkpoint_hash(path))]
    pairs = (line.partition(": ") for line in lines)
    return table([*about, *((label, value) for label, _, value in pairs)])
