"""Distillation at any size: it learns, goes on after a kill as if there had been none, and says what it saw."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from safetensors import safe_open

from lab.pets.train.subject import SUBJECT
from lab.training import generator as module
from lab.training.generator import Phase, prepare_mapping, strand_loss, texture_loss, train_generator
from lab.training.probe import train_probe
from lab.training.subject import TrainingSubject
from lab.training.teacher import teacher_of
from zoom_engine.common.errors import ConfigError
from zoom_engine.domains.pets.parameters import Parameters
from zoom_engine.generators import StyleGAN2Config, load_stylegan2

PHASES = (Phase(16, 3, 4, constant_rgb=True), Phase(32, 3, 4, edges=1.0, constant_rgb=True, texture=1.0))
LEARNED = (Phase(16, 3, 4, w="learned"), Phase(32, 3, 4), Phase(32, 3, 8, w="mapped", strands=1.0))
MIRRORED = tuple(row.name for row in Parameters.scheme.columns if row.low < 0)[:2]


def stand_in(parameters: Parameters) -> NDArray[np.uint8]:
    """Two halves of a colour each, 32² pixels."""
    tones = np.round(255 * np.abs(parameters.values[:, :6])).astype(np.uint8).reshape(-1, 1, 2, 3)
    return np.broadcast_to(tones, (len(parameters), 32, 2, 3)).repeat(16, 2)


@pytest.fixture(scope="module")
def subject(tmp_path_factory: pytest.TempPathFactory) -> TrainingSubject[Parameters]:
    folder = tmp_path_factory.mktemp("lab")
    subject = replace(
        SUBJECT,
        render=stand_in,
        images=40,
        held_out=8,
        probe=folder / "probe.safetensors",
        generator=StyleGAN2Config(32, (8, 8, 8, 8), z_dim=64, w_dim=48, mapping_layers=2),
    )
    train_probe(subject, folder / "work", folder, steps=2)
    return subject


@pytest.fixture(scope="module")
def bent(subject: TrainingSubject[Parameters]) -> TrainingSubject[Parameters]:
    def together(parameters: Parameters) -> NDArray[np.float32]:
        return np.asarray(parameters.values[:, :2] * parameters[MIRRORED[0]][:, None], dtype=np.float32)

    return replace(subject, together=together, mirrored=MIRRORED)


def weights_of(path: Path) -> tuple[dict[str, torch.Tensor], dict[str, Any]]:
    with safe_open(str(path), framework="pt") as file:
        return load_stylegan2(path).state_dict(), json.loads(file.metadata()["info"])


@pytest.mark.ci
@pytest.mark.parametrize(
    ("recipe", "phases", "taken"),
    [
        ("subject", PHASES, [0, 1, 2, 0, 1, 1, 2, 0, 1, 2]),
        ("bent", LEARNED, [0, 1, 2, 0, 1, 1, 2, 0, 1, 2, 0, 1, 2]),
    ],
)
def test_a_killed_run_ends_where_an_undisturbed_one_does(
    recipe: str,
    phases: tuple[Phase, ...],
    taken: list[int],
    request: pytest.FixtureRequest,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    subject: TrainingSubject[Parameters] = request.getfixturevalue(recipe)
    train_generator(subject, phases, tmp_path / "whole", tmp_path / "a", mapping_steps=3)
    steps: list[int] = []
    real = module.run

    def killed(name: str, *, step: Any, **options: Any) -> None:
        def once(index: int) -> dict[str, float]:
            steps.append(index)
            if len(steps) == 5:
                raise KeyboardInterrupt
            figures: dict[str, float] = step(index)
            return figures

        real(name, step=once, **{**options, "interval": 0.0})

    monkeypatch.setattr(module, "run", killed)
    with pytest.raises(KeyboardInterrupt):
        train_generator(subject, phases, tmp_path / "work", tmp_path / "b", mapping_steps=3)
    assert not (tmp_path / "b" / "generator.safetensors").exists()
    train_generator(subject, phases, tmp_path / "work", tmp_path / "b", mapping_steps=3)
    assert steps == taken
    (whole, about), (resumed, _) = (weights_of(tmp_path / name / "generator.safetensors") for name in "ab")
    for name, value in whole.items():
        torch.testing.assert_close(resumed[name], value, rtol=0, atol=0)
    assert about["images"] == 40
    assert about["phases"] == [list(vars(phase).values()) for phase in phases]


def test_a_set_that_grew_is_for_the_next_phase_and_not_for_half_of_one(
    subject: TrainingSubject[Parameters], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    few = replace(subject, seen=20)
    begun = (PHASES[0],)
    train_generator(few, begun, tmp_path, tmp_path / "a", mapping_steps=2)
    train_generator(subject, PHASES, tmp_path, tmp_path / "b", mapping_steps=2)
    assert weights_of(tmp_path / "b" / "generator.safetensors")[1]["images"] == 40
    checkpoint = tmp_path / "generator-0.pt"
    saved = torch.load(checkpoint, weights_only=True)
    assert saved["images"] == 20
    torch.save({**saved, "step": 2}, checkpoint)
    with pytest.raises(ConfigError, match="2 steps on 20 pictures, not 40"):
        train_generator(subject, PHASES, tmp_path, tmp_path / "c", mapping_steps=2)


def test_w_means_the_same_while_the_set_grows(subject: TrainingSubject[Parameters], tmp_path: Path) -> None:
    parameters = subject.table.from_latents(np.random.default_rng(0).standard_normal((3, 64)))
    first, later = (teacher_of(replace(subject, seen=seen))(parameters) for seen in (10, 40))
    assert torch.equal(first, later)
    prepare_mapping(subject, PHASES, tmp_path, mapping_steps=2)
    train_generator(subject, PHASES[:1], tmp_path, tmp_path / "out", mapping_steps=2)
    mapping = torch.load(tmp_path / "mapping.pt", weights_only=True)
    assert mapping["step"] == 2
    stored = weights_of(tmp_path / "out" / "generator.safetensors")[0]
    for name, value in mapping["network"].items():
        if "w_avg" not in name:
            torch.testing.assert_close(stored[f"mapping_network.{name}"], value, atol=1e-3, rtol=1e-3)


def test_of_a_mirror_image_w_knows_what_is_mirrored(bent: TrainingSubject[Parameters]) -> None:
    teacher = teacher_of(bent)
    parameters = bent.table.from_latents(np.random.default_rng(0).standard_normal((3, 64)))
    values = parameters.values.copy()
    values[:, [parameters.scheme.column(name) for name in MIRRORED]] *= -1
    other = teacher.standard(Parameters(values))
    mirrored = teacher.standard(parameters, mirror=True)
    torch.testing.assert_close(mirrored[:, :-1], other[:, :-1])
    assert not torch.allclose(mirrored[:, -3:-1], teacher.standard(parameters)[:, -3:-1])  # products, too
    assert mirrored[:, -1].tolist() == [1.0] * 3
    assert other[:, -1].tolist() == [-1.0] * 3


@pytest.mark.ci
def test_a_phase_that_learns_w_shows_what_no_sum_of_parameters_does(
    bent: TrainingSubject[Parameters], tmp_path: Path
) -> None:
    saved = []
    for w in ("teacher", "learned"):
        train_generator(bent, (Phase(32, 30, 8, w=w),), tmp_path / w, tmp_path / w, mapping_steps=2)
        saved.append(torch.load(tmp_path / w / "generator-0.pt", weights_only=True))
    teacher = teacher_of(bent)
    parameters = bent.table.from_latents(np.random.default_rng(0).standard_normal((3, 64)))
    before = teacher(parameters)
    assert "bend" not in saved[0]
    teacher.bend.load_state_dict(saved[1]["bend"])
    assert (teacher(parameters) - before).norm() > 0.01 * before.norm()


def test_the_mapping_network_waits_for_the_w_that_it_maps_to(bent: TrainingSubject[Parameters], tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="0 of 3 steps: w is not learned"):
        prepare_mapping(bent, LEARNED, tmp_path, mapping_steps=2)
    train_generator(bent, LEARNED[:1], tmp_path, tmp_path / "first", mapping_steps=2)
    (tmp_path / "mapping.pt").unlink()
    prepare_mapping(bent, LEARNED, tmp_path, mapping_steps=3)
    assert torch.load(tmp_path / "mapping.pt", weights_only=True)["step"] == 3
    train_generator(bent, LEARNED, tmp_path, tmp_path / "first", mapping_steps=3)  # what is learned is in no file
    assert weights_of(tmp_path / "first" / "generator.safetensors")[1]["phases"] == [
        list(vars(phase).values()) for phase in LEARNED
    ]


def test_strands_are_told_from_a_net_and_from_strands_that_run_across() -> None:
    def lines(angle: float) -> torch.Tensor:
        down, right = torch.meshgrid(torch.arange(64.0), torch.arange(64.0), indexing="ij")
        turned = torch.tensor(angle * torch.pi / 180)
        return torch.sin(2 * (right * torch.cos(turned) + down * torch.sin(turned))).expand(1, 3, 64, 64)

    truth, beside = lines(0.0), lines(0.0).roll(1, dims=3)
    net = (lines(0.0) + lines(90.0)) / 2**0.5
    assert float(strand_loss(truth, truth)) == 0
    assert strand_loss(beside, truth) < 0.05  # wherever its lines are
    dots = torch.zeros_like(truth)
    dots[:, :, ::4, ::4] = 10 * truth.std()
    for other in (net, dots, lines(90.0), lines(45.0), torch.zeros_like(truth)):
        assert strand_loss(other, truth) > 0.1
    assert texture_loss(lines(90.0), truth) < 0.02  # which cannot tell them


@pytest.mark.ci
def test_it_learns(subject: TrainingSubject[Parameters], tmp_path: Path) -> None:
    quality = []
    for steps in (1, 40):
        out = tmp_path / str(steps)
        train_generator(subject, (Phase(32, steps, 8, constant_rgb=True),), out, out, mapping_steps=20)
        quality.append(weights_of(out / "generator.safetensors")[1]["psnr_db"])
    assert quality[1] > quality[0] + 1
