"""Imported by scripts that take `lab` from the checkout, as their own folder alone is on the path when they run."""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.append(str(Path(__file__).parents[1]))  # last, so that an installed zoom_engine comes first
