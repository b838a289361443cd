"""Makes the helpers of these tests importable: `literal_stylegan2` and `checkpoint_files`."""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))
