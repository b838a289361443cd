"""Photographs come from anywhere: what is hostile or damaged is refused in a line, the rest is read as it is seen."""

from __future__ import annotations

import os
import struct
import subprocess
import sys
import zlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from zoom_engine.errors import ConfigError, PhotographError
from zoom_engine.photographs import FFHQ, crops, read_crops, reading
from zoom_engine.photographs.reading import read_photograph

RED_ABOVE = np.zeros((40, 60, 3), np.uint8)
RED_ABOVE[:20, :, 0] = 255


def chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def bomb(path: Path, width: int = 60_000, height: int = 60_000) -> None:
    """A PNG of a few bytes that claims 3.6 gigapixels."""

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    path.write_bytes(
        b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(b"\0" * 99)) + chunk(b"IEND", b"")
    )


def test_hostile_files_are_refused_in_a_line_that_names_no_folder(tmp_path: Path) -> None:
    Image.fromarray(RED_ABOVE).save(tmp_path / "whole.jpg")
    whole = (tmp_path / "whole.jpg").read_bytes()
    (tmp_path / "cut.jpg").write_bytes(whole[: len(whole) // 2])
    (tmp_path / "text.jpg").write_text("hello")
    (tmp_path / "empty.png").write_bytes(b"")
    bomb(tmp_path / "bomb.png")
    bomb(tmp_path / "short.png", 64, 64)
    Image.fromarray(RED_ABOVE[:2]).save(tmp_path / "small.png")
    Image.fromarray(RED_ABOVE).save(tmp_path / "old.bmp")
    os.mkfifo(tmp_path / "pipe.png")
    for name, says in {
        "cut.jpg": "is damaged",
        "text.jpg": "is no JPEG, PNG or WebP picture",
        "empty.png": "is no JPEG, PNG or WebP picture",
        "bomb.png": "claims",
        "short.png": "is damaged",
        "small.png": "claims 60 × 2 pixels",
        "old.bmp": "is no JPEG, PNG or WebP picture",
        "pipe.png": "is no file",
        "nothing.png": "is no file",
    }.items():
        with pytest.raises(PhotographError, match=f"^{name} {says}") as refused:
            read_photograph(tmp_path / name)
        assert "\n" not in str(refused.value)
        assert str(tmp_path) not in str(refused.value)


def test_a_picture_is_told_by_its_content_turned_upright_and_laid_on_white(tmp_path: Path) -> None:
    turned = Image.Exif()
    turned[0x0112] = 6  # to be turned by a quarter, clockwise
    Image.fromarray(np.rot90(RED_ABOVE).copy()).save(tmp_path / "a.png", format="JPEG", exif=turned, quality=95)
    upright = np.asarray(read_photograph(tmp_path / "a.png"))
    assert upright.shape == RED_ABOVE.shape
    assert np.abs(upright.astype(int) - RED_ABOVE)[[2, -3]].max() < 30
    clear = np.concatenate([RED_ABOVE, np.zeros((40, 60, 1), np.uint8)], axis=2)
    Image.fromarray(clear, "RGBA").save(tmp_path / "b.webp", lossless=True)
    assert (np.asarray(read_photograph(tmp_path / "b.webp")) == 255).all()
    Image.fromarray(RED_ABOVE[..., 0]).save(tmp_path / "grey.png")
    assert read_photograph(tmp_path / "grey.png").mode == "RGB"


@pytest.mark.parametrize("mode", ["RGBA", "LA", "P"])
def test_a_large_transparent_picture_is_laid_on_white_as_a_small_one(
    mode: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    layers = np.random.default_rng(0).integers(0, 256, (60, 40, 4), np.uint8)
    Image.fromarray(layers, "RGBA").convert(mode).save(tmp_path / "a.png")
    whole = np.asarray(read_photograph(tmp_path / "a.png"))
    monkeypatch.setattr(reading, "_AT_ONCE", 7 * 40)
    assert np.array_equal(np.asarray(read_photograph(tmp_path / "a.png")), whole)


def test_a_picture_of_few_bytes_takes_less_than_a_gibibyte(tmp_path: Path) -> None:
    rows = zlib.compress(bytes(2_900_000 * (1 + 24 * 2)), 1)
    header = struct.pack(">IIBBBBB", 24, 2_900_000, 8, 4, 0, 0, 0)
    parts = [chunk(b"IHDR", header), chunk(b"IDAT", rows), chunk(b"IEND", b"")]
    (tmp_path / "a.png").write_bytes(b"\x89PNG\r\n\x1a\n" + b"".join(parts))
    assert (tmp_path / "a.png").stat().st_size < 1 << 20
    answer = subprocess.run(
        [sys.executable, "-c", MEASURE, str(tmp_path / "a.png")], capture_output=True, text=True, check=False
    )
    assert answer.stdout == "(24, 2900000)\n", answer.stderr


MEASURE = """
import resource, sys
from pathlib import Path
from zoom_engine.photographs.reading import read_photograph

taken = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
resource.setrlimit(resource.RLIMIT_AS, (taken + (1 << 30), resource.RLIM_INFINITY))
print(read_photograph(Path(sys.argv[1])).size)
"""


def test_a_folder_names_what_it_cannot_use_and_takes_no_picture_twice(tmp_path: Path) -> None:
    Image.fromarray(RED_ABOVE).save(tmp_path / "a.png")
    Image.fromarray(RED_ABOVE).save(tmp_path / "b.webp", lossless=True)
    (tmp_path / "c.jpg").write_text("hello")
    (tmp_path / ".hidden").write_text("hello")
    (tmp_path / "more").mkdir()
    found = read_crops(tmp_path, side=32, canonical=FFHQ)
    assert [(crop.file, crop.cut, crop.refused) for crop in found] == [
        ("a.png", "middle", None),
        ("b.webp", None, "is the same picture as a.png"),
        ("c.jpg", None, "is no JPEG, PNG or WebP picture"),
    ]
    assert found[0].image.shape == (1, 3, 32, 32)
    assert found[0].image.min() == -1
    assert found[0].image.max() == 1


def test_a_folder_without_photographs_and_one_with_too_many_are_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(ConfigError, match=r"holds 0 photographs"):
        read_crops(tmp_path, side=32, canonical=FFHQ)
    with pytest.raises(ConfigError, match=r"no photographs in .*no such file"):
        read_crops(tmp_path / "none", side=32, canonical=FFHQ)
    monkeypatch.setattr(crops, "MOST_PHOTOGRAPHS", 1)
    for name in "ab":
        (tmp_path / name).write_text(name)
    with pytest.raises(ConfigError, match="holds 2 photographs: give a folder of 1 to 1"):
        read_crops(tmp_path, side=32, canonical=FFHQ)
