"""Compiled models on disk, by what they depend on: the graph, the runtime's version and the device."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from zoom_engine.common.files import atomic
from zoom_engine.common.files.cache import cache_errors
from zoom_engine.common.machine import cpu_features


class CompiledCache:
    """A folder of files named by a SHA-256; without a folder nothing is kept.

    The name covers the bytes of the ONNX model, the processor's features, and whatever the runtime states: its version,
    device and settings. A folder that cannot be read or written raises CacheError: it is no fault of the runtime's.
    """

    def __init__(self, folder: Path | None) -> None:
        """Keep files in `compiled` of the cache `folder`, or nothing where it is None."""
        self._folder = None if folder is None else folder / "compiled"

    def path(self, model: bytes, *, suffix: str, **depends_on: object) -> Path | None:
        """Return where the compiled form of `model` is, or would be, in a folder that exists; None without a cache.

        Args:
            model: the serialised ONNX model.
            suffix: of the file's name.
            depends_on: what else the compiled form depends on, ready for JSON.

        Raises:
            CacheError: the folder cannot be made.
        """
        if self._folder is None:
            return None
        stated: Mapping[str, Any] = {**depends_on, "cpu": list(cpu_features())}
        digest = hashlib.sha256(json.dumps(stated, sort_keys=True).encode())
        digest.update(hashlib.sha256(model).digest())
        with cache_errors(self._folder):
            self._folder.mkdir(parents=True, exist_ok=True)
        return self._folder / f"{digest.hexdigest()[:32]}{suffix}"

    def read(self, path: Path) -> bytes | None:
        """Return the content of `path`; None where there is no file."""
        with cache_errors(path):
            return path.read_bytes() if path.is_file() else None

    def write(self, path: Path, data: bytes) -> None:
        """Write `data` to `path`, whole or not at all."""
        with cache_errors(path.parent):
            atomic.write_bytes(path, data)
