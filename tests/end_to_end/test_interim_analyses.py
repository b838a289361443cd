"""An audit that finds out how many images it takes, on the embedded models: killed anywhere, it ends the same."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from zoom_engine import Diagnoser
from zoom_engine.cli import main
from zoom_engine.common.errors import AuditError, ConfigError

pytestmark = pytest.mark.slow

ATTRIBUTES = ["a smiling face", "a face with pale skin"]
AUTO: dict[str, Any] = {"images": "auto", "most_images": 12, "width": 0.75, "seed": 4}


@pytest.fixture(autouse=True, scope="module")
def early_analyses() -> Any:
    """After 3, 6 and 12 images."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("zoom_engine.settings.interim_analyses.FIRST_ANALYSIS", 3)
        yield


@pytest.fixture(scope="module")
def diagnoser() -> Diagnoser:
    options = {"target": "avatars:mustache-biased-smiling", "attributes": ATTRIBUTES, "random_directions": 8}
    return Diagnoser(generator="avatars", **options)


@pytest.fixture(scope="module")
def audit(diagnoser: Diagnoser, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("audits") / "audit"
    diagnoser.run(**AUTO, out=out)
    return out


def test_it_ends_at_a_look_and_says_so(audit: Path) -> None:
    summary = json.loads((audit / "summary.json").read_text())
    config = json.loads((audit / "manifest.json").read_text())["config"]
    assert (config["interim_analyses"], config["width"]) == ([3, 6, 12], 0.75)
    assert "images" not in config
    assert summary["interim_analysis"]["ended"] == "known"
    assert summary["interim_analysis"]["number"] == 2
    assert summary["images"] == 6
    assert all(row["ci95"][1] - row["ci95"][0] <= 0.75 for row in summary["sensitivity"])
    assert "The audit ended at interim analysis 2 of 3" in (audit / "report.html").read_text()


@pytest.mark.parametrize("lines_left", [10, 13])
def test_a_killed_run_ends_with_the_same_records_and_decisions(
    lines_left: int, audit: Path, diagnoser: Diagnoser, tmp_path: Path
) -> None:
    """Between two looks, and in the middle of the second."""
    again = tmp_path / "again"
    shutil.copytree(audit, again)
    (again / "summary.json").unlink()
    lines = (audit / "records.jsonl").read_bytes().splitlines(keepends=True)
    assert len(lines) == 6 * (2 + 8) + 2, "of two attributes, eight random directions, a prompt on every fourth image"
    (again / "records.jsonl").write_bytes(b"".join(lines[:lines_left]))
    diagnoser.run(**AUTO, out=again)
    assert sorted((again / "records.jsonl").read_bytes().splitlines(keepends=True)) == sorted(lines)
    assert (again / "summary.json").read_bytes() == (audit / "summary.json").read_bytes()


@pytest.mark.ci
def test_in_memory_it_is_the_same(audit: Path, diagnoser: Diagnoser) -> None:
    in_memory = diagnoser.run(**AUTO).summary().to_json()
    assert json.loads(json.dumps(in_memory)) == json.loads((audit / "summary.json").read_text())


def test_other_looks_are_another_audit(audit: Path, diagnoser: Diagnoser, capsys: pytest.CaptureFixture[str]) -> None:
    for run in ({**AUTO, "most_images": 24}, {**AUTO, "width": 0.5}, {"images": 6, "seed": 4}):
        with pytest.raises(AuditError, match="holds an audit with other settings"):
            diagnoser.run(**run, out=audit)
    command = ["diagnose", "--generator", "avatars", "--target", "avatars:mustache", "--images", "auto"]
    assert main([*command, "--most-images", "6", "--out", str(audit)]) == 1
    assert "interim_analyses is [3, 6, 12] there, [3, 6] in this run" in capsys.readouterr().err


def test_what_cannot_be_is_refused(diagnoser: Diagnoser) -> None:
    for run, says in (
        ({"images": 5, "width": 0.1}, "width is for images='auto'"),
        ({"images": "auto", "width": 2.0}, r"width must be in \(0, 1\]"),
        ({"images": "auto", "most_images": 0}, "most_images must be in"),
        ({"images": "many"}, "a whole number or 'auto'"),
    ):
        with pytest.raises(ConfigError, match=says):
            diagnoser.run(**run)
