"""`python -m lab.DOMAIN.train all`: every part in its order, what each took added up, and errors of one line."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

from lab.pets.train.subject import RECIPES
from lab.training.command import train_parts
from lab.training.targets import chosen
from zoom_engine.common.errors import ConfigError


def test_all_parts_run_in_their_order_and_their_times_add_up(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    called: list[tuple[str, Path]] = []
    parts = {
        "probe": lambda work, out: called.append(("probe", out)),
        "text": lambda work, out: called.append(("text", out)),
    }

    def run(*given: str) -> None:
        monkeypatch.setattr(sys, "argv", ["train", *given, "--work", str(tmp_path)])
        train_parts("pets", parts, Path("weights"), probe=Path("lab/probe.safetensors"), order="")

    run("all")
    assert called == [("probe", Path("lab")), ("text", Path("weights"))]
    before = json.loads((tmp_path / "times.json").read_text())
    assert list(before) == ["probe", "text"]
    (tmp_path / "times.json").write_text(json.dumps({"text": {"clock": 100.0, "processor": 50.0}}))
    run("text")
    assert json.loads((tmp_path / "times.json").read_text())["text"]["clock"] >= 100.0
    assert "text: 50 s of the processor in all" in capsys.readouterr().err


def test_some_targets_are_trained_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    called: list[list[str]] = []
    parts = {name: lambda work, out, *, only=(): called.append(list(only)) for name in ("text", "targets")}

    def run(*given: str) -> None:
        monkeypatch.setattr(sys, "argv", ["train", *given, "--work", str(tmp_path)])
        train_parts("pets", parts, tmp_path, probe=tmp_path / "probe", order="")

    run("targets", "--only", "dog")
    run("targets")
    assert called == [["dog"], []]
    with pytest.raises(SystemExit, match="2"):
        run("text", "--only", "dog")
    assert chosen(RECIPES, ["dog-biased-fur"]) == [(2, RECIPES[2])]
    with pytest.raises(ConfigError, match="unknown recipe 'cat': choose from dog, dog-biased-collar"):
        chosen(RECIPES, ["cat"])


def test_what_is_wrong_is_told_in_a_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def refuse(work: Path, out: Path) -> None:
        raise ConfigError("render more")

    monkeypatch.setattr(sys, "argv", ["train", "probe", "--work", str(tmp_path)])
    with pytest.raises(SystemExit, match="1"):
        train_parts("pets", {"probe": refuse}, tmp_path, probe=tmp_path / "probe", order="")
    assert capsys.readouterr().err.splitlines()[-1] == "error: render more"
