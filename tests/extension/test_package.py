"""A package that no file of the engine names brings generator, task, search, direction method, report section and
domain, and audits with them."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from registered import install_example

from zoom_engine import Diagnosis, check_domain, check_editable_generator, check_search, check_task
from zoom_engine.common import registry
from zoom_engine.diagnose.domain import find_domain
from zoom_engine.generators import load_generator
from zoom_engine.search import find_search
from zoom_engine.targets import task_from_dict
from zoom_engine.targets.tasks import Task

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[2]


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The example package of the documentation is installed."""
    install_example(monkeypatch, tmp_path / "site")


@pytest.fixture
def command(tmp_path: Path) -> Callable[..., subprocess.CompletedProcess[str]]:
    """`zoom-engine` in a process of its own, outside the checkout: there `-m` would take it for what is installed."""

    def run(*arguments: str) -> subprocess.CompletedProcess[str]:
        started = [sys.executable, "-m", "zoom_engine", *arguments]
        return subprocess.run(started, cwd=tmp_path, capture_output=True, text=True)

    return run


def test_no_file_of_the_engine_names_it() -> None:
    found = subprocess.run(["grep", "-rliE", r"\bskies|LevelTask", str(ROOT / "zoom_engine")], capture_output=True)
    assert found.returncode == 1, found.stdout.decode()


@pytest.mark.usefixtures("package")
def test_what_it_registers_is_found_and_holds_the_contracts() -> None:
    assert "skies" in registry.names(registry.DOMAINS)
    check_editable_generator(load_generator("skies:0.1"))
    task = task_from_dict({"task": "level", "tolerance": 0.25})
    assert isinstance(task, Task)
    assert task.to_dict() == {"task": "level", "tolerance": 0.25}
    check_task(task)
    check_search(find_search("ends", mode="single", options={"between": 2}))
    check_domain(find_domain("skies"))


@pytest.mark.usefixtures("package")
def test_the_command_line_audits_with_all_of_it_to_a_finished_report(
    tmp_path: Path, command: Callable[..., subprocess.CompletedProcess[str]]
) -> None:
    out = tmp_path / "audit"
    audit = ["diagnose", "--generator", "skies", "--target", "skies:level", "--images", "6", "--out", str(out)]
    audit += ["--search", "ends", "--search-option", "between=2", "--level", "1", "--cache", str(tmp_path / "cache")]
    done = command(*audit)
    assert done.returncode == 0, done.stderr
    diagnosis = Diagnosis.load(out)
    assert len(diagnosis.records) == 12
    assert {record.stop for record in diagnosis.records} == {"looked"}
    assert all(record.evaluations in (3, 6) for record in diagnosis.records)
    assert any(record.flipped for record in diagnosis.records)
    manifest = json.loads((out / "manifest.json").read_text())
    came_with = {"domain skies": "skies 1.0", "task level": "skies 1.0", "search ends": "skies 1.0"}
    assert manifest["environment"]["brought_by"] == came_with
    config = manifest["config"]
    assert config["search_options"] == {"name": "ends", "between": 2}
    assert config["target_details"]["task"] == {"task": "level", "tolerance": 0.3}
    page = (out / "report.html").read_text()
    for sentence in (
        "Levels</h2>",
        "6 images were read by skies:level",
        "a look at the ends",
        "the level that the model reads",
        "another level",
        "level ",
    ):
        assert sentence in page
    assert "probability" not in page
    strip = json.loads((out / "gallery.json").read_text())["strips"][0]["frames"][0]["file"]
    assert (np.asarray(Image.open(out / strip))[-1, 0] == (255, 0, 255)).all(), "the task drew into the picture"
    again = ["diagnose", "--generator", "skies:0.1", "--target", "skies:level", "--attribute", "a smiling face"]
    again += [
        "--directions",
        "together",
        "--neutral",
        "a face",
        "--text-encoder",
        "avatars",
        "--images",
        "2",
        "--level",
        "1",
    ]
    again += [
        "--mode",
        "multi",
        "--search",
        "sgd",
        "--range",
        "paper",
        "--steps",
        "3",
        "--cache",
        str(tmp_path / "cache"),
    ]
    done = command(*again, "--out", str(tmp_path / "multi"))
    assert done.returncode == 0, done.stderr
    assert {record.evaluations for record in Diagnosis.load(tmp_path / "multi").records} == {4}, "sgd followed"
    manifest = json.loads((tmp_path / "multi" / "manifest.json").read_text())
    assert manifest["config"]["directions"]["method"] == "together"
    assert manifest["environment"]["brought_by"]["direction method together"] == "skies 1.0"
    for spec, identity in (("skies", "sky-0.0"), ("skies:0.1", "sky-0.1")):
        inspected = command("inspect", spec)
        assert inspected.returncode == 0, inspected.stderr
        assert identity in inspected.stdout
    assert "choose from" in command("diagnose", "--search", "nothing").stderr.lower()
