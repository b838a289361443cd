"""Files that were held to torch, or no file; the command line; what TensorRT would say."""

from __future__ import annotations

import hashlib
import importlib
import json
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import onnx
import pytest
import torch
from networks import relative_error, spread_generator, styles_of
from onnx import TensorProto, helper
from registered import register

from zoom_engine.cli import main
from zoom_engine.common import registry
from zoom_engine.common.errors import ExportError, ZoomError
from zoom_engine.directions import EditDirections
from zoom_engine.export import export_synthesis
from zoom_engine.export.tensorrt_support import check_tensorrt_support
from zoom_engine.generators import StyleGAN2, save_generator

ort = pytest.importorskip("onnxruntime")


def directions_of(network: StyleGAN2) -> EditDirections:
    matrix = torch.zeros(2, network.space.size)
    matrix[0, 3] = matrix[1, 30] = 0.5
    return EditDirections(
        matrix, ("a smile", "a hat|a cap"), "a face", "regression", 0.1, (1, 1), (1.0, 1.0), (0.1, 0.1)
    )


@pytest.mark.parametrize(("precision", "limit"), [("fp32", 1e-5), ("fp16", 2e-3)])
def test_the_file_does_what_torch_does(precision: str, limit: float, tmp_path: Path) -> None:
    network = spread_generator()
    exported = export_synthesis(network, tmp_path / "deep" / "synthesis.onnx", precision=precision)
    assert exported.parity.cases == 9
    assert exported.parity.errors["images"] < limit
    assert exported.support.faults == ()
    session = ort.InferenceSession(str(exported.path), providers=["CPUExecutionProvider"])
    styles, weights, matrix = styles_of(network, 2), torch.randn(2, 7), torch.randn(7, network.space.size) * 0.1
    (result,) = session.run(
        None, {"styles": styles.numpy(), "edit_weights": weights.numpy(), "edit_directions": matrix.numpy()}
    )
    assert relative_error(torch.from_numpy(result), network.synthesis(styles + weights @ matrix)) < limit


def test_bfloat16_can_be_exported(tmp_path: Path) -> None:
    pytest.importorskip("openvino")
    exported = export_synthesis(spread_generator(), tmp_path / "synthesis.onnx", precision="bf16")
    assert exported.parity.runtime == "OpenVINO"
    assert 1e-4 < exported.parity.errors["images"] < 3e-2
    assert exported.support.faults == ()


def test_a_wrong_graph_leaves_no_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The graph is built from a network that differs from the one that torch runs in one bias."""
    module = importlib.import_module("zoom_engine.export.synthesis_file")
    other = spread_generator()
    other.convs["b8_conv0"].bias[0] += 1  # type: ignore[index, operator]
    plain = module.synthesis_model
    monkeypatch.setattr(module, "synthesis_model", lambda network, **options: plain(other, **options))
    with pytest.raises(ExportError, match="differ from torch's"):
        export_synthesis(spread_generator(), tmp_path / "synthesis.onnx")
    assert list(tmp_path.iterdir()) == []


def test_the_command_line_writes_and_describes(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    network = spread_generator()
    source = tmp_path / "network.safetensors"
    save_generator(network, source)
    directions_of(network).save(tmp_path / "directions.safetensors")
    arguments = ["export", "--generator", str(source), "--directions", str(tmp_path / "directions.safetensors")]
    assert main([*arguments, "--out", str(tmp_path / "out"), "--max-resolution", "16", "--check"]) == 0
    printed = capsys.readouterr().out
    assert "relative error" in printed
    assert "in TensorRT's support table" in printed
    model = onnx.load(tmp_path / "out" / "synthesis.onnx")
    onnx.checker.check_model(model, full_check=True)
    result = {entry.key: entry.value for entry in model.metadata_props}
    assert result["zoom_engine.source_sha256"] == hashlib.sha256(source.read_bytes()).hexdigest()
    assert json.loads(result["zoom_engine.attributes"]) == ["a smile", "a hat|a cap"]
    assert result["zoom_engine.resolution"] == "16"
    assert [value.name for value in model.graph.input] == ["styles", "edit_weights"]


@pytest.mark.ci
def test_the_command_goes_by_its_first_name_too(tmp_path: Path) -> None:
    source = tmp_path / "network.safetensors"
    save_generator(spread_generator(), source)
    command = [sys.executable, "-m", "zoom_engine.export", "--model", str(source), f"--output={tmp_path / 'out'}"]
    subprocess.run([*command, "--max-resolution", "8"], check=True, cwd=tmp_path)
    assert (tmp_path / "out" / "synthesis.onnx").is_file()


@pytest.mark.parametrize(("option", "told"), [("--images", "--images is"), ("--trust", "options on how a target is")])
def test_what_is_of_the_whole_audit_needs_a_target(
    option: str, told: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["export", "--generator", "avatars", option, "--out", str(tmp_path / "out")]) == 1
    error = capsys.readouterr().err
    assert told in error
    assert "needs a target: name it with --target" in error
    assert not (tmp_path / "out").exists()


def test_what_a_package_brings_is_exported_by_its_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It was looked for as a file; one of that name was hashed in its place."""
    monkeypatch.chdir(tmp_path)
    register(monkeypatch, registry.GENERATORS, toys=SimpleNamespace(load=lambda rest: spread_generator()))
    exported = export_synthesis("toys:small", tmp_path / "out" / "synthesis.onnx", max_resolution=8)
    assert metadata(exported.path)["zoom_engine.source"] == "toys:small"
    Path("toys:small").write_bytes(b"another")
    exported = export_synthesis("toys:small", tmp_path / "out" / "synthesis.onnx", max_resolution=8)
    assert "zoom_engine.source_sha256" not in metadata(exported.path)


def metadata(path: Path) -> dict[str, str]:
    return {entry.key: entry.value for entry in onnx.load(path).metadata_props}


def test_errors_are_one_line_and_leave_nothing(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["export", "--generator", str(tmp_path / "nothing"), "--out", str(tmp_path / "out")]) == 1
    assert "no generator" in capsys.readouterr().err
    (tmp_path / "file").write_text("")
    with pytest.raises(ExportError, match="cannot write"):
        export_synthesis(spread_generator(), tmp_path / "file" / "synthesis.onnx")
    other = directions_of(spread_generator())
    short = EditDirections(other.matrix[:, 1:], *[getattr(other, name) for name in NAMES])
    with pytest.raises(ZoomError, match="another generator"):
        export_synthesis(spread_generator(), tmp_path / "synthesis.onnx", directions=short)
    assert {path.name for path in tmp_path.iterdir()} == {"file"}


NAMES = ("attributes", "neutral", "method", "threshold", "channels", "strength", "noise_floor")


def tiny(*nodes: onnx.NodeProto, kind: int = TensorProto.FLOAT, opset: int = 21) -> onnx.ModelProto:
    """A graph from x and w (both inputs) through ``nodes`` to y."""
    graph = helper.make_graph(
        nodes,
        "tiny",
        [helper.make_tensor_value_info(name, kind, [1, 1, 3, 3]) for name in ("x", "w")],
        [helper.make_tensor_value_info("y", kind, None)],
    )
    opsets = [helper.make_opsetid("", opset), helper.make_opsetid("mine", 1)]
    return onnx.shape_inference.infer_shapes(helper.make_model(graph, opset_imports=opsets))


@pytest.mark.parametrize(
    ("model", "says"),
    [
        (tiny(helper.make_node("Conv", ["x", "w"], ["y"], name="c")), "c is a Conv whose weight is not a constant"),
        (tiny(helper.make_node("Det", ["x"], ["y"], name="n")), "n is the operator Det"),
        (tiny(helper.make_node("Relu", ["x"], ["y"], domain="mine", name="r")), "r is the operator Relu"),
        (tiny(helper.make_node("Relu", ["x"], ["y"], name="d"), kind=TensorProto.DOUBLE), "d is a Relu of type DOUBLE"),
        (tiny(helper.make_node("Relu", ["x"], ["y"]), opset=25), "opset 25, it reads 9 to 24"),
        (
            tiny(helper.make_node("MaxPool", ["x"], ["y"], name="m", kernel_shape=[2, 2], dilations=[2, 2])),
            "m is a MaxPool with dilations",
        ),
        (
            tiny(
                helper.make_node("Constant", [], ["sizes"], value_ints=[1, 1, 2, 2]),
                helper.make_node("Resize", ["x", "", "", "sizes"], ["y"], name="r", mode="linear", antialias=1),
            ),
            "r is a Resize that is antialiased",
        ),
    ],
)
def test_what_tensorrt_does_not_take_is_found(model: onnx.ModelProto, says: str) -> None:
    with pytest.raises(ExportError, match=says):
        check_tensorrt_support(model).check()
    fine = [tiny(helper.make_node("Relu", ["x"], ["y"])), tiny(helper.make_node("Equal", ["x", "w"], ["y"]))]
    assert [check_tensorrt_support(model).faults for model in fine] == [(), ()]
