"""Graph models of TensorFlow.js are read as its converter writes them; damaged ones are refused in one line."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
import pytest
import torch
from torch.nn import functional as F

from zoom_engine.common.errors import TargetError
from zoom_engine.targets import describe_target_file, load_target
from zoom_engine.targets.onnx.tfjs import read_tfjs

RANDOM = np.random.default_rng(5)
WEIGHTS = {
    "kernel": RANDOM.normal(size=(3, 3, 3, 4)).astype(np.float32),
    "bias": RANDOM.normal(size=4).astype(np.float32),
    "slope": RANDOM.normal(size=(1, 1, 4)).astype(np.float32),
    "depthwise": RANDOM.normal(size=(2, 2, 4, 2)).astype(np.float16),
    "dense": RANDOM.normal(size=(8, 3)).astype(np.float32),
    "offset": RANDOM.normal(size=3).astype(np.float32),
    "axes": np.array([1, 2], np.int32),
    "start": np.array([0, 1], np.int32),
    "stop": np.array([0, 3], np.int32),
    "step": np.array([1, 1], np.int32),
}


def text(value: str) -> dict[str, str]:
    return {"s": base64.b64encode(value.encode()).decode()}


def texts(*values: str) -> dict[str, Any]:
    return {"list": {"s": [text(value)["s"] for value in values]}}


def wholes(*values: int) -> dict[str, Any]:
    return {"list": {"i": [str(value) for value in values]}}


def node(name: str, op: str, *sources: str, **attributes: Any) -> dict[str, Any]:
    return {"name": name, "op": op, "input": list(sources), "attr": attributes}


def nodes() -> list[dict[str, Any]]:
    """The nodes of a small classifier, its end before what it needs."""
    sides = {"shape": {"dim": [{"size": str(size)} for size in (-1, 9, 9, 3)]}}
    step = {"strides": wholes(1, 2, 2, 1), "padding": text("SAME"), "dilations": wholes(1, 1, 1, 1)}
    return [
        node("end", "Softmax", "product"),
        *(node(name, "Const") for name in WEIGHTS),
        node("input", "Placeholder", shape=sides, dtype={"type": "DT_FLOAT"}),
        node("conv", "_FusedConv2D", "input", "kernel", "bias", "slope", fused_ops=texts("BiasAdd", "Prelu"), **step),
        node("wide", "DepthwiseConv2dNative", "conv", "depthwise", strides=wholes(1, 1, 1, 1), padding=text("VALID")),
        node("pool", "AvgPool", "wide:0", ksize=wholes(1, 3, 3, 1), strides=wholes(1, 2, 2, 1), padding=text("SAME")),
        node("mean", "Mean", "pool", "axes", keep_dims={"b": False}),
        node("product", "_FusedMatMul", "mean", "dense", "offset", "^pool", fused_ops=texts("BiasAdd", "Relu6")),
        node("cut", "StridedSlice", "product", "start", "stop", "step", begin_mask={"i": "1"}, end_mask={"i": 1}),
    ]


def described() -> dict[str, Any]:
    """The file as it should be: two shards, which one weight lies across, and one weight as float16."""
    weights = []
    for name, values in WEIGHTS.items():
        about: dict[str, Any] = {"name": name, "shape": list(values.shape), "dtype": str(values.dtype)}
        if values.dtype == np.float16:
            about |= {"dtype": "float32", "quantization": {"dtype": "float16", "original_dtype": "float32"}}
        weights.append(about)
    outputs = {"classes:0": {"name": "end:0"}, "cut": {"name": "cut:0"}}
    return {
        "format": "graph-model",
        "signature": {"outputs": outputs},
        "modelTopology": {"node": nodes()},
        "weightsManifest": [{"paths": ["one.bin", "two.bin"], "weights": weights}],
    }


def write(folder: Path, about: dict[str, Any]) -> Path:
    content = b"".join(values.tobytes() for values in WEIGHTS.values())
    (folder / "one.bin").write_bytes(content[:101])
    (folder / "two.bin").write_bytes(content[101:])
    (folder / "model.json").write_text(json.dumps(about))
    return folder / "model.json"


def by_torch(pictures: np.ndarray[Any, Any]) -> tuple[torch.Tensor, torch.Tensor]:
    """The same classifier, by hand."""
    of = {name: torch.from_numpy(values.astype(np.float32)) for name, values in WEIGHTS.items()}
    x = torch.from_numpy(pictures).permute(0, 3, 1, 2)
    x = F.conv2d(F.pad(x, (1, 1, 1, 1)), of["kernel"].permute(3, 2, 0, 1), of["bias"], stride=2)
    x = torch.where(x >= 0, x, x * of["slope"].view(1, 4, 1, 1))
    x = torch.cat(
        [
            F.conv2d(x[:, channel : channel + 1], of["depthwise"][:, :, channel].permute(2, 0, 1)[:, None])
            for channel in range(4)
        ],
        dim=1,
    )
    x = F.avg_pool2d(x, 3, 2, 1, count_include_pad=False) if x.shape[-1] % 2 else pooled(x)
    product = (x.mean((2, 3)) @ of["dense"] + of["offset"]).clamp(0, 6)
    return product.softmax(1), product[:, 1:]


def pooled(x: torch.Tensor) -> torch.Tensor:
    """The mean of 3×3 windows in steps of 2 of an even side, in which a column that is not there does not count."""
    ones = torch.ones_like(x)
    return F.avg_pool2d(F.pad(x, (0, 1, 0, 1)), 3, 2) / F.avg_pool2d(F.pad(ones, (0, 1, 0, 1)), 3, 2)


def test_a_graph_says_what_the_same_operators_say_in_torch(tmp_path: Path) -> None:
    model = read_tfjs(write(tmp_path, described()))
    assert [output.name for output in model.graph.output] == ["classes", "cut"]
    pictures = RANDOM.random((2, 9, 9, 3)).astype(np.float32)
    session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    classes, cut = session.run(None, {"input": pictures})
    expected, expected_cut = by_torch(pictures)
    np.testing.assert_allclose(classes, expected, atol=1e-5)
    np.testing.assert_allclose(cut, expected_cut, atol=1e-4)


@pytest.mark.parametrize("name", ["model.json", "."])
def test_a_file_or_its_folder_is_a_target(name: str, tmp_path: Path) -> None:
    folder = tmp_path / "faces"
    folder.mkdir()
    about = described()
    about["signature"]["outputs"].pop("cut")
    _of(about, "product")["attr"]["fused_ops"] = texts("BiasAdd")
    write(folder, about)
    target = load_target(folder / name, resolution=9)
    assert (target.name, target.differentiable) == ("faces", True)
    assert target.task.to_dict()["output"] == "probabilities", "of its softmax"
    told = describe_target_file(folder / name)
    assert told[0] == "kind: TensorFlow.js graph, read as ONNX"
    assert any(line.startswith("preprocessing:") for line in told)


def test_a_damaged_file_is_described_as_refused(tmp_path: Path) -> None:
    about = described()
    _of(about, "mean").update(op="Mystery")
    told = describe_target_file(write(tmp_path, about))
    assert told[-1].startswith("refused: ")
    assert "Mystery" in told[-1]


def test_what_onnx_alone_refuses_is_called_by_its_file(tmp_path: Path) -> None:
    about = described()
    sides = _of(about, "input")["attr"]["shape"]["shape"]["dim"]
    sides[1]["size"] = sides[2]["size"] = str(2**16)  # the reader asks for no memory
    path = write(tmp_path, about)
    with pytest.raises(TargetError, match="is too large") as caught:
        load_target(path, resolution=9)
    assert str(caught.value).startswith(f"{path}: ")


def test_a_graph_is_a_target_with_gradients(tmp_path: Path) -> None:
    about = described()
    _of(about, "product")["attr"]["fused_ops"] = texts("BiasAdd")  # all of it saturates on the largest inputs
    target = load_target(read_tfjs(write(tmp_path, about)), output="classes", resolution=9)
    assert target.differentiable
    assert target.preprocessing.layout == "NHWC"


def _of(about: dict[str, Any], name: str) -> dict[str, Any]:
    wanted: dict[str, Any] = next(one for one in about["modelTopology"]["node"] if one["name"] == name)
    return wanted


def _weight(about: dict[str, Any], name: str) -> dict[str, Any]:
    wanted: dict[str, Any] = next(one for one in about["weightsManifest"][0]["weights"] if one["name"] == name)
    return wanted


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda about: about.update(format="layers-model"), "it is a Keras model"),
        (lambda about: about["weightsManifest"][0].update(paths=["one.bin"]), "its shards end before weight"),
        (lambda about: about["weightsManifest"][0].update(paths=["one.bin", "three.bin"]), "cannot be read"),
        (lambda about: about["weightsManifest"][0].update(paths=["../one.bin"]), "does not lie beside it"),
        (lambda about: about["weightsManifest"][0]["weights"].pop(), "bytes, and its weights"),
        (lambda about: _weight(about, "bias").update(dtype="complex64"), 'is of type "complex64"'),
        (lambda about: _weight(about, "bias").update(shape=[2**40, 2**40]), "its shards end before weight"),
        (lambda about: _weight(about, "bias").update(shape=[-4]), "has the shape"),
        (lambda about: _weight(about, "axes").update(dtype="float32", name="bias"), "axes"),
        (lambda about: _of(about, "mean").update(op="Mystery"), 'the operator "Mystery" is not known here'),
        (lambda about: _of(about, "conv")["attr"].update(fused_ops=texts("Swish")), '"Swish"'),
        (lambda about: _of(about, "conv")["attr"].update(data_format=text("NCHW")), "layout"),
        (lambda about: _of(about, "conv").update(input=["input"]), "no TensorFlow.js graph model"),
        (lambda about: _of(about, "pool").update(input=["mean"]), "waits for itself"),
        (lambda about: _of(about, "pool").update(input=["nowhere"]), "there is no node"),
        (lambda about: _of(about, "pool").update(input=["wide:1"]), "not the first output"),
        (lambda about: _of(about, "cut").update(name="mean"), "the same name"),
        (lambda about: _of(about, "cut")["attr"].update(new_axis_mask={"i": "1"}), "a mask that is not known"),
        (lambda about: _of(about, "wide")["attr"].update(strides=wholes(1, 0, 0, 1)), "strides"),
        (lambda about: _weight(about, "dense").update(name="other"), "is not among its weights"),
        (lambda about: about.pop("modelTopology"), "modelTopology.node"),
        (lambda about: about["signature"]["outputs"].update(end={"name": "gone"}), "there is no node"),
    ],
)
def test_a_damaged_file_is_refused_in_one_line(
    damage: Callable[[dict[str, Any]], Any], message: str, tmp_path: Path
) -> None:
    about = described()
    damage(about)
    with pytest.raises(TargetError) as refused:
        read_tfjs(write(tmp_path, about))
    told = str(refused.value)
    assert message in told
    assert "\n" not in told
    assert "model.json" in told


def test_weights_that_are_no_numbers_are_refused(tmp_path: Path) -> None:
    path = write(tmp_path, described())
    content = bytearray((tmp_path / "one.bin").read_bytes())
    content[:4] = np.float32("nan").tobytes()
    (tmp_path / "one.bin").write_bytes(content)
    with pytest.raises(TargetError, match="NaN or infinite"):
        read_tfjs(path)
