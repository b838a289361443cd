"""Where results and compiled models are kept between runs."""

from __future__ import annotations

import os
from pathlib import Path


def default_cache() -> Path:
    """The user's: ``ZOOM_ENGINE_CACHE``, else ``zoom-engine`` under ``XDG_CACHE_HOME`` or ``~/.cache``."""
    chosen = os.environ.get("ZOOM_ENGINE_CACHE")
    if chosen:
        return Path(chosen)
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "zoom-engine"
