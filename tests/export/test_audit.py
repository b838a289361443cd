"""Generator and target in one file against torch; targets that cannot be joined are named."""

from __future__ import annotations

from pathlib import Path

import onnx
import pytest
import torch
from networks import relative_error, spread_generator, styles_of
from onnx import TensorProto, helper
from torch import nn

from zoom_engine.errors import ExportError, TargetError
from zoom_engine.export import export_audit_graph
from zoom_engine.export.__main__ import main
from zoom_engine.graphs import audit_model
from zoom_engine.runtime.onnxruntime_session import OnnxRuntimeSession
from zoom_engine.targets import BinaryTask, Preprocessing, Target, load_target, save_onnx

ort = pytest.importorskip("onnxruntime")


def classifier(**options: object) -> Target:
    torch.manual_seed(1)
    layers = [nn.Conv2d(3, 4, 3, stride=2), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(4, 1)]
    preprocessing = Preprocessing(**{"size": 19, "resize": "bicubic", "mean": (0.4, 0.5, 0.6), **options})  # type: ignore[arg-type]
    return Target(nn.Sequential(*layers), name="tiny", task=BinaryTask(), preprocessing=preprocessing)


@pytest.mark.parametrize("as_file", [False, True])
def test_outputs_and_images_are_torchs(as_file: bool, tmp_path: Path) -> None:
    network, target = spread_generator(), classifier()
    save_onnx(target, tmp_path / "tiny.onnx")
    exported = export_audit_graph(
        network, tmp_path / "tiny.onnx" if as_file else target, tmp_path / "audit.onnx", images=True
    )
    assert exported.parity.errors["outputs"] < 1e-4
    assert exported.parity.errors["images"] < 1e-5
    assert exported.support.faults == ()
    session = ort.InferenceSession(str(exported.path), providers=["CPUExecutionProvider"])
    styles, weights, matrix = styles_of(network, 3), torch.randn(3, 2), torch.randn(2, network.style_space.size) * 0.1
    feeds = {"styles": styles.numpy(), "edit_weights": weights.numpy(), "edit_directions": matrix.numpy()}
    outputs, images = session.run(["outputs", "images"], feeds)
    wanted = network.synthesis(styles + weights @ matrix).clamp(-1, 1)
    assert relative_error(torch.from_numpy(images), wanted) < 1e-5
    assert relative_error(torch.from_numpy(outputs), target(wanted)) < 1e-4


def test_only_outputs_come_back_unless_asked(tmp_path: Path) -> None:
    exported = export_audit_graph(spread_generator(), classifier(), tmp_path / "audit.onnx", precision="fp16")
    model = onnx.load(exported.path)
    assert [value.name for value in model.graph.output] == ["outputs"]
    assert {entry.key: entry.value for entry in model.metadata_props}["zoom_engine.target"] == "tiny"


def pooled(batch: int | str, kind: int, *, domain: str = "") -> onnx.ModelProto:
    """The mean of each image, for inputs of any float type or uint8."""
    graph = helper.make_graph(
        [
            helper.make_node("Cast", ["x"], ["f"], to=TensorProto.FLOAT),
            helper.make_node("GlobalAveragePool", ["f"], ["pooled"], domain=domain),
            helper.make_node("ReduceMean", ["pooled"], ["m"], axes=[1], keepdims=0),
            helper.make_node("Flatten", ["m"], ["y"]),
        ],
        "pooled",
        [helper.make_tensor_value_info("x", kind, [batch, 3, 32, 32])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, [batch, 1])],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8)


@pytest.mark.parametrize("kind", [TensorProto.FLOAT16, TensorProto.UINT8])
def test_inputs_of_other_types_are_converted(kind: int, tmp_path: Path) -> None:
    model = pooled("batch", kind)
    onnx.save(model, tmp_path / "pooled.onnx")
    values = Preprocessing(value_range=(0, 255))
    target = load_target(tmp_path / "pooled.onnx", task=BinaryTask(), preprocessing=values)
    network = spread_generator()
    wanted = target(network.synthesis(styles_of(network, 4)).clamp(-1, 1))
    zeros = torch.zeros(1, network.style_space.size)
    graph = audit_model(network, model, target.preprocessing, output_shape=[1], directions=zeros)
    session = OnnxRuntimeSession(graph.SerializeToString())
    found = session.run({"styles": styles_of(network, 4), "edit_weights": torch.zeros(4, 1)})["outputs"]
    assert relative_error(found, wanted) < 1e-2


def test_targets_that_cannot_be_joined_are_named(tmp_path: Path) -> None:
    for model, says in (
        (pooled(1, TensorProto.FLOAT), "open batch axis"),
        (pooled("batch", TensorProto.FLOAT, domain="mine"), "operators of mine"),
    ):
        with pytest.raises(ExportError, match=says):
            audit_model(spread_generator(), model, Preprocessing(), output_shape=[1])
    odd = Target(
        nn.Sequential(nn.Flatten(), nn.Linear(3072, 1), nn.GELU()),
        name="odd",
        task=BinaryTask(),
        preprocessing=Preprocessing(size=32),
    )
    with pytest.raises(TargetError, match="GELU"):
        export_audit_graph(spread_generator(), odd, tmp_path / "audit.onnx")
    assert not (tmp_path / "audit.onnx").exists()


def test_the_command_line_writes_both(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    arguments = ["--model", "avatars", "--target", "avatars:eyeglasses", "--output", str(tmp_path), "--check"]
    assert main([*arguments, "--max-resolution", "32"]) == 0
    assert {path.name for path in tmp_path.iterdir()} == {"synthesis.onnx", "audit.onnx"}
    assert "outputs: relative error" in capsys.readouterr().out
