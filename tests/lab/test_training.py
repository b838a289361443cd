"""Recipes of the embedded domains: what the shipped files have behind them, and what asks for texture."""

from __future__ import annotations

import importlib
import json
import sys
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from torch import Tensor

from lab.pets.train.subject import SUBJECT
from lab.training.command import train_parts
from lab.training.generator import learn_noise, phases_of, texture_loss
from lab.training.probe import train_probe
from zoom_engine.diagnose.domain import find_domain
from zoom_engine.domains.weights_files import load_network
from zoom_engine.generators import StyleGAN2, StyleGAN2Config, load_stylegan2


@pytest.mark.parametrize("name", ["avatars", "people", "pets", "places", "cars"])
def test_the_shipped_generator_is_that_of_the_recipe(name: str) -> None:
    domain = find_domain(name)
    assert domain is not None
    recipe = importlib.import_module(f"lab.{name}.train.subject")
    assert phases_of(domain.weights / "generator.safetensors") == list(recipe.PHASES)
    assert recipe.SUBJECT.generator == load_stylegan2(domain.weights / "generator.safetensors").config
    encoder = json.loads((domain.weights / "text" / "open_clip_config.json").read_text())
    assert recipe.SUBJECT.text_encoder == encoder["model_cfg"]


def stripes(shift: float) -> Tensor:
    """float32 ``[1, 3, 64, 64]``, a period of 6 pixels."""
    return 0.3 * torch.sin((torch.arange(64) + shift) * torch.pi / 3).expand(1, 3, 64, 64)


def test_texture_is_missed_wherever_its_lines_would_be() -> None:
    blurred = torch.zeros(1, 3, 64, 64)
    missing = float(texture_loss(blurred, stripes(0)))
    assert float(texture_loss(stripes(0), stripes(0))) == 0
    assert float(texture_loss(stripes(3), stripes(0))) < 0.1 * missing, "other lines, as much texture"
    assert float((stripes(3) - stripes(0)).abs().mean()) > float((blurred - stripes(0)).abs().mean()), "L1 prefers none"


def test_constants_that_are_learned_begin_as_the_noise_that_was_added() -> None:
    torch.manual_seed(0)
    generator = StyleGAN2(StyleGAN2Config(16, (8, 8, 8), z_dim=4, w_dim=4, mapping_layers=1)).eval()
    for conv in generator.convs.values():
        conv.noise_strength.data.fill_(0.3)
    styles = generator.styles(torch.randn(2, generator.config.num_ws, 4))
    before = generator.synthesis(styles, plain=True).detach()
    learn_noise(generator)
    after = generator.synthesis(styles, plain=True)
    torch.testing.assert_close(after.detach(), before)
    torch.autograd.backward(after.square().mean())
    for conv in generator.convs.values():
        assert conv.noise_const.grad is not None
        assert bool(conv.noise_const.grad.any())
        assert not conv.noise_strength.requires_grad


@pytest.mark.parametrize(
    ("given", "written"), [(["probe"], "lab"), (["text"], "weights"), (["probe", "--out", "other"], "other")]
)
def test_the_probe_is_written_to_the_lab_and_the_rest_to_the_package(
    given: list[str], written: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    out: list[Path] = []
    parts = dict.fromkeys(("probe", "text"), lambda work, folder: out.append(folder))
    monkeypatch.setattr(sys, "argv", ["train", *given])
    train_parts("pets", parts, Path("weights"), probe=Path("lab/probe.safetensors"), order="")
    assert out == [Path(written)]


def test_a_probe_is_trained_and_read_again(tmp_path: Path) -> None:
    train_probe(replace(SUBJECT, images=8), tmp_path / "work", tmp_path, steps=2)
    network, about = load_network(tmp_path / "probe.safetensors")
    assert about["outputs"] == list(SUBJECT.truth.attributes)
    assert network(torch.zeros(1, 3, 128, 128)).shape == (1, len(about["outputs"]))
