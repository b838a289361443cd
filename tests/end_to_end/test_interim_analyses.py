"""An audit that chooses the number of images of each attribute, on the embedded models: killed anywhere, it ends the
same."""

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
AUTO: dict[str, Any] = {"images": "auto", "most_images": 100, "seed": 4}


@pytest.fixture(autouse=True, scope="module")
def early_analyses() -> Any:
    """After 12, 20, 28, … images."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("zoom_engine.settings.interim_analyses.FIRST_ANALYSIS", 12)
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


def test_attributes_stop_when_they_are_settled(audit: Path) -> None:
    summary = json.loads((audit / "summary.json").read_text())
    config = json.loads((audit / "manifest.json").read_text())["config"]
    assert config["interim_analyses"] == [12, 20, 28, 36, 44, 52, 68, 84, 100]
    assert "images" not in config
    assert summary["interim_analysis"]["ended"] == "settled"
    smiling, pale = summary["sensitivity"]
    assert (smiling["attribute"], smiling["verdict"], pale["verdict"]) == (ATTRIBUTES[0], "sensitive", "negligible")
    assert smiling["images"] < pale["images"] == summary["images"]
    records = [json.loads(line) for line in (audit / "records.jsonl").read_text().splitlines()]
    for row in (smiling, pale):
        images = [record["image"] for record in records if record["attribute"] == row["attribute"]]
        assert sorted(images) == list(range(row["images"]))
    assert "Each attribute is tried on more images until" in (audit / "report.html").read_text()


@pytest.mark.parametrize("lines_left", [10, 30, 70])
def test_a_killed_run_ends_with_the_same_records_and_decisions(
    lines_left: int, audit: Path, diagnoser: Diagnoser, tmp_path: Path
) -> None:
    """Before the first analysis, after an attribute has stopped, and among random edits."""
    again = tmp_path / "again"
    shutil.copytree(audit, again)
    (again / "summary.json").unlink()
    lines = (audit / "records.jsonl").read_bytes().splitlines(keepends=True)
    assert len(lines) > 75
    (again / "records.jsonl").write_bytes(b"".join(lines[:lines_left]))
    diagnoser.run(**AUTO, out=again)
    assert sorted((again / "records.jsonl").read_bytes().splitlines(keepends=True)) == sorted(lines)
    assert (again / "summary.json").read_bytes() == (audit / "summary.json").read_bytes()


@pytest.mark.ci
def test_in_memory_it_is_the_same(audit: Path, diagnoser: Diagnoser) -> None:
    in_memory = diagnoser.run(**AUTO).summary().to_json()
    assert json.loads(json.dumps(in_memory)) == json.loads((audit / "summary.json").read_text())


def test_an_audit_continues_with_more_images_and_no_other_options(
    audit: Path, diagnoser: Diagnoser, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for run in ({**AUTO, "width": 0.5}, {"images": 60, "seed": 4}):
        with pytest.raises(AuditError, match="holds an audit with other settings"):
            diagnoser.run(**run, out=audit)
    command = ["diagnose", "--generator", "avatars", "--target", "avatars:mustache", "--images", "auto"]
    assert main([*command, "--most-images", "12", "--out", str(audit)]) == 1
    assert "in this run" in capsys.readouterr().err
    few = diagnoser.run(**{**AUTO, "most_images": 12}, out=tmp_path / "few")
    assert few.summary().interim_analysis.ended == "most images"
    more = diagnoser.run(**AUTO, out=tmp_path / "few")
    assert more.summary().interim_analysis.ended == "settled"
    lines = (audit / "records.jsonl").read_bytes().splitlines()
    assert sorted(line for line in (tmp_path / "few" / "records.jsonl").read_bytes().splitlines()) == sorted(lines)


def test_what_a_run_takes_is_noted(audit: Path) -> None:
    searched = json.loads((audit / "manifest.json").read_text())["searched"]
    assert searched["trials"] == sum(
        row["images"] for row in json.loads((audit / "summary.json").read_text())["sensitivity"]
    )
    assert searched["seconds"] > 0


def test_what_cannot_be_is_refused(diagnoser: Diagnoser) -> None:
    for run, says in (
        ({"images": 5, "width": 0.1}, "width is for images='auto'"),
        ({"images": "auto", "width": 2.0}, r"width must be in \(0, 1\]"),
        ({"images": "auto", "most_images": 0}, "most_images must be in"),
        ({"images": "many"}, "a whole number or 'auto'"),
    ):
        with pytest.raises(ConfigError, match=says):
            diagnoser.run(**run)
