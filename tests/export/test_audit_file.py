"""Generator and target in one file against torch; targets that cannot be joined are named."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
import torch
from networks import relative_error, spread_generator, styles_of
from onnx import TensorProto, helper, numpy_helper
from torch import nn

from zoom_engine.cli import main
from zoom_engine.common.errors import ConfigError, ExportError, TargetError
from zoom_engine.export import export_audit_graph
from zoom_engine.generators import save_generator
from zoom_engine.runtime.graphs import audit_model
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
    styles, weights, matrix = styles_of(network, 3), torch.randn(3, 2), torch.randn(2, network.space.size) * 0.1
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


@pytest.mark.parametrize(
    ("batch", "kind"), [("batch", TensorProto.FLOAT16), ("batch", TensorProto.UINT8), (-1, TensorProto.FLOAT16)]
)
def test_inputs_of_other_types_are_converted(batch: int | str, kind: int, tmp_path: Path) -> None:
    model = pooled(batch, kind)
    onnx.save(model, tmp_path / "pooled.onnx")
    values = Preprocessing(value_range=(0, 255))
    target = load_target(tmp_path / "pooled.onnx", task=BinaryTask(), preprocessing=values)
    network = spread_generator()
    wanted = target(network.synthesis(styles_of(network, 4)).clamp(-1, 1))
    zeros = torch.zeros(1, network.space.size)
    graph = audit_model(network, model, target.preprocessing, output_shape=[1], directions=zeros)
    session = OnnxRuntimeSession(graph.SerializeToString())
    result = session.run({"styles": styles_of(network, 4), "edit_weights": torch.zeros(4, 1)})["outputs"]
    assert relative_error(result, wanted) < 1e-2


@pytest.mark.parametrize("mode", ["linear", "nearest"])
def test_a_picture_is_enlarged_as_old_files_do_it(mode: str, tmp_path: Path) -> None:
    """The versions of operators that torch wrote by default until 2022 place pixels otherwise: parity was refused."""
    ends = {"x": (3, 32, 32), "y": (3 * 48 * 48,)}
    source, result = (
        helper.make_tensor_value_info(name, TensorProto.FLOAT, ["batch", *size]) for name, size in ends.items()
    )
    factors = numpy_helper.from_array(np.array([1, 1, 1.5, 1.5], dtype=np.float32), "factors")
    nodes = [
        helper.make_node("Upsample", ["x", "factors"], ["u"], mode=mode),
        helper.make_node("Flatten", ["u"], ["y"]),
    ]
    graph = helper.make_graph(nodes, "enlarged", [source], [result], [factors])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 9)], ir_version=4)
    onnx.save(model, tmp_path / "enlarged.onnx")
    options = {"task": "embedding", "preprocessing": {"size": 32}, "labels": []}
    written = export_audit_graph(
        spread_generator(), tmp_path / "enlarged.onnx", tmp_path / "audit.onnx", target_options=options
    )
    assert written.parity.errors["outputs"] < 1e-5


def test_targets_that_cannot_be_joined_are_named(tmp_path: Path) -> None:
    for model, says in (
        (pooled(1, TensorProto.FLOAT), "open batch axis"),
        (pooled("batch", TensorProto.FLOAT, domain="mine"), "operators of mine"),
    ):
        with pytest.raises(ExportError, match=says):
            audit_model(spread_generator(), model, Preprocessing(), output_shape=[1])
    sparse = pooled("batch", TensorProto.FLOAT)
    weight = (
        numpy_helper.from_array(np.ones(1, dtype=np.float32), "w"),
        numpy_helper.from_array(np.zeros(1, int)),
        [1],
    )
    sparse.graph.sparse_initializer.append(helper.make_sparse_tensor(*weight))
    sparse.graph.node.insert(2, helper.make_node("Add", ["pooled", "w"], ["unused"]))
    with pytest.raises(ExportError, match="opset 13 cannot be raised"):
        audit_model(spread_generator(), sparse, Preprocessing(), output_shape=[1])
    network = nn.Sequential(Orthogonal(), nn.Flatten(), nn.Linear(3072, 1))
    odd = Target(network, name="odd", task=BinaryTask(), preprocessing=Preprocessing(size=32))
    with pytest.raises(ExportError, match=r"target 'odd' cannot be written as ONNX \(.*linalg_qr"):
        export_audit_graph(spread_generator(), odd, tmp_path / "audit.onnx")
    assert not (tmp_path / "audit.onnx").exists()


def test_a_function_is_no_graph(tmp_path: Path) -> None:
    """Its answers were constants of the file: export ended in an IndexError, and save_onnx wrote what saw nothing."""
    target = load_target(lambda pictures: pictures.mean((1, 2, 3)) / 255, name="light", task="binary")
    says = "target 'light' cannot be written as ONNX: torch computes nothing of its pictures"
    with pytest.raises(ExportError, match=says):
        export_audit_graph(spread_generator(), target, tmp_path / "audit.onnx")
    with pytest.raises(TargetError, match=says):
        save_onnx(target, tmp_path / "light.onnx", resolution=32)
    assert not [*tmp_path.iterdir()]


class Orthogonal(nn.Module):
    """Something that ONNX has no operator for."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        if x.ndim != 4:
            raise ValueError("images have four axes")
        return torch.linalg.qr(x).Q


@pytest.mark.parametrize("precision", ["fp32", "fp16", pytest.param("bf16", marks=pytest.mark.ci)])
def test_a_torchscript_file_is_traced(precision: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """It takes trust, and its preprocessing is for the user to say."""
    torch.manual_seed(2)
    layers = [nn.Conv2d(3, 4, 3, stride=2), nn.GELU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(4, 1)]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # newer torch versions call TorchScript deprecated
        torch.jit.script(nn.Sequential(*layers).eval()).save(tmp_path / "classifier.pt")
    save_generator(spread_generator(), tmp_path / "network.safetensors")
    arguments = [
        "export",
        "--generator",
        str(tmp_path / "network.safetensors"),
        "--target",
        str(tmp_path / "classifier.pt"),
    ]
    arguments += ["--precision", precision, "--out", str(tmp_path / "out")]
    assert main(arguments) == 1
    assert "trust" in capsys.readouterr().err
    assert not (tmp_path / "out" / "audit.onnx").exists()
    assert main([*arguments, "--trust", "--input-size", "24", "--input-mean", "0.4", "--check"]) == 0
    printed = capsys.readouterr()
    assert "Erf" in printed.out
    assert "note:" not in printed.err
    model = onnx.load(tmp_path / "out" / "audit.onnx")
    assert [24, 32] in [list(tensor.dims) for tensor in model.graph.initializer]  # the resize, of 32 rows to 24


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"sise": 224}, "unknown target option 'sise'; known are classes, download, head"),
        ({"preprocessing": 224}, "target option 'preprocessing' must be a table or a function, got 224"),
        ({"classes": "cat"}, "target option 'classes' must be a list of texts, got 'cat'"),
        ({"task": 3}, "target option 'task' must be a task"),
    ],
)
def test_bad_target_options_are_one_line_before_anything_is_written(
    options: dict[str, Any], says: str, tmp_path: Path
) -> None:
    with pytest.raises(ConfigError) as caught:
        export_audit_graph("avatars", "avatars:eyeglasses", tmp_path / "audit.onnx", target_options=options)
    assert says in str(caught.value)
    assert "\n" not in str(caught.value)
    assert not list(tmp_path.iterdir())


def test_of_several_outputs_one_is_joined(tmp_path: Path) -> None:
    graph = helper.make_graph(
        [
            helper.make_node("GlobalMaxPool", ["x"], ["most"]),
            helper.make_node("Flatten", ["most"], ["peaks"]),
            helper.make_node("GlobalAveragePool", ["x"], ["mean"]),
            helper.make_node("Flatten", ["mean"], ["colours"]),
        ],
        "two",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["batch", 3, 32, 32])],
        [helper.make_tensor_value_info(name, TensorProto.FLOAT, ["batch", 3]) for name in ("peaks", "colours")],
    )
    opsets = [helper.make_opsetid("", 17)]
    onnx.save(helper.make_model(graph, opset_imports=opsets, ir_version=8), tmp_path / "two.onnx")
    for output in ("colours", 1):
        options = {"output": output, "kind": "logits"}
        told: list[str] = []
        exported = export_audit_graph(
            spread_generator(),
            tmp_path / "two.onnx",
            tmp_path / "audit.onnx",
            target_options=options,
            notify=told.append,
        )
        assert "this is assumed: RGB in [0, 1]" in told[0]
        assert exported.parity.errors["outputs"] < 1e-5


def test_the_command_line_writes_both(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    arguments = [
        "export",
        "--generator",
        "avatars",
        "--target",
        "avatars:eyeglasses",
        "--out",
        str(tmp_path),
        "--check",
    ]
    assert main([*arguments, "--max-resolution", "32"]) == 0
    assert {path.name for path in tmp_path.iterdir()} == {"synthesis.onnx", "audit.onnx"}
    assert "outputs: relative error" in capsys.readouterr().out
