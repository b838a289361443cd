"""What is explored: the models of an audit's folder, loaded again, or those of a command line."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from simulated import simulated

from zoom_engine import Diagnoser
from zoom_engine.audit.folder import AuditFolder, read_manifest
from zoom_engine.cli import main
from zoom_engine.commands.explore.sources import load_explored
from zoom_engine.common.errors import AuditError, ConfigError, TargetError
from zoom_engine.diagnose.identity import manifest
from zoom_engine.diagnose.measurements import edit_directions, measure
from zoom_engine.diagnose.models import load_models
from zoom_engine.settings.audit_settings import AuditSettings, RunSettings

ATTRIBUTES = ["a smiling face", "a face with a beard"]
TARGET = "avatars:mustache"
GIVEN: dict[str, Any] = {"samples": 32, "level": 1.0}


def begun(out: Path, run: RunSettings, **options: Any) -> Path:
    """The folder of an audit that has no record yet."""
    models = load_models(
        AuditSettings(generator="avatars", edit_range="paper", random_directions=0, level=1.0, samples=32, **options)
    )
    AuditFolder.create(out, manifest(models, measure(models, run), run)).close()
    return out


@pytest.fixture(scope="module")
def audit(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("audits") / "audit"
    return begun(folder, RunSettings(images=1, seed=3), target=TARGET, attributes=ATTRIBUTES)


def changed(audit: Path, folder: Path, change: Callable[[dict[str, Any]], object]) -> Path:
    """A copy of an audit with another manifest."""
    shutil.copytree(audit, folder)
    content = json.loads((folder / "manifest.json").read_text())
    change(content)
    (folder / "manifest.json").write_text(json.dumps(content))
    return folder


def test_the_models_of_an_audit_are_loaded_again(audit: Path) -> None:
    explored = load_explored([audit], {})
    content = json.loads((audit / "manifest.json").read_text())
    assert explored.name == TARGET
    assert explored.seeds == (300_000,)
    assert explored.calibrated is None
    assert [attribute.text for attribute in explored.models[0].attributes] == ATTRIBUTES
    assert explored.models[0].labels == tuple(content["config"]["labels"])
    assert explored.directions.content_hash == content["config"]["directions"]["content_hash"]
    assert not [line for line in explored.notices if "found again" in line]


def test_an_audit_says_on_how_many_pictures_and_at_which_level_its_directions_were_found(
    audit: Path, tmp_path: Path
) -> None:
    """Those of older versions do not: the level is tried out, and what was given is asked for again."""
    config = json.loads((audit / "manifest.json").read_text())["config"]
    assert (config["samples"], config["level"]) == (32, 1.0)

    def forget(manifest: dict[str, Any]) -> None:
        del manifest["config"]["samples"], manifest["config"]["level"]

    old = changed(audit, tmp_path / "old", forget)
    explored = load_explored([old], {"samples": 32})
    assert explored.directions.content_hash == config["directions"]["content_hash"]
    assert not [line for line in explored.notices if "found again" in line]
    guessed = load_explored([old], {"samples": 40})
    assert [line for line in guessed.notices if "or with other --samples or --level" in line]
    AuditFolder.resume(old, read_manifest(audit)).close()
    assert read_manifest(old).identity == read_manifest(audit).identity, "it determines no records"


def test_images_of_an_audit_are_pulled_to_the_average_as_they_were(audit: Path, tmp_path: Path) -> None:
    def pull(manifest: dict[str, Any]) -> None:
        manifest["config"] |= {"truncation": 0.0, "truncation_cutoff": 2}

    settings = load_explored([changed(audit, tmp_path / "pulled", pull)], {}).models[0].settings
    assert (settings.truncation, settings.truncation_cutoff) == (0.0, 2)


def test_other_directions_than_the_audits_are_told(audit: Path) -> None:
    explored = load_explored([audit], {**GIVEN, "samples": 40})
    assert [line for line in explored.notices if "found again here and are not those of the audit" in line]


def test_other_attributes_than_the_audits_can_be_tried(audit: Path) -> None:
    explored = load_explored([audit], {**GIVEN, "attributes": ["an old face"]})
    assert explored.directions.attributes == ("an old face",)
    assert not [line for line in explored.notices if "found again" in line]


def test_several_targets_share_the_generator(audit: Path) -> None:
    explored = load_explored([audit], {**GIVEN, "target": ["avatars:eyeglasses"]})
    assert [models.target.name for models in explored.models] == [TARGET, "avatars:eyeglasses"]
    assert explored.models[1].generator is explored.models[0].generator
    assert explored.models[1].labels != explored.models[0].labels
    labels = ["a face", "a face with eyeglasses"]
    given = load_explored([audit], {**GIVEN, "target": ["avatars:eyeglasses"], "labels": labels})
    assert [list(models.labels) for models in given.models] == [labels, labels]
    together = load_explored([audit.parent], GIVEN)
    assert together.name == TARGET, "a folder stands for the audits in it"


def test_options_that_an_audit_leaves_no_use_for_are_refused(audit: Path) -> None:
    for options, says in (
        ({"preset": "faces"}, "leave out --preset"),
        ({"target_options": {"task": "binary"}}, "that --target names"),
    ):
        with pytest.raises(ConfigError, match=says):
            load_explored([audit], options)


def test_another_model_than_the_audits_is_refused(audit: Path, tmp_path: Path) -> None:
    def other(manifest: dict[str, Any]) -> None:
        manifest["config"]["target_details"]["content_hash"] = "0" * 64

    with pytest.raises(
        AuditError, match="was made with another target than is here: give what was audited by --target"
    ):
        load_explored([changed(audit, tmp_path / "other", other)], GIVEN)


@pytest.mark.parametrize("target", ["python:evil.py:model", "http://127.0.0.1:1/", "evil.onnx", "avatars:none"])
def test_a_folder_of_others_runs_no_code(
    audit: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, target: str
) -> None:
    """Its manifest names a target; only what a domain brings is loaded by such a name."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "evil.py").write_text("open('was_here', 'w')\n")
    folder = changed(audit, tmp_path / "evil", lambda manifest: manifest["config"].update(target=target))
    with pytest.raises(AuditError, match="which no domain brings: give it by --target") as error:
        load_explored([folder], GIVEN)
    assert "\n" not in str(error.value)
    assert not (tmp_path / "was_here").exists()


def test_a_target_of_ones_own_is_named_and_held_to_its_hash(tmp_path: Path) -> None:
    """What the manifest says of its task and its input need not be given again."""
    (tmp_path / "mine.py").write_text(
        "def light(pictures):\n    return pictures.mean((1, 2, 3)) / 255\n"
        "def dark(pictures):\n    return 1 - pictures.mean((1, 2, 3)) / 255\n"
    )
    light, dark = (f"python:{tmp_path / 'mine.py'}:{name}" for name in ("light", "dark"))
    task = {"task": "binary", "output": "probability", "classes": ["dark", "light"]}
    options = {"target_options": {"trust": True, "task": task}, "attributes": ATTRIBUTES[:1]}
    begun(tmp_path / "audit", RunSettings(images=1), target=light, **options)
    trusted = {**GIVEN, "target_options": {"trust": True}}
    explored = load_explored([tmp_path / "audit"], {**trusted, "target": [light]})
    assert explored.models[0].target.classes == ("dark", "light")
    with pytest.raises(AuditError, match="another target than is here"):
        load_explored([tmp_path / "audit"], {**trusted, "target": [dark]})
    with pytest.raises(TargetError, match="trust"):
        load_explored([tmp_path / "audit"], {**GIVEN, "target": [light]})


@pytest.mark.parametrize("generator", ["python:evil.py:model", "x" * 5000])
def test_a_generator_that_is_gone_is_asked_for(generator: str, audit: Path, tmp_path: Path) -> None:
    gone = changed(audit, tmp_path / "gone", lambda manifest: manifest["environment"].update(generator=generator))
    with pytest.raises(AuditError, match="which is no file here: give it by --generator"):
        load_explored([gone], GIVEN)


def test_edits_from_elsewhere_have_no_sliders(audit: Path, tmp_path: Path) -> None:
    def pairs(manifest: dict[str, Any]) -> None:
        edits = [{"name": text, "strengths": [1.0]} for text in ATTRIBUTES]
        manifest["config"]["edits"] = {"kind": "pairs", "images": ["one"], "attributes": edits, "records": [2, 0]}

    with pytest.raises(AuditError, match=r"come from elsewhere \(pairs\)"):
        load_explored([changed(audit, tmp_path / "pairs", pairs)], GIVEN)


@pytest.mark.parametrize(
    ("change", "what"),
    [
        ({"neutral": "a person"}, "neutral"),
        ({"truncation": 0.7}, "truncation"),
        ({"keep": ["an old face"]}, "keep"),
        ({"directions": {"method": "sampled"}}, "method"),
        ({"generator_class": 1}, "generator class"),
        ({"samples": 40}, "number of samples"),
    ],
)
def test_audits_of_other_pictures_or_edits_are_not_explored_together(
    audit: Path, tmp_path: Path, change: dict[str, Any], what: str
) -> None:
    """The first one's were shown for both."""
    other = changed(audit, tmp_path / "other", lambda manifest: manifest["config"].update(change))
    with pytest.raises(AuditError, match=f"has another {what} than"):
        load_explored([audit, other], GIVEN)


def test_audits_along_directions_of_two_files_are_not_explored_together(audit: Path, tmp_path: Path) -> None:
    def along(file: str) -> Path:
        def ready(manifest: dict[str, Any]) -> None:
            manifest["config"]["directions"]["own"] = {ATTRIBUTES[0]: file}

        return changed(audit, tmp_path / file, ready)

    with pytest.raises(AuditError, match="has another source of edit directions than"):
        load_explored([along("one"), along("two")], GIVEN)


def test_ready_directions_are_asked_for_and_are_the_audits_own(audit: Path, tmp_path: Path) -> None:
    """The word for how they came to be was read as the name of a file, and another file's were shown as the audit's."""
    models = load_models(
        AuditSettings(generator="avatars", target=TARGET, attributes=ATTRIBUTES, random_directions=0, **GIVEN)
    )
    directions = replace(edit_directions(models), method="discovered")
    for name, matrix in (("mine", directions.matrix), ("other", directions.matrix.flip(0))):
        replace(directions, matrix=matrix).save(tmp_path / name)
    run = RunSettings(images=1, seed=3)
    begun(tmp_path / "audit", run, target=TARGET, attributes=ATTRIBUTES, directions=tmp_path / "mine")
    with pytest.raises(AuditError, match="are 'discovered', which no method here finds: give their file"):
        load_explored([tmp_path / "audit"], {})
    explored = load_explored([tmp_path / "audit"], {"directions": tmp_path / "mine"})
    assert torch.equal(explored.directions.matrix, directions.matrix)
    with pytest.raises(AuditError, match="along another edit direction of “a smiling face” than --directions holds"):
        load_explored([tmp_path / "audit"], {"directions": tmp_path / "other"})


def test_something_is_needed_to_explore(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(ConfigError, match="--generator is missing: give it, or the folder of an audit"):
        load_explored([], {"target": [TARGET]})
    with pytest.raises(ConfigError, match="--target is missing"):
        load_explored([], {"generator": "avatars"})
    assert main(["explore", str(tmp_path / "none"), "--no-open", "--port", "0"]) == 1
    assert "does not exist: give the folder of an audit" in capsys.readouterr().err
    simulated(images=2, path=tmp_path / "audit")
    assert main(["explore", str(tmp_path / "audit"), "--no-open", "--port", "0"]) == 1
    assert capsys.readouterr().err.splitlines()[-1].startswith("zoom-engine: the generator of ")


def test_other_machines_are_let_in_on_demand_alone(capsys: pytest.CaptureFixture[str]) -> None:
    for host in ("0.0.0.0", "192.168.1.7", "::"):
        assert main(["explore", "audit", "--host", host]) == 1
        told = capsys.readouterr().err
        assert "lets other machines reach the page" in told
        assert "--expose" in told


def test_without_the_extra_it_says_what_to_install(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(__import__("sys").modules, "uvicorn", None)
    assert main(["explore", "audit"]) == 1
    assert "pip install 'zoom-engine[explore]'" in capsys.readouterr().err


@pytest.mark.ci
@pytest.mark.slow(20)
def test_own_photographs_of_an_audit_can_be_chosen(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """By the codes that the audit's folder holds: none is looked for again."""
    from PIL import Image

    from zoom_engine.common.files.png import to_pixels
    from zoom_engine.diagnose.models import find_domain
    from zoom_engine.photographs import Inversion, Inverter

    generator = find_domain("avatars").generator()
    monkeypatch.setattr("zoom_engine.photographs.inversion.Inversion", lambda: Inversion(steps=1, refining=1))
    monkeypatch.setattr("zoom_engine.photographs.judging.LARGEST", 9.0)
    photos = tmp_path / "photos"
    photos.mkdir()
    with torch.no_grad():
        Image.fromarray(to_pixels(generator.render(generator.sample([5])))[0]).save(photos / "me.png")
    Diagnoser(
        generator="avatars",
        target=TARGET,
        attributes=ATTRIBUTES,
        edit_range="paper",
        random_directions=0,
        level=1.0,
        samples=32,
        decisive_change=1.0,
        labels=[],
        photos=photos,
    ).run(out=tmp_path / "audit")
    monkeypatch.setattr(Inverter, "invert", lambda *_: pytest.fail("a photograph was looked for again"))
    for drawn in ({}, {"backend": "torch", "precision": "fp32"}):  # by another machine, too
        explored = load_explored([tmp_path / "audit"], {**GIVEN, **drawn})
        ((name, code),) = explored.photographs
        assert name == "me.png"
        assert code.shape == (1, generator.space.size)
