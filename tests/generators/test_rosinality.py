"""rosinality's checkpoints against the literal formulation, in both of torch's file formats."""

from __future__ import annotations

import io
from pathlib import Path

import pytest
import torch
from checkpoint_files import FILTER, draw, relative_error, rosinality_bytes, rosinality_state, write
from literal_stylegan2 import Literal

from zoom_engine.errors import CheckpointError
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
    assert "no average latent" in describe_checkpoint(path)


def test_the_multiplier_follows_from_the_shapes(tmp_path: Path) -> None:
    literal = Literal(resolution=64, channels=(3, 3, 3, 3, 512), z_dim=12)
    path = write(tmp_path / "x", rosinality_bytes(literal))
    assert "channel multiplier 2" in describe_checkpoint(path)
    assert load_generator(path).config.channels == (3, 3, 3, 3, 512)


@pytest.mark.parametrize(
    ("name", "value", "says"),
    [
        ("conv1.noise.weight", None, "'conv1.noise.weight' is missing"),
        ("conv1.conv.weight", torch.zeros(2, 8, 8, 3, 3), "shape"),
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
    with pytest.raises(CheckpointError, match=says):
        load_generator(write(tmp_path / "x", buffer.getvalue()))


def test_other_torch_files_are_named_as_such(tmp_path: Path) -> None:
    torch.save({"model": {"weight": torch.zeros(2)}}, tmp_path / "x")
    with pytest.raises(CheckpointError, match="without rosinality's 'g_ema'; it has model"):
        load_generator(tmp_path / "x")
