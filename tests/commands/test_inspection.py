"""`zoom-engine inspect` tells generators from targets by what is in the file."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

import pytest
import torch
from onnx import TensorProto, helper
from safetensors.torch import save_file

from zoom_engine.cli import main
from zoom_engine.commands.inspection import describe_file, holds_target
from zoom_engine.common.errors import CheckpointError
from zoom_engine.domains.avatars.weights import WEIGHTS
from zoom_engine.targets import load_target, save_onnx


@pytest.mark.parametrize(
    ("name", "target", "word"),
    [
        ("generator.safetensors", False, "resolution"),
        ("target.onnx", True, "ONNX model"),
        ("targets/eyeglasses.safetensors", True, "kind"),
    ],
)
def test_our_files_are_told_apart(name: str, target: bool, word: str, tmp_path: Path) -> None:
    path = WEIGHTS / name
    if path.suffix == ".onnx":
        path = tmp_path / name
        save_onnx(load_target("avatars:eyeglasses"), path, resolution=128)
    assert holds_target(path) is target
    described = describe_file(path).text
    assert word in described
    assert "sha-256" in described
    assert str(path.stat().st_size) in described


def test_a_suffix_proves_nothing(tmp_path: Path) -> None:
    disguised = tmp_path / "classifier.pt"
    disguised.write_bytes((WEIGHTS / "generator.safetensors").read_bytes())
    assert not holds_target(disguised)
    assert "zoom-engine safetensors" in describe_file(disguised).text


def test_an_architecture_with_weights_shows_the_librarys_preprocessing_and_the_users_options(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "w.pt").write_bytes(b"weights that nobody reads")
    for spec, says in (("torchvision:squeezenet1_1", "size 224, resize_size 256"), ("timm:resnet10t", "size 176")):
        assert main(["inspect", f"{spec}@{tmp_path / 'w.pt'}"]) == 0
        printed = capsys.readouterr().out
        assert says in printed
        assert "mean [0.485, 0.456, 0.406]" in printed
        assert hashlib.sha256((tmp_path / "w.pt").read_bytes()).hexdigest() in printed
    assert main(["inspect", f"timm:resnet10t@{tmp_path / 'w.pt'}", "--input-size", "64", "--input-mean", "0.5"]) == 0
    printed = capsys.readouterr().out
    assert "preprocessing: size 64, resize bicubic, value_range [0.0, 1.0], mean [0.5]" in printed
    assert main(["inspect", str(WEIGHTS / "generator.safetensors"), "--input-size", "64"]) == 1
    assert "is no target" in capsys.readouterr().err


def test_the_weights_of_a_target_alone_are_told_from_a_generator(tmp_path: Path) -> None:
    torch.save({"conv1.weight": torch.zeros(2)}, tmp_path / "w.pt")
    assert "as torchvision:NAME@FILE or timm:NAME@FILE" in str(describe_file(tmp_path / "w.pt").refusal)


def test_a_target_that_is_refused_is_described_and_then_an_error(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    ends = [helper.make_tensor_value_info(name, TensorProto.FLOAT, (1, 1, 8, 8)) for name in ("x", "y")]
    graph = helper.make_graph([helper.make_node("Relu", ["x"], ["y"])], "g", ends[:1], ends[1:])
    path = tmp_path / "grey.onnx"
    path.write_bytes(helper.make_model(graph).SerializeToString())
    assert main(["inspect", str(path)]) == 1
    printed, error = capsys.readouterr()
    assert "ONNX model" in printed
    assert error == f"zoom-engine: {path}: takes images of 1 channels; RGB images have 3\n"


def test_a_program_is_no_error_but_needs_trust(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    program = torch.export.export(torch.nn.Flatten(), (torch.rand(2, 3, 8, 8),))
    torch.export.save(program, tmp_path / "model.pt2")
    assert main(["inspect", str(tmp_path / "model.pt2")]) == 0
    assert "needs:        --trust" in capsys.readouterr().out


def test_names_in_a_file_cannot_command_the_terminal(tmp_path: Path) -> None:
    save_file({"\x1b[2J": torch.zeros(1)}, tmp_path / "w.safetensors")
    described = describe_file(tmp_path / "w.safetensors").text
    assert all(line.isprintable() for line in described.splitlines())


def test_what_is_neither_is_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["inspect", str(tmp_path / "absent")]) == 1
    assert capsys.readouterr().err.count("\n") == 1
    os.mkfifo(tmp_path / "pipe")  # was waited for, for ever
    with pytest.raises(CheckpointError, match="it is a folder, a pipe or a device, and no file"):
        describe_file(tmp_path / "pipe")
