"""Audits that a measurement keeps in folders: what is there is read, not made again."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from zoom_engine import Diagnoser, Diagnosis
from zoom_engine.audit.folder import SUMMARY
from zoom_engine.common.errors import ConfigError

ENDS: dict[str, Any] = {"points": 2, "outer_points": 2, "tolerance": None}
"""Options of the scan that look at the ends of a range alone, which takes a quarter of the time; no label is asked in
between."""


def kept_audit(path: Path, diagnoser: Callable[[], Diagnoser], *, images: int, seed: int) -> Diagnosis:
    """The audit in the folder ``path``, made or read; ``diagnoser`` is asked for where it is not finished."""
    if (path / SUMMARY).is_file():
        return read_audit(path, images=images, seed=seed)
    return diagnoser().run(images=images, seed=seed, out=path)


def read_audit(path: Path, *, images: int, seed: int) -> Diagnosis:
    """The finished audit in the folder ``path``; ConfigError where it is of other images than these."""
    diagnosis = Diagnosis.load(path)
    if (diagnosis.config.images, diagnosis.config.seed) != (images, seed):
        made = f"{diagnosis.config.images} images of seed {diagnosis.config.seed}"
        raise ConfigError(f"{path} is an audit of {made}, not of {images} of {seed}: choose another folder")
    return diagnosis


def seeds_of(text: str) -> range:
    """Those of "100-109", or the one of "100"."""
    first, _, last = text.partition("-")
    return range(int(first), int(last or first) + 1)
