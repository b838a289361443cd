"""How arguments are read: wrong ones are one line with the way out, and a minus does not make an option of a value."""

from __future__ import annotations

import importlib
from pathlib import Path
from typing import Any

import pytest

from zoom_engine.cli import build_app, main
from zoom_engine.common.errors import ConfigError


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["nope"], 'Unknown command "nope". Available commands: demo, diagnose'),
        (["diagnos"], 'Did you mean "diagnose"?'),
        (["diagnose", "--imags", "3"], "Unknown option: --imags. Did you mean --images?"),
        (["diagnose", "--images", "many"], "--images: write a whole number, or auto, not 'many'"),
        (["diagnose", "--level", "high"], "--level: write a number, not 'high'"),
        (["diagnose", "--mode", "sngle"], 'Choose from: "single", "multi". Did you mean "single"?'),
        (["diagnose", "--loss-weights", "1,2"], "--loss-weights: write three numbers"),
        (["diagnose", "--search-option", "steps"], "write NAME=VALUE, such as steps=4, not 'steps'"),
        (["diagnose", "--attribute", "--images", "3"], "--attribute requires an argument"),
        (["diagnose", "--images", "3", "--images", "4"], "--images specified multiple times"),
        (["edit", "--out", "a.png"], "--attribute requires an argument"),
        (["edit", "--out", "a.png", "--attribute", "a hat", "--weights", "-3,few"], "not '-3,few'"),
        (["view", "--target", "avatars:mustache"], "--out requires an argument"),
        (["view", "--target", "x", "--out", "a.png", "--input-channels", "RBG"], 'Choose from: "RGB", "BGR"'),
        (["report"], "AUDIT requires an argument"),
        (["report", "a", "b"], "['b']"),
    ],
)
def test_a_wrong_line_is_answered_with_one(arguments: list[str], says: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(arguments) == 2
    printed = capsys.readouterr()
    assert printed.out == ""
    assert printed.err.startswith("zoom-engine: ")
    assert printed.err.count("\n") == 1
    assert says in printed.err
    command = (
        ["zoom-engine", *arguments[:1]] if arguments[0] in ("diagnose", "edit", "view", "report") else ["zoom-engine"]
    )
    assert printed.err.endswith(f"(see {' '.join(command)} --help)\n")


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["form", 'headers={Authorization = "Bearer abc"}'], "not 'form' (see"),
        (["Authorization: Bearer abc"], "not 'Authorization' (see"),
        (["Authorization: Bearer abc=="], "not 'Authorization' (see"),
    ],
)
def test_no_message_shows_a_header(words: list[str], says: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["diagnose", *(word for text in words for word in ("--service", text))]) == 2
    printed = capsys.readouterr().err
    assert says in printed
    assert "abc" not in printed


@pytest.mark.parametrize("weights", [["--weights", "-30,-15,0"], ["--weights=-30,-15,0"]])
def test_numbers_may_begin_with_a_minus(weights: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[dict[str, Any]] = []

    def write(out: Path, **given: Any) -> None:
        asked.append(given)
        raise ConfigError("enough")

    monkeypatch.setattr("zoom_engine.commands.edit_sheet.write_edit_sheet", write)
    assert main(["edit", "--attribute", "a hat", *weights, "--seeds", "0-2,7", "--out", "a.png"]) == 1
    assert asked[0]["weights"] == [-30, -15, 0]
    assert asked[0]["seeds"] == [0, 1, 2, 7]
    assert asked[0]["generator"] == "avatars"


def test_what_was_given_reaches_the_view(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    asked: list[dict[str, Any]] = []
    monkeypatch.setattr(
        "zoom_engine.commands.target_view.write_target_view", lambda out, **given: asked.append(given) or ["seen"]
    )
    options = ["--download", "--class", "cat", "--class", "dog", "--input-range", "-1,1", "--input-mean", "-0.5"]
    assert main(["view", "--target", "x.onnx", "--out", "a.png", *options]) == 0
    assert asked[0]["target_options"] == {
        "download": True, "classes": ["cat", "dog"], "preprocessing": {"value_range": [-1, 1], "mean": [-0.5]},
    }  # fmt: skip
    assert list(asked[0]["seeds"]) == list(range(8))
    assert "Open a.png" in capsys.readouterr().out


def test_ctrl_c_is_130(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    def interrupt(**_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("zoom_engine.commands.info.describe", interrupt)
    assert main(["info"]) == 130
    assert capsys.readouterr().err == "zoom-engine: interrupted; run the same command again to continue\n"


def test_options_are_read_where_pydantic_is_loaded() -> None:
    """cyclopts then holds each default to its option's type; so does a program that calls the command line."""
    importlib.import_module("pydantic")
    line = "diagnose --attribute a --attribute b --template general --images 3"
    _, read, _ = build_app().parse_args(line.split(), print_error=False, exit_on_error=False)
    assert read.arguments == {"attributes": ["a", "b"], "templates": ["general"], "images": 3}


def test_a_page_of_experiments_keeps_no_secrets(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    told: list[str] = []
    monkeypatch.setattr("zoom_engine.experiments.run.run_experiment", lambda *_, **__: tmp_path)
    monkeypatch.setattr("zoom_engine.experiments.docs.write_docs", lambda *_, command: told.append(command))
    words = ["experiment", "traversal", "--out", str(tmp_path), "--docs", str(tmp_path), "--service"]
    for header in ("headers={A='secret'}", "timeout=5", "url=http://me:secret@host/predict"):
        monkeypatch.setattr("sys.argv", ["zoom-engine", *words, header])
        assert main([*words, header]) == 0
    assert told[0].endswith(" --service headers=...")
    assert told[1].endswith(" --service timeout=5")
    assert told[2].endswith(" --service url=http://USER:PASSWORD@host/predict")
