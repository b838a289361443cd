"""rosinality's checkpoints against the literal formulation, in both of torch's file formats."""

from __future__ import annotations

import io
import math
from pathlib import Path

import pytest
import torch
from checkpoint_files import FILTER, draw, relative_error, rosinality_bytes, rosinality_state, write
from literal_stylegan2 import Literal

from zoom_engine.common.errors import CheckpointError
from zoom_engine.generators import describe_checkpoint, load_generator

LITERAL = Literal(z_dim=12, mapping_layers=8)


@pytest.mark.parametrize("legacy", [False, True])
def test_a_converted_checkpoint_draws_the_literal_image(legacy: bool, tmp_path: Path) -> None:
    network = load_generator(write(tmp_path / "x", rosinality_bytes(LITERAL, legacy=legacy)))
    for truncation in (1.0, 0.6):
        assert relative_error(draw(network, 2, truncation=truncation), LITERAL.image(2, truncation=truncation)) < 1e-4


@pytest.mark.parametrize("kind", ["training", "bare"])
def test_without_an_average_latent_it_is_measured(kind: str, tmp_path: Path) -> None:
    path = write(tmp_path / "x", rosinality_bytes(LITERAL, kind=kind))
    network = load_generator(path)
    assert relative_error(draw(network, 2), LITERAL.image(2)) < 1e-4
    z = torch.randn(20_000, 12, generator=torch.Generator().manual_seed(5))
    mean = network.mapping_network(z).mean(0)
    spread = network.mapping_network(z).std(0)
    assert ((network.mapping_network.w_avg - mean).abs() < 5 * spread / 100).all()
    assert torch.equal(network.mapping_network.w_avg, load_generator(path).mapping_network.w_avg)
    assert "no average latent" in describe_checkpoint(path).text


def test_a_training_checkpoint_of_torch_before_1_6_is_read(tmp_path: Path) -> None:
    """Its optimizers number their weights by addresses."""
    root = torch.load(write(tmp_path / "new", rosinality_bytes(LITERAL, kind="training")), weights_only=False)
    of_weight, group = root["g_optim"]["state"][0], root["g_optim"]["param_groups"][0]
    address = 140_262_939_359_936
    root["g_optim"] = {"state": {address: of_weight}, "param_groups": [{**group, "params": [address]}]}
    torch.save(root, tmp_path / "old", _use_new_zipfile_serialization=False)
    assert load_generator(tmp_path / "old").content_hash == load_generator(tmp_path / "new").content_hash


@pytest.mark.parametrize("legacy", [False, True])
def test_weights_in_bfloat16_are_those_that_torch_reads(legacy: bool, tmp_path: Path) -> None:
    root = torch.load(write(tmp_path / "x", rosinality_bytes(LITERAL)), weights_only=False)
    root["g_ema"] = {name: weight.bfloat16() for name, weight in root["g_ema"].items()}
    torch.save(root, tmp_path / "half", _use_new_zipfile_serialization=not legacy)
    root["g_ema"] = {name: weight.float() for name, weight in root["g_ema"].items()}
    torch.save(root, tmp_path / "whole")
    assert load_generator(tmp_path / "half").content_hash == load_generator(tmp_path / "whole").content_hash


@pytest.mark.parametrize("legacy", [False, True])
def test_tensors_that_were_expanded_are_read_as_torch_reads_them(legacy: bool, tmp_path: Path) -> None:
    root = torch.load(write(tmp_path / "x", rosinality_bytes(LITERAL)), weights_only=False)
    noise = root["g_ema"]["noises.noise_1"]
    for name, value in (("whole", torch.full_like(noise, 0.5)), ("expanded", torch.tensor(0.5).expand(noise.shape))):
        root["g_ema"]["noises.noise_1"] = value
        torch.save(root, tmp_path / name, _use_new_zipfile_serialization=not legacy)
    assert load_generator(tmp_path / "expanded").content_hash == load_generator(tmp_path / "whole").content_hash


def test_the_multiplier_follows_from_the_shapes(tmp_path: Path) -> None:
    literal = Literal(resolution=64, channels=(3, 3, 3, 3, 512), z_dim=12)
    path = write(tmp_path / "x", rosinality_bytes(literal))
    assert "channel multiplier 2" in describe_checkpoint(path).text
    assert load_generator(path).config.channels == (3, 3, 3, 3, 512)


@pytest.mark.parametrize(
    ("name", "value", "says"),
    [
        ("conv1.noise.weight", None, "'conv1.noise.weight' is missing"),
        ("conv1.conv.weight", torch.zeros(2, 8, 8, 3, 3), "shape"),
        ("conv1.conv.weight", torch.zeros(1, 8, 8, 5, 5), "expected \\[8, 8, 3, 3\\]"),
        ("convs.0.conv.blur.kernel", FILTER, "another filter"),
        ("style.2.weight", None, "numbered"),
        ("to_rgbs.0.bias", None, "numbered"),
        ("noises.noise_1", torch.zeros(1, 1, 4, 4), "expected \\[8, 8\\]"),
        ("style.1.bias", torch.full((12,), torch.inf), "non-finite"),
    ],
)
def test_what_does_not_fit_is_named(name: str, value: torch.Tensor | None, says: str, tmp_path: Path) -> None:
    state = rosinality_state(LITERAL)
    state.pop(name)
    if value is not None:
        state[name] = value
    buffer = io.BytesIO()
    torch.save({"g_ema": state}, buffer)
    path = write(tmp_path / "x", buffer.getvalue())
    with pytest.raises(CheckpointError, match=says) as caught:
        load_generator(path)
    assert str(describe_checkpoint(path).refusal) == str(caught.value)


@pytest.mark.parametrize("kind", ["converted", "training", "bare"])
def test_the_prefix_of_distributed_training_goes(kind: str, tmp_path: Path) -> None:
    path, plain = tmp_path / "x", write(tmp_path / "plain", rosinality_bytes(LITERAL, kind=kind))
    root = torch.load(plain, weights_only=False)
    state = {f"module.{name}": value for name, value in rosinality_state(LITERAL).items()}
    torch.save(state if kind == "bare" else root | {"g_ema": state}, path)
    assert load_generator(path).content_hash == load_generator(plain).content_hash
    assert describe_checkpoint(path).refusal is None


@pytest.mark.parametrize(
    ("shape", "says"), [((12,), None), ((1, 12), None), ((2, 12), "'latent_avg' has the shape"), ((24,), "w_avg")]
)
def test_an_average_latent_may_have_a_batch_axis_of_one(
    shape: tuple[int, ...], says: str | None, tmp_path: Path
) -> None:
    average = LITERAL.p["mapping.w_avg"].repeat(2)[: math.prod(shape)].view(shape)
    torch.save({"g_ema": rosinality_state(LITERAL), "latent_avg": average}, tmp_path / "x")
    described = describe_checkpoint(tmp_path / "x")
    if says is None:
        assert described.refusal is None
        assert torch.equal(load_generator(tmp_path / "x").mapping_network.w_avg, LITERAL.p["mapping.w_avg"])
    else:
        assert says in str(described.refusal)
        with pytest.raises(CheckpointError, match=says):
            load_generator(tmp_path / "x")


def test_other_torch_files_are_named_as_such(tmp_path: Path) -> None:
    torch.save({"model": {"weight": torch.zeros(2)}}, tmp_path / "x")
    with pytest.raises(CheckpointError, match="without rosinality's 'g_ema'; it has model"):
        load_generator(tmp_path / "x")
    torch.save({"g_ema": {"weight": torch.zeros(2)}}, tmp_path / "x")
    with pytest.raises(
        CheckpointError, match=r"'g_ema' is not rosinality's generator: without 'conv1\.conv\.weight'"
    ) as result:
        load_generator(tmp_path / "x")
    assert "it has weight" in str(result.value)
