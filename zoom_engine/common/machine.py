"""A description of this machine, recorded in every manifest and printed by `zoom-engine info`, and what it can hold."""

from __future__ import annotations

import ctypes
import os
import platform
import subprocess
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import torch

from zoom_engine.common.errors import ConfigError, ForkError
from zoom_engine.common.version import VERSION

PACKAGES = ("torch", "open_clip_torch", "numpy", "pillow", "onnx", "onnxruntime", "openvino", "tensorrt")
FEATURES = ("avx2", "fma", "avx512f", "avx512_bf16", "avx512_vnni", "amx_tile", "amx_bf16")
FOLLOWED = 1 << 17
"""The most pixels of the pictures whose gradients the CPU follows at a time: at 1024² one takes half a gigabyte."""
M_TRIM_THRESHOLD, M_MMAP_THRESHOLD = -1, -3  # of malloc.h


def cpu_features() -> tuple[str, ...]:
    """Return the instruction sets of `FEATURES` that this processor has (Linux; empty where that cannot be read)."""
    try:
        text = Path("/proc/cpuinfo").read_text(encoding="ascii", errors="replace")
    except OSError:
        return ()
    flags = next((line.split(":", 1)[1].split() for line in text.splitlines() if line.startswith("flags")), [])
    return tuple(name for name in FEATURES if name in flags)


def bf16_in_hardware() -> bool:
    """Return whether the processor multiplies bfloat16 itself; emulated, it is several times slower than float32."""
    return bool({"avx512_bf16", "amx_bf16"} & set(cpu_features()))


def followed_at_once(side: int) -> int:
    """Return how many square pictures of `side` pixels the CPU follows at a time: one, or as many as `FOLLOWED` has."""
    return max(1, FOLLOWED // side**2)


def keep_freed_memory() -> None:
    """Let this process keep the memory of large arrays that it frees, for the next ones (of the C library of GNU).

    Of 32 MB and more it is given back otherwise, and the system fills the next array's with zeros, page by page: of
    audits of photographs of 12 megapixels that took half of the processor's time.
    """
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is not None:
        mallopt(M_MMAP_THRESHOLD, 1 << 30)  # arrays of so many bytes have memory of their own
        mallopt(M_TRIM_THRESHOLD, (1 << 31) - 1)  # so many that nothing uses are given back


def package_versions() -> dict[str, str]:
    """Return the versions of those of `PACKAGES` that are installed."""
    versions: dict[str, str] = {}
    for name in PACKAGES:
        try:
            versions[name] = version(name)
        except PackageNotFoundError:
            continue
    return versions


def git_revision() -> str | None:
    """Return the commit of the checkout that this package runs from; None for an installed package.

    A hook of git's has variables that name its own repository, whatever the folder.
    """
    folder = Path(__file__).parents[2]
    if not (folder / ".git").exists():
        return None
    try:
        answer = subprocess.run(
            ["git", "-C", str(folder), "rev-parse", "HEAD"],
            capture_output=True,
            text=True,
            timeout=5,
            check=True,
            env={name: value for name, value in os.environ.items() if not name.startswith("GIT_")},
        )
    except (OSError, subprocess.SubprocessError):
        return None
    return answer.stdout.strip()


def describe_environment() -> dict[str, Any]:
    """Return versions, processor, instruction sets, threads and git revision of this machine, ready for JSON."""
    return {
        "zoom_engine": VERSION,
        "python": platform.python_version(),
        "packages": package_versions(),
        "system": f"{platform.system()} {platform.machine()}",
        "cpu_features": list(cpu_features()),
        "cores": os.cpu_count(),
        "threads": torch.get_num_threads(),
        "git_revision": git_revision(),
    }


def find_device(name: str) -> torch.device:
    """Return the device that torch calls `name`.

    Raises:
        ConfigError: torch knows no such device, or it is not available here.
        ForkError: it is a GPU that the parent of this process has used.
    """
    try:
        device = torch.device(name)
        if device.type == "cpu":
            return device
        known = torch.get_device_module(device.type)
    except RuntimeError as error:
        raise ConfigError(f"unknown device '{name}'; use cpu, cuda or cuda:0") from error
    if device.type == "cuda" and torch.cuda._is_in_bad_fork():
        raise ForkError(
            f"device '{name}' cannot be used here: this process was forked after its parent had used a GPU; start it"
            " with spawn or forkserver"
        )
    if not known.is_available() or (":" in name and device.index >= known.device_count()):
        raise ConfigError(f"device '{name}' is not available here; use cpu")
    return device
