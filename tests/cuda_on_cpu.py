"""The CUDA extension with its kernels run by the CPU: csrc/cuda whole, but for the launch itself.

`tests/native/launch_on_cpu.cpp` stands for `csrc/cuda/launch.cu`, so the same bindings, plans and kernel bodies run,
every thread of every block, on memory of the CPU. Under AddressSanitizer it is built with it: a kernel's read or write
beside its tensors is then an error.
"""

from __future__ import annotations

import importlib.util
import os
import shutil
import subprocess
import sysconfig
from dataclasses import dataclass
from importlib.machinery import ExtensionFileLoader
from pathlib import Path
from typing import Any

import pybind11
import pytest
from filelock import FileLock
from torch import Tensor

from zoom_engine.ops import cuda

ROOT = Path(__file__).resolve().parent.parent
SOURCES = ("csrc/cuda/bindings_cuda.cpp", "csrc/view.cpp", "tests/native/launch_on_cpu.cpp")


def build(folder: Path) -> Any:
    """Compile the extension into `folder`, once for all processes, and load it; skips where there is no compiler."""
    compiler = shutil.which(os.environ.get("CXX", "c++"))
    if compiler is None:
        pytest.skip("no C++ compiler")
    target = folder / "_cuda.so"
    flags = ["-std=c++17", "-shared", "-fPIC", "-fvisibility=hidden", "-Wno-unknown-pragmas"]
    if "libasan" in os.environ.get("LD_PRELOAD", ""):
        flags += ["-fsanitize=address,undefined", "-fno-sanitize-recover=undefined", "-g1", "-O0"]
    else:
        flags.append("-O1")
    includes = [f"-I{ROOT / 'csrc'}", f"-I{pybind11.get_include()}", f"-I{sysconfig.get_path('include')}"]
    sources = [str(ROOT / source) for source in SOURCES]
    with FileLock(folder / "_cuda.lock"):
        if not target.exists():
            environment = {name: value for name, value in os.environ.items() if name != "LD_PRELOAD"}
            command = [compiler, *flags, *includes, *sources, "-o", str(target)]
            subprocess.run(command, check=True, timeout=280, env=environment)
    loader = ExtensionFileLoader("_cuda", str(target))
    spec = importlib.util.spec_from_loader("_cuda", loader)
    assert spec is not None
    module = importlib.util.module_from_spec(spec)
    loader.exec_module(module)
    return module


@dataclass
class Order:
    """In which order the threads of a block run: any must give the same, or a barrier is missing."""

    last_first: bool = False


def install(patch: pytest.MonkeyPatch, extension: Any) -> Order:
    """Have `zoom_engine.ops` take tensors of the CPU to `extension`, as it takes those of a device."""
    order = Order()

    def place(x: Tensor) -> tuple[int, int]:
        return 0, int(order.last_first)

    def runs(x: Tensor) -> bool:
        return x.device.type == "cpu" and x.dtype in cuda.DTYPES and x.numel() > 0

    patch.setattr(cuda, "_CUDA", extension)
    patch.setattr(cuda, "_place", place)
    patch.setattr(cuda, "runs", runs)
    return order
