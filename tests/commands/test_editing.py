"""What edits pictures without a target finds what an audit finds."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
import torch

from zoom_engine import Diagnoser
from zoom_engine.cli import main
from zoom_engine.commands.edit_sheet import write_edit_sheet
from zoom_engine.commands.editing import Editing
from zoom_engine.common.errors import ConfigError
from zoom_engine.common.progress import silent


@pytest.mark.slow
def test_directions_and_ranges_of_edits_are_those_of_an_audit() -> None:
    """With another text encoder's precision they were others, and the pictures that audits measure were made anew."""
    attributes = ["a smiling face"]
    audit = Diagnoser(generator="avatars", target="avatars:mustache", attributes=attributes)
    editing, directions = Editing.of("avatars", attributes), audit.edit_directions()
    assert torch.equal(editing.directions.matrix, directions.matrix)
    assert torch.equal(editing.calibrated.bounds, audit.calibrated_range(directions).bounds)


def test_images_are_truncated_in_the_layers_that_edit_directions_are_measured_in() -> None:
    """Directions and ranges were those of a truncation of two layers, on pictures that were truncated in all."""
    truncated: dict[str, Any] = {"truncation": 0.3, "truncation_cutoff": 2}
    editing = Editing.of("avatars", **truncated)
    assert torch.equal(editing.styles([0, 1]), editing.generator.sample([0, 1], **truncated))
    assert not torch.equal(editing.styles([0, 1]), editing.generator.sample([0, 1], truncation=0.3))


def test_each_option_of_a_sheet_reaches_the_edits(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: dict[str, Any] = {}

    def of(generator: str, attributes: Sequence[str], **given: Any) -> None:
        asked.update(given)
        raise ConfigError("enough")

    monkeypatch.setattr(Editing, "of", of)
    options = ["--generator-class", "2", "--neutral", "a face", "--text-encoder", "x", "--download", "--trust"]
    line = ["edit", "--attribute", "a hat", "--out", str(tmp_path / "a.png"), "--directions", "sampled"]
    assert main([*line, *options, "--truncation", "0.5"]) == 1
    assert asked.pop("progress") is not silent
    assert asked == {
        "directions": "sampled", "truncation": 0.5, "generator_class": 2, "generator_options": {"trust": True},
        "neutral": "a face", "text_encoder": "x", "download": True,
    }  # fmt: skip
    with pytest.raises(TypeError, match="sheed"):
        write_edit_sheet(tmp_path / "a.png", generator="avatars", attributes=["a hat"], sheed=3)  # type: ignore[call-arg]


@pytest.mark.parametrize("options", [["--weights", "0,nan"], ["--weights", "inf"], ["--truncation", "nan"]])
def test_a_sheet_is_of_finite_weights(options: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """What is none was drawn: black squares under the heading “nan”, and the command ended well."""
    assert main(["edit", "--attribute", "a smiling face", "--out", str(tmp_path / "a.png"), *options]) == 1
    assert "weights and truncation must be finite numbers" in capsys.readouterr().err
    assert not (tmp_path / "a.png").exists()


@pytest.mark.parametrize(
    ("attribute", "options", "told"),
    [
        ("scratch=examples:a,without:b", [], "'scratch' is given by pictures with and without it"),
        ("older=scorer:age.onnx", [], "'older' is given by a scorer"),
        ("component 1", ["--directions", __file__], "directions are a method here, not a file"),
    ],
)
def test_a_sheet_of_edits_that_no_words_give_is_refused(
    attribute: str, options: list[str], told: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """They were read as words: of a CLIP, which knows any, the sheet showed another edit than the audit's."""
    assert main(["edit", "--attribute", attribute, "--out", str(tmp_path / "a.png"), *options]) == 1
    assert told in capsys.readouterr().err
    assert not (tmp_path / "a.png").exists()
