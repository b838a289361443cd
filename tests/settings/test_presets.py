"""Presets: the package's are sound, a user's own file is one, and what the user says wins."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest

from zoom_engine.cli import main
from zoom_engine.common.errors import ConfigError
from zoom_engine.settings.attributes import check_labels, parse_attributes
from zoom_engine.settings.audit_settings import AuditSettings, settings_with
from zoom_engine.settings.presets import find_preset, preset_file, preset_names, read_preset
from zoom_engine.text import find_templates

OWN = """
neutral = "a bird"
attributes = ["a red bird|a bird that is red", "a small bird", "a large bird"]
[labels]
size = ["a small bird", "a large bird"]
"""


@pytest.mark.parametrize("name", preset_names())
def test_the_packages_presets_are_sound(name: str) -> None:
    preset = read_preset(preset_file(name))
    assert len(parse_attributes(preset.attributes, neutral=preset.neutral)) >= 12
    assert preset.labels
    assert all(len(check_labels(prompts)) >= 2 for prompts in preset.labels.values())
    assert preset.templates is not None
    assert find_templates(preset.templates)


def test_there_are_those_of_the_papers_domains() -> None:
    assert set(preset_names()) >= {"faces", "cats", "dogs", "wild", "churches", "cars"}


def test_a_preset_fills_in_what_was_left_open() -> None:
    preset, labels = find_preset("faces:smiling")
    settings = AuditSettings(generator="avatars", target="avatars:age", preset="faces:smiling")
    assert settings.neutral == "a face"
    assert settings.templates == "faces"
    assert settings.labels == labels == ("a serious face", "a smiling face")
    assert settings.attributes is not None
    assert len(settings.attributes) == len(preset.attributes) - 1
    assert "a smiling face" not in settings.attributes  # the target's own class
    assert settings.deciding()["attributes"][0] == "an angry face"


def test_what_is_said_wins_over_the_preset() -> None:
    settings = AuditSettings(
        generator="avatars",
        target="avatars:age",
        preset="faces:age",
        attributes=["a face with a hat"],
        neutral="a head",
        labels=[],
        templates="none",
    )
    assert (settings.attributes, settings.neutral, settings.labels, settings.templates) == (
        ["a face with a hat"],
        "a head",
        [],
        "none",
    )


def test_templates_that_are_said_win_though_they_are_those_by_default() -> None:
    given = {"generator": "avatars", "target": "avatars:age", "preset": "faces"}
    asked = settings_with(None, {**given, "templates": "general"})
    assert asked.templates == settings_with(asked, {"neutral": "a head"}).templates == "general"
    assert settings_with(AuditSettings(generator="avatars", target="avatars:age"), given).templates == "faces"


def test_another_preset_brings_its_own_in_place_of_the_firsts(tmp_path: Path) -> None:
    path = tmp_path / "birds.toml"
    path.write_text(OWN)
    faces = AuditSettings(generator="avatars", target="avatars:age", preset="faces:smiling", neutral="a head")
    birds = settings_with(faces, {"preset": f"{path}:size"})
    assert birds == dataclasses.replace(
        AuditSettings(generator="avatars", target="avatars:age", preset=f"{path}:size"), neutral="a head"
    )
    assert birds.attributes == ("a red bird|a bird that is red",)
    assert birds.labels == ("a small bird", "a large bird")
    assert birds.templates == "general"


def test_attributes_that_name_a_class_are_left_out_by_the_labels_that_are_given() -> None:
    """By the preset's a target with labels of its own was audited for its own class, and not for the preset's."""
    _, labels = find_preset("faces:beard")
    smiling = AuditSettings(generator="avatars", target="avatars:age", preset="faces:smiling")
    settings = AuditSettings(generator="avatars", target="avatars:age", preset="faces:smiling", labels=labels)
    assert settings_with(smiling, {"labels": labels}) == settings, "said later it is the same"
    assert settings.labels == labels
    assert settings.attributes is not None
    assert "a face with a beard" not in settings.attributes
    assert "a smiling face" in settings.attributes


def test_a_file_of_ones_own_is_a_preset(tmp_path: Path) -> None:
    path = tmp_path / "birds.toml"
    path.write_text(OWN)
    settings = AuditSettings(generator="avatars", target="avatars:age", preset=f"{path}:size")
    assert settings.attributes == ("a red bird|a bird that is red",)
    assert settings.labels == ("a small bird", "a large bird")
    assert settings.templates == "general"
    without = AuditSettings(generator="avatars", target="avatars:age", preset=path)
    assert without.labels is None
    assert without.attributes is not None
    assert len(without.attributes) == 3


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("neutral = 'a'", "'attributes' is missing"),
        ("attributes = ['b']", "'neutral' is missing"),
        ("neutral = 'a'\nattributes = 'b'", "'attributes' must be a list of texts"),
        ("neutral = 'a'\nattributes = ['b', 3]", "'attributes' must be a list of texts"),
        ("neutral = 'a'\nattributes = []", "at least one attribute"),
        ("neutral = 'a'\nattributes = ['a']", "repeats the neutral prompt"),
        ("neutral = 'a'\nattributes = ['b']\ncolour = 'red'", "unknown key 'colour'"),
        ("neutral = 'a'\nattributes = ['b']\n[labels]\nx = 'y'", "label set 'x' must be a list of texts"),
        ("neutral = 'a'\nattributes = ['b']\n[labels]\nx = ['y']", "at least two prompts"),
        ("neutral = ", "is not a TOML file"),
        ("neutral = 'a\\u0007'\nattributes = ['b']".replace("'a", '"a').replace("0007'", '0007"'), "control character"),
    ],
)
def test_a_file_that_is_none_is_refused_in_one_line(tmp_path: Path, text: str, reason: str) -> None:
    path = tmp_path / "own.toml"
    path.write_text(text)
    with pytest.raises(ConfigError, match=reason) as caught:
        find_preset(path)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("spec", "reason"),
    [
        ("planes", "no preset 'planes'; there are cars"),
        ("faces:", "no label set ''; it has gender"),
        ("faces:mood", "no label set 'mood'; it has gender"),
        ("nowhere/own.toml", "cannot read preset nowhere"),
        ("../faces", "no preset"),
    ],
)
def test_what_is_not_there_is_told_with_what_is(spec: str, reason: str) -> None:
    with pytest.raises(ConfigError, match=reason):
        find_preset(spec)


def test_names_of_label_sets_are_told_on_one_short_printable_line(tmp_path: Path) -> None:
    path = tmp_path / "own.toml"
    names = ["\\u001b[2J", "a\\nb", *(f"set {number}" for number in range(500))]
    sets = "".join(f'"{name}" = ["a cat", "a dog"]\n' for name in names)
    path.write_text(f'neutral = "a pet"\nattributes = ["a pet with a hat"]\n[labels]\n{sets}')
    with pytest.raises(ConfigError, match="has no label set 'age'; it has ") as caught:
        find_preset(f"{path}:age")
    assert str(caught.value).isprintable()
    assert len(str(caught.value)) < 400 + len(str(path))


def test_the_command_lists_and_prints_them(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    assert main(["presets"]) == 0
    assert "churches  Churches: checkpoints of LSUN Church" in capsys.readouterr().out
    assert main(["presets", "cats"]) == 0
    copied = tmp_path / "copied.toml"
    copied.write_text(capsys.readouterr().out)
    assert read_preset(copied) == find_preset("cats")[0]
    assert main(["presets", "planes"]) == 1
    assert capsys.readouterr().err.startswith("zoom-engine: no preset 'planes'")
