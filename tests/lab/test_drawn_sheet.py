"""The lab's page shows what the renderers draw."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from lab.drawn_sheet import main

PICTURES = Path(__file__).parents[2] / "docs" / "pictures"


@pytest.mark.parametrize("domain", ["places", "cars"])
def test_the_committed_sheets_are_what_is_drawn(domain: str, tmp_path: Path) -> None:
    main([domain, str(tmp_path / "sheet.png")])
    drawn, committed = (
        np.asarray(Image.open(path).convert("RGB"), dtype=np.float32)
        for path in (tmp_path / "sheet.png", PICTURES / f"{domain}.webp")
    )
    assert drawn.shape == committed.shape == (512, 768, 3)
    assert np.abs(drawn - committed).mean() < 4, "but for what WebP leaves out"
