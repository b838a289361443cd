"""Tables of pairs: read, and refused in one line where they cannot be."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pytest
from edited import HEADER, SIDE, write_pairs, write_picture, write_table
from PIL import Image

from zoom_engine.common.errors import ConfigError, PhotographError, ZoomError
from zoom_engine.edits.pairs import Pairs, read_pairs
from zoom_engine.edits.pictures import Wanted

UNEDITED = ("a", "", 0, "a.png", "")
EDITED = ("a", "red", 1, "a-red.png", "edit")


@pytest.fixture
def table(tmp_path: Path) -> Callable[..., Path]:
    """Writes a table beside pictures a.png, a-red.png, b.png and b-red.png."""
    for name, colour in (("a", (9, 9, 9)), ("a-red", (99, 9, 9)), ("b", (5, 5, 5)), ("b-red", (95, 5, 5))):
        write_picture(tmp_path / f"{name}.png", colour)

    def write(*rows: Sequence[object], header: Sequence[str] = HEADER) -> Path:
        return write_table(tmp_path, rows, header)

    return write


def test_a_table_says_which_picture_is_an_edit_of_which(tmp_path: Path) -> None:
    pairs = read_pairs(write_pairs(tmp_path, images=2))
    assert pairs.names == ("image 0", "image 1")
    assert (pairs.attributes, pairs.controls) == (("red", "blue"), ("green 0", "green 1"))
    assert pairs.sizes == ((SIDE, SIDE),) * 2
    assert len(set(pairs.seeds)) == 2
    assert (pairs.strengths(0, "red"), pairs.strengths(1, 1), pairs.strengths(0, 9)) == ((0.5, 1.0), (1.0,), ())
    pixels = [p[5, 5].tolist() for p in pairs.read([Wanted(1, "red", 0.5), Wanted(0, "", 0.0), Wanted(1, 1, 1.0)])]
    assert pixels == [[106, 46, 46], [40, 40, 40], [46, 57, 46]]


def test_images_without_a_chosen_attribute_are_left_out(table: Callable[..., Path]) -> None:
    path = table(UNEDITED, EDITED, ("b", "", 0, "b.png", ""), ("b", "blue", 1, "b-red.png", ""))
    assert read_pairs(path).names == ("a", "b")
    chosen = read_pairs(path, attributes=["blue"])
    assert (chosen.names, chosen.attributes) == (("b",), ("blue",))
    with pytest.raises(ConfigError, match="no attribute 'bleu'; did you mean 'blue'"):
        read_pairs(path, attributes=["bleu"])


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig"])
def test_a_table_of_a_spreadsheet_is_read(table: Callable[..., Path], encoding: str) -> None:
    path = table(UNEDITED, ("a", "ein “Hut”", -0.5, "a-red.png", "edit"), (" ", "", "", "", ""))
    path.write_bytes(path.read_text("utf-8").replace("\n", "\r\n").encode(encoding))
    assert read_pairs(path).strengths(0, "ein “Hut”") == (-0.5,)


def test_the_hash_is_of_what_pictures_show_and_not_of_names_of_files(table: Callable[..., Path]) -> None:
    def content_hash(*rows: Sequence[object]) -> str:
        return read_pairs(table(*rows)).content_hash

    first = content_hash(UNEDITED, EDITED)
    folder = table().parent
    shutil.copy(folder / "a-red.png", folder / "other.png")
    assert content_hash(("a", "red", 1, "other.png", ""), UNEDITED) == first
    assert content_hash(UNEDITED, ("a", "red", 2, "a-red.png", "")) != first
    assert content_hash(UNEDITED, EDITED, ("a", "crop", 1, "b-red.png", "control")) != first
    write_picture(folder / "a-red.png", (98, 9, 9))
    assert content_hash(UNEDITED, EDITED) != first


def test_seeds_of_the_table_number_the_images(table: Callable[..., Path]) -> None:
    header = (*HEADER, "seed")
    pairs = read_pairs(table((*UNEDITED, 7), (*EDITED, ""), header=header))
    assert pairs.seeds == (7,)
    for seed, words in ((8, "two seeds"), (-1, "write a whole number"), ("x", "write a whole number")):
        with pytest.raises(ConfigError, match=f"line 3: .*{words}"):
            read_pairs(table((*UNEDITED, 7), (*EDITED, seed), header=header))


def test_other_seeds_are_another_audit_and_an_empty_column_is_none(table: Callable[..., Path]) -> None:
    def content_hash(*seeds: object) -> str:
        rows = [(*row, seed) for row, seed in zip((UNEDITED, EDITED), seeds, strict=True)]
        return read_pairs(table(*rows, header=(*HEADER, "seed"))).content_hash

    assert content_hash("", "") == read_pairs(table(UNEDITED, EDITED)).content_hash
    assert content_hash(7, 7) == content_hash("", 7), "an image has one seed, whichever row says it"
    assert len({content_hash("", ""), content_hash(7, 7), content_hash(8, 8)}) == 3


def test_what_is_marked_as_not_made_is_left_out(table: Callable[..., Path]) -> None:
    header = (*HEADER, "made")
    second = ("a", "red", 2, "b-red.png", "")
    pairs = read_pairs(table((*UNEDITED, ""), (*EDITED, "no"), (*second, "yes"), header=header))
    assert pairs.strengths(0, "red") == (2.0,)
    none_made = read_pairs(table((*UNEDITED, ""), (*EDITED, "no"), (*second, "no"), header=header))
    assert none_made.strengths(0, "red") == (1.0, 2.0)
    unedited, shown = none_made.read([Wanted(0, "red", 0.0), Wanted(0, "red", 2.0)])
    assert np.array_equal(unedited, shown)
    plain = read_pairs(table(UNEDITED, EDITED, second))
    assert len({pairs.content_hash, none_made.content_hash, plain.content_hash}) == 3
    with pytest.raises(ConfigError, match="line 3: made is 'nope'; known are yes, no: leave"):
        read_pairs(table((*UNEDITED, ""), (*EDITED, "nope"), header=header))
    with pytest.raises(ConfigError, match="line 2: the unedited picture is marked"):
        read_pairs(table((*UNEDITED, "no"), (*EDITED, ""), header=header))


HOSTILE: dict[str, tuple[list[Sequence[object]], str]] = {
    "no unedited picture": ([EDITED], r"line 2: image 'a' has no unedited picture: add its row of strength 0"),
    "no edit": ([UNEDITED], "has no edit of an attribute"),
    "an image without an edit": ([UNEDITED, EDITED, ("b", "", 0, "b.png", "")], "line 4: image 'b' is not edited"),
    "only a control": (
        [UNEDITED, EDITED, ("b", "", 0, "b.png", ""), ("b", "crop", 1, "b-red.png", "control")],
        "line 4: image 'b' is not edited",
    ),
    "no rows": ([], "has no rows"),
    "twice the same": ([UNEDITED, EDITED, EDITED], "line 4: .*'red' at strength 1 is in line 3 already"),
    "two unedited": ([UNEDITED, EDITED, ("a", "", 0, "b.png", "")], "line 4: .*another unedited picture in line 2"),
    "NaN": ([UNEDITED, ("a", "red", "nan", "a-red.png", "")], "line 3: strength is 'nan': write a number"),
    "infinite": ([UNEDITED, ("a", "red", "-inf", "a-red.png", "")], "line 3: strength is '-inf'"),
    "a decimal comma": ([UNEDITED, ("a", "red", "0,5", "a-red.png", "")], "line 3: strength is '0,5'"),
    "huge": ([UNEDITED, ("a", "red", 1e9, "a-red.png", "")], "line 3: strength is .* at most"),
    "no strength": ([UNEDITED, ("a", "red", "", "a-red.png", "")], "line 3: strength is ''"),
    "a kind": ([UNEDITED, ("a", "red", 1, "a-red.png", "contrl")], "line 3: its kind is 'contrl'; did you mean"),
    "both kinds": (
        [UNEDITED, EDITED, ("a", "red", 2, "b-red.png", "control")],
        "line 4: 'red' is of another kind in line 3",
    ),
    "two spellings": ([UNEDITED, EDITED, ("a", "Red", 2, "b-red.png", "")], "line 4: 'Red' is written 'red' in line 3"),
    "two spaces": (
        [UNEDITED, ("a", "red  hat", 1, "a-red.png", ""), ("a", "red hat", 2, "b-red.png", "")],
        "line 4: 'red hat' is written 'red  hat' in line 3",
    ),
    "letters of two codes": (
        [UNEDITED, ("a", "gr\u00fcn", 1, "a-red.png", ""), ("a", "gru\u0308n", 2, "b-red.png", "")],
        "line 4: .* in line 3: write it alike",
    ),
    "tiny": ([UNEDITED, ("a", "red", "1e-320", "a-red.png", "")], "line 3: strength is '1e-320'"),
    "no attribute": ([UNEDITED, ("a", "", 1, "a-red.png", "")], "line 3: the attribute is empty"),
    "a bar": ([UNEDITED, ("a", "red|rot", 1, "a-red.png", "")], "line 3: .*'|'"),
    **{
        name: ([UNEDITED, ("a", name, 1, "a-red.png", "")], "line 3: .*'.*' is read as more than a name: leave out")
        for name in ("hair=edits", "age = scorer:old", "pose=examples:", "=scorer:old", "red | rot", "red|")
    },
    "a control character": ([UNEDITED, ("a", "red\x1b[2J", 1, "a-red.png", "")], "line 3: .*control character"),
    "no image": ([("", "", 0, "a.png", "")], "line 2: the name in column image is empty"),
    "no file": ([UNEDITED, ("a", "red", 1, "", "")], "line 3: it names no file"),
    "a long file": ([UNEDITED, ("a", "red", 1, "x" * 5000, "")], "line 3: it names no file"),
    "cells": ([UNEDITED, ("a", "red", 1, "a-red.png")], "line 3: it has 4 cells for 5 columns"),
    "missing": ([UNEDITED, ("a", "red", 1, "none.png", "")], "line 3: none.png is no file"),
    "a hostile name": ([UNEDITED, ("a", "red", 1, "x\n\x1b[31m.png", "")], r"line 4: x \?\[31m\.png is no file"),
    "a folder": ([UNEDITED, ("a", "red", 1, ".", "")], "line 3: .*is no file"),
    "no picture": ([UNEDITED, ("a", "red", 1, "pairs.csv", "")], "line 3: pairs.csv is no JPEG, PNG or WebP"),
    "unedited": ([UNEDITED, ("a", "red", 1, "a.png", "")], "line 3: a.png is the unedited picture itself"),
    "above": ([UNEDITED, ("a", "red", 1, "../x.png", "")], "line 3: ../x.png is not in the table's folder"),
    "absolute": ([UNEDITED, ("a", "red", 1, "/etc/passwd", "")], "line 3: /etc/passwd is not in the table's folder"),
    "one picture as two images": (
        [UNEDITED, EDITED, ("b", "", 0, "a.png", ""), ("b", "red", 1, "b-red.png", "")],
        "line 4: image 'b' has the picture of image 'a' in line 2",
    ),
}


@pytest.mark.parametrize(("rows", "words"), HOSTILE.values(), ids=list(HOSTILE))
def test_what_a_row_cannot_mean_is_one_line(
    table: Callable[..., Path], rows: list[Sequence[object]], words: str
) -> None:
    with pytest.raises(ZoomError, match=words) as refused:
        read_pairs(table(*rows))
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "line 1: column image is missing"),
        (b"image;attribute;strength;file\na;red;1;a.png\n", "line 1: columns are separated by semicolons"),
        (b"image\tattribute\tstrength\tfile\n", "line 1: columns are separated by tabs"),
        (b"image,attribute,strength\n", "line 1: column file is missing"),
        (b"image,attribute,strength,fiel\n", "line 1: unknown column 'fiel'; did you mean 'file'"),
        (b"image,attribute,strength,file,file\n", "line 1: a column is there twice"),
        (b"image,attribute,strength,file\na,,0,a\xff.png\n", "line 2: this is no UTF-8"),
        ("image,attribute,strength,file\n".encode("utf-16"), "no UTF-8"),
        (b'image,attribute,strength,file\na,"red,1,a.png\n', "save it as CSV with commas"),
        (b"image,attribute,strength,file\n" + b"x" * 200_000, "save it as CSV with commas"),
    ],
)
def test_what_is_no_table_is_one_line(tmp_path: Path, content: bytes, words: str) -> None:
    (tmp_path / "pairs.csv").write_bytes(content)
    with pytest.raises(ConfigError, match=words) as refused:
        read_pairs(tmp_path / "pairs.csv")
    assert "\n" not in str(refused.value)


def test_a_table_that_is_none_is_one_line(tmp_path: Path) -> None:
    for path in (tmp_path / "none.csv", tmp_path):
        with pytest.raises(ConfigError, match="no table of pairs"):
            read_pairs(path)


def test_tables_are_limited(table: Callable[..., Path], monkeypatch: pytest.MonkeyPatch) -> None:
    path = table(UNEDITED, EDITED, ("a", "crop", 1, "b.png", "control"), ("a", "tilt", 1, "b-red.png", "control"))
    for name, words in (("MOST_ROWS", "rows"), ("MOST_RANDOM_DIRECTIONS", "controls"), ("MOST_BYTES", "MiB")):
        with monkeypatch.context() as limited:
            limited.setattr(f"zoom_engine.edits.pairs.{name}", 1)
            with pytest.raises(ConfigError, match=f"{words}.* a part of it at a time"):
                read_pairs(path)


def test_an_edit_of_another_size_is_one_line(table: Callable[..., Path]) -> None:
    path = table(UNEDITED, EDITED)
    write_picture(path.parent / "a-red.png", (99, 9, 9), size=(SIDE, 32))
    with pytest.raises(PhotographError, match=rf"line 3: a-red.png has 32 × {SIDE} pixels, .*{SIDE} × {SIDE}: save it"):
        read_pairs(path)


def test_a_link_out_of_the_folder_is_refused(table: Callable[..., Path], tmp_path: Path) -> None:
    path = table(UNEDITED, EDITED)
    inner = tmp_path / "inner"
    inner.mkdir()
    shutil.copy(path, inner)
    shutil.copy(path.parent / "a.png", inner)
    (inner / "a-red.png").symlink_to(path.parent / "a-red.png")
    with pytest.raises(ConfigError, match=r"line 3: a-red\.png is not in the table's folder"):
        read_pairs(inner / "pairs.csv")


def test_a_photograph_that_lies_on_its_side_has_the_size_that_it_is_shown_with(table: Callable[..., Path]) -> None:
    path = table(("a", "", 0, "a.jpg", ""), ("a", "red", 1, "a-red.png", ""))
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.new("RGB", (40, SIDE), (9, 9, 9)).save(path.parent / "a.jpg", exif=exif)
    write_picture(path.parent / "a-red.png", (99, 9, 9), size=(40, SIDE))
    pairs = read_pairs(path)
    assert pairs.sizes == ((40, SIDE),)
    assert [p.shape for p in pairs.read([Wanted(0, "", 0.0), Wanted(0, "red", 1.0)])] == [(40, SIDE, 3)] * 2


def test_a_file_that_changes_meanwhile_is_refused(table: Callable[..., Path]) -> None:
    pairs: Pairs = read_pairs(path := table(UNEDITED, EDITED))
    write_picture(path.parent / "a-red.png", (99, 9, 9), size=(SIDE, 32))
    with pytest.raises(PhotographError, match=r"a-red\.png is not the picture that it was"):
        pairs.read([Wanted(0, "red", 1.0)])
    assert isinstance(pairs.read([Wanted(0, "red", 0.0)])[0], np.ndarray)


def test_a_picture_that_was_swapped_after_the_table_was_read_is_told(table: Callable[..., Path]) -> None:
    path = table(UNEDITED, EDITED)
    pairs = read_pairs(path)
    write_picture(path.parent / "a-red.png", (7, 9, 9))
    with pytest.raises(PhotographError, match=r"a-red\.png is not the picture that it was"):
        pairs.read([Wanted(0, "red", pairs.strengths(0, "red")[0])])
    (path.parent / "a-red.png").unlink()
    with pytest.raises(PhotographError, match=r"cannot read a-red\.png"):
        pairs.read([Wanted(0, "red", pairs.strengths(0, "red")[0])])


def test_a_hostile_name_of_a_picture_that_is_gone_is_one_printable_line(table: Callable[..., Path]) -> None:
    name = "x\n\x1b[31m.png"
    (table().parent / name).write_bytes((table().parent / "a-red.png").read_bytes())
    pairs = read_pairs(table(UNEDITED, ("a", "red", 1, name, "")))
    (table().parent / name).unlink()
    with pytest.raises(PhotographError, match=r"^cannot read x \?\[31m\.png: no such file"):
        pairs.read([Wanted(0, "red", 1.0)])
