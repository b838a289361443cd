"""Strips say what a model answered without one caption running into the next picture."""

from __future__ import annotations

import io
import itertools
from pathlib import Path

import numpy as np
import pytest

from zoom_engine.experiments.folder import Folder
from zoom_engine.experiments.strips import draw_strips

pytest.importorskip("matplotlib")


@pytest.mark.parametrize("caption", ["0.51", "moved 15.4 %", "lipstick 0.51", "pale skin 0.27"])
def test_a_caption_stays_within_its_picture(tmp_path: Path, caption: str) -> None:
    folder = Folder(tmp_path)
    file = folder.picture("grey", np.full((64, 64, 3), 128, dtype=np.uint8))
    captions, files = [caption] * 6, [file] * 6
    strip = {"target": "a", "attribute": "b", "captions": captions, "files": files, "shown": 3}
    ((_, drawn),) = draw_strips(folder, [strip, strip], "strips")
    drawn.savefig(io.BytesIO())  # which lays it out
    for axes in drawn.axes:
        boxes = [text.get_window_extent() for text in axes.texts if text.get_text() == caption]
        assert len(boxes) == 6
        for box, after in itertools.pairwise(boxes):
            assert box.x1 < after.x0
        assert boxes[0].x0 > axes.get_window_extent().x0
