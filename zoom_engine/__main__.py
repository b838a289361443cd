"""``python -m zoom_engine`` is ``zoom-engine``."""

from __future__ import annotations

import sys

from zoom_engine.cli import run

if __name__ == "__main__":
    sys.exit(run())
