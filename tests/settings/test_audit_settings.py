"""`AuditSettings`: the options of an audit, and what they alone show to be wrong."""

from __future__ import annotations

import dataclasses
import importlib
import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from zoom_engine import AuditSettings, cli
from zoom_engine.cli import config, main
from zoom_engine.common.errors import CheckpointError, ConfigError
from zoom_engine.diagnose import diagnoser
from zoom_engine.diagnose.identity import config as config_of
from zoom_engine.settings import audit_settings as settings
from zoom_engine.settings.audit_settings import LossWeights, RunSettings, option, options_of
from zoom_engine.settings.model_settings import TargetSettings

GIVEN: dict[str, Any] = {"generator": "avatars", "target": "avatars:mustache"}
COMPLETE = AuditSettings(**GIVEN)


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"edit_range": "wide"}, "'edit_range' must be 'calibrated' or 'paper', got 'wide'"),
        ({"batch_size": 0}, "batch size"),
        ({"threshold": 1.0}, "threshold λ"),
        ({"threshold": float("nan")}, "threshold λ"),
        ({"level": 0.0}, "level"),
        ({"level": 1.5}, "level"),
        ({"truncation": float("inf")}, "truncation"),
        ({"purpose": " "}, "purpose must be one line"),
        ({"purpose": "for\nthe board"}, "purpose must be one line"),
        ({"purpose": "x" * 301}, "purpose must be one line of 1 to 300 characters"),
        ({"owner": "a\tb"}, "owner must be one line of 1 to 300 characters"),
        ({"model_version": ""}, "model_version must be one line of 1 to 300 characters"),
        ({"model_version": 1.4}, "'model_version' must be a text"),
        ({"truncation": 0.7, "truncation_cutoff": -1}, "truncation cutoff counts layers"),
        ({"truncation_cutoff": 8}, "give truncation too"),
        ({"decisive_change": 1.5}, "decisive_change"),
        ({"smallest_effect": -0.1}, "smallest_effect"),
        ({"random_directions": -1}, "random_directions must be a number"),
        ({"random_directions": 2, "mode": "multi"}, "random_directions is for single mode"),
        ({"by": ["a face with a hat"], "mode": "multi"}, "by is for single mode"),
        ({"correction": "benjamini-hochberg", "mode": "multi"}, "correction is for single mode"),
        ({"smallest_effect": 0.2, "mode": "multi"}, "smallest_effect is for single mode"),
        ({"by": []}, "give at least one"),
        ({"keep": ["a face", "a face"]}, "neutral prompt"),
        ({"paraphrases": 1}, "paraphrases must be in 2"),
        ({"paraphrases": 4, "edit_range": "paper"}, "paraphrases are for single mode"),
        ({"correction": "bonferroni"}, "'correction' must be 'holm' or 'benj"),
        ({"attributes": "a smiling face", "neutral": "a face"}, "must be a list of texts, got 'a smiling"),
        ({"labels": ["a face"]}, "at least two"),
        ({"labels": ["a face", "A face "]}, "two prompts are the same"),
    ],
)
def test_wrong_options_are_refused(options: dict[str, Any], says: str) -> None:
    with pytest.raises(ConfigError, match=says):
        AuditSettings(**GIVEN, **options)


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"taget": "avatars:age"}, "unknown option 'taget'; did you mean 'target'?"),
        ({"zzz": 1}, "unknown option 'zzz'; known are generator, "),
        ({"search": "scann"}, "option 'search' cannot be 'scann'; did you mean 'scan'?"),
        ({"batch_size": "8"}, "option 'batch_size' must be a whole number, got '8'"),
        ({"truncation": None}, "option 'truncation' must be a number, got None"),
        ({"loss_weights": {"lable": 1}}, "unknown loss weight 'lable'; did you mean 'label'?"),
    ],
)
def test_what_no_option_takes_is_told_in_a_line_with_what_may_be_meant(options: dict[str, Any], says: str) -> None:
    for made in (lambda: AuditSettings(**GIVEN, **options), lambda: dataclasses.replace(COMPLETE, **options)):
        with pytest.raises(ConfigError) as error:
            made()
        assert str(error.value).startswith(says)
        assert "\n" not in str(error.value)


def test_an_option_that_an_audit_cannot_do_without_is_named() -> None:
    for name in GIVEN:
        with pytest.raises(ConfigError, match=f"option '{name}' is missing"):
            AuditSettings(**{other: value for other, value in GIVEN.items() if other != name})


def test_a_device_of_torch_is_its_name() -> None:
    assert AuditSettings(**GIVEN, device=torch.device("cpu")).device == "cpu"
    assert AuditSettings(**GIVEN, device=torch.device("cuda", 1)).device == "cuda:1"


def test_numbers_of_numpy_are_numbers() -> None:
    made = AuditSettings(**GIVEN, batch_size=np.int64(8), truncation=np.float32(0.5), paraphrases=np.uint8(3))
    assert made == AuditSettings(**GIVEN, batch_size=8, truncation=0.5, paraphrases=3)
    assert [type(value) for value in (made.batch_size, made.truncation, made.paraphrases)] == [int, float, int]
    run = RunSettings(images=np.int64(8), seed=np.int32(3))
    assert json.dumps(run.deciding()) == '{"images": 8, "seed": 3}'
    for wrong in (2.5, np.float64(8), "8", True):
        with pytest.raises(ConfigError, match="'images' must be a whole number or 'auto', got "):
            RunSettings(images=wrong)


def test_a_path_is_a_text_or_a_path(tmp_path: Path) -> None:
    assert AuditSettings(**GIVEN, cache=tmp_path, photos=tmp_path).cache == tmp_path
    assert AuditSettings(**GIVEN, cache=str(tmp_path)).cache == str(tmp_path)


def test_a_generator_that_is_nowhere_and_one_without_attributes_are_refused(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match="no generator"):
        AuditSettings(**{**GIVEN, "generator": "none.pkl"})
    (tmp_path / "some.pkl").write_bytes(b"")
    with pytest.raises(ConfigError, match="at least one attribute"):
        AuditSettings(**{**GIVEN, "generator": tmp_path / "some.pkl"})


@pytest.mark.parametrize("weights", [{"target": -1.0}, {"label": float("nan")}, {"structure": float("inf")}])
def test_loss_weights_are_finite_and_not_negative(weights: dict[str, float]) -> None:
    with pytest.raises(ConfigError, match="loss weight"):
        LossWeights(**weights)


@pytest.mark.parametrize("run", [{"images": 0}, {"images": 100_001}, {"seed": -1}, {"seed": 2**32}])
def test_images_without_numbers_are_refused(run: dict[str, int]) -> None:
    with pytest.raises(ConfigError, match=next(iter(run))):
        RunSettings(**run)


def test_what_decides_the_records_is_what_the_manifest_gets() -> None:
    settings = AuditSettings(**GIVEN, attributes=["a smiling face |a face with a smile"], truncation=0.7, batch_size=4)
    deciding = settings.deciding()
    assert deciding["attributes"] == ["a smiling face|a face with a smile"]
    assert deciding["truncation"] == 0.7
    assert deciding["loss_weights"] == {"target": 50.0, "structure": 10.0, "label": 1.0}
    assert "batch_size" not in deciding, "results do not depend on it"
    assert "search" not in deciding, "it is left open"
    assert AuditSettings(**GIVEN, batch_size=8).deciding() == AuditSettings(**GIVEN, device="cuda").deciding()


@pytest.mark.parametrize("headers", [{"Authorization": "Bearer 7f3a9c"}, ["Bearer 7f3a9c"], "Bearer 7f3a9c"])
def test_no_repr_and_no_message_shows_a_header(headers: Any) -> None:
    options = {"service": {"headers": headers}} if isinstance(headers, dict) else headers
    try:
        message = repr(AuditSettings(**GIVEN, target_options=options))
    except ConfigError as error:
        message = str(error)
    assert "7f3a9c" not in message
    assert "generator='avatars'" in message or "target_options" in message


@pytest.mark.parametrize(
    "given",
    [
        {**GIVEN, "target": "http://me:7f3a9c@127.0.0.1:8000/predict"},
        {**GIVEN, "target": ["http://me:7f3a9c@127.0.0.1:8000/predict", "https://me:7f3a9c@127.0.0.1/new"]},
        {"editor": "https://me:7f3a9c@127.0.0.1/edit", "photos": "photos", "target": "avatars:mustache"},
    ],
)
def test_no_repr_shows_the_password_of_an_address(given: dict[str, Any]) -> None:
    shown = repr(AuditSettings(**given))
    assert "7f3a9c" not in shown
    assert "://USER:PASSWORD@127.0.0.1" in shown
    assert "headers" not in repr(TargetSettings(service={"headers": {"Authorization": "7f3a9c"}}))


def test_every_option_says_what_it_is_and_cannot_be_changed() -> None:
    settings = AuditSettings(**GIVEN)
    for name, about in options_of(AuditSettings).items():
        assert about.text
        assert f"{name}: {about.text}" in str(AuditSettings.__doc__)
        with pytest.raises(dataclasses.FrozenInstanceError):
            setattr(settings, name, None)


@dataclasses.dataclass(frozen=True, kw_only=True)
class MoreSettings(AuditSettings):
    zoom: int = option("how near to look", 3, decides=True)


def test_a_field_is_all_that_an_option_takes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """One more field, and Python, file, command line, help and manifest have the option."""
    monkeypatch.setattr(cli, "diagnose", importlib.import_module("zoom_engine.cli.diagnose"))  # comes back after it
    for module in (settings, config, diagnoser):
        monkeypatch.setattr(module, "AuditSettings", MoreSettings)
    monkeypatch.delitem(sys.modules, "zoom_engine.cli.diagnose", raising=False)  # it is made of the settings it finds
    audit = diagnoser.Diagnoser(**GIVEN, attributes=["a smiling face"], zoom=5)
    assert config_of(audit.models, RunSettings())["zoom"] == 5
    plain = diagnoser.Diagnoser(**GIVEN, attributes=["a smiling face"])
    assert config_of(plain.models, RunSettings())["zoom"] == 3
    assert main(["diagnose", "--help"]) == 0
    assert "how near to look [default: 3]" in capsys.readouterr().out.partition("--zoom N")[2]
    file, asked = tmp_path / "audit.toml", []
    file.write_text('zoom = 7\ngenerator = "avatars"\ntarget = "avatars:mustache"\n')
    monkeypatch.setattr(diagnoser, "Diagnoser", lambda settings, **_: asked.append(settings.zoom))
    for given in ([], ["--zoom", "9"]):
        main(["diagnose", "--config", str(file), "--out", str(tmp_path / "out"), *given])
        assert "AttributeError" in capsys.readouterr().err, "of the stand-in, which audits nothing"
    assert asked == [7, 9]
    file.write_text('zoom = "near"\n')
    with pytest.raises(ConfigError, match="'zoom' must be a whole number"):
        config.read_config(file)


def test_an_option_of_one_test_is_none_in_others(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["diagnose", "--help"]) == 0
    assert "how near to look" not in capsys.readouterr().out


@pytest.mark.parametrize(
    ("attributes", "random_directions", "at_end", "of_them"),
    [
        *((1, None, True, (32, 8)), (3, None, True, (32, 9)), (8, None, True, (32, 20)), (40, None, True, (32, 20))),
        *((8, 4, True, (4, 4)), (8, 500, True, (500, 20)), (8, 0, True, (0, 0))),
        *((1, None, False, (16, 1)), (8, None, False, (16, 2)), (40, None, False, (16, 8)), (8, 1, False, (1, 1))),
    ],
)
def test_there_are_many_random_directions_and_each_image_pays_for_a_few(
    attributes: int, random_directions: int | None, at_end: bool, of_them: tuple[int, int]
) -> None:
    settings = AuditSettings(**GIVEN, random_directions=random_directions)
    assert (
        settings.random_direction_count(at_end=at_end),
        settings.random_per_image(attributes, at_end=at_end),
    ) == of_them


def test_by_attributes_stands_for_each_of_them() -> None:
    given = {**GIVEN, "attributes": ["a smiling face", "a face with a beard"]}
    settings = AuditSettings(**given, by=["a face with a hat", "attributes", "a smiling face"])
    prompts = ["a face with a hat", "a smiling face", "a face with a beard"]
    assert settings.told_apart_by(given["attributes"]) == settings.deciding()["by"] == prompts
    assert AuditSettings(**given, by=["attributes"]).deciding()["by"] == given["attributes"]
    assert AuditSettings(**given, by=["a face with a hat"]).told_apart_by(given["attributes"]) == ["a face with a hat"]


def test_by_attributes_of_a_domain_is_not_known_before_it_is_loaded() -> None:
    settings = AuditSettings(generator="avatars", target="avatars:mustache", by=["attributes"])
    assert "by" not in settings.deciding()
    with pytest.raises(ConfigError, match="neutral prompt"):
        AuditSettings(**GIVEN, by=["attributes", "a face"])


def test_who_answers_for_a_model_and_what_for_is_no_part_of_what_decides_the_records() -> None:
    about = {"owner": "Mona Risk", "purpose": "shaving adverts", "model_version": "1.4"}
    for given in (GIVEN, {"pairs": "pairs.csv", "target": "avatars:mustache"}):
        assert AuditSettings(**given, **about).deciding() == AuditSettings(**given).deciding()
