"""gallery.json comes back as it was written, older ones can be read, and damaged ones are named."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from zoom_engine.audit.gallery_file import (
    FrameEntry,
    Gallery,
    PictureEntry,
    SheetEntry,
    StripEntry,
    is_drawn,
    read_picture,
)
from zoom_engine.common.errors import AuditError
from zoom_engine.settings.attributes import Attribute

SMILE = Attribute.parse("a smiling face|a face with a smile")
SEEN = {"followed": 0.5, "flipped": False, "label_kept": True}
FRAMES = tuple(
    FrameEntry(file=f"images/{step}.png", weight=2.0 * step, caption=f"0.{step}", **SEEN) for step in range(4)
)
STRIP = StripEntry(
    kind="flip",
    attribute=SMILE,
    image=3,
    seed=400_003,
    direction=(0, 1),
    flipped=True,
    decisive=True,
    extreme=True,
    label_kept=None,
    ssim=0.9,
    shown=2,
    flip_weight=4.0,
    original_caption="0.0",
    caption="0.2",
    frames=FRAMES,
)
SHEET = SheetEntry(attribute=SMILE, weights=(-30.0, 0.0, 4.5), rows=(("a.png", "b.png", "c.png"),) * 2)

PICTURE = PictureEntry(image=3, attribute=SMILE, file="images/image-3-smile.webp", original="images/image-3.webp")


def written(audit: Path, strip: dict[str, Any] | None = None, sheet: dict[str, Any] | None = None) -> Path:
    """The audit with a gallery of one strip and one sheet, with other values."""
    content = json.loads(json.dumps(Gallery((STRIP,), (SHEET,)).to_json()))
    content["strips"][0] |= strip or {}
    content["sheets"][0] |= sheet or {}
    (audit / "gallery.json").write_text(json.dumps(content))
    return audit


def test_a_gallery_comes_back_as_it_was(tmp_path: Path) -> None:
    assert Gallery.load(tmp_path) == Gallery()
    assert Gallery.load(written(tmp_path)) == Gallery((STRIP,), (SHEET,))
    content = json.loads((tmp_path / "gallery.json").read_text())
    assert content["strips"][0]["attribute"] == content["sheets"][0]["attribute"] == SMILE.text
    assert Gallery.load(written(tmp_path, {"attribute": None})).strips[0].attribute is None


def test_pictures_of_trials_come_back_as_they_were_and_older_galleries_have_none(tmp_path: Path) -> None:
    together = PictureEntry(image=0, attribute=None, file="a.webp", original="b.webp")
    content = json.loads(json.dumps(Gallery(pictures=(PICTURE, together)).to_json()))
    (tmp_path / "gallery.json").write_text(json.dumps(content))
    assert Gallery.load(tmp_path).pictures == (PICTURE, together)
    del content["pictures"]
    (tmp_path / "gallery.json").write_text(json.dumps(content))
    assert Gallery.load(tmp_path).pictures == ()


@pytest.mark.parametrize("wrong", [{"image": -1}, {"file": 3}, {"attribute": ""}, {"original": None}])
def test_damaged_pictures_are_told_in_one_line(tmp_path: Path, wrong: dict[str, Any]) -> None:
    content = Gallery(pictures=(PICTURE,)).to_json()
    content["pictures"][0] |= wrong
    (tmp_path / "gallery.json").write_text(json.dumps(content))
    with pytest.raises(AuditError, match=r"gallery\.json cannot be read"):
        Gallery.load(tmp_path)


def test_galleries_of_older_versions_do_not_say_why_a_strip_was_chosen(tmp_path: Path) -> None:
    written(tmp_path)
    content = json.loads((tmp_path / "gallery.json").read_text())
    for name in ("kind", "image", "direction", "decisive", "extreme", "shown", "flip_weight"):
        del content["strips"][0][name]
    for frame in content["strips"][0]["frames"]:
        for name in SEEN:
            del frame[name]
    (tmp_path / "gallery.json").write_text(json.dumps(content))
    (strip,) = Gallery.load(tmp_path).strips
    assert (strip.kind, strip.direction, strip.decisive, strip.extreme) == (None, None, None, False)
    assert [(frame.file, frame.weight, frame.caption) for frame in strip.frames] == [
        (frame.file, frame.weight, frame.caption) for frame in FRAMES
    ]
    assert {(frame.followed, frame.flipped, frame.label_kept) for frame in strip.frames} == {(None, None, None)}
    assert strip.way == strip.frames, "they end with what they are shown for"


def test_a_strip_leads_past_what_it_is_shown_for(tmp_path: Path) -> None:
    (strip,) = Gallery.load(written(tmp_path)).strips
    assert (strip.frames, strip.way) == (FRAMES, FRAMES[:3])


def test_a_flip_counts_where_the_label_is_kept() -> None:
    counted = [
        FrameEntry(file="", weight=1.0, caption="", flipped=True, label_kept=label_kept)
        for label_kept in (True, None, False)
    ]
    assert [frame.counts_as_flip for frame in counted] == [True, True, False]
    assert not FRAMES[0].counts_as_flip


@pytest.mark.parametrize(
    ("strip", "sheet", "says"),
    [
        ({"seed": None}, {}, "a strip.seed must be a whole number, 0 or more, not null"),
        ({"flipped": 1}, {}, "a strip.flipped must be true or false, not 1"),
        ({"direction": [0]}, {}, "a strip.direction must be [before, after], not [0]"),
        ({"frames": []}, {}, "a strip.frames must hold a picture"),
        ({"shown": 4}, {}, "a strip.shown must be one of the frames"),
        (
            {"shown": 0, "frames": [{"file": 3, "weight": 0, "caption": ""}]},
            {},
            "a strip.frames[0].file must be a text",
        ),
        ({"ssim": float("nan")}, {}, "NaN is not JSON"),
        ({"attribute": "a \u202e hat"}, {}, "control character"),
        ({}, {"attribute": None}, "a sheet.attribute must be a text"),
        ({}, {"rows": [["a.png"]]}, "a sheet.rows must have a picture for each weight"),
        ({}, {"rows": [[1, 2, 3]]}, "a sheet.rows[0][0] must be a text"),
    ],
)
def test_what_is_wrong_is_named_in_one_line(
    tmp_path: Path, strip: dict[str, Any], sheet: dict[str, Any], says: str
) -> None:
    with pytest.raises(AuditError) as error:
        Gallery.load(written(tmp_path, strip, sheet))
    assert says in str(error.value)
    assert "gallery.json cannot be read" in str(error.value)
    assert len(str(error.value).splitlines()) == 1


def test_what_is_no_picture_of_an_audit_of_others_is_a_line(tmp_path: Path) -> None:
    """A pipe was waited for, for ever; PostScript would be run by another program."""
    os.mkfifo(tmp_path / "pipe.webp")
    Image.new("RGB", (8, 8)).save(tmp_path / "a.eps")
    for name in ("pipe.webp", "a.eps", "x" * 300, "none.png", "../a.png"):
        with pytest.raises(AuditError, match=r"^.*$"):
            read_picture(tmp_path, name)
    Image.new("L", (8, 6)).save(tmp_path / "grey.png")
    picture = read_picture(tmp_path, "grey.png")
    assert (picture.mode, picture.size) == ("RGB", (8, 6))


def test_a_gallery_whose_name_is_too_long_for_a_file_is_not_drawn(tmp_path: Path) -> None:
    """The run that goes on with such an audit draws it again; it ended in the system's own error."""
    frames = [{"file": "x" * 300, "weight": 0.0, "caption": ""}]
    assert not is_drawn(written(tmp_path, strip={"frames": frames, "shown": 0}))
