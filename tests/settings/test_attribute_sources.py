"""Attributes that are no words, as they are written."""

from __future__ import annotations

from pathlib import Path

import pytest

from zoom_engine.common.errors import ConfigError
from zoom_engine.settings.attributes import Attribute, Examples, OwnEdits, Scorer, sources_of
from zoom_engine.settings.audit_settings import AuditSettings


def test_a_name_with_examples_or_a_scorer_is_read() -> None:
    scratch = Attribute.parse("scratch = examples:some folder/a=b")
    assert (scratch.text, scratch.name, scratch.source) == ("scratch", "scratch", Examples(Path("some folder/a=b")))
    both = Attribute.parse("scratch=examples:with,without:clean")
    assert both.source == Examples(Path("with"), Path("clean"))
    assert Attribute.parse("older=scorer:age.onnx").source == Scorer("age.onnx")
    assert Attribute.parse("older=scorer:python:f.py:age#3").source == Scorer("python:f.py:age", "3")
    assert Attribute.parse("component 2=edits").source == OwnEdits()
    assert Attribute.parse("a face = a sum").source is None


def test_what_people_see_is_the_name_alone_and_equal_names_are_one_attribute() -> None:
    assert str(Attribute.parse("scratch=examples:folder")) == "scratch"
    assert Attribute.parse("scratch=examples:folder") == Attribute.parse("scratch")


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("scratch=examples:", "names no folder of examples"),
        ("scratch=examples:a,without:", "names no folder of examples"),
        ("older=scorer:", "names no scorer"),
        ("older=scorer:age.onnx#", "names no scorer"),
        ("=scorer:age.onnx", "is empty"),
        ("a|b=scorer:age.onnx", "holds no '|'"),
        ("a\x1b[31m=scorer:age.onnx", "control character"),
        ("older=scorer:a\x00b", "is no path"),
        ("\u202eolder=examples:a", "control character"),
    ],
)
def test_what_is_none_is_refused_in_one_line(text: str, told: str) -> None:
    with pytest.raises(ConfigError, match=told) as refusal:
        Attribute.parse(text)
    assert "\n" not in str(refusal.value)
    assert "\x1b" not in str(refusal.value)


def test_one_name_has_one_source() -> None:
    assert sources_of(["a smile", "x=scorer:a.onnx"], None, ["x=scorer:a.onnx"]) == {"x": Scorer("a.onnx")}
    with pytest.raises(ConfigError, match="two different sources"):
        sources_of(["x=scorer:a.onnx"], ["x=scorer:b.onnx"])


def test_settings_take_them_wherever_words_go_but_not_for_edits_from_elsewhere() -> None:
    settings = AuditSettings(
        generator="avatars",
        target="avatars:mustache",
        attributes=["x=scorer:a.onnx", "a smiling face"],
        keep=["y=examples:b"],
        by=["x", "attributes"],
    )
    assert settings.deciding()["attributes"] == ["x", "a smiling face"]
    assert settings.deciding()["keep"] == ["y"]
    assert settings.told_apart_by(["x", "a smiling face"]) == ["x", "a smiling face"]
    with pytest.raises(ConfigError, match="have their names alone"):
        AuditSettings(pairs="pairs.csv", target="avatars:mustache", attributes=["x=scorer:a.onnx"])


def test_a_file_of_directions_brings_its_names_and_must_be_there(tmp_path: Path) -> None:
    (tmp_path / "directions.safetensors").write_bytes(b"")
    (tmp_path / "generator.onnx").write_bytes(b"")
    common = {"generator": str(tmp_path / "generator.onnx"), "target": "avatars:mustache"}
    AuditSettings(**common, directions=str(tmp_path / "directions.safetensors"))
    with pytest.raises(ConfigError, match=r"'directions' cannot be 'regresion'.*no such file"):
        AuditSettings(**common, directions="regresion", attributes=["a smile"])
