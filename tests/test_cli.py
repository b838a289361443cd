"""The command line: thin, one line per error, non-zero exits."""

from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
from torch import nn

from zoom_engine.cli import main
from zoom_engine.errors import ConfigError
from zoom_engine.targets import BinaryTask, Preprocessing, Target, save_onnx

RUN = ["diagnose", "--generator", "avatars", "--target", "avatars:mustache", "--attribute", "a smiling face"]


def test_diagnose_from_a_config_file_where_the_command_line_wins(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    config = tmp_path / "audit.toml"
    config.write_text(
        'generator = "avatars"\ntarget = "avatars:mustache"\nattributes = ["a smiling face"]\nimages = 50\n'
    )
    out = tmp_path / "audit"
    assert main(["diagnose", "--config", str(config), "--images", "2", "--out", str(out)]) == 0
    assert "a smiling face" in capsys.readouterr().out
    assert json.loads((out / "summary.json").read_text())["images"] == 2
    (out / "report.html").unlink()
    assert main(["report", str(out)]) == 0
    assert (out / "report.html").is_file()


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ([*RUN, "--out", "{}/a", "--images", "0"], "images must be"),
        (["diagnose", "--generator", "avatars", "--out", "{}/a"], "--target is missing"),
        (["diagnose", "--config", "{}/none.toml"], "cannot read"),
        (["report", "{}/none"], "does not exist"),
        ([*RUN, "--out", "{}/a", "--device", "toaster"], "unknown device"),
        ([*RUN, "--out", "{}/a", "--threads", "0"], "threads must be at least 1"),
        ([*RUN, "--out", "{}/a", "--template", "best"], "no set of templates"),
        ([*RUN, "--out", "{}/a", "--search", "cmaes"], "cmaes has no single mode"),
        ([*RUN[:3], "--target", "avatars:none", "--out", "{}/a"], "no target"),
        (["diagnose", "--generator", "{}/none.pkl", "--target", "avatars:mustache", "--out", "{}/a"], "no generator"),
    ],
)
def test_errors_are_one_line_and_exit_1(
    arguments: list[str], says: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([part.format(tmp_path) for part in arguments]) == 1
    error = capsys.readouterr().err.strip().splitlines()[-1]
    assert error.startswith("zoom-engine: ")
    assert says in error
    assert not (tmp_path / "a").exists()


def test_threads_are_what_every_runtime_takes(tmp_path: Path) -> None:
    before = torch.get_num_threads()
    try:
        assert main([*RUN, "--images", "1", "--threads", "2", "--out", str(tmp_path / "a")]) == 0
    finally:
        torch.set_num_threads(before)
    environment = json.loads((tmp_path / "a" / "manifest.json").read_text())["environment"]
    assert environment["threads"] == 2
    assert environment["synthesis"].get("settings", {"threads": 2})["threads"] == 2


@pytest.mark.parametrize(
    ("line", "wanted"),
    [
        ('generator_class = "x"', "'generator_class' must be a whole number, got 'x'"),
        ("images = true", "'images' must be a whole number, got True"),
        ('attributes = "a smiling face"', "'attributes' must be a list of texts"),
        ('truncation = "0.7"', "'truncation' must be a number"),
        ("target = 3", "'target' must be a text, got 3"),
        ("threads = 0", "threads must be at least 1"),
        ("images = [", "is not a TOML file"),
        ("images = " + "[" * 100_000, "is not a TOML file"),
    ],
)
def test_a_config_file_of_wrong_values_is_one_line(
    line: str, wanted: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "audit.toml").write_text(line)
    assert main(["diagnose", "--config", str(tmp_path / "audit.toml")]) == 1
    message = capsys.readouterr().err
    assert wanted in message
    assert message.count("\n") == 1


def test_an_unknown_option_in_a_config_file_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "audit.toml").write_text("imagse = 3\n")
    assert main(["diagnose", "--config", str(tmp_path / "audit.toml")]) == 1
    assert "imagse" in capsys.readouterr().err


def test_edit_writes_a_sheet_of_the_right_size(tmp_path: Path) -> None:
    from PIL import Image

    out = tmp_path / "sheet.png"
    arguments = ["edit", "--attribute", "a face with a beard", "--weights=-5,0,5", "--seeds", "0-1", "--out", str(out)]
    assert main(arguments) == 0
    with Image.open(out) as sheet:
        assert sheet.size == (3 * 128, 2 * 128)


def test_info_says_what_runs(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["info"]) == 0
    printed = capsys.readouterr().out
    assert "torch" in printed
    assert "avatars" in printed


@pytest.fixture
def small_onnx(tmp_path: Path) -> Path:
    """A classifier of 32×32 images."""
    torch.manual_seed(0)
    network = nn.Sequential(nn.Conv2d(3, 4, 5, stride=4), nn.ReLU(), nn.Flatten(), nn.Linear(4 * 49, 1))
    with torch.no_grad():
        network[-1].weight.mul_(40)  # type: ignore[operator, union-attr]
    target = Target(network, name="small", task=BinaryTask(), preprocessing=Preprocessing(size=32))
    save_onnx(target, tmp_path / "small.onnx")
    return tmp_path / "small.onnx"


def test_view_draws_what_the_target_sees(small_onnx: Path, tmp_path: Path) -> None:
    from PIL import Image

    out = tmp_path / "seen.png"
    arguments = ["view", "--target", str(small_onnx), "--input-mean", "0.5", "--seeds", "0-2", "--out", str(out)]
    assert main(arguments) == 0
    with Image.open(out) as seen:
        assert seen.size == (3 * 32, 32)


def test_a_function_by_name_is_a_target_of_the_command_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "service.py").write_text("def bright(pixels):\n    return pixels.mean((1, 2, 3)) / 255\n")
    arguments = ["view", "--target", f"python:{tmp_path / 'service.py'}:bright", "--seeds", "0-1"]
    assert main([*arguments, "--out", str(tmp_path / "seen.png")]) == 1
    assert "say so with trust=True (--trust)" in capsys.readouterr().err
    assert not (tmp_path / "seen.png").exists()
    assert main([*arguments, "--trust", "--out", str(tmp_path / "seen.png")]) == 0


def test_target_options_of_file_and_command_line_come_together() -> None:
    from zoom_engine.cli import _target_options, build_parser

    parsed = build_parser().parse_args(
        ["diagnose", "--trust", "--class", "cat", "--class", "dog", "--input-size", "32,48", "--input-std", "0.2"]
    )
    values = {
        "target_options": {"kind": "logits", "preprocessing": {"size": 8, "layout": "NHWC"}},
        **{key: value for key, value in vars(parsed).items() if value is not None},
    }
    assert _target_options(values) == {
        "trust": True,
        "kind": "logits",
        "classes": ["cat", "dog"],
        "preprocessing": {"size": (32, 48), "layout": "NHWC", "std": [0.2]},
    }
    with pytest.raises(ConfigError, match="must be tables"):
        _target_options({"target_options": 3})


def test_words_lists_what_the_text_encoder_knows(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["words", "avatars"]) == 0
    words = capsys.readouterr().out.split()
    assert words == sorted(words)
    assert {"beard", "smile", "specs", "wearing"} <= set(words)


def test_words_says_where_a_text_encoder_does_not_tell(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("zoom_engine.text.load_text_encoder", lambda _: SimpleNamespace(name="clip", words=None))
    assert main(["words", "clip"]) == 0
    assert "text encoder 'clip' does not say which words it was trained on" in capsys.readouterr().out


def test_a_misspelt_word_is_answered_with_the_one_meant(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    command = [
        "diagnose",
        "--generator",
        "avatars",
        "--target",
        "avatars:mustache",
        "--attribute",
        "a face with a beerd",
    ]
    assert main([*command, "--out", str(tmp_path / "a")]) == 1
    said = capsys.readouterr().err
    assert "'avatars' was never trained on 'beerd' (did you mean 'beard'" in said
    assert "zoom-engine words avatars" in said
