"""Photographs of a folder, edited at their own size: what is read, left out, numbered and asked for."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from zoom_engine.common.errors import ConfigError, EditorError, PhotographError
from zoom_engine.edits import edited_photographs
from zoom_engine.edits.corruptions import Corruptions
from zoom_engine.edits.edited_photographs import edit_photographs
from zoom_engine.edits.editor import Picture
from zoom_engine.edits.loading import load_editor
from zoom_engine.edits.pictures import Wanted

SIZES = {"b.png": (20, 30), "a.png": (16, 16), "c.png": (33, 17)}


class Counting:
    """Adds the strength, whatever is typed; notes what it is asked for."""

    name = "counting"
    attributes = ()

    def __init__(self) -> None:
        self.calls: list[tuple[str, float, list[int]]] = []

    def strengths(self, attribute: str) -> tuple[float, ...]:
        return (-10.0, 10.0)

    def unit(self, attribute: str) -> str:
        return "levels"

    def edit(
        self, pictures: Sequence[Picture], attribute: str, strength: float, seeds: Sequence[int]
    ) -> Sequence[Picture]:
        self.calls.append((attribute, strength, list(seeds)))
        return [(picture + strength).astype(np.uint8) for picture in pictures]

    def describe(self) -> dict[str, Any]:
        return {"adds": "the strength"}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for number, (name, size) in enumerate(SIZES.items()):
        Image.fromarray(np.full((*size, 3), 50 + number, np.uint8)).save(tmp_path / name)
    (tmp_path / ".hidden.png").write_bytes(b"nothing")
    (tmp_path / "landmarks.csv").write_text("file\n")
    (tmp_path / "more").mkdir()
    return tmp_path


def test_each_keeps_its_size_and_is_edited_with_its_own_seed(folder: Path) -> None:
    editor = Counting()
    pictures = edit_photographs(editor, folder, attributes=["light", "hat"])
    assert pictures.names == ("a.png", "b.png", "c.png")
    assert pictures.sizes == ((16, 16), (20, 30), (33, 17))
    assert (pictures.kind, pictures.controls, pictures.unit("light")) == ("counting", (), "levels")
    assert len(set(pictures.seeds)) == 3
    assert max(pictures.seeds) < 2**53
    assert pictures.strengths(1, "hat") == (-10.0, 10.0)
    wanted = [
        Wanted(2, "light", 10.0),
        Wanted(0, "hat", -10.0),
        Wanted(1, "light", 0),
        Wanted(0, "light", 10.0),
        Wanted(2, "light", 10.0),
    ]
    results = pictures.read(wanted)
    assert [int(picture[0, 0, 0]) for picture in results] == [62, 41, 50, 61, 62]
    assert [picture.shape[:2] for picture in results] == [(33, 17), (16, 16), (20, 30), (16, 16), (33, 17)]
    assert editor.calls == [
        ("light", 10.0, [pictures.seeds[2], pictures.seeds[0]]),
        ("hat", -10.0, [pictures.seeds[0]]),
    ]
    assert all(picture.flags.writeable for picture in results)


class Turning(Counting):
    """Says that it turns pictures, if a smile of it does not."""

    def moves_places(self, attribute: str) -> bool:
        return attribute != "smile"


def test_an_editor_says_whether_its_edits_move_places(folder: Path) -> None:
    def moving(editor: Any, *attributes: str) -> list[bool]:
        return [edit_photographs(editor, folder, attributes=attributes).moves_places(name) for name in attributes]

    assert moving(Turning(), "tilt", "smile") == [True, False]
    assert moving(Counting(), "rotation") == [False], "who does not say moves none, whatever the attribute is called"
    assert moving(Corruptions(), "rotation", "scale", "crop", "blur") == [True, True, True, False]


def test_folders_among_the_photographs_are_told(folder: Path) -> None:
    told: list[str] = []
    edit_photographs(Corruptions(), folder, notify=told.append)
    assert told == ["1 folder among the photographs left out: one folder is read, not those in it"]


def test_an_edit_does_not_depend_on_what_else_is_wanted(folder: Path) -> None:
    pictures = edit_photographs(Corruptions(), folder)
    wanted = [
        Wanted(image, name, pictures.strengths(image, name)[0]) for image in range(3) for name in ("noise", "crop")
    ]
    for one, together in zip(wanted, pictures.read(wanted), strict=True):
        assert np.array_equal(pictures.read([one])[0], together)


def test_the_hash_says_what_the_pictures_depend_on(folder: Path) -> None:
    def content_hash(editor: Any = None, attributes: Sequence[str] | None = None) -> str:
        return edit_photographs(editor or Corruptions(), folder, attributes=attributes).content_hash

    hashes = [
        content_hash(),
        content_hash(attributes=["blur"]),
        content_hash(Corruptions(blur=[1.0])),
        content_hash(Counting(), ["blur"]),
    ]
    assert content_hash() == hashes[0]
    Image.fromarray(np.full((16, 16, 3), 9, np.uint8)).save(folder / "a.png")
    hashes.append(content_hash())
    assert len(set(hashes)) == 5
    (folder / "b.png").rename(folder / "d.png")
    assert edit_photographs(Corruptions(), folder).names == ("a.png", "c.png", "d.png")


def test_what_is_no_photograph_and_what_is_there_twice_is_left_out_and_told(folder: Path) -> None:
    (folder / "notes.txt").write_text("no picture")
    (folder / "z.png").write_bytes((folder / "a.png").read_bytes()[:-30])
    Image.open(folder / "a.png").save(folder / "again.bmp", "PNG")
    notices: list[str] = []
    pictures = edit_photographs(Corruptions(), folder, notify=notices.append)
    assert pictures.names == ("a.png", "b.png", "c.png")
    (_, notice) = notices
    assert notice.startswith(
        "3 of 6 photographs left out: again.bmp is the same picture as a.png; notes.txt is no JPEG"
    )
    assert "z.png is damaged" in notice


def test_hostile_names_are_one_printable_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(edited_photographs, "IN_MEMORY", 1)
    name = "x\n\x1b[31m.png"
    (tmp_path / f"no{name}").write_text("no picture")
    for number, file in enumerate((name, "z.png")):
        Image.new("RGB", (20 + number, 20)).save(tmp_path / file)
    told: list[str] = []
    pictures = edit_photographs(Counting(), tmp_path, attributes=["light"], notify=told.append)
    assert told == ["1 of 3 photographs left out: nox ?[31m.png is no JPEG, PNG or WebP picture"]
    Image.new("RGB", (20, 20), "red").save(tmp_path / name)
    with pytest.raises(PhotographError, match=r"^x \?\[31m\.png is not the photograph that it was"):
        pictures.read([Wanted(0, "light", 10.0)])


def test_photographs_beyond_what_memory_holds_are_read_again(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(edited_photographs, "IN_MEMORY", 1000)
    pictures = edit_photographs(Counting(), folder, attributes=["light"])
    assert [int(it[0, 0, 0]) for it in pictures.read([Wanted(image, "light", 10.0) for image in range(3)])] == [
        61,
        60,
        62,
    ]
    Image.fromarray(np.full((16, 16, 3), 9, np.uint8)).save(folder / "a.png")
    with pytest.raises(PhotographError, match=r"a\.png is not the photograph that it was"):
        pictures.read([Wanted(0, "light", 10.0)])


class Named(Counting):
    def __init__(self, *names: str) -> None:
        super().__init__()
        self.attributes = names


@pytest.mark.parametrize("name", ["", " ", "pairs"])
def test_an_editor_has_a_name_that_says_no_other_source_of_edits(folder: Path, name: str) -> None:
    editor = Counting()
    editor.name = name
    with pytest.raises(EditorError, match=f"an editor cannot be called '{name}'"):
        edit_photographs(editor, folder, attributes=["light"])


def test_a_name_that_would_be_read_otherwise_is_refused_and_another_is_taken_once(folder: Path) -> None:
    for name in ("hair=edits", "=scorer:old", "a=examples:b", "night | dusk", "night|"):
        for editor, attributes in ((Named(name), None), (Counting(), [name])):
            with pytest.raises(ConfigError, match=r"attribute .*is read as more than a name: leave out"):
                edit_photographs(editor, folder, attributes=attributes)
    with pytest.raises(ConfigError, match=r"attribute of editor counting ' night' is read as"):
        edit_photographs(Named(" night"), folder)
    names = ("a=b", "night|dusk", "night|dusk")
    assert edit_photographs(Named(*names), folder).attributes == ("a=b", "night|dusk")
    assert edit_photographs(Counting(), folder, attributes=[" a=b ", *names]).attributes == ("a=b", "night|dusk")


class Bad(Counting):
    def strengths(self, attribute: str) -> tuple[float, ...]:
        return () if attribute == "none" else (0.0, 1.0)


@pytest.mark.parametrize(
    ("editor", "attributes", "message"),
    [
        (Counting(), None, "edits whatever you name"),
        (Counting(), [], "no attributes"),
        (Counting(), [""], "attribute"),
        (Corruptions(), ["smile"], "cannot change 'smile'; known are brightness"),
        (Bad(), ["hat"], "none of them 0"),
        (Bad(), ["none"], "has no strengths for 'none'"),
    ],
)
def test_nothing_to_edit_is_one_line(folder: Path, editor: Any, attributes: Any, message: str) -> None:
    with pytest.raises(ConfigError, match=message) as refusal:
        edit_photographs(editor, folder, attributes=attributes)
    assert "\n" not in str(refusal.value)


def failing(*_: object) -> Any:
    raise KeyError("no\nmodel")


@pytest.mark.parametrize(
    ("member", "answer", "message"),
    [
        ("strengths", failing, r"fails on strengths\('hat'\): KeyError"),
        ("unit", failing, r"fails on unit\('hat'\): KeyError"),
        ("unit", lambda attribute: None, r"unit\('hat'\) is no text but None"),
        ("describe", failing, r"fails on describe\(\): KeyError"),
        ("describe", lambda: {"weight": np.float32(1)}, "JSON .*float32"),
        ("describe", lambda: {"weight": float("nan")}, "JSON"),
        ("describe", lambda: ["adds"], "JSON .*it is a list"),
    ],
)
def test_an_editor_that_cannot_say_what_it_does_is_named_in_one_line(
    folder: Path, member: str, answer: Any, message: str
) -> None:
    editor = Counting()
    setattr(editor, member, answer)
    with pytest.raises(EditorError, match=f"^editor counting.*{message}") as refusal:
        edit_photographs(editor, folder, attributes=["hat"])
    assert "\n" not in str(refusal.value)


def test_an_editor_that_fails_to_say_what_moves_is_named_in_one_line(folder: Path) -> None:
    editor = Turning()
    editor.__dict__["moves_places"] = failing
    with pytest.raises(EditorError, match=r"editor counting fails on moves_places\('hat'\): KeyError"):
        edit_photographs(editor, folder, attributes=["hat"]).moves_places("hat")


def test_a_folder_without_photographs_is_one_line(tmp_path: Path) -> None:
    for folder, message in ((tmp_path, "holds 0 photographs"), (tmp_path / "none", "no such file")):
        with pytest.raises(ConfigError, match=message):
            edit_photographs(Corruptions(), folder)
    (tmp_path / "a.txt").write_text("no picture")
    with pytest.raises(ConfigError, match=r"1 of 1 photograph left out: a\.txt is no JPEG"):
        edit_photographs(Corruptions(), tmp_path)


def test_editors_are_loaded_by_name_with_options_or_given() -> None:
    assert load_editor("corruptions", options={"blur": [1, 2]}).strengths("blur") == (1.0, 2.0)
    editor = Counting()
    assert load_editor(editor) is editor
    json.dumps(load_editor("corruptions").describe())
    for given, options, message in (
        ("corruption", {}, "did you mean 'corruptions'"),
        ("corruptions", {"blurs": [1]}, "did you mean 'blur'"),
        (editor, {"blur": [1]}, "leave out editor_options"),
    ):
        with pytest.raises(ConfigError, match=message):
            load_editor(given, options=options)
    with pytest.raises(EditorError, match="lacks"):
        load_editor(object())
