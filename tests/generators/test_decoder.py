"""Any decoder is a generator: torch modules and ONNX files, from normal codes or a file of them."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import onnx
import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor, nn

from zoom_engine.commands.inspection import describe_file
from zoom_engine.common.errors import CheckpointError, ConfigError, ZoomError
from zoom_engine.directions.relevance import Sampling
from zoom_engine.directions.unedited import unedited_embeddings
from zoom_engine.generators import (
    Decoder,
    EditableGenerator,
    OnnxDecoder,
    check_editable_generator,
    load_generator,
    of_one_class,
    read_codes,
)
from zoom_engine.generators.codes import NoisyCodes

SIZE, SIDE = 5, 16


class Painter(nn.Module):
    """A code paints a smooth picture; ``scale`` and ``shift`` move it out of [-1, 1]."""

    code_size = SIZE

    def __init__(self, *, scale: float = 1.0, shift: float = 0.0, side: int = SIDE) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.layer = nn.Linear(SIZE, 3 * side * side)
        self.norm = nn.BatchNorm1d(3 * side * side)  # mixes a batch unless it is in evaluation mode
        self.scale, self.shift, self.side = scale, shift, side

    def forward(self, codes: Tensor) -> Tensor:
        return self.norm(self.layer(codes)).tanh().view(-1, 3, self.side, self.side) * self.scale + self.shift


def onnx_file(path: Path, **changes: Any) -> Path:
    """``codes @ W`` as pictures, in ONNX; ``changes`` make it something else."""
    weight = Painter().layer.weight.detach().numpy().T / 3 * changes.get("scale", 1)
    shape = changes.get("shape", ["n", SIZE])
    nodes = [
        onnx.helper.make_node("MatMul", ["z", "w"], ["flat"]),
        onnx.helper.make_node("Reshape", ["flat", "sides"], ["shaped"]),
        onnx.helper.make_node("Add", ["shaped", "shift"], ["x"]),
    ]
    value = onnx.helper.make_tensor_value_info
    inputs = [value("z", changes.get("type", onnx.TensorProto.FLOAT), shape), *changes.get("inputs", [])]
    sides = np.array(changes.get("sides", [-1, 3, SIDE, SIDE]), np.int64)
    shift = np.float32(changes.get("shift", 0)).reshape(1)
    graph = onnx.helper.make_graph(
        nodes,
        "decoder",
        inputs,
        [value("x", onnx.TensorProto.FLOAT, ["n", 3, None, None])],
        [
            onnx.numpy_helper.from_array(array, name)
            for name, array in (("w", weight), ("sides", sides), ("shift", shift))
        ],
    )
    model = onnx.helper.make_model(graph, opset_imports=[onnx.helper.make_opsetid("", 17)], ir_version=9)
    onnx.save(model, str(path))
    return path


def test_a_torch_module_is_a_generator() -> None:
    network = Painter().train()
    generator = load_generator(network)
    assert isinstance(generator, Decoder)
    assert isinstance(generator, EditableGenerator)
    check_editable_generator(generator)
    assert (generator.space.size, generator.resolution, generator.population) == (SIZE, SIDE, None)
    assert network.training, "the caller's own module is left alone"
    codes = generator.sample([3, 4])
    torch.testing.assert_close(generator.render(codes), network.eval()(codes))
    assert generator.content_hash == load_generator(Painter()).content_hash
    assert generator.content_hash != Decoder(Painter(), output_range=(-1.0, 2.0)).content_hash
    assert of_one_class(generator, None) is generator
    with pytest.raises(ConfigError, match="not class-conditional"):
        of_one_class(generator, 1)


class Inverted(Painter):
    """The same weights and structure, drawn otherwise."""

    def forward(self, codes: Tensor) -> Tensor:
        return -super().forward(codes)


Inverted.__name__ = "Painter"


def test_a_decoder_that_draws_otherwise_takes_nothing_from_the_cache(tmp_path: Path) -> None:
    assert repr(Painter()) == repr(Inverted())
    light = [0.0]  # stands for what a file or an extension says

    class Lit(Painter):
        def forward(self, codes: Tensor) -> Tensor:
            return super().forward(codes) * 0.5 + float(np.asarray(list(map(float, iter(light)))).sum())

    encoder: Any = SimpleNamespace(
        content_hash="colours",
        embedding_hash="colours",
        precision="fp32",
        dim=3,
        embed_images=lambda images: images.mean((2, 3)),
    )

    def embedded(generator: Decoder) -> Tensor:
        return unedited_embeddings(generator, encoder, Sampling(8, cache=tmp_path))

    first = embedded(Decoder(Painter()))
    torch.testing.assert_close(embedded(Decoder(Painter())), first)
    torch.testing.assert_close(embedded(Decoder(Inverted())), -first)
    torch.testing.assert_close(embedded(Decoder(Painter(scale=0.5))), first / 2)
    dark = embedded(Decoder(Lit()))
    light[0] = 0.25
    torch.testing.assert_close(embedded(Decoder(Lit())), dark + 0.25)


def test_a_decoder_that_draws_at_random_has_one_hash() -> None:
    class Noisy(Painter):
        def forward(self, codes: Tensor) -> Tensor:
            return 0.5 * super().forward(codes) + 0.1 * torch.rand(())

    first, second = Decoder(Noisy()), Decoder(Noisy())
    assert first.content_hash == second.content_hash
    assert first.content_hash.answers is None


def test_a_decoder_that_changes_its_input_in_place_leaves_codes_alone() -> None:
    """An image's code was another one after its first picture, and with it every edit of it."""

    class InPlace(Painter):
        def forward(self, codes: Tensor) -> Tensor:
            return super().forward(codes.mul_(0.5))

    generator = load_generator(InPlace())
    codes = generator.sample([0, 1])
    first = generator.render(codes)
    assert torch.equal(codes, generator.sample([0, 1]))
    assert torch.equal(generator.render(codes.requires_grad_(True)), first), "nor is a gradient in its way"


def test_a_decoder_is_copied_without_hooks_that_only_watch() -> None:
    network, seen = Painter(), []
    network.layer.register_forward_hook(lambda *_: seen.append(1))
    generator = Decoder(network)
    tried = len(seen)
    generator.render(generator.sample([0]))
    assert len(seen) == tried == 1
    assert generator.note == ""
    network.layer.register_forward_hook(lambda layer, inputs, output: output / 2)
    assert "<lambda>" in Decoder(network).note


def test_normal_codes_are_of_the_seed_alone() -> None:
    generator = Decoder(Painter())
    wanted = np.random.RandomState(7).randn(SIZE)
    np.testing.assert_allclose(generator.sample([6, 7])[1], wanted, rtol=1e-6)
    halved = generator.sample([7], truncation=0.5)
    torch.testing.assert_close(halved, generator.sample([7]) / 2)
    with pytest.raises(ConfigError, match="truncation_cutoff"):
        generator.sample([0], truncation_cutoff=2)
    with pytest.raises(ConfigError, match="seeds"):
        generator.sample([-1])


@pytest.mark.parametrize("kind", ["npy", "safetensors"])
def test_codes_come_from_a_file(tmp_path: Path, kind: str) -> None:
    table = torch.randn(6, SIZE) + 3
    path = tmp_path / f"codes.{kind}"
    if kind == "npy":
        np.save(path, table.numpy())
    else:
        save_file({"codes": table}, path)
    generator = load_generator(Painter(), codes=path)
    assert generator.population == 6
    torch.testing.assert_close(generator.sample([1, 7]), table[[1, 1]])
    _, drawn = generator.draw(50, torch.Generator().manual_seed(0))
    assert {tuple(row.tolist()) for row in drawn} == {tuple(row.tolist()) for row in table}
    torch.testing.assert_close(generator.sample([2], truncation=0.0)[0], table.mean(0))
    assert generator.content_hash != load_generator(Painter()).content_hash


def test_codes_are_kept_as_they_were_given() -> None:
    """Those that wanted a gradient ended in torch's own error, and the hash was not of those that were changed."""
    table = torch.randn(6, SIZE, requires_grad=True)
    generator = load_generator(Painter(), codes=table)
    first = generator.sample([0, 1])
    with torch.no_grad():
        table.zero_()
    assert torch.equal(generator.sample([0, 1]), first)
    assert not first.requires_grad
    assert NoisyCodes(2, table).sample([0], 1.0, None).shape == (1, 2 + SIZE)


@pytest.mark.parametrize("value", [float("nan"), float("inf"), 1e300, 1j])
def test_codes_that_are_not_finite_are_refused(value: complex) -> None:
    table = torch.full((2, SIZE), value, dtype=torch.complex128 if isinstance(value, complex) else torch.float64)
    for make in (lambda: load_generator(Painter(), codes=table), lambda: NoisyCodes(2, table)):
        with pytest.raises(ConfigError, match=r"codes must be finite numbers of float32.*\(torch\.\w+\)"):
            make()


@pytest.mark.parametrize(
    ("write", "complaint"),
    [
        (lambda p: p.write_bytes(b""), "holds no codes"),
        (lambda p: p.write_bytes(b"\x93NUMPY" + bytes(40)), "holds no codes"),
        (lambda p: p.write_bytes(b"\x93NUMPY\x01\x00\x08\x00{'descr'\n"), "holds no codes"),
        (lambda p: np.save(p, np.array([{"a": 1}], dtype=object), allow_pickle=True), "holds no codes"),
        (lambda p: np.save(p, np.zeros(4, np.float32)), r"\[K, S\]"),
        (lambda p: np.save(p, np.full((2, SIZE), np.nan)), "finite"),
        (lambda p: save_file({"a": torch.zeros(2, SIZE, dtype=torch.complex64)}, p), "complex"),
        (lambda p: save_file({"a": torch.zeros(1, 1), "b": torch.zeros(1, 1)}, p), "holds 2 tensors"),
        (lambda p: None, "holds no codes"),
    ],
)
def test_files_that_hold_no_codes_are_refused(tmp_path: Path, write: Any, complaint: str) -> None:
    path = tmp_path / "codes.npy"
    write(path)
    with pytest.raises(CheckpointError, match=complaint) as caught:
        read_codes(path)
    assert "\n" not in str(caught.value)


def test_an_output_of_another_range_is_told_apart_or_refused() -> None:
    with pytest.raises(ConfigError, match="output_range"):
        Decoder(Painter(scale=127.5, shift=127.5))
    bytes_like = Decoder(Painter(scale=127.5, shift=127.5), output_range=(0.0, 255.0))
    plain = Decoder(Painter())
    torch.testing.assert_close(bytes_like.render(plain.sample([0])), plain.render(plain.sample([0])), atol=1e-5, rtol=0)
    with pytest.raises(ConfigError, match=r"nothing below 0\.\d+, where black is -1 .* output_range, \(0, 1\)"):
        Decoder(Painter(scale=0.5, shift=0.5))
    assert Decoder(Painter(scale=0.5, shift=0.5), output_range=(-1, 1)).render(plain.sample([0])).min() > 0, "so bright"


class Grey(Painter):
    def forward(self, codes: Tensor) -> Tensor:
        return super().forward(codes)[:, :1]


class Sizeless(Painter):
    code_size = None  # type: ignore[assignment]


class Asserts(Painter):
    def forward(self, codes: Tensor) -> Tensor:
        raise AssertionError("of another size")


class NotFinite(Painter):
    def forward(self, codes: Tensor) -> Tensor:
        return super().forward(codes) / 0


@pytest.mark.parametrize(
    ("network", "options", "complaint"),
    [
        (Grey(), {}, r"images \[B, 3, R, R\]"),
        (Sizeless(), {}, "code_size"),
        (NotFinite(), {}, "NaN or infinity"),
        (Asserts(), {}, "fails on codes .* of another size"),
        (nn.Linear(3, 4), {"codes": torch.zeros(2, 3)}, r"images \[B, 3, R, R\]"),
        (Painter(), {"codes": torch.zeros(2, 3)}, "fails on codes"),
        (Painter(), {"codes": torch.tensor(3.0)}, r"codes must be \[K, S\], those given are \[\]"),
        (Painter(), {"codes": torch.zeros(SIZE)}, r"codes must be \[K, S\], those given are \[5\]"),
        (Painter().half(), {}, r"weights in float16, .* in float32, such as model\.float\(\)"),
        (Painter().bfloat16(), {}, "weights in bfloat16"),
        (Painter(), {"output_range": (1, 1)}, "output_range"),
        (Painter(), {"output_range": (1, 2, 3)}, "two numbers"),
        (Painter(), {"output_range": ("black", "white")}, "two numbers"),
    ],
)
def test_modules_that_are_no_decoders_are_refused(network: nn.Module, options: Any, complaint: str) -> None:
    with pytest.raises(ConfigError, match=complaint) as caught:
        load_generator(network, **options)
    assert "\n" not in str(caught.value)


def test_an_onnx_file_is_a_generator_and_runs_as_it_came(tmp_path: Path) -> None:
    pytest.importorskip("onnxruntime")
    generator = load_generator(onnx_file(tmp_path / "decoder.onnx"))
    assert isinstance(generator, OnnxDecoder)
    check_editable_generator(generator)
    assert (generator.space.size, generator.resolution, generator.differentiable) == (SIZE, SIDE, False)
    codes = generator.sample([0, 1, 2])
    weight = Painter().layer.weight.detach() / 3
    wanted = (codes @ weight.T).view(-1, 3, SIDE, SIDE).clamp(-1, 1)
    torch.testing.assert_close(generator.render(codes), wanted, atol=1e-5, rtol=0)
    renamed = onnx_file(tmp_path / "anything")
    assert load_generator(renamed).content_hash == generator.content_hash, "told by content"


@pytest.mark.parametrize(
    ("changes", "complaint"),
    [
        ({"shape": ["n", None]}, "S fixed"),
        ({"shape": ["n", SIZE, 1]}, r"\[batch, S\]"),
        ({"shape": ["n", -1]}, "S fixed"),
        ({"type": onnx.TensorProto.INT64}, "float32"),
        ({"sides": [-1, 1, SIDE, 3 * SIDE]}, r"\[B, 3, R, R\]"),
        ({"sides": [-1, 3, 2 * SIDE, SIDE // 2]}, "must be"),
        ({"shift": 3}, r"nothing below .*, where black is -1 .* output_range, \(0, 1\)"),
        ({"scale": 127}, r"reach .*: give its output_range, such as \(0, 255\)"),
        ({"inputs": [onnx.helper.make_tensor_value_info("y", 1, [1])]}, "one is needed"),
        ({"inputs": [onnx.helper.make_tensor_value_info("\x1b[2J" + "y" * 5_000, 1, [1])]}, "one is needed"),
    ],
)
def test_onnx_files_that_are_no_decoders_are_refused(tmp_path: Path, changes: Any, complaint: str) -> None:
    pytest.importorskip("onnxruntime")
    with pytest.raises(ZoomError, match=complaint) as caught:
        load_generator(onnx_file(tmp_path / "decoder.onnx", **changes))
    assert str(caught.value).isprintable()
    assert len(str(caught.value)) < 500


@pytest.mark.parametrize("shape", [[], ["n"], ["n", 2**62], ["n", -1]])
def test_edits_of_no_shape_that_edits_have_are_refused(shape: list[Any], tmp_path: Path) -> None:
    value = onnx.helper.make_tensor_value_info
    edits = [value("edit_weights", 1, shape), value("edit_directions", 1, [2, SIZE])]
    model = onnx.load(str(onnx_file(tmp_path / "decoder.onnx", inputs=edits)))
    model.graph.input[0].name = model.graph.node[0].input[0] = "styles"
    onnx.save(model, str(tmp_path / "decoder.onnx"))
    with pytest.raises(CheckpointError, match=r"its input edit_weights is not \[batch, N\]|too large"):
        load_generator(tmp_path / "decoder.onnx")


@pytest.mark.parametrize("content", [b"", b"\x08", b"PK\x03\x04", b"\x80\x04K\x01.", bytes(100)])
def test_damaged_files_are_refused(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "decoder.onnx"
    path.write_bytes(content)
    with pytest.raises(CheckpointError) as caught:
        load_generator(path)
    assert "\n" not in str(caught.value)
    with pytest.raises(CheckpointError, match="no generator"):
        load_generator(tmp_path / "elsewhere.onnx")


def test_external_data_outside_its_folder_is_refused(tmp_path: Path) -> None:
    path = onnx_file(tmp_path / "decoder.onnx")
    model = onnx.load(str(path))
    tensor = model.graph.initializer[0]
    tensor.ClearField("raw_data")
    tensor.data_location = onnx.TensorProto.EXTERNAL
    tensor.external_data.add(key="location", value="../secret")
    path.write_bytes(model.SerializeToString())
    with pytest.raises(CheckpointError, match="outside its own folder"):
        load_generator(path)


def test_options_of_a_decoder_belong_to_no_other_generator() -> None:
    with pytest.raises(ConfigError, match="belong to a decoder"):
        load_generator("avatars", codes=torch.zeros(1, 1))
    with pytest.raises(ConfigError, match="lacks render, content_hash"):
        load_generator(object())  # type: ignore[arg-type]


def test_a_decoder_is_inspected(tmp_path: Path) -> None:
    described = describe_file(onnx_file(tmp_path / "decoder.onnx"))
    assert described.refusal is None
    for word in (f"{SIZE} numbers", "sha-256", "normal distribution"):
        assert word in described.text
    spoiled = describe_file(onnx_file(tmp_path / "open.onnx", shape=["n", None]))
    assert isinstance(spoiled.refusal, CheckpointError)
    with pytest.raises(ConfigError, match="is a decoder"):
        describe_file(tmp_path / "decoder.onnx", {"size": 3})


def test_a_classifier_of_tables_is_no_decoder(tmp_path: Path) -> None:
    """The ends of what skl2onnx writes of a classifier: rows of numbers, then labels and a list of probabilities."""
    value = onnx.helper.make_tensor_value_info
    weights = {"coefficients": [1.0, -1.0, -1.0, 1.0], "intercepts": [0.0, 0.0], "classlabels_ints": [0, 1]}
    nodes = [
        onnx.helper.make_node("LinearClassifier", ["x"], ["label", "scores"], domain="ai.onnx.ml", **weights),
        onnx.helper.make_node("ZipMap", ["scores"], ["zipped"], domain="ai.onnx.ml", classlabels_int64s=[0, 1]),
    ]
    listed = onnx.helper.make_sequence_type_proto(
        onnx.helper.make_map_type_proto(
            onnx.TensorProto.INT64, onnx.helper.make_tensor_type_proto(onnx.TensorProto.FLOAT, [])
        )
    )
    outputs = [value("label", onnx.TensorProto.INT64, [None]), onnx.helper.make_value_info("zipped", listed)]
    path = tmp_path / "classifier.onnx"
    for first in (outputs, outputs[::-1]):
        graph = onnx.helper.make_graph(nodes, "g", [value("x", onnx.TensorProto.FLOAT, [None, 2])], first)
        opsets = [onnx.helper.make_opsetid("", 17), onnx.helper.make_opsetid("ai.onnx.ml", 1)]
        onnx.save(onnx.helper.make_model(graph, opset_imports=opsets, ir_version=9), str(path))
        with pytest.raises(CheckpointError, match=r"is no decoder: its output .*scikit-learn"):
            load_generator(path)
        described = describe_file(path)
        assert "from codes to pictures" not in described.text
        assert described.refusal is not None
