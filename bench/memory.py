"""How much memory a call takes beyond what the process holds before it (Linux)."""

from __future__ import annotations

import ctypes
from collections.abc import Callable
from pathlib import Path

from zoom_engine import ops

PROCESSES = Path("/proc")


def peak_of(call: Callable[[], object]) -> int:
    """Bytes: the largest resident size during ``call`` above the one before it."""
    give_back()
    (PROCESSES / "self/clear_refs").write_text("5")  # the largest resident size starts again at the present one
    before = resident()
    call()
    return _kilobytes(PROCESSES / "self/status", "VmHWM") - before


def give_back() -> None:
    """Return to the system what was freed."""
    ops.release_memory()
    ctypes.CDLL(None).malloc_trim(0)


def resident(process: int | str = "self") -> int:
    """Bytes of this process, or of one by its number, that are in memory now. OSError where it is gone, and
    StopIteration where it holds none any more."""
    return _kilobytes(PROCESSES / str(process) / "status", "VmRSS")


def peak() -> int:
    """Bytes: the largest resident size of this process so far."""
    return _kilobytes(PROCESSES / "self/status", "VmHWM")


def available() -> int:
    """Bytes that processes can still take without swapping."""
    return _kilobytes(PROCESSES / "meminfo", "MemAvailable")


def _kilobytes(file: Path, name: str) -> int:
    line = next(line for line in file.read_text(encoding="ascii").splitlines() if line.startswith(f"{name}:"))
    return int(line.split()[1]) * 1024
