"""A package that no file of the engine names brings generator, task, search, direction method, editor, report
section and domain, and audits with them."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from registered import fresh_commands, install_example

from zoom_engine import Diagnosis, check_domain, check_editable_generator, check_editor, check_search, check_task
from zoom_engine.cli import main
from zoom_engine.common import registry
from zoom_engine.diagnose.domain import find_domain
from zoom_engine.edits.loading import load_editor
from zoom_engine.generators import load_generator
from zoom_engine.search import find_search
from zoom_engine.targets import task_from_dict
from zoom_engine.targets.tasks import Task

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[2]


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The example package of the documentation is installed."""
    install_example(monkeypatch, tmp_path / "site")
    with fresh_commands():
        yield


@pytest.fixture
def command(capsys: pytest.CaptureFixture[str]) -> Callable[..., tuple[int, str]]:
    """The exit code of a command, and what it prints."""

    def run(*arguments: str) -> tuple[int, str]:
        code = main(list(arguments))
        printed = capsys.readouterr()
        return code, printed.out + printed.err

    return run


def test_no_file_of_the_engine_names_it() -> None:
    result = subprocess.run(
        ["grep", "-rliE", "--exclude-dir=weights", r"\bskies|LevelTask", str(ROOT / "zoom_engine")], capture_output=True
    )
    assert result.returncode == 1, result.stdout.decode()


@pytest.mark.usefixtures("package")
def test_what_it_registers_is_found_and_holds_the_contracts() -> None:
    assert "skies" in registry.names(registry.DOMAINS)
    check_editable_generator(load_generator("skies:0.1"))
    assert load_generator("skies:0.1", brighter=0.1).content_hash == "sky-0.2"
    task = task_from_dict({"task": "level", "tolerance": 0.25})
    assert isinstance(task, Task)
    assert task.to_dict() == {"task": "level", "tolerance": 0.25}
    check_task(task)
    check_search(find_search("ends", mode="single", options={"between": 2}))
    check_domain(find_domain("skies"))
    editor = load_editor("weather", options={"densest": 80.0})
    check_editor(editor)
    assert editor.strengths("fog") == (40.0, 80.0)


@pytest.mark.usefixtures("package")
def test_the_command_line_audits_with_all_of_it_to_a_finished_report(
    tmp_path: Path, command: Callable[..., tuple[int, str]]
) -> None:
    out = tmp_path / "audit"
    audit = ["diagnose", "--generator", "skies", "--target", "skies:level", "--images", "6", "--out", str(out)]
    audit += ["--search", "ends", "--search-option", "between=2", "--level", "1", "--cache", str(tmp_path / "cache")]
    audit += ["--random-directions", "2"]
    code, told = command(*audit)
    assert code == 0, told
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
    for sentence in ("a look at the ends", "the level that the model reads", "another level", "level "):
        assert sentence in page
    assert page.index("Levels</h2>") < page.index("6 images were read by skies:level") < page.index('id="limits"')
    assert "probability" not in page
    strip = json.loads((out / "gallery.json").read_text())["strips"][0]["frames"][0]["file"]
    assert (np.asarray(Image.open(out / strip))[-1, 0] == (255, 0, 255)).all(), "the task drew into the picture"
    again = ["diagnose", "--generator", "skies:0.1", "--target", "skies:level", "--attribute", "a smiling face"]
    again += ["--neutral", "a face", "--text-encoder", "avatars", "--images", "2", "--level", "1"]
    again += ["--directions", "together"]
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
    code, told = command(*again, "--out", str(tmp_path / "multi"))
    assert code == 0, told
    assert {record.evaluations for record in Diagnosis.load(tmp_path / "multi").records} == {4}, "sgd followed"
    manifest = json.loads((tmp_path / "multi" / "manifest.json").read_text())
    assert manifest["config"]["directions"]["method"] == "together"
    assert manifest["environment"]["brought_by"]["direction method together"] == "skies 1.0"
    for spec, identity in (("skies", "sky-0.0"), ("skies:0.1", "sky-0.1")):
        code, told = command("inspect", spec)
        assert code == 0, told
        assert identity in told
    code, told = command("diagnose", "--search", "nothing")
    assert code == 2
    assert "choose from" in told.lower()


@pytest.mark.usefixtures("package")
def test_the_command_line_audits_photographs_with_its_editor(
    tmp_path: Path, command: Callable[..., tuple[int, str]]
) -> None:
    (tmp_path / "photos").mkdir()
    for index in range(3):
        picture = np.full((32, 32, 3), 40 + 30 * index, dtype=np.uint8)
        Image.fromarray(picture).save(tmp_path / "photos" / f"{index}.png")
    audit = ["diagnose", "--editor", "weather", "--editor-option", "densest=80", "--photos", str(tmp_path / "photos")]
    code, told = command(*audit, "--target", "skies:level", "--out", str(tmp_path / "audit"))
    assert code == 0, told
    diagnosis = Diagnosis.load(tmp_path / "audit")
    assert diagnosis.config.edits is not None
    (fog,) = diagnosis.config.edits.attributes
    assert (fog.name, fog.strengths, fog.unit) == ("fog", (40.0, 80.0), "% of white")
    assert diagnosis.manifest.environment["brought_by"]["editor weather"] == "skies 1.0"
