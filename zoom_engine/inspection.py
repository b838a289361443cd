"""What a file of somebody else's holds, generator or target; nothing in it is loaded or run."""

from __future__ import annotations

from pathlib import Path

from zoom_engine.errors import CheckpointError, TargetError
from zoom_engine.generators import describe_checkpoint
from zoom_engine.generators.checkpoint import read_own_header
from zoom_engine.generators.formats import checkpoint_hash
from zoom_engine.targets import describe_target_file
from zoom_engine.targets.files import is_safetensors, kind_by_content, kind_of_file


def describe_file(path: Path) -> str:
    """Lines "what: value" on the generator checkpoint or the target model at ``path``, and why it would be refused.

    Raises CheckpointError or TargetError where it cannot be read at all.
    """
    return _describe_target(path) if holds_target(path) else describe_checkpoint(path)


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


def _describe_target(path: Path) -> str:
    lines = [tuple(line.split(": ", 1)) for line in describe_target_file(path)]
    about = [("file", str(path))]
    if path.is_file():
        about += [("bytes", str(path.stat().st_size)), ("sha-256", checkpoint_hash(path))]
    return "\n".join(f"{label + ':':<14}{value}" for label, value in [*about, *lines])
