"""The folder in which results and compiled models are kept between runs."""

from __future__ import annotations

import contextlib
import errno
import os
from collections.abc import Iterator
from pathlib import Path

from zoom_engine.common.errors import CacheError


def default_cache() -> Path:
    """Return the user's cache: `ZOOM_ENGINE_CACHE`, else `zoom-engine` under `XDG_CACHE_HOME` or `~/.cache`."""
    chosen = os.environ.get("ZOOM_ENGINE_CACHE")
    if chosen:
        return Path(chosen)
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "zoom-engine"


@contextlib.contextmanager
def cache_errors(path: Path) -> Iterator[None]:
    """Turn an `OSError` into a `CacheError` of one line that names `path`."""
    try:
        yield
    except OSError as error:
        raise CacheError(
            f"the cache {path} cannot be used ({error.strerror or error}): fix that, or name another folder with"
            " --cache or in ZOOM_ENGINE_CACHE"
        ) from error


def check_cache(folder: Path) -> None:
    """Refuse a folder in which no cache could be written; nothing is made or changed.

    Raises:
        CacheError: `folder` lies in a file, or may not be written.
    """
    with cache_errors(folder):
        existing = next(place for place in (folder, *folder.absolute().parents) if place.exists())
        if not existing.is_dir():
            raise FileExistsError(errno.ENOTDIR, f"{existing} is a file")
        if not os.access(existing, os.W_OK | os.X_OK):
            raise PermissionError(errno.EACCES, f"{existing} is not writable")
