"""The recipes in export/ run as they stand."""

from __future__ import annotations

import runpy
import sys
from pathlib import Path

import pytest

RECIPES = Path(__file__).parents[2] / "export"


@pytest.mark.parametrize(
    ("recipe", "arguments", "files"),
    [
        ("stylegan2.py", ["avatars"], {"synthesis.onnx", "seed0.png"}),
        ("classifier.py", ["avatars", "avatars:mustache"], {"audit.onnx"}),
    ],
)
def test_recipes_run(
    recipe: str, arguments: list[str], files: set[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("onnxruntime")
    monkeypatch.setattr(sys, "argv", [recipe, *arguments, str(tmp_path)])
    runpy.run_path(str(RECIPES / recipe))
    assert {path.name for path in tmp_path.iterdir()} == files
