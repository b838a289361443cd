"""How much memory a call takes beyond what the process holds before it (Linux)."""

from __future__ import annotations

import ctypes
from collections.abc import Callable
from pathlib import Path

from zoom_engine import ops

STATUS, CLEAR = Path("/proc/self/status"), Path("/proc/self/clear_refs")


def peak_of(call: Callable[[], object]) -> int:
    """Bytes: the largest resident size during ``call`` above the one before it."""
    ops.release_memory()
    ctypes.CDLL(None).malloc_trim(0)
    CLEAR.write_text("5")  # the largest resident size starts again at the present one
    before = resident()
    call()
    return _status("VmHWM") - before


def resident() -> int:
    """Bytes of this process that are in memory now."""
    return _status("VmRSS")


def available() -> int:
    """Bytes that processes can still take without swapping."""
    return _kilobytes(Path("/proc/meminfo"), "MemAvailable")


def _status(name: str) -> int:
    return _kilobytes(STATUS, name)


def _kilobytes(file: Path, name: str) -> int:
    line = next(line for line in file.read_text(encoding="ascii").splitlines() if line.startswith(f"{name}:"))
    return int(line.split()[1]) * 1024
