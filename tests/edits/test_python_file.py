"""Editors in a Python file of the user's: only trusted, and what is wrong in one line."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from asked_edits import edited

from zoom_engine.common.errors import ConfigError, EditorError, ZoomError
from zoom_engine.edits.contract import check_editor
from zoom_engine.edits.loading import load_editor

FILE = """
import numpy as np
from pathlib import Path

Path(__file__).with_name("imported").touch()


def lighter(pictures, attribute, strength, seeds):
    return [np.clip(picture + 50 * strength, 0, 255).astype(np.uint8) for picture in pictures]


def floats(pictures, attribute, strength, seeds):
    return [picture / 255 for picture in pictures]


def gone(pictures, attribute, strength, seeds):
    raise SystemExit(3)


class Redder:
    name = "redder"
    attributes = ("red light",)

    def strengths(self, attribute):
        return (10.0, 20.0)

    def unit(self, attribute):
        return "levels"

    def edit(self, pictures, attribute, strength, seeds):
        return [np.clip(picture + np.array([strength, 0, 0]), 0, 255).astype(np.uint8) for picture in pictures]

    def describe(self):
        return {"version": 1}


class Half:
    def edit(self, pictures, attribute, strength, seeds):
        return pictures


redder = Redder()
half = Half()
number = 3
"""
PICTURE = np.full((16, 20, 3), 100, np.uint8)


@pytest.fixture
def file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    monkeypatch.setattr(sys, "path", [*sys.path])
    (tmp_path / "mine.py").write_text(FILE)
    yield f"python:{tmp_path / 'mine.py'}"
    sys.modules.pop("zoom_engine_file_mine", None)


def test_code_runs_only_where_it_is_trusted(file: str, tmp_path: Path) -> None:
    with pytest.raises(EditorError, match=r"editor .* is Python code.*trust=True \(--trust\)"):
        load_editor(f"{file}:lighter", options={"strengths": [1]})
    assert not (tmp_path / "imported").exists()
    load_editor(f"{file}:lighter", options={"strengths": [1]}, trust=True)
    assert (tmp_path / "imported").exists()


def test_a_function_edits_what_the_user_types_at_the_strengths_that_the_user_types(file: str, tmp_path: Path) -> None:
    editor = load_editor(f"{file}:lighter", options={"strengths": [-1, 1], "unit": "steps"}, trust=True)
    check_editor(editor)
    assert (editor.name, editor.attributes, editor.unit("anything")) == ("lighter", (), "steps")
    assert editor.strengths("anything") == (-1.0, 1.0)
    assert (edited(editor, [PICTURE], "anything", -1.0, [0])[0] == 50).all()
    described = editor.describe()
    (tmp_path / "mine.py").write_text(FILE + "\n# another content\n")
    assert load_editor(f"{file}:lighter", options={"strengths": [1]}, trust=True).describe() != described


@pytest.mark.parametrize("name", ["decorated", "partly", "remembered", "called"])
def test_whatever_wraps_a_function_its_file_stands_for_what_it_does(file: str, tmp_path: Path, name: str) -> None:
    """It was the file of what wraps it, torch's or functools', and an audit went on with another function."""
    wrapped = """
import functools, torch

decorated = torch.no_grad()(lighter)
partly = functools.partial(lighter)
remembered = functools.cache(lighter)


class Called:
    def __call__(self, pictures, attribute, strength, seeds):
        return lighter(pictures, attribute, strength, seeds)


called = Called()
"""
    described = set()
    for content in (FILE, FILE.replace("50", "60")):
        (tmp_path / "mine.py").write_text(content + wrapped)
        for spec in (file, "python:" + "zoom_engine_file_mine"):  # the same module by its name
            described.add(load_editor(f"{spec}:{name}", options={"strengths": [1]}, trust=True).describe()["sha256"])
    assert len(described) == 2
    with pytest.raises(EditorError, match="has no Python file"):
        load_editor("python:math:floor", options={"strengths": [1]}, trust=True)


def test_an_object_of_the_protocol_is_the_editor(file: str) -> None:
    editor = load_editor(f"{file}:redder", trust=True)
    check_editor(editor)
    assert editor.attributes == ("red light",)
    assert edited(editor, [PICTURE], "red light", 20.0, [0])[0][0, 0].tolist() == [120, 100, 100]


@pytest.mark.parametrize(
    ("name", "options", "error", "message"),
    [
        ("lighter", {}, ConfigError, "'strengths' is missing"),
        ("lighter", {"strengths": []}, ConfigError, "is empty"),
        ("lighter", {"strengths": [0, 1]}, ConfigError, "none of them 0"),
        ("lighter", {"strengths": [1e-9]}, ConfigError, "1e-06 to 1,000,000"),
        ("lighter", {"strengths": [1e300]}, ConfigError, "1e-06 to 1,000,000"),
        ("lighter", {"strengths": [1], "steps": 3}, ConfigError, "unknown editor option 'steps'"),
        ("redder", {"strengths": [1]}, ConfigError, "leave out editor options"),
        ("half", {}, EditorError, "editor half lacks .*strengths"),
        ("Redder", {}, EditorError, "is a class"),
        ("number", {}, EditorError, "has no function 'number'"),
        ("nobody", {}, EditorError, "has no function 'nobody'"),
    ],
)
def test_what_is_no_editor_is_one_line(
    file: str, name: str, options: dict[str, Any], error: type[ZoomError], message: str
) -> None:
    with pytest.raises(error, match=message) as refusal:
        load_editor(f"{file}:{name}", options=options, trust=True)
    assert "\n" not in str(refusal.value)


def test_a_function_of_the_interpreter_itself_is_no_editor() -> None:
    with pytest.raises(EditorError, match="editor sleep has no Python file that stands for what it does"):
        load_editor("python:time:sleep", options={"strengths": [1]}, trust=True)


def test_what_a_function_returns_is_checked(file: str) -> None:
    editor = load_editor(f"{file}:floats", options={"strengths": [1]}, trust=True)
    with pytest.raises(EditorError, match=r"editor floats returns float64 .* with values 0\.39\d* to 0\.39\d*"):
        edited(editor, [PICTURE], "light", 1.0, [0])


def test_a_function_that_calls_sys_exit_is_an_error_of_one_line(file: str) -> None:
    """The audit would end without a word, with whatever code the function chose."""
    editor = load_editor(f"{file}:gone", options={"strengths": [1]}, trust=True)
    with pytest.raises(EditorError, match=r"^editor gone fails on 'light' at 1: SystemExit: 3$"):
        edited(editor, [PICTURE], "light", 1.0, [0])
