"""Photographs come from anywhere: what is hostile or damaged is refused in a line, the rest is read as it is seen."""

from __future__ import annotations

import os
import struct
import subprocess
import sys
import tracemalloc
import zlib
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image, ImageCms

from zoom_engine.common.errors import ConfigError, PhotographError
from zoom_engine.photographs import FFHQ, crops, crops_of_pictures, read_crops, reading
from zoom_engine.photographs.reading import photograph_size, read_photograph

RED_ABOVE = np.zeros((40, 60, 3), np.uint8)
RED_ABOVE[:20, :, 0] = 255


def chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def png(path: Path, size: tuple[int, int], rows: bytes, *, bits: int = 8, kind: int = 2, **more: bytes) -> None:
    """A PNG of filtered ``rows``, as its header says or not; ``more`` chunks stand before them."""

    parts = [chunk(b"IHDR", struct.pack(">IIBBBBB", *size, bits, kind, 0, 0, 0))]
    parts += [chunk(name.encode(), data) for name, data in more.items()]
    parts += [chunk(b"IDAT", zlib.compress(rows)), chunk(b"IEND", b"")]
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + b"".join(parts))


def bomb(path: Path, width: int = 60_000, height: int = 60_000) -> None:
    """A PNG of a few bytes that claims 3.6 gigapixels."""
    png(path, (width, height), b"\0" * 99)


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


def test_a_hostile_name_is_one_printable_line_in_messages(tmp_path: Path) -> None:
    path = tmp_path / "x\n\x1b[31mall is well.png"
    path.write_text("no picture")
    for read in (read_photograph, photograph_size):
        with pytest.raises(PhotographError, match=r"^x \?\[31mall is well\.png is no JPEG"):
            read(path)
    (crop,) = read_crops(tmp_path, side=16, canonical=FFHQ)
    assert (crop.file, crop.refused) == ("x ?[31mall is well.png", "is no JPEG, PNG or WebP picture")
    path.unlink()
    Image.new("RGB", (20, 20)).save(path, "PNG", icc_profile=b"damaged")
    with pytest.raises(PhotographError, match=r"^x \?\[31mall is well\.png has a colour profile"):
        read_photograph(path)


@pytest.mark.parametrize("picture", [torch.zeros(32, 32, 3, requires_grad=True), [[1], [1, 2]]], ids=["tensor", "rows"])
def test_a_picture_in_memory_that_is_no_array_is_refused_and_not_an_error(picture: object) -> None:
    (crop,) = crops_of_pictures([picture], side=32)
    assert (crop.refused or "").startswith("is no array that NumPy can read (")


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


RAMP = np.linspace(0, 65535, 40 * 60).reshape(40, 60).round().astype(np.uint16)


def test_sixteen_bits_are_read_as_eight_and_not_as_white(tmp_path: Path) -> None:
    """Of a grey ramp 99.6 % were white."""
    Image.fromarray(RAMP).save(tmp_path / "grey.png")
    seen = np.asarray(read_photograph(tmp_path / "grey.png")).astype(float)
    assert np.abs(seen - RAMP[..., None] / 257).max() < 0.6
    Image.fromarray(RAMP).save(tmp_path / "clear.png", transparency=int(RAMP[3, 3]))
    assert read_photograph(tmp_path / "clear.png").getpixel((3, 3)) == (255, 255, 255)
    assert read_photograph(tmp_path / "clear.png").getpixel((0, 0)) == (0, 0, 0)
    for kind, channels in ((2, 3), (4, 2), (6, 4)):  # RGB, grey with alpha, RGB with alpha
        deep = np.repeat(RAMP[..., None], channels, axis=2)
        if kind != 2:
            deep[..., -1] = 65535
        rows = b"".join(b"\0" + row.astype(">u2").tobytes() for row in deep)
        png(tmp_path / "deep.png", (60, 40), rows, bits=16, kind=kind)
        seen = np.asarray(read_photograph(tmp_path / "deep.png")).astype(float)
        assert np.abs(seen - RAMP[..., None] / 257).max() <= 1, "to the next of 256"


@pytest.mark.parametrize(
    ("mode", "wanted"),
    [
        ("1", (255, 255, 255)),
        ("L", (200, 200, 200)),
        ("LA", (228, 228, 228)),
        ("P", (228, 228, 255)),
        ("RGB", (200, 200, 255)),
        ("RGBA", (228, 228, 255)),
    ],
)
def test_every_kind_of_pixels_is_read_as_it_is_seen(mode: str, wanted: tuple[int, ...], tmp_path: Path) -> None:
    """Transparent by half where it can be, on white."""
    pixel = {"1": 1, "L": 200, "LA": (200, 128), "P": 0, "RGB": (200, 200, 255), "RGBA": (200, 200, 255, 128)}[mode]
    picture = Image.new(mode, (20, 20), pixel)
    if mode == "P":
        picture.putpalette([200, 200, 255])
        picture.info["transparency"] = bytes([128])
    picture.save(tmp_path / "a.png")
    with Image.open(tmp_path / "a.png") as written:
        assert written.mode == mode
    seen = read_photograph(tmp_path / "a.png").getpixel((5, 5))
    assert np.abs(np.subtract(seen, wanted)).max() <= 1


def test_colours_of_a_profile_are_brought_to_srgb(tmp_path: Path) -> None:
    ours = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    offsets = {ours[at : at + 4]: int.from_bytes(ours[at + 4 : at + 8], "big") for at in range(132, 132 + 12 * 20, 12)}
    red, blue = (ours[offsets[tag] : offsets[tag] + 20] for tag in (b"rXYZ", b"bXYZ"))
    theirs = ours.replace(red, b"R" * 20).replace(blue, red).replace(b"R" * 20, blue)
    theirs = theirs.replace("sRGB".encode("utf-16-be"), "mine".encode("utf-16-be"))
    cases = {"none": (None, (255, 0, 0)), "srgb": (ours, (255, 0, 0)), "swapped": (theirs, (0, 0, 255))}
    for name, (profile, wanted) in cases.items():
        Image.new("RGB", (20, 20), (255, 0, 0)).save(tmp_path / f"{name}.png", icc_profile=profile)
        seen = read_photograph(tmp_path / f"{name}.png").getpixel((5, 5))
        assert np.abs(np.subtract(seen, wanted)).max() <= 2, name
    Image.new("L", (20, 20), 90).save(tmp_path / "grey.png", icc_profile=theirs)  # made for other channels
    assert read_photograph(tmp_path / "grey.png").getpixel((5, 5)) == (90, 90, 90)
    Image.new("RGB", (20, 20)).save(tmp_path / "damaged.png", icc_profile=ours[:200])
    with pytest.raises(PhotographError, match=r"^damaged\.png has a colour profile that cannot be read .* as sRGB$"):
        read_photograph(tmp_path / "damaged.png")


def with_gamma(name: str, gamma: float) -> bytes:
    """A profile of sRGB's primaries with another curve."""
    ours = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    entries = [struct.unpack(">4sII", ours[at : at + 12]) for at in range(132, 132 + 12 * ours[131], 12)]
    tags = {tag: ours[at : at + size] for tag, at, size in entries}
    text = name.encode("utf-16-be")
    tags[b"desc"] = b"mluc" + bytes(4) + struct.pack(">II4sII", 1, 12, b"enUS", len(text), 28) + text
    curve = b"curv" + bytes(4) + struct.pack(">IH", 1, round(gamma * 256)) + bytes(2)
    tags |= dict.fromkeys((b"rTRC", b"gTRC", b"bTRC"), curve)
    table, content = struct.pack(">I", len(tags)), b""
    for tag, data in tags.items():
        table += struct.pack(">4sII", tag, 132 + 12 * len(tags) + len(content), len(data))
        content += data + bytes(-len(data) % 4)
    profile = ours[4:128] + table + content
    return struct.pack(">I", len(profile) + 4) + profile


@pytest.mark.parametrize(
    ("name", "gamma", "wanted"),
    [
        ("Linear RGB", 1.0, 128),
        ("sRGB Linear", 1.0, 128),
        ("sRGB-elle-V2-g10.icc", 1.0, 128),
        ("scRGB, sRGB gamma 1.8", 1.8, 71),
        ("sRGB IEC61966-2.1", 1.0, 55),  # the standard's name is taken at its word
    ],
)
def test_a_profile_is_srgb_by_its_whole_name(name: str, gamma: float, wanted: int, tmp_path: Path) -> None:
    Image.new("RGB", (20, 20), (55, 55, 55)).save(tmp_path / "a.png", icc_profile=with_gamma(name, gamma))
    assert np.abs(np.subtract(read_photograph(tmp_path / "a.png").getpixel((5, 5)), wanted)).max() <= 1


def test_srgb_by_whatever_name_is_as_it_was_within_rounding(tmp_path: Path) -> None:
    ours = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    renamed = ours.replace("sRGB built-in".encode("utf-16-be"), "sRGB whatever".encode("utf-16-be"))
    assert renamed != ours
    pixels = np.random.default_rng(0).integers(0, 256, (64, 64, 3), dtype=np.uint8)
    for profile, most in ((ours, 0), (renamed, 1)):
        Image.fromarray(pixels).save(tmp_path / "a.png", icc_profile=profile)
        assert np.abs(np.subtract(read_photograph(tmp_path / "a.png"), pixels, dtype=int)).max() <= most


@pytest.mark.parametrize("mode", ["RGBA", "LA", "P"])
def test_a_large_transparent_picture_is_laid_on_white_as_a_small_one(
    mode: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    layers = np.random.default_rng(0).integers(0, 256, (60, 40, 4), np.uint8)
    Image.fromarray(layers, "RGBA").convert(mode).save(tmp_path / "a.png")
    whole = np.asarray(read_photograph(tmp_path / "a.png"))
    monkeypatch.setattr(reading, "_AT_ONCE", 7 * 40)
    assert np.array_equal(np.asarray(read_photograph(tmp_path / "a.png")), whole)


@pytest.mark.ci
@pytest.mark.slow(7)
def test_a_picture_of_few_bytes_takes_less_than_a_gibibyte(tmp_path: Path) -> None:
    rows = zlib.compress(bytes(2_900_000 * (1 + 24 * 2)), 1)
    header = struct.pack(">IIBBBBB", 24, 2_900_000, 8, 4, 0, 0, 0)
    parts = [chunk(b"IHDR", header), chunk(b"IDAT", rows), chunk(b"IEND", b"")]
    (tmp_path / "a.png").write_bytes(b"\x89PNG\r\n\x1a\n" + b"".join(parts))
    assert (tmp_path / "a.png").stat().st_size < 1 << 20
    answer = subprocess.run(
        [sys.executable, "-P", "-c", MEASURE, str(tmp_path / "a.png")], capture_output=True, text=True, check=False
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
    results = read_crops(tmp_path, side=32, canonical=FFHQ)
    assert [(crop.file, crop.cut, crop.refused) for crop in results] == [
        ("a.png", "middle", None),
        ("b.webp", None, "is the same picture as a.png"),
        ("c.jpg", None, "is no JPEG, PNG or WebP picture"),
    ]
    assert results[0].image.shape == (1, 3, 32, 32)
    assert results[0].image.min() == -1
    assert results[0].image.max() == 1


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


def packed(size: int) -> bytes:
    return zlib.compress(bytes(size), 9)


def hostile_jpeg(path: Path, height: int, width: int) -> None:
    """A JPEG whose frame header claims another size."""
    Image.fromarray(RED_ABOVE).save(path, format="JPEG")
    content = bytearray(path.read_bytes())
    at = content.index(b"\xff\xc0") + 5
    content[at : at + 4] = struct.pack(">HH", height, width)
    path.write_bytes(bytes(content))


HOSTILE_PICTURES: dict[str, Callable[[Path], None]] = {
    "a profile that unpacks to 200 MB": lambda path: png(
        path, (64, 64), bytes(64 * 193), iCCP=b"x\0\0" + packed(200 << 20), tEXt=b"a\0b"
    ),
    "a text that unpacks to 200 MB": lambda path: png(path, (64, 64), b"", zTXt=b"x\0\0" + packed(200 << 20)),
    "a hundred thousand wide": lambda path: png(path, (100_000_000, 16), b""),
    "no pixels": lambda path: png(path, (0, 0), b""),
    "a width of four billion": lambda path: png(path, (4_294_967_295, 4_294_967_295), b""),
    "3 bits a pixel": lambda path: png(path, (64, 64), bytes(9999), bits=3),
    "a palette that is not there": lambda path: png(path, (64, 64), b"\7", kind=3),
    "rows that are not there": lambda path: png(path, (64, 64), b"\0\0\0"),
    "an unknown filter": lambda path: png(path, (64, 64), b"\x63" * 64 * 193),
    "a JPEG of 65500 by 65500": lambda path: hostile_jpeg(path, 65500, 65500),
    "a JPEG of no height": lambda path: hostile_jpeg(path, 0, 60),
    "a WebP cut short": lambda path: path.write_bytes(b"RIFF\xff\xff\xff\x7fWEBPVP8 \xff\xff\xff\x7f") and None,
    "a million frames": lambda path: png(path, (64, 64), b"\0", acTL=struct.pack(">II", 1_000_000, 0)),
}


@pytest.mark.parametrize("write", list(HOSTILE_PICTURES.values()), ids=list(HOSTILE_PICTURES))
def test_a_hostile_picture_is_refused_in_one_line_and_little_memory(
    write: Callable[[Path], None], tmp_path: Path
) -> None:
    write(tmp_path / "a.png")
    tracemalloc.start()
    try:
        with pytest.raises(PhotographError, match=r"^a\.png ") as error:
            read_photograph(tmp_path / "a.png")
        assert tracemalloc.get_traced_memory()[1] < 300 << 20
    finally:
        tracemalloc.stop()
    assert "\n" not in str(error.value)
    assert len(str(error.value)) < 300


def test_of_a_large_folder_a_sample_is_read_the_same_one_each_time(tmp_path: Path) -> None:
    for number in range(12):
        Image.fromarray(np.full((40, 40, 3), 10 * number, np.uint8)).save(tmp_path / f"{number:02}.png")
    names = [[crop.file for crop in read_crops(tmp_path, side=16, canonical=FFHQ, sample=5)] for _ in range(2)]
    assert names[0] == names[1] == sorted(names[0])
    assert len(names[0]) == 5
    assert names[0] != [f"{number:02}.png" for number in range(5)], "the first ones may be of one day"
    assert len(read_crops(tmp_path, side=16, canonical=FFHQ, sample=20)) == 12
