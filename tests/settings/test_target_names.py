"""What the folders of several targets are called."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from zoom_engine.audit.folder import check_outs
from zoom_engine.common.errors import AuditError, ConfigError
from zoom_engine.settings.target_names import named_targets, several_targets


def brightness() -> None:
    """Stands for a function under audit."""


@pytest.mark.parametrize(
    ("targets", "names"),
    [
        (["avatars:mustache", "avatars:mustache-biased-smiling"], ["mustache", "mustache-biased-smiling"]),
        (["models/old.onnx", Path("models/new v2.onnx")], ["old", "new-v2"]),
        (["v1/model.onnx", "v2/model.onnx", "other.onnx"], ["v1-model.onnx", "v2-model.onnx", "other"]),
        (["avatars:dog", "pets:dog"], ["avatars-dog", "pets-dog"]),
        (["http://127.0.0.1:8000/predict", "timm:resnet50@w.pt"], ["127.0.0.1-8000-predict", "resnet50-w.pt"]),
        (["http://me:secret@host/a", "http://me:secret@host/b", "http://host/c"], ["host-a", "host-b", "host-c"]),
        (["http://host/a?key=SECRET", "https://host/b?at=c:d/e.f"], ["host-a", "host-b"]),
        (["http://host/a?key=1", "http://host/a?key=2"], ["http-host-a-5d5a2f99", "http-host-a-47564524"]),
        (["folder/of-a-model/", brightness], ["of-a-model", "brightness"]),
        ({"before": 1, "after": 2}, ["before", "after"]),
    ],
)
def test_names_are_short_and_tell_targets_apart(targets: Any, names: list[str]) -> None:
    result = named_targets(targets)
    assert list(result) == names
    assert list(result.values()) == list(targets.values() if isinstance(targets, dict) else targets)


@pytest.mark.parametrize(
    ("targets", "says"),
    [
        ([], "no target"),
        (["a.onnx", "a.onnx"], "'a.onnx'"),
        ([brightness, brightness], "give each once"),
        ([lambda: 1, lambda: 2], "a mapping from names"),
        ({"../up": 1}, "names no folder"),
        ({"": 1}, "names no folder"),
    ],
)
def test_names_that_are_no_folders_are_refused(targets: Any, says: str) -> None:
    with pytest.raises(ConfigError, match=says):
        named_targets(targets)


def test_one_target_is_not_several(tmp_path: Path) -> None:
    assert [several_targets(targets) for targets in ("a", Path("a"), brightness, ["a"], {"a": 1})] == [False] * 3 + [
        True
    ] * 2
    check_outs(tmp_path, ["a", "b"])
    (tmp_path / "b").mkdir()
    (tmp_path / "b" / "note.txt").write_text("")
    with pytest.raises(AuditError, match=r"'note\.txt'"):
        check_outs(tmp_path, ["a", "b"])
    (tmp_path / "manifest.json").write_text("{}")
    with pytest.raises(AuditError, match="the audit of one target"):
        check_outs(tmp_path, ["a"])
