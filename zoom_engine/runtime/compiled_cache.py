"""Compiled models on disk, by what they depend on: the graph, the runtime's version and the device."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import stat
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, BinaryIO

from zoom_engine.common.files import atomic
from zoom_engine.common.files.cache import cache_errors
from zoom_engine.common.machine import cpu_features

MOST_BYTES = 8 << 30
"""What a folder holds at most, 100 MB for a ResNet-50, 360 for a ViT-B/32: what was not used for longest makes room."""


class CompiledCache:
    """A folder of files named by a SHA-256; without a folder nothing is kept.

    The name covers the bytes of the ONNX model or the identity of another, the processor's features, and whatever the
    runtime states: its version, device and settings. A folder that cannot be read or written raises CacheError: it is
    no fault of the runtime's.
    """

    def __init__(self, folder: Path | None) -> None:
        """Keep files in `compiled` of the cache `folder`, or nothing where it is None."""
        self._folder = None if folder is None else folder / "compiled"

    def path(self, model: bytes | str, *, suffix: str, **depends_on: object) -> Path | None:
        """Return where the compiled form of `model` is, or would be, in a folder that exists; None without a cache.

        Args:
            model: the serialised ONNX model, or what identifies one that is made when it is needed.
            suffix: of the file's name.
            depends_on: what else the compiled form depends on, ready for JSON.

        Raises:
            CacheError: the folder cannot be made.
        """
        if self._folder is None:
            return None
        stated: Mapping[str, Any] = {**depends_on, "cpu": list(cpu_features())}
        digest = hashlib.sha256(json.dumps(stated, sort_keys=True).encode())
        digest.update(hashlib.sha256(model if isinstance(model, bytes) else model.encode()).digest())
        with cache_errors(self._folder):
            self._folder.mkdir(parents=True, exist_ok=True)
        return self._folder / f"{digest.hexdigest()[:32]}{suffix}"

    def find(self, path: Path) -> Path | None:
        """Return `path`, noted as used, where there is such a file."""
        with cache_errors(path):
            if not path.is_file():
                return None
        with contextlib.suppress(OSError):  # of somebody else: it is read all the same
            os.utime(path)
        return path

    def read(self, path: Path) -> bytes | None:
        """Return the content of `path`; None where there is no file."""
        with cache_errors(path):
            existing = self.find(path)
            return None if existing is None else existing.read_bytes()

    def write(self, path: Path, data: bytes) -> None:
        """Write `data` to `path`, whole or not at all, and drop what was not used for longest beyond `MOST_BYTES`."""
        with self.writing(path) as file:
            file.write(data)

    @contextlib.contextmanager
    def writing(self, path: Path) -> Iterator[BinaryIO]:
        """Yield a file that takes the place of `path` once all is written, and do what `write` does then."""
        with cache_errors(path.parent):
            with atomic.replacing(path) as temporary, temporary.open("xb") as file:
                yield file
            self._drop(path)

    def _drop(self, newest: Path) -> None:
        entries, size = list[tuple[bool, float, int, Path]](), 0
        for entry in newest.parent.iterdir():
            with contextlib.suppress(FileNotFoundError):  # another process has renamed it, or dropped it
                status = entry.stat()
                if stat.S_ISREG(status.st_mode):
                    entries.append((entry == newest, status.st_mtime, status.st_size, entry))
        for is_newest, _, of_entry, entry in sorted(entries, reverse=True):
            size += of_entry
            if size > MOST_BYTES and not is_newest:
                with contextlib.suppress(OSError):  # of somebody else, who may drop it, or has
                    entry.unlink()
