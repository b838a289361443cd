"""ONNX targets: written, converted with exact outputs and gradients, run without gradients, or refused."""

from __future__ import annotations

import importlib
import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
import torch
from onnx import TensorProto, helper, numpy_helper
from torch import Tensor, nn

from zoom_engine.common.errors import TargetError
from zoom_engine.targets import BinaryTask, Preprocessing, Target, describe_target_file, load_target, save_onnx
from zoom_engine.targets.loaders.loaded_model import Reading
from zoom_engine.targets.onnx.graph import OnnxGraph
from zoom_engine.targets.onnx.load import load_onnx
from zoom_engine.targets.onnx.ops import UnsupportedError

RANDOM = np.random.default_rng(0)


def floats(*shape: int) -> np.ndarray:
    return RANDOM.standard_normal(shape).astype(np.float32) * 0.3


def build(
    nodes: Sequence[onnx.NodeProto],
    constants: dict[str, np.ndarray],
    *,
    shape: Sequence[Any] = ("n", 3, 16, 16),
    out: Sequence[Any] = ("n", "k"),
    opset: int = 17,
    kind: int = TensorProto.FLOAT,
    outputs: Sequence[str] = ("y",),
    domains: Sequence[str] = (),
) -> onnx.ModelProto:
    graph = helper.make_graph(
        list(nodes),
        "g",
        [helper.make_tensor_value_info("x", kind, list(shape))],
        [
            helper.make_tensor_value_info(name, kind if kind != TensorProto.UINT8 else TensorProto.FLOAT, list(out))
            for name in outputs
        ],
        [numpy_helper.from_array(value, name) for name, value in constants.items()],
    )
    opsets = [helper.make_opsetid("", opset), *(helper.make_opsetid(domain, 1) for domain in domains)]
    return helper.make_model(graph, opset_imports=opsets, ir_version=8)


def save(model: onnx.ModelProto, folder: Path, name: str = "model.onnx") -> Path:
    path = folder / name
    path.write_bytes(model.SerializeToString())
    return path


def node(op: str, inputs: str, outputs: str = "y", **attributes: Any) -> onnx.NodeProto:
    return helper.make_node(op, [name if name != "-" else "" for name in inputs.split()], outputs.split(), **attributes)


def head(source: str) -> list[onnx.NodeProto]:
    """Pool, flatten and project [n, 4, h, w] to one logit."""
    return [
        node("GlobalAveragePool", source, "pooled"),
        node("Flatten", "pooled", "flat"),
        node("Gemm", "flat w b", transB=1),
    ]


HEAD = {"w": floats(1, 4) * 20, "b": floats(1)}
CONV = {"k": floats(4, 3, 3, 3), "kb": floats(4)}


@pytest.mark.parametrize(
    "preprocessing",
    [Preprocessing(size=24), Preprocessing(size=24, value_range=(-1, 1), channel_order="BGR")],
)
def test_a_written_target_comes_back_the_same(
    small_cnn: nn.Sequential, tmp_path: Path, preprocessing: Preprocessing
) -> None:
    task = BinaryTask(classes=("plain", "mustache"))
    target = Target(small_cnn, name="toys:mustache", task=task, preprocessing=preprocessing, labels=("a", "b"))
    save_onnx(target, tmp_path / "m.onnx")
    assert [p.name for p in tmp_path.iterdir()] == ["m.onnx"]
    back = load_target(tmp_path / "m.onnx")
    assert (back.name, back.task, back.preprocessing, back.labels) == (
        target.name,
        task,
        preprocessing,
        ("a", "b"),
    )
    assert back.differentiable
    assert back.note == ""
    images = (torch.rand(3, 3, 48, 48, generator=torch.Generator().manual_seed(0)) * 2 - 1).requires_grad_(True)
    torch.testing.assert_close(back(images), target(images), rtol=1e-4, atol=1e-5)
    (expected,) = torch.autograd.grad(target(images).sum(), images)
    (result,) = torch.autograd.grad(back(images).sum(), images)
    torch.testing.assert_close(result, expected, rtol=1e-3, atol=1e-6)
    metadata = {entry.key: entry.value for entry in onnx.load(tmp_path / "m.onnx").metadata_props}
    assert set(json.loads(metadata["zoom_engine"])) == {"name", "task", "classes", "labels", "preprocessing"}


def test_residual_networks_are_written(tmp_path: Path) -> None:
    class Residual(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.first, self.second, self.last = (
                nn.Conv2d(3, 4, 3, padding=1),
                nn.Conv2d(4, 4, 3, padding=1),
                nn.Linear(4, 2),
            )
            self.pool = nn.AdaptiveAvgPool2d(1)

        def forward(self, x: Tensor) -> Tensor:
            x = torch.relu(self.first(x))
            x = x + self.second(x)
            return self.last(torch.flatten(self.pool(x), 1))  # type: ignore[no-any-return]

    torch.manual_seed(0)
    target = Target(Residual(), name="r", task=BinaryTask(output="two-logits"))
    save_onnx(target, tmp_path / "r.onnx", resolution=16)
    images = torch.rand(2, 3, 16, 16) * 2 - 1
    torch.testing.assert_close(load_target(tmp_path / "r.onnx")(images), target(images), rtol=1e-4, atol=1e-5)


def test_what_cannot_be_written_is_refused_in_one_line(tmp_path: Path) -> None:
    class Spectrum(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            return torch.linalg.eigvalsh(x[:, 0])[:, :1]

    class Two(nn.Module):
        def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
            return x.mean((2, 3)), x.amax((2, 3))

    for network, message in ((Spectrum(), "cannot be written as ONNX"), (Two(), "more than one tensor")):
        target = Target(network, name="odd", task=BinaryTask())
        with pytest.raises(TargetError, match=message) as caught:
            save_onnx(target, tmp_path / "odd.onnx", resolution=16)
        assert "\n" not in str(caught.value)
        assert not list(tmp_path.iterdir())
    with pytest.raises(TargetError, match="resolution"):
        save_onnx(Target(nn.Conv2d(3, 1, 3), name="odd", task=BinaryTask()), tmp_path / "odd.onnx")


def chain(*ops: onnx.NodeProto) -> list[onnx.NodeProto]:
    """conv → the given nodes from "c" to "d" → head."""
    return [node("Conv", "x k kb", "c", pads=[1, 1, 1, 1]), *ops, *head("d")]


ints = lambda *values: np.array(values, np.int64)  # noqa: E731
GRAPHS: dict[str, tuple[list[onnx.NodeProto], dict[str, np.ndarray], int]] = {
    "relu": (chain(node("Relu", "c", "d")), {}, 17),
    "same upper, strided": (
        [node("Conv", "x k kb", "d", auto_pad="SAME_UPPER", strides=[3, 3]), *head("d")],
        {},
        17,
    ),
    "same lower, strided": (
        [node("Conv", "x k kb", "d", auto_pad="SAME_LOWER", strides=[2, 3]), *head("d")],
        {},
        17,
    ),
    "uneven pads": ([node("Conv", "x k kb", "d", pads=[0, 1, 2, 1]), *head("d")], {}, 17),
    "max pool": (
        chain(node("MaxPool", "c", "d", kernel_shape=[3, 3], strides=[2, 2], pads=[1, 0, 0, 1])),
        {},
        17,
    ),
    "max pool, ceil": (
        chain(node("MaxPool", "c", "d", kernel_shape=[3, 3], strides=[2, 2], ceil_mode=1)),
        {},
        17,
    ),
    "average pool": (
        chain(node("AveragePool", "c", "d", kernel_shape=[3, 3], strides=[2, 2], pads=[1, 1, 1, 1])),
        {},
        17,
    ),
    "average pool, uneven": (
        chain(node("AveragePool", "c", "d", kernel_shape=[3, 3], pads=[0, 0, 2, 1])),
        {},
        17,
    ),
    "average pool, counted": (
        chain(node("AveragePool", "c", "d", kernel_shape=[2, 2], pads=[1, 1, 0, 0], count_include_pad=1)),
        {},
        17,
    ),
    "batch norm": (
        chain(node("BatchNormalization", "c s t m v", "d", epsilon=1e-3)),
        {"s": floats(4), "t": floats(4), "m": floats(4), "v": floats(4) ** 2 + 0.1},
        17,
    ),
    "instance norm": (
        chain(node("InstanceNormalization", "c s t", "e"), node("HardSwish", "e", "d")),
        {"s": floats(4), "t": floats(4)},
        17,
    ),
    "leaky, elu, prelu": (
        chain(
            node("LeakyRelu", "c", "e", alpha=0.3),
            node("Elu", "e", "f", alpha=0.7),
            node("PRelu", "f s", "d"),
        ),
        {"s": floats(4, 1, 1)},
        17,
    ),
    "swish": (chain(node("Sigmoid", "c", "e"), node("Mul", "c e", "d")), {}, 17),
    "hard sigmoid": (chain(node("HardSigmoid", "c", "d", alpha=0.3, beta=0.4)), {}, 17),
    "clip": (chain(node("Clip", "c lo hi", "d")), {"lo": np.float32(-0.2), "hi": np.float32(0.4)}, 17),
    "clip, old": (chain(node("Clip", "c", "d", min=-0.2, max=0.4)), {}, 8),
    "arithmetic": (
        chain(
            node("Sub", "c s", "e"),
            node("Div", "e t", "f"),
            node("Max", "f s", "g"),
            node("Min", "g t", "h"),
            node("Add", "h c", "d"),
        ),
        {"s": floats(4, 1, 1), "t": np.abs(floats(4, 1, 1)) + 0.5},
        17,
    ),
    "concat, slice": (
        chain(node("Concat", "c c", "e", axis=1), node("Slice", "e a z ax st", "d")),
        {"a": ints(1), "z": ints(9), "ax": ints(1), "st": ints(2)},
        17,
    ),
    "pad": (chain(node("Pad", "c p", "d", mode="reflect")), {"p": ints(0, 0, 1, 2, 0, 0, 2, 1)}, 17),
    "pad, constant": (
        chain(node("Pad", "c p v", "d")),
        {"p": ints(0, 0, 1, 0, 0, 0, 0, 3), "v": np.float32(0.5)},
        17,
    ),
    "resize": (
        chain(node("Resize", "c - s", "d", mode="linear", coordinate_transformation_mode="half_pixel")),
        {"s": np.array([1, 1, 2, 2], np.float32)},
        17,
    ),
    "transpose, reduce": (
        [
            node("Conv", "x k kb", "c"),
            node("Transpose", "c", "t", perm=[0, 2, 3, 1]),
            node("ReduceMean", "t", "r", axes=[1, 2], keepdims=0),
            node("MatMul", "r m", "y"),
        ],
        {"m": floats(4, 1) * 20},
        17,
    ),
    "reduce by input": (
        [node("Conv", "x k kb", "c"), node("ReduceMean", "c a", "r", keepdims=0), node("MatMul", "r m", "y")],
        {"a": ints(2, 3), "m": floats(4, 1) * 20},
        18,
    ),
    "view by shape": (
        [
            node("Conv", "x k kb", "c", strides=[4, 4]),
            node("Shape", "c", "s"),
            node("Gather", "s zero", "n", axis=0),
            node("Unsqueeze", "n axes", "n1"),
            node("Concat", "n1 rest", "to", axis=0),
            node("Reshape", "c to", "f"),
            node("MatMul", "f m", "y"),
        ],
        {"zero": np.int64(0), "axes": ints(0), "rest": ints(-1), "m": floats(64, 1) * 5},
        17,
    ),
    "squeeze": (
        [
            node("Conv", "x k kb", "c"),
            node("GlobalMaxPool", "c", "p"),
            node("Squeeze", "p a", "s"),
            node("Flatten", "s", "f", axis=-1),
            node("MatMul", "f m", "y"),
        ],
        {"a": ints(2, 3), "m": floats(4, 1) * 20},
        17,
    ),
    "layer norm, gelu": (
        [
            node("Conv", "x k kb", "c"),
            node("GlobalAveragePool", "c", "p"),
            node("Flatten", "p", "f"),
            node("LayerNormalization", "f s t", "l"),
            node("Gelu", "l", "g"),
            node("MatMul", "g m", "y"),
        ],
        {"s": floats(4) + 1, "t": floats(4), "m": floats(4, 1) * 5},
        20,
    ),
    "softmax": (
        [
            *chain(node("Relu", "c", "d"))[:-1],
            node("Gemm", "flat w2", "z", transB=1),
            node("Softmax", "z", axis=1),
        ],
        {"w2": floats(3, 4) * 20},
        17,
    ),
    "softmax, old": (
        [
            *chain(node("Relu", "c", "d"))[:-1],
            node("Gemm", "flat w2 b2", "z", transB=1),
            node("Softmax", "z"),
        ],
        {"w2": floats(3, 4) * 20, "b2": floats(3)},
        11,
    ),
}


@pytest.mark.parametrize("name", GRAPHS)
def test_conversion_gives_onnx_runtimes_output(name: str, tmp_path: Path) -> None:
    ort = pytest.importorskip("onnxruntime")
    nodes, constants, opset = GRAPHS[name]
    used = {i for n in nodes for i in n.input}
    model = build(nodes, {k: v for k, v in {**CONV, **HEAD, **constants}.items() if k in used}, opset=opset)
    read = load_onnx(save(model, tmp_path), Reading())
    assert read.note == ""
    assert read.preprocessing.hw == (16, 16)
    assert read.final == ("softmax" if "softmax" in name else "")
    x = floats(5, 3, 16, 16) * 3
    (expected,) = ort.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"]).run(
        None, {"x": x}
    )
    inputs = torch.from_numpy(x).requires_grad_(True)
    result = read.network(inputs)
    np.testing.assert_allclose(result.detach().numpy(), expected, rtol=1e-3, atol=1e-5)
    (gradient,) = torch.autograd.grad(result[:, 0].sum(), inputs)
    assert gradient.abs().sum() > 0


def simple(**options: Any) -> onnx.ModelProto:
    return build(chain(node("Relu", "c", "d")), {**CONV, **HEAD}, **options)


def test_without_onnx_runtime_the_reference_is_the_judge(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = importlib.import_module

    def missing(name: str, package: str | None = None) -> Any:
        if name == "onnxruntime":
            raise ImportError(name)
        return whole(name, package)

    monkeypatch.setattr("zoom_engine.common.files.onnx_file.importlib.import_module", missing)
    assert load_onnx(save(simple(), tmp_path), Reading()).differentiable
    odd = build(
        [*chain(node("Relu", "c", "d"))[:-1], node("Einsum", "flat w", equation="bi,ki->bk")],
        {**CONV, "w": HEAD["w"]},
    )
    with pytest.raises(TargetError, match="install onnxruntime"):
        load_onnx(save(odd, tmp_path), Reading())


def test_an_unknown_operator_leaves_it_usable_without_gradients(tmp_path: Path) -> None:
    pytest.importorskip("onnxruntime")
    model = build(
        [*chain(node("Relu", "c", "d"))[:-1], node("Einsum", "flat w", equation="bi,ki->bk")],
        {**CONV, "w": HEAD["w"]},
    )
    target = load_target(save(model, tmp_path), task=BinaryTask())
    assert not target.differentiable
    assert "Einsum" in target.note
    assert "\n" not in target.note
    converted = load_target(
        save(
            build(chain(node("Relu", "c", "d")), {**CONV, "w": HEAD["w"], "b": np.zeros(1, np.float32)}),
            tmp_path,
            "c.onnx",
        ),
        task=BinaryTask(),
    )
    images = torch.rand(4, 3, 20, 20) * 2 - 1
    torch.testing.assert_close(target(images), converted(images), rtol=1e-3, atol=1e-4)


def test_a_conversion_that_differs_is_not_used(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("onnxruntime")
    from zoom_engine.targets.onnx.ops import OPERATORS

    monkeypatch.setitem(OPERATORS, "Relu", lambda call: call.need(0).relu() * 1.05)
    target = load_target(save(simple(), tmp_path), task=BinaryTask())
    assert not target.differentiable
    assert "outputs differ from ONNX Runtime's" in target.note


def test_other_inputs(tmp_path: Path) -> None:
    pytest.importorskip("onnxruntime")
    images = torch.rand(3, 3, 16, 16) * 2 - 1
    plain = load_target(save(simple(), tmp_path), task=BinaryTask(), preprocessing=Preprocessing(value_range=(0, 255)))
    one = load_target(
        save(simple(shape=(1, 3, 16, 16), out=(1, 1)), tmp_path),
        task=BinaryTask(),
        preprocessing=Preprocessing(value_range=(0, 255)),
    )
    torch.testing.assert_close(one(images), plain(images))
    nhwc = build(
        [
            node("Transpose", "x", "t", perm=[0, 3, 1, 2]),
            *[node("Conv", "t k kb", "c", pads=[1, 1, 1, 1]), node("Relu", "c", "d"), *head("d")],
        ],
        {**CONV, **HEAD},
        shape=("n", 16, 16, 3),
    )
    read = load_target(save(nhwc, tmp_path), task=BinaryTask())
    assert (read.preprocessing.layout, read.preprocessing.hw) == ("NHWC", (16, 16))
    nhwc.graph.input[0].CopyFrom(helper.make_tensor_value_info("x", TensorProto.FLOAT, ("n", "a", "b", 3)))
    size = Preprocessing(size=16)  # says nothing of the order of axes, and has one
    open_size = load_target(save(nhwc, tmp_path), task=BinaryTask(), preprocessing=size)
    assert (open_size.preprocessing.layout, open_size.preprocessing.hw) == ("NHWC", (16, 16))
    torch.testing.assert_close(open_size(images), read(images))
    whole = build(
        [
            node("Cast", "x", "f", to=1),
            node("Conv", "f k kb", "c", pads=[1, 1, 1, 1]),
            node("Relu", "c", "d"),
            *head("d"),
        ],
        {**CONV, **HEAD},
        kind=TensorProto.UINT8,
    )
    bytes_in = load_target(save(whole, tmp_path), task=BinaryTask(), preprocessing=Preprocessing(value_range=(0, 255)))
    assert not bytes_in.differentiable
    assert "whole numbers" in bytes_in.note
    torch.testing.assert_close(bytes_in(images), plain(images), rtol=0.02, atol=0.5)


def short_constant() -> onnx.ModelProto:
    """A constant with fewer numbers than its shape has."""
    model = simple()
    model.graph.initializer[1].raw_data = model.graph.initializer[1].raw_data[:-4]
    return model


def attribute_of_a_function() -> onnx.ModelProto:
    """A node outside of any function, whose attribute is that of the function around it."""
    model = simple()
    del model.graph.node[0].attribute[:]
    model.graph.node[0].attribute.add(name="pads", ref_attr_name="pads", type=onnx.AttributeProto.INTS)
    return model


def constant_twice() -> onnx.ModelProto:
    """A Constant that says two values."""
    model = simple()
    model.graph.node.insert(0, node("Constant", "", "c", value_int=1, value_float=2.0))
    return model


@pytest.mark.parametrize("build_one", [short_constant, attribute_of_a_function, constant_twice])
def test_what_cannot_be_converted_of_a_constant_or_an_attribute_is_said(
    build_one: Callable[[], onnx.ModelProto],
) -> None:
    with pytest.raises(UnsupportedError, match="a constant or attribute in it"):
        OnnxGraph(build_one(), input_name="x", output_name="y")


def test_several_outputs_are_a_choice(tmp_path: Path) -> None:
    model = build([*chain(node("Relu", "c", "d")), node("Neg", "y", "z")], {**CONV, **HEAD}, outputs=("y", "z"))
    path = save(model, tmp_path)
    for wrong in (None, "x", 2, "-1"):
        with pytest.raises(TargetError, match=r"outputs y \(0\), z \(1\): choose one by name or index"):
            load_target(path, output=wrong)
    first, second, *same = (load_target(path, output=name, task=BinaryTask()) for name in ("y", "z", 1, "1"))
    images = torch.rand(2, 3, 16, 16)
    torch.testing.assert_close(first(images), -second(images))
    for by_index in same:
        torch.testing.assert_close(by_index(images), second(images))


def test_what_does_not_lead_to_the_chosen_output_costs_no_gradients(tmp_path: Path) -> None:
    pytest.importorskip("onnxruntime")
    nodes = [*chain(node("Dropout", "c", "d mask")), node("Einsum", "y", "z", equation="bk->kb")]
    path = save(build(nodes, {**CONV, **HEAD}, opset=12, outputs=("y", "z"), out=("n", "m")), tmp_path)
    assert load_target(path, output="y", task=BinaryTask()).differentiable
    model = build([node("MaxPool", "x", "m i", kernel_shape=[16, 16]), node("Cast", "i", to=1)], {}, out=("n", 3, 1, 1))
    with pytest.raises(UnsupportedError, match="the second output of MaxPool"):
        OnnxGraph(model, input_name="x", output_name="y")


def test_an_output_whose_name_is_a_number_goes_by_its_name(tmp_path: Path) -> None:
    model = build([*chain(node("Relu", "c", "d")), node("Neg", "y", "0")], {**CONV, **HEAD}, outputs=("y", "0"))
    first, named = (load_target(save(model, tmp_path), output=name, task=BinaryTask()) for name in ("y", "0"))
    images = torch.rand(2, 3, 16, 16)
    torch.testing.assert_close(named(images), -first(images))


def external(folder: Path, location: str) -> Path:
    model = simple()
    tensor = model.graph.initializer[0]
    tensor.ClearField("raw_data")
    tensor.data_location = TensorProto.EXTERNAL
    for key, value in (("location", location), ("offset", "0"), ("length", str(4 * 3 * 9 * 4))):
        entry = tensor.external_data.add()
        entry.key, entry.value = key, value
    return save(model, folder)


def test_external_data_beside_the_model_is_read(tmp_path: Path) -> None:
    (tmp_path / "data.bin").write_bytes(CONV["k"].tobytes())
    outside = load_target(external(tmp_path, "data.bin"), task=BinaryTask())
    inside = load_target(save(simple(), tmp_path, "inside.onnx"), task=BinaryTask())
    images = torch.rand(2, 3, 16, 16)
    torch.testing.assert_close(outside(images), inside(images))
    digest = outside.content_hash
    (tmp_path / "data.bin").write_bytes((CONV["k"] * 2).astype(np.float32).tobytes())
    assert load_target(external(tmp_path, "data.bin"), task=BinaryTask()).content_hash != digest


def test_of_a_large_data_file_only_what_is_used_is_read(tmp_path: Path) -> None:
    model = simple()
    bias = next(tensor for tensor in model.graph.initializer if tensor.name == "b")
    bias.ClearField("raw_data")
    bias.data_location = TensorProto.EXTERNAL
    bias.external_data.add(key="location", value="data.bin")
    bias.external_data.add(key="offset", value=str((8 << 30) - 4))
    with (tmp_path / "data.bin").open("wb") as file:
        file.seek((8 << 30) - 4)
        file.write(HEAD["b"].tobytes())
    outside = load_target(save(model, tmp_path), task=BinaryTask())
    images = torch.rand(2, 3, 16, 16)
    inside = load_target(save(simple(), tmp_path, "inside.onnx"), task=BinaryTask())
    torch.testing.assert_close(outside(images), inside(images))


@pytest.mark.parametrize("location", ["../secret.bin", "/etc/hostname", "sub/../../secret.bin", "link.bin"])
def test_external_data_elsewhere_is_refused(location: str, tmp_path: Path) -> None:
    folder = tmp_path / "model"
    folder.mkdir()
    (tmp_path / "secret.bin").write_bytes(CONV["k"].tobytes())
    (folder / "link.bin").symlink_to(tmp_path / "secret.bin")
    with pytest.raises(TargetError, match="outside its own folder"):
        load_target(external(folder, location))


def test_in_a_cache_of_links_data_lie_beside_the_model_as_the_links_do(tmp_path: Path) -> None:
    """So the hub keeps what it fetched: under other names than the model says."""
    blobs, snapshot = tmp_path / "blobs", tmp_path / "snapshots" / "main"
    for folder in (blobs, snapshot):
        folder.mkdir(parents=True)
    (blobs / "b1").write_bytes(CONV["k"].tobytes())
    external(blobs, "data.bin").rename(blobs / "a1")
    (snapshot / "model.onnx").symlink_to(blobs / "a1")
    with pytest.raises(TargetError, match=r"'data\.bin' is missing"):
        load_target(snapshot / "model.onnx")
    (snapshot / "data.bin").symlink_to(blobs / "b1")
    inside = load_target(save(simple(), tmp_path), task=BinaryTask())
    images = torch.rand(2, 3, 16, 16)
    torch.testing.assert_close(load_target(snapshot / "model.onnx", task=BinaryTask())(images), inside(images))


def test_bad_files_are_one_line(tmp_path: Path) -> None:
    whole = simple().SerializeToString()
    cases: list[tuple[bytes, str]] = [
        (b"not a model at all", "not an ONNX file|not a valid"),
        (whole[: len(whole) // 2], "not an ONNX file|not a valid"),
        (b"", "not a valid|not an ONNX"),
        (simple(opset=5).SerializeToString(), "opset 5"),
        (simple(shape=("n", 1, 16, 16)).SerializeToString(), "1 channels"),
        (simple(shape=(8, 3, 16, 16)).SerializeToString(), "exactly 8 images"),
        (build([node("Flatten", "x")], {}, shape=("n", 3)).SerializeToString(), "2 axes"),
        (build([node("Flatten", "x")], {}, kind=TensorProto.INT64).SerializeToString(), "type INT64"),
        (
            build([node("Einsum", "x x", equation="bchw,bchw->bq")], {}).SerializeToString(),
            "refuses it|not a valid|fails on an input",
        ),
    ]
    for content, message in cases:
        path = tmp_path / "bad.onnx"
        path.write_bytes(content)
        with pytest.raises(TargetError, match=message) as caught:
            load_target(path)
        assert "\n" not in str(caught.value)
        assert "bad.onnx" in str(caught.value)
    with pytest.raises(TargetError, match="cannot be read"):
        load_target(tmp_path / "absent.onnx")
    with pytest.raises(TargetError, match="missing"):
        load_target(external(tmp_path, "absent.bin"))


@pytest.mark.parametrize(
    ("text", "place"), [(b"Relu", "an operator"), (b"zoom_engine", "metadata"), (b"kb", "a constant")]
)
@pytest.mark.parametrize("read", [load_target, describe_target_file])
def test_a_text_that_is_no_utf8_is_refused_in_one_line(
    text: bytes, place: str, read: Callable[[Path], object], tmp_path: Path
) -> None:
    model = simple()
    helper.set_model_props(model, {"zoom_engine": "{}"})
    path = tmp_path / "bad.onnx"
    path.write_bytes(model.SerializeToString().replace(text, b"\xfd" * len(text)))
    with pytest.raises(TargetError, match=r"bad\.onnx: .*a text in it is not UTF-8") as caught:
        read(path)
    assert str(caught.value).isprintable(), place


@pytest.mark.ci
def test_cycles_and_graphs_that_would_fill_the_memory_are_refused(tmp_path: Path) -> None:
    cycle = build([node("Add", "x b", "a"), node("Relu", "a", "b"), node("Flatten", "b")], {})
    shape = np.array([1 << 20, 1 << 20], dtype=np.int64)
    huge = build([node("ConstantOfShape", "s", "a"), node("Flatten", "x", "b"), node("Add", "a b")], {"s": shape})
    claimed = simple()
    claimed.graph.initializer[0].dims[:] = [1 << 40, 1 << 20]
    many = build([node("Flatten", "x", "v0"), *(node("Relu", f"v{i}", f"v{i + 1}") for i in range(100_001))], {})
    many.graph.output[0].name = "v100001"
    for model, message in (
        (cycle, "not a valid"),
        (huge, "'a' of 1048576×1048576 is too large|not fit together"),
        (claimed, "too large|not a valid"),
        (many, "100002 nodes"),
    ):
        with pytest.raises(TargetError, match=message) as caught:
            load_target(save(model, tmp_path))
        assert "\n" not in str(caught.value)


def test_sizes_must_agree(tmp_path: Path) -> None:
    path = save(simple(), tmp_path)
    with pytest.raises(TargetError, match="takes 16×16 images, but preprocessing size is 32×32"):
        load_target(path, preprocessing=Preprocessing(size=32))
    assert load_target(path, task=BinaryTask(), resolution=64).preprocessing.hw == (16, 16)


def test_damaged_metadata_is_refused(tmp_path: Path) -> None:
    for text, message in (
        ("{", "no JSON"),
        ("[1]", "must be an object"),
        ('{"task": {"task": "magic"}}', "unknown task"),
    ):
        model = simple()
        helper.set_model_props(model, {"zoom_engine": text})
        with pytest.raises(TargetError, match=message):
            load_target(save(model, tmp_path))


def test_one_that_answers_differently_each_time_says_so_as_a_service_does(tmp_path: Path) -> None:
    noise = [node("RandomNormalLike", "mixed", "noise"), node("Add", "mixed noise", "noisy")]
    nodes = [node("Conv", "x k kb", "mixed"), *noise, *head("noisy")]
    target = load_target(save(build(nodes, {**CONV, **HEAD}), tmp_path), resolution=16)
    assert target.note.endswith("; asked twice about a picture it gives different answers")
    steady = load_target(save(build([node("Conv", "x k kb", "mixed"), *head("mixed")], {**CONV, **HEAD}), tmp_path))
    assert steady.note == ""
