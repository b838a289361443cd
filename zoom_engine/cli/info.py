"""`zoom-engine info`."""

from __future__ import annotations


def info() -> None:
    """Print versions, instruction set, runtimes, and what is missing."""
    from zoom_engine.info import describe

    print(describe())
