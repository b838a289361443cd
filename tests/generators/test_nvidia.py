"""NVIDIA's PyTorch pickles against the literal formulation, and what is refused of them."""

from __future__ import annotations

import io
import pickle
import time
import warnings
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from checkpoint_files import Persistent, draw, nvidia_bytes, nvidia_generator, relative_error, write
from literal_stylegan2 import Literal
from torch import nn

from zoom_engine.common.errors import CheckpointError, ConfigError
from zoom_engine.generators import convert_checkpoint, describe_checkpoint, load_generator
from zoom_engine.generators.checkpoints.pickles.interpreter import Budget
from zoom_engine.generators.checkpoints.pickles.torch_files import load_storage

VARIANTS = {
    "skip": Literal(),
    "eight mapping layers": Literal(mapping_layers=8),
    "conv_clamp": Literal(conv_clamp=0.9),
    "orig": Literal(architecture="orig"),
    "resnet": Literal(architecture="resnet", conv_clamp=0.9),
    "narrow mapping": Literal(mapping_layers=3, mapping_dim=9),
    "128": Literal(resolution=128, channels=(6, 6, 5, 5, 4, 4), seed=2),
    "1024": Literal(resolution=1024, channels=(5, 5, 5, 4, 4, 4, 3, 3, 2), mapping_layers=8, conv_clamp=256.0),
}
CONDITIONAL = Literal(c_dim=4, embed_dim=6, architecture="skip", conv_clamp=2.0)
CONDITIONALS = {
    "skip": CONDITIONAL,
    "orig": Literal(c_dim=4, embed_dim=6, architecture="orig", mapping_layers=8),
    "resnet": Literal(c_dim=4, embed_dim=12, architecture="resnet", mapping_layers=8, conv_clamp=0.9),
}


@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=pytest.mark.ci) if name == "1024" else name for name in VARIANTS]
)
def test_a_seed_gives_the_image_of_the_literal_formulation(name: str, tmp_path: Path) -> None:
    literal = VARIANTS[name]
    network = load_generator(write(tmp_path / "network.pkl", nvidia_bytes(literal)))
    for seed, truncation, cutoff in ((3, 1.0, None), (4, 0.6, None), (5, 0.6, 3)):
        result = draw(network, seed, truncation=truncation, cutoff=cutoff)
        assert relative_error(result, literal.image(seed, truncation=truncation, cutoff=cutoff)) < 1e-4


@pytest.mark.parametrize("protocol", [0, 1, 2, 3, 4, 5])
def test_every_pickle_protocol_is_read(protocol: int, tmp_path: Path) -> None:
    literal = Literal(resolution=8, channels=(5, 4))
    network = load_generator(write(tmp_path / "x", nvidia_bytes(literal, protocol=protocol)))
    assert relative_error(draw(network, 1), literal.image(1)) < 1e-4


@pytest.mark.parametrize("protocol", [2, 4])
def test_a_name_that_is_no_utf_8_spoils_nothing(protocol: int, tmp_path: Path) -> None:
    """Python holds such a file name's bytes as surrogates, and pickles them."""
    plain = nvidia_bytes(Literal(resolution=8, channels=(5, 4)), protocol=protocol)
    named = plain.replace(b"ImageFolderDataset", b"ImageFolderData" + "\udce9".encode("utf-8", "surrogatepass"))
    assert named != plain
    loaded = [load_generator(write(tmp_path / "x", data)) for data in (plain, named)]
    assert loaded[0].content_hash == loaded[1].content_hash


def test_the_plain_composition_is_the_same_function(tmp_path: Path) -> None:
    literal = VARIANTS["resnet"]
    network = load_generator(write(tmp_path / "network.pkl", nvidia_bytes(literal)))
    styles = network.styles(network.mapping(network.latents([1])))
    assert relative_error(network.synthesis(styles, plain=True)[0], literal.image(1)) < 1e-4


@pytest.mark.parametrize("label", [0, 3])
@pytest.mark.parametrize("architecture", CONDITIONALS)
def test_classes_are_embedded_normalised_and_appended(architecture: str, label: int, tmp_path: Path) -> None:
    literal = CONDITIONALS[architecture]
    network = load_generator(write(tmp_path / "network.pkl", nvidia_bytes(literal)))
    wanted = literal.image(7, truncation=0.7, label=label)
    w = network.mapping(network.latents([7]), truncation=0.7, classes=torch.tensor([label]))
    assert relative_error(network.synthesis(network.styles(w))[0], wanted) < 1e-4
    fixed = network.of_class(label)
    assert relative_error(draw(fixed, 7, truncation=0.7), wanted) < 1e-4
    assert fixed.content_hash != network.content_hash
    assert fixed.config.c_dim == 0


def test_classes_without_an_average_latent_are_drawn_untruncated(tmp_path: Path) -> None:
    """The original keeps no average where it was told not to track one; of all classes there is none to measure."""
    generator = nvidia_generator(CONDITIONAL)
    generator.mapping.w_avg_beta = None
    del generator.mapping.w_avg
    path = write(tmp_path / "network.pkl", nvidia_bytes(CONDITIONAL, generator=generator))
    convert_checkpoint(path, tmp_path / "one.safetensors", class_index=2)
    for network in (load_generator(path).of_class(2), load_generator(tmp_path / "one.safetensors")):
        assert relative_error(draw(network, 7), CONDITIONAL.image(7, label=2)) < 1e-4
        assert draw(network, 7, truncation=1.0, cutoff=3).isfinite().all()
        with pytest.raises(ConfigError, match=r"no average latent.*leave truncation at 1"):
            draw(network, 7, truncation=0.7)
    described = describe_checkpoint(path)
    assert described.refusal is None
    assert "no average latent inside: truncation stays at 1" in described.text


def test_classes_are_asked_for_where_there_are_some_and_only_there(tmp_path: Path) -> None:
    network = load_generator(write(tmp_path / "network.pkl", nvidia_bytes(CONDITIONAL)))
    z = network.latents([1])
    with pytest.raises(ConfigError, match="draws 4 classes"):
        network.mapping(z)
    with pytest.raises(ConfigError, match=r"classes must be in 0\.\.3"):
        network.mapping(z, classes=torch.tensor([4]))
    with pytest.raises(ConfigError, match=r"outside 0\.\.3"):
        network.of_class(4)
    plain = load_generator(write(tmp_path / "plain.pkl", nvidia_bytes(VARIANTS["skip"])))
    with pytest.raises(ConfigError, match="not class-conditional"):
        plain.mapping(z, classes=torch.tensor([0]))
    with pytest.raises(ConfigError, match="not class-conditional"):
        plain.of_class(0)


def test_stored_gains_are_trusted_not_recomputed(tmp_path: Path) -> None:
    literal = Literal(resolution=8, channels=(5, 4))
    wanted = literal.image(1)
    generator = nvidia_generator(literal)
    layer = generator.synthesis.b8.conv1.affine
    layer.weight_gain *= 2
    layer.bias_gain = 0.5
    layer.weight.data /= 2
    layer.bias.data *= 2
    network = load_generator(write(tmp_path / "x", nvidia_bytes(literal, generator=generator)))
    assert relative_error(draw(network, 1), wanted) < 1e-4


def test_a_network_without_noise_draws_without(tmp_path: Path) -> None:
    literal = Literal(resolution=8, channels=(5, 4))
    generator = nvidia_generator(literal)
    for layer in (generator.synthesis.b4.conv1, generator.synthesis.b8.conv0, generator.synthesis.b8.conv1):
        layer.use_noise = False
        del layer.noise_strength, layer.noise_const
    for name in [name for name in literal.p if name.endswith("noise_strength")]:
        literal.p[name] = torch.zeros(())
    network = load_generator(write(tmp_path / "x", nvidia_bytes(literal, generator=generator)))
    assert relative_error(draw(network, 1), literal.image(1)) < 1e-4


def test_strided_and_shared_storages_are_views_of_one_blob(tmp_path: Path) -> None:
    literal = Literal(resolution=8, channels=(5, 4))
    generator = nvidia_generator(literal)
    layer = generator.synthesis.b8.conv1
    layer.weight = nn.Parameter(layer.weight.data.permute(1, 0, 2, 3).contiguous().permute(1, 0, 2, 3))
    wide = torch.cat([torch.full((3,), 9.0), layer.bias.data])
    layer.bias = nn.Parameter(wide[3:])
    network = load_generator(write(tmp_path / "x", nvidia_bytes(literal, generator=generator)))
    assert relative_error(draw(network, 1), literal.image(1)) < 1e-4


@pytest.mark.parametrize(
    "dtype", [torch.float32, torch.float64, torch.float16, torch.bfloat16, torch.int64, torch.bool]
)
def test_a_nested_storage_is_what_weights_only_loading_reads(dtype: torch.dtype) -> None:
    tensor = (torch.arange(6) - 2).to(dtype)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # torch calls typed storages deprecated
        _, (blob,) = tensor.storage().__reduce__()
        wanted = torch.load(io.BytesIO(blob), weights_only=True)
        assert wanted.dtype == dtype
        expected = bytes(wanted.untyped().tolist())
    result = load_storage(blob, Budget())
    assert result.count == 6
    assert bytes(result.data) == expected


def _second_clamp(g: Persistent) -> None:
    g.synthesis.b8.conv1.conv_clamp = 3.0


def _relu(g: Persistent) -> None:
    g.synthesis.b8.conv1.activation = "relu"


def _other_filter(g: Persistent) -> None:
    g.synthesis.b8.conv0.resample_filter = torch.ones(4, 4) / 16


def _grey(g: Persistent) -> None:
    g.synthesis.b4.torgb.weight = nn.Parameter(torch.zeros(1, 5, 1, 1))


def _no_layer(g: Persistent) -> None:
    del g.mapping.fc1


def _nan(g: Persistent) -> None:
    g.mapping.fc1.bias.data[0] = float("nan")


def _shape(g: Persistent) -> None:
    g.synthesis.b8.conv1.weight = nn.Parameter(torch.zeros(4, 3, 3, 3))


def _stylegan3(g: Persistent) -> None:
    g.synthesis.input = Persistent("SynthesisInput")


def _hole(g: Persistent) -> None:
    del g.synthesis.b4


def _mixed(g: Persistent) -> None:
    g.synthesis.b4.architecture = "orig"


def _integers(g: Persistent) -> None:
    g.mapping.register_buffer("w_avg", torch.zeros(12, dtype=torch.int64))


def _huge_gain(g: Persistent) -> None:
    g.mapping.fc0.weight_gain = 1e300


def _huge_double(g: Persistent) -> None:
    g.mapping.register_buffer("w_avg", torch.full((12,), 1e300, dtype=torch.float64))


def _wide_kernel(g: Persistent) -> None:
    g.synthesis.b8.conv1.weight = nn.Parameter(torch.zeros(4, 4, 5, 5))


def _two_averages(g: Persistent) -> None:
    g.mapping.register_buffer("w_avg", torch.zeros(1, 12))


def _gain(g: Persistent) -> None:
    del g.mapping.fc0.weight_gain


@pytest.mark.parametrize(
    ("spoil", "says"),
    [
        (_second_clamp, "2 values of conv_clamp"),
        (_relu, "activation is not 'lrelu'"),
        (_other_filter, "another filter"),
        (_grey, "1 colour channels"),
        (_no_layer, "lacks 'fc1'"),
        (_nan, "non-finite"),
        (_shape, "expected \\[4, 4, 3, 3\\]"),
        (_wide_kernel, "expected \\[4, 4, 3, 3\\]"),
        (_two_averages, "'mapping_network.w_avg' is \\[1, 12\\]"),
        (_stylegan3, "StyleGAN3"),
        (_hole, "its blocks are b8"),
        (_mixed, "different architectures"),
        (_integers, "'i8'"),
        (_gain, "no number 'weight_gain'"),
        (_huge_gain, "not finite once"),
        (_huge_double, "non-finite"),
    ],
)
def test_what_is_not_supported_is_refused_in_one_line(
    spoil: Callable[[Persistent], None], says: str, tmp_path: Path
) -> None:
    literal = Literal(resolution=8, channels=(5, 4))
    generator = nvidia_generator(literal)
    spoil(generator)
    path = write(tmp_path / "network.pkl", nvidia_bytes(literal, generator=generator))
    with pytest.raises(CheckpointError, match=says) as caught:
        load_generator(path)
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)
    described = describe_checkpoint(path)
    assert str(described.refusal) == str(caught.value)
    assert "content hash" not in described.text


@pytest.mark.parametrize("g_ema", [{"weight": torch.zeros(2)}, None, [1, 2]])
def test_a_g_ema_that_is_no_network_is_not_called_missing(g_ema: object, tmp_path: Path) -> None:
    path = write(tmp_path / "network.pkl", pickle.dumps({"G": 1, "G_ema": g_ema}))
    with pytest.raises(CheckpointError, match="whose 'G_ema' is none of NVIDIA's networks") as caught:
        load_generator(path)
    assert "without" not in str(caught.value)


def test_a_description_says_what_is_inside(tmp_path: Path) -> None:
    path = write(tmp_path / "network.pkl", nvidia_bytes(CONDITIONAL))
    described = describe_checkpoint(path)
    assert described.refusal is None
    for part in (
        "NVIDIA PyTorch pickle",
        "resolution:   32",
        "classes:      4",
        "conv_clamp:   2",
        "16, 32",
        "SHA-256",
    ):
        assert part in described.text


def test_modules_that_are_shared_a_million_ways_are_visited_once(tmp_path: Path) -> None:
    literal = Literal(resolution=8, channels=(5, 4))
    generator = nvidia_generator(literal)
    module = Persistent("Deep")
    for _ in range(4):
        outer = Persistent("Deep")
        outer._modules.update({str(index): module for index in range(300)})
        module = outer
    generator.more = module
    path = write(tmp_path / "x", nvidia_bytes(literal, generator=generator))
    begin = time.process_time()
    assert "NVIDIA PyTorch pickle" in describe_checkpoint(path).text
    assert relative_error(draw(load_generator(path), 1), literal.image(1)) < 1e-4
    assert time.process_time() - begin < 5
