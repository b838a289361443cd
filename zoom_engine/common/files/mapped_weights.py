"""Weights that stay in the file that they came from, so that memory holds no more of them than is at work.

Where a safetensors file is mapped, the system reads a weight when it is first used and may forget it again: of a
ViT-B/32 that runs on another runtime that is most of 600 MB. What is forgotten is read from the file once more, so the
file must stay as it was: a network whose file was written to refuses to go on.
"""

from __future__ import annotations

import contextlib
import ctypes
import functools
import mmap
import os
import re
import sys
import weakref
from bisect import bisect_left
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal, NamedTuple

import torch
from torch import nn

from zoom_engine.common.errors import ZoomError

LEAST = 64 << 20  # bytes: smaller files are read
_MAPPING = re.compile(r"^([0-9a-f]+)-([0-9a-f]+) \S{3}p \S+ (\S+ [1-9]\d*) .*", re.MULTILINE)
_WRITTEN = re.compile(_MAPPING.pattern + r"\n(?:[A-Z]\w+: .*\n)*?Anonymous: +(\d+) ", re.MULTILINE)


class _File:
    """A file that must not change while weights lie in it; copies, whose weights lie in memory, know of none."""

    def __init__(self, path: Path, error: type[ZoomError]) -> None:
        self._path, self._error = path, error
        self._descriptor: int | None = os.open(path, os.O_RDONLY)
        weakref.finalize(self, os.close, self._descriptor)
        self._state = self._now()

    def __reduce__(self) -> tuple[Any, ...]:
        return _no_file, ()

    def _now(self) -> tuple[int, ...]:
        assert self._descriptor is not None
        status = os.fstat(self._descriptor)
        return status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns

    def is_at_its_place(self) -> bool:
        """Return whether the path still leads to this file."""
        status = os.stat(self._path)
        return (status.st_dev, status.st_ino) == self._state[:2]

    def __call__(self, part: nn.Module, *_: object) -> None:
        """Refuse to let `part` compute where the file was written to and its weights have gone nowhere else."""
        if next(part.parameters()).device.type == "cpu" and self._now() != self._state:
            raise self._error(
                f"{self._path} was written to while its weights are in use: leave it as it is, or write a new file and"
                " rename it, and begin again"
            )


def _no_file() -> Any:
    return _check_nothing


def _check_nothing(*_: object) -> None:
    """Take the place of `_File` in copies."""


@contextlib.contextmanager
def mapped(model: nn.Module, path: Path, error: type[ZoomError]) -> Iterator[None]:
    """Let `model.load_state_dict` keep tensors that lie in the file at `path`, instead of copying them.

    Nothing is done for files that are not safetensors, or smaller than `LEAST`, or on Windows, where nobody could
    replace such a file. Else each part of the model checks, before it computes, that nobody wrote to the file. A copy
    of the model has its weights in memory.

    Args:
        model: what is loaded meanwhile.
        path: the file.
        error: what is raised where the file was written to.
    """
    if path.suffix != ".safetensors" or path.stat().st_size < LEAST or sys.platform == "win32":
        yield
        return
    file = _File(path, error)
    model.load_state_dict = functools.partial(model.load_state_dict, assign=True)  # type: ignore[method-assign]
    try:
        yield
    finally:
        del model.load_state_dict
    file(model)
    if not file.is_at_its_place():
        raise error(f"{path} was replaced while it was read: try again")
    for part in model.children():
        if any(True for _ in part.parameters()):
            part.register_forward_pre_hook(file)


def give_back_memory(*networks: nn.Module) -> None:
    """Give memory back to the system: what was freed, and weights of `networks` that can be read from their files.

    Weights that somebody wrote to stay. Linux alone says which these are; elsewhere nothing is done.
    """
    if sys.platform != "linux":
        return
    libc = ctypes.CDLL(None)
    if hasattr(libc, "malloc_trim"):  # musl has none
        libc.malloc_trim(0)
    weights = sorted(
        tensor.untyped_storage().data_ptr()
        for network in networks
        for tensor in (*network.parameters(), *network.buffers())
        if tensor.device.type == "cpu" and tensor.layout is torch.strided
    )
    files = {of.file for of in _mappings("maps") if bisect_left(weights, of.begin) < bisect_left(weights, of.end)}
    if not files:  # what was written to is read off every page of the process
        return
    for of in _mappings("smaps"):
        if of.file in files and of.anonymous == "0":
            libc.madvise(ctypes.c_void_p(of.begin), ctypes.c_size_t(of.end - of.begin), mmap.MADV_DONTNEED)


class _Mapping(NamedTuple):
    """A part of a file in memory; what others advise about a part of it makes several of it."""

    begin: int
    end: int
    file: str
    anonymous: str
    """Kilobytes of pages that somebody wrote to; empty where that was not asked."""


def _mappings(name: Literal["maps", "smaps"]) -> Iterator[_Mapping]:
    """Yield the private mappings of files, by device and inode; "smaps" says how much of each was written to."""
    try:
        text = Path("/proc/self", name).read_text(encoding="utf-8", errors="replace")
    except OSError:
        return
    for match in (_MAPPING if name == "maps" else _WRITTEN).finditer(text):
        begin, end, file, *anonymous = match.groups()
        yield _Mapping(int(begin, 16), int(end, 16), file, "".join(anonymous))
