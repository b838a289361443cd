"""The recipes in export/ run as they stand."""

from __future__ import annotations

import runpy
import sys
from pathlib import Path

import pytest

from zoom_engine.common.errors import CheckpointError

RECIPES = Path(__file__).parents[2] / "export"


@pytest.mark.ci
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


@pytest.mark.parametrize("recipe", ["stylegan2.py", "classifier.py"])
def test_a_model_alone_is_the_one_that_is_exported(recipe: str, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("onnxruntime")
    monkeypatch.setattr(sys, "argv", [recipe, "missing.pkl"])
    with pytest.raises(CheckpointError, match=r"missing\.pkl"):
        runpy.run_path(str(RECIPES / recipe))
