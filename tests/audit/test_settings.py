"""`AuditSettings`: the options of an audit, and what they alone show to be wrong."""

from __future__ import annotations

import dataclasses
import sys
from pathlib import Path
from typing import Any

import pytest

from zoom_engine import AuditSettings, diagnoser
from zoom_engine.audit import settings
from zoom_engine.audit.settings import LossWeights, RunSettings, option, options_of
from zoom_engine.cli import config, main
from zoom_engine.errors import CheckpointError, ConfigError

GIVEN: dict[str, Any] = {"generator": "avatars", "target": "avatars:mustache"}


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"edit_range": "wide"}, "unknown range 'wide'"),
        ({"batch_size": 0}, "batch size"),
        ({"threshold": 1.0}, "threshold λ"),
        ({"threshold": float("nan")}, "threshold λ"),
        ({"level": 0.0}, "level"),
        ({"level": 1.5}, "level"),
        ({"truncation": float("inf")}, "truncation"),
        ({"purpose": " "}, "purpose must be one line"),
        ({"purpose": "for\nthe board"}, "purpose must be one line"),
        ({"purpose": "x" * 301}, "purpose must be one line of 1 to 300 characters"),
        ({"truncation_cutoff": -1}, "truncation cutoff"),
        ({"decisive_change": 1.5}, "decisive_change"),
        ({"smallest_effect": -0.1}, "smallest_effect"),
        ({"null": -1}, "null counts random directions"),
        ({"null": 2, "mode": "multi"}, "null belongs to single mode"),
        ({"by": ["a face with a hat"], "mode": "multi"}, "by belongs to single mode"),
        ({"by": []}, "give at least one"),
        ({"keep": ["a face", "a face"]}, "neutral prompt"),
        ({"wordings": 1}, "wordings must be in 2"),
        ({"wordings": 4, "edit_range": "paper"}, "wordings belong to single mode"),
        ({"correction": "bonferroni"}, "unknown correction 'bonferroni'"),
        ({"attributes": "a smiling face", "neutral": "a face"}, "not a text"),
        ({"labels": ["a face"]}, "at least two"),
    ],
)
def test_wrong_options_are_refused(options: dict[str, Any], says: str) -> None:
    with pytest.raises(ConfigError, match=says):
        AuditSettings(**GIVEN, **options)


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
    for module in (settings, config, diagnoser):
        monkeypatch.setattr(module, "AuditSettings", MoreSettings)
    monkeypatch.delitem(sys.modules, "zoom_engine.cli.diagnose", raising=False)  # it is made of the settings it finds
    audit = diagnoser.Diagnoser(**GIVEN, attributes=["a smiling face"], zoom=5)
    assert audit.config(RunSettings())["zoom"] == 5
    assert diagnoser.Diagnoser(**GIVEN, attributes=["a smiling face"]).config(RunSettings())["zoom"] == 3
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


@pytest.mark.parametrize(
    ("attributes", "images", "null", "held"),
    [(1, 16, None, 16), (1, 200, None, 108), (1, 200, 4, 200), (2, 200, None, 200)],
)
def test_one_attribute_alone_does_not_pay_for_random_directions_on_every_image(
    attributes: int, images: int, null: int | None, held: int
) -> None:
    assert AuditSettings(**GIVEN, null=null).null_images(attributes, images) == held
