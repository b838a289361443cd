"""What is told of a target file without loading it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from onnx import TensorProto, helper
from safetensors.torch import save_file
from torch import nn

from zoom_engine.common.errors import TargetError
from zoom_engine.targets import BinaryTask, Preprocessing, Target, describe_target_file, save_onnx


def test_an_onnx_file(small_cnn: nn.Sequential, tmp_path: Path) -> None:
    task = BinaryTask(classes=("bare", "mustache"))
    save_onnx(
        Target(small_cnn, name="m", task=task, preprocessing=Preprocessing(size=24, mean=(0.5,))), tmp_path / "m.onnx"
    )
    lines = describe_target_file(tmp_path / "m.onnx")
    assert lines[0] == "kind: ONNX model"
    assert any(line.startswith("input: ") and "float [" in line and "3, 24, 24]" in line for line in lines)
    assert any(line.startswith("output: ") for line in lines)
    assert any("Conv" in line and line.startswith("operators: ") for line in lines)
    assert any("mustache" in line and line.startswith("task: ") for line in lines)
    assert any("size 24" in line and line.startswith("preprocessing: ") for line in lines)
    assert not any(line.startswith("note: ") for line in lines)
    lines = describe_target_file(tmp_path / "m.onnx", {"mean": [0.25], "channel_order": "BGR"})
    assert any("mean [0.25]" in line and "BGR" in line for line in lines)


def test_of_an_onnx_file_of_others_size_and_layout_are_told_and_the_rest_is_called_a_default(tmp_path: Path) -> None:
    def written(*sizes: int | str) -> Path:
        ends = [helper.make_tensor_value_info(name, TensorProto.FLOAT, sizes) for name in ("x", "y")]
        graph = helper.make_graph([helper.make_node("Relu", ["x"], ["y"])], "g", ends[:1], ends[1:])
        path = tmp_path / "others.onnx"
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
        path.write_bytes(model.SerializeToString())
        return path

    lines = describe_target_file(written("n", 40, 30, 3), {"value_range": [0.0, 255.0]})
    used = next(line for line in lines if line.startswith("preprocessing: "))
    assert "size [40, 30]" in used
    assert "layout NHWC" in used
    assert "value_range [0.0, 255.0]" in used
    assert any(line.startswith("note: the file does not tell its preprocessing but size and layout") for line in lines)
    assert any(
        "1 channels" in line and line.startswith("refused: ") for line in describe_target_file(written(1, 1, 8, 8))
    )


def test_programs_are_named_and_not_run(small_cnn: nn.Sequential, tmp_path: Path) -> None:
    exported = torch.export.export(small_cnn, (torch.rand(2, 3, 24, 24),))
    torch.export.save(exported, tmp_path / "model.pt2")
    lines = describe_target_file(tmp_path / "model.pt2")
    assert lines[0] == "kind: torch.export program"
    assert "needs: --trust, since it runs a program of its own" in lines


def test_a_hugging_face_folder(tmp_path: Path) -> None:
    config = {"architectures": ["ViT"], "id2label": {"0": "cat", "1": "dog"}, "auto_map": {"x": "y"}}
    (tmp_path / "config.json").write_text(json.dumps(config))
    lines = describe_target_file(tmp_path)
    assert "classes: cat, dog" in lines
    assert any(line.startswith("refused: ") and "code of its own (auto_map" in line for line in lines)
    assert any(line.startswith("note: the file does not tell its preprocessing:") for line in lines)
    del config["auto_map"]
    (tmp_path / "config.json").write_text(json.dumps({**config, "architectures": 5}))
    assert any("has no .safetensors file" in line for line in describe_target_file(tmp_path))
    (tmp_path / "preprocessor_config.json").write_text(json.dumps({"size": {"height": 30, "width": 20}}))
    assert any("size [30, 20]" in line for line in describe_target_file(tmp_path))


def test_weights_alone(tmp_path: Path) -> None:
    save_file({f"w{i:02}": torch.zeros(2, i + 1) for i in range(25)}, tmp_path / "w.safetensors")
    lines = describe_target_file(tmp_path / "w.safetensors")
    assert "tensors: 25" in lines
    assert "tensor: w00 [2, 1]" in lines
    assert "tensor: … and 5 more" in lines


@pytest.mark.parametrize("content", [b"", b"hello world", b"PK\x03\x04junk", b"\x08\xff\xff\xff\xff"])
def test_what_is_no_target_is_one_line(content: bytes, tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(content)
    with pytest.raises(TargetError) as caught:
        describe_target_file(tmp_path / "file")
    assert "\n" not in str(caught.value)
    with pytest.raises(TargetError, match="no target"):
        describe_target_file(tmp_path / "absent")
