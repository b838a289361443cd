"""Audits that a measurement keeps in folders: what is there is read, not made again."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from zoom_engine import Diagnoser, Diagnosis
from zoom_engine.audit.folder import SUMMARY

ENDS: dict[str, Any] = {"points": 2, "outer_points": 2, "tolerance": None}
"""Options of the scan that look at the ends of a range alone, which takes a quarter of the time; no label is asked in
between."""


def kept_audit(path: Path, diagnoser: Callable[[], Diagnoser], *, images: int, seed: int) -> Diagnosis:
    """The audit in the folder ``path``, made or read; ``diagnoser`` is asked for where it is not finished."""
    if (path / SUMMARY).is_file():
        return Diagnosis.load(path)
    return diagnoser().run(images=images, seed=seed, out=path)


def seeds_of(text: str) -> range:
    """Those of "100-109", or the one of "100"."""
    first, _, last = text.partition("-")
    return range(int(first), int(last or first) + 1)
