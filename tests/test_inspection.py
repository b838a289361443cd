"""`zoom-engine inspect` tells generators from targets by what is in the file."""

from __future__ import annotations

from pathlib import Path

import pytest

from zoom_engine.avatars.weights_io import WEIGHTS
from zoom_engine.cli import main
from zoom_engine.inspection import describe_file, holds_target


@pytest.mark.parametrize(
    ("name", "target", "word"),
    [
        ("generator.safetensors", False, "resolution"),
        ("targets/eyeglasses.onnx", True, "ONNX model"),
        ("targets/eyeglasses.safetensors", True, "kind"),
    ],
)
def test_the_shipped_files_are_told_apart(name: str, target: bool, word: str) -> None:
    path = WEIGHTS / name
    assert holds_target(path) is target
    described = describe_file(path)
    assert word in described
    assert "sha-256" in described
    assert str(path.stat().st_size) in described


def test_a_suffix_proves_nothing(tmp_path: Path) -> None:
    disguised = tmp_path / "classifier.pt"
    disguised.write_bytes((WEIGHTS / "generator.safetensors").read_bytes())
    assert not holds_target(disguised)
    assert "zoom-engine safetensors" in describe_file(disguised)


def test_what_is_neither_is_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["inspect", str(tmp_path / "absent")]) == 1
    assert capsys.readouterr().err.count("\n") == 1
