"""The picture shows, of each model, a face before and after the attribute that moved it most."""

from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
from PIL import Image

from lab.published.picture import GAP, SIDE, pairs_picture
from zoom_engine.audit.gallery_file import GALLERY, FrameEntry, Gallery, StripEntry
from zoom_engine.settings.attributes import Attribute

RED, BLUE = (250, 0, 0), (0, 0, 250)


def strip(attribute: str, *files: str) -> StripEntry:
    frames = tuple(FrameEntry(file=file, weight=0.0, caption="0.5") for file in files)
    return StripEntry(
        kind="typical",
        attribute=Attribute.parse(attribute),
        seed=1,
        flipped=False,
        label_kept=None,
        ssim=None,
        shown=1,
        original_caption="0.5",
        caption="0.6",
        frames=frames,
    )


def test_a_pair_is_of_the_strongest_attribute_that_has_a_strip(tmp_path: Path) -> None:
    folder = tmp_path / "model"
    folder.mkdir()
    for name, colour in (("red.png", RED), ("blue.png", BLUE), ("white.png", (255, 255, 255))):
        Image.new("RGB", (8, 8), colour).save(folder / name)
    strips = (
        strip("a hat", "white.png", "white.png"),
        strip("a face with a beard", "red.png", "blue.png", "white.png"),
    )
    (folder / GALLERY).write_text(json.dumps(Gallery(strips).to_json()))
    rows = [SimpleNamespace(attribute=Attribute.parse(name)) for name in ("no strip", "a face with a beard", "a hat")]
    audits: dict[str, Any] = {"model": SimpleNamespace(sensitivity=rows)}
    sheet = np.asarray(pairs_picture(audits, tmp_path))
    middle = GAP + SIDE // 2
    assert tuple(sheet[middle, middle]) == RED
    assert tuple(sheet[middle, middle + SIDE]) == BLUE, "the frame that is shown, not the last"
    below = sheet[GAP + SIDE : GAP + SIDE + 45, GAP : GAP + 2 * SIDE]
    assert below.min() < 100, "three lines of letters"
