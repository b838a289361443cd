"""Distil a renderer into a StyleGAN2: z → parameters → render is the teacher.

1. The mapping network learns z → w, where w is a fixed rotation of the standardised render parameters, and where the
   subject names them of what several of them show together. The sampling distribution holds natural ties (beards with
   men, slit pupils with cats), so what w knows apart, the generated population does not show apart.
2. The synthesis network learns the teacher's w → render at 16², 32² and so on up to the whole picture, by a weighted
   multi-scale L1 and, of whole pictures, the probe's first feature maps; phases add the edges and make the toRGB styles
   constants. Of short trainings most steps belong at 32²: there the shapes are learned at a quarter of the price.
   The last one asks for texture, which L1 blurs, and learns the constants that show it (:func:`learn_noise`).
3. Where the renders are more than a linear w tells (a turned head moves everything), phases learn w with the pictures:
   `teacher.Bend` adds to the teacher's. The mapping network then learns their sum, and later phases see what it makes.

Learning rates are StyleGAN2's equalised ones, folded into the optimizer: weights are stored as they are
used, so a weight initialised with standard deviation c moves with c times the raw rate. The raw rate of 0.1
is fifty times the adversarial one: an L1 teacher bears it, and at 0.02 the same steps end 40 % higher.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Sequence
from dataclasses import astuple, dataclass, fields
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from safetensors import safe_open
from torch import Tensor, nn

from lab.training.loop import Average, cosine, rng_for, run
from lab.training.renders import Renders, renders
from lab.training.subject import TrainingSubject
from lab.training.teacher import Teacher, teacher_of
from zoom_engine.common.errors import ConfigError
from zoom_engine.common.machine import bf16_in_hardware
from zoom_engine.domains.networks import SmallCNN
from zoom_engine.domains.weights_files import load_network
from zoom_engine.generators import StyleGAN2, StyleGAN2Config, load_stylegan2, save_generator
from zoom_engine.generators.stylegan2.network import ModulatedConv, ToRGB

MAPPING_STEPS = 32_000
MAPPING_RATE = 2e-3
RATE = 0.1
OTHER_RATE = 0.02
PROBE_WEIGHT = 0.15
BEND_RATE = 2e-3


@dataclass(frozen=True)
class Phase:
    """One phase of the synthesis training; ``rate`` scales all learning rates, ``edges`` weighs :func:`edge_loss`,
    ``constant_rgb`` takes the latent away from the toRGB layers (:func:`hold_rgb`), ``texture`` weighs
    :func:`texture_loss`, ``strands`` :func:`strand_loss`; with either the noise constants are learned
    (:func:`learn_noise`). ``w`` is the teacher's, the teacher's while its bend learns, or the mapping network's, which
    is trained before such a phase.
    """

    resolution: int
    steps: int
    batch: int
    rate: float = 1.0
    edges: float = 0.0
    constant_rgb: bool = False
    texture: float = 0.0
    w: Literal["teacher", "learned", "mapped"] = "teacher"
    strands: float = 0.0


def middle_weight(resolution: int) -> Tensor:
    """``[1, 1, R, R]``, mean 1: the middle of the picture counts three times as much as the corners."""
    axis = torch.linspace(-1, 1, resolution)
    distance = ((axis[None, :]) ** 2 / 0.30 + (axis[:, None] - 0.05) ** 2 / 0.36).sqrt()
    weight = 1.0 + 2.0 * torch.sigmoid(6.0 * (1.0 - distance))
    return (weight / weight.mean())[None, None]


def reconstruction_loss(image: Tensor, truth: Tensor, weight: Tensor) -> Tensor:
    """Weighted L1 at three scales."""
    total = (weight * (image - truth).abs()).mean()
    for _ in range(2):
        image, truth, weight = (F.avg_pool2d(t, 2) for t in (image, truth, weight))
        total = total + (weight * (image - truth).abs()).mean()
    return total / 3


def edge_loss(image: Tensor, truth: Tensor) -> Tensor:
    """L1 between the finite differences of both pictures: thin lines weigh little in the pixels, much here."""
    across = (image.diff(dim=3) - truth.diff(dim=3)).abs().mean()
    down = (image.diff(dim=2) - truth.diff(dim=2)).abs().mean()
    return (across + down) / 2


@torch.no_grad()
def learn_noise(generator: nn.Module) -> None:
    """Make the constants that are added after each convolution learnable, from what they add now.

    Strands and curls have their places. Random noise cannot show them, and the layers would have to make their waves
    from a 4×4 constant: maps of each resolution are where they can be kept.
    """
    for module in generator.modules():
        if isinstance(module, ModulatedConv):
            module.noise_const.mul_(module.noise_strength).requires_grad_(True)
            module.noise_strength.fill_(1.0).requires_grad_(False)


def texture_loss(image: Tensor, truth: Tensor) -> Tensor:
    """L1 between the local contrasts of both pictures, in two octaves: how much texture there is, wherever its lines
    are."""
    total = image.new_zeros(())
    for _ in range(2):
        contrast = []
        for picture in (image, truth):
            fine = picture - F.avg_pool2d(picture, 3, stride=1, padding=1)
            contrast.append((F.avg_pool2d(fine.square(), 8, stride=4) + 1e-4).sqrt())
        total = total + (contrast[0] - contrast[1]).abs().mean()
        image, truth = F.avg_pool2d(image, 2), F.avg_pool2d(truth, 2)
    return total / 2


def strand_loss(image: Tensor, truth: Tensor) -> Tensor:
    """L1 between how much of both pictures changes along each of four directions, in two octaves: not only how much
    texture there is, but which way it runs. :func:`texture_loss` takes a net for strands.

    It is the mean of absolute differences: their root mean square is had with least L1 by a few bright dots.
    """
    total = image.new_zeros(())
    for _ in range(2):
        for of, beside in zip(_along(image), _along(truth), strict=True):
            total = total + (of - beside).abs().mean()
        image, truth = F.avg_pool2d(image, 2), F.avg_pool2d(truth, 2)
    return total / 8


def _along(picture: Tensor) -> list[Tensor]:
    steps = (
        picture.diff(dim=3)[:, :, 1:],
        picture.diff(dim=2)[:, :, :, 1:],
        picture[:, :, 1:, 1:] - picture[:, :, :-1, :-1],
        picture[:, :, 1:, :-1] - picture[:, :, :-1, 1:],
    )
    return [F.avg_pool2d(step.abs(), 8, stride=4) for step in steps]


@torch.no_grad()
def hold_rgb(generator: nn.Module, latents: Tensor) -> None:
    """Make the toRGB styles constants: their means over ``latents [n, w_dim]``.

    Edit directions leave toRGB alone. Colours that live there (skin, hair) could not be edited.
    """
    for module in generator.modules():
        if not isinstance(module, ToRGB):
            continue
        affine = module.affine
        affine.bias.add_(affine.weight @ latents.mean(0))
        affine.weight.zero_().requires_grad_(False)


def parameter_groups(generator: StyleGAN2) -> list[dict[str, Any]]:
    """Adam groups with the equalised rates; ``base`` is what the schedule multiplies."""
    groups: list[dict[str, Any]] = [{"params": [generator.const], "base": OTHER_RATE}]
    for module in generator.modules():
        if isinstance(module, ModulatedConv | ToRGB):
            fan_in = module.weight[0].numel()
            groups.append({"params": [module.weight], "base": RATE / math.sqrt(fan_in)})
            groups.append({"params": [module.affine.weight], "base": RATE / math.sqrt(generator.config.w_dim)})
            groups.append({"params": [module.affine.bias, module.bias], "base": OTHER_RATE})
        if isinstance(module, ModulatedConv):
            learned = module.noise_const.requires_grad
            noise = (module.noise_const, OTHER_RATE) if learned else (module.noise_strength, OTHER_RATE / 10)
            groups.append({"params": [noise[0]], "base": noise[1]})
    return groups


def train_mapping(
    subject: TrainingSubject[Any], teacher: Teacher, generator: StyleGAN2, work: Path, *, steps: int, rate: float
) -> None:
    """Train the mapping network, which sees no picture."""
    network = generator.mapping_network
    optimizer = torch.optim.Adam(network.parameters(), lr=rate)
    threads = torch.get_num_threads()
    torch.set_num_threads(1)  # these matrices are too small to share

    def step(index: int) -> dict[str, float]:
        latents = rng_for(subject.seed, index).standard_normal((512, generator.z_dim)).astype(np.float32)
        with torch.no_grad():
            wanted = teacher(subject.table.from_latents(latents))
        for group in optimizer.param_groups:
            group["lr"] = rate * cosine(index, steps)
        loss = F.mse_loss(network(torch.from_numpy(latents)), wanted)
        optimizer.zero_grad(set_to_none=True)
        torch.autograd.backward(loss)
        optimizer.step()
        return {"mse": float(loss.detach())}

    run(
        "mapping",
        steps=steps,
        step=step,
        state={"network": network, "optimizer": optimizer},
        folder=work,
    )
    torch.set_num_threads(threads)


def train_phase(
    subject: TrainingSubject[Any],
    teacher: Teacher,
    generator: StyleGAN2,
    average: Average,
    data: Renders[Any],
    phases: Sequence[Phase],
    number: int,
    work: Path,
) -> None:
    """Phase ``number`` of ``phases``."""
    phase = phases[number]
    latents_of = latents_for_phase(phase, teacher, generator, data)
    if phase.constant_rgb:
        with torch.no_grad():
            latents = latents_of(np.arange(len(data)), np.zeros(len(data), dtype=bool))
        hold_rgb(generator, latents)
        hold_rgb(average.module, latents)
    if phase.texture or phase.strands:
        learn_noise(generator)
        learn_noise(average.module)
    groups = parameter_groups(generator)
    if phase.w == "learned":
        groups.append({"params": list(teacher.bend.parameters()), "base": BEND_RATE})
    optimizer = torch.optim.Adam(groups, lr=0.0, betas=(0.9, 0.99))
    weight = middle_weight(phase.resolution)
    last = phase.resolution == generator.resolution
    # Compiling takes a minute: the small resolutions are trained by then.
    synthesis = torch.compile(generator.synthesis) if phase.resolution >= 64 else generator.synthesis
    precision = torch.bfloat16 if bf16_in_hardware() else torch.float32
    parameters = [parameter for group in groups for parameter in group["params"] if parameter.requires_grad]
    probe = load_network(subject.probe)[0] if last else None
    assert probe is None or isinstance(probe, SmallCNN)

    def step(index: int) -> dict[str, float]:
        rng = rng_for(subject.seed + 1000 * number, index)
        rows = np.sort(data.draw(rng, phase.batch))
        mirrored = (rng.random(phase.batch) < 0.5) & (bool(subject.mirrored) and phase.w != "mapped")
        factor = cosine(index, phase.steps, warmup=50, floor=0.02 if last else 0.2)
        for group in optimizer.param_groups:
            group["lr"] = group["base"] * phase.rate * factor
        truth = data.batch(rows)
        truth[mirrored] = truth[mirrored].flip(3)
        scaled = F.avg_pool2d(truth, generator.resolution // phase.resolution)
        w = latents_of(rows, mirrored)
        w = w.unsqueeze(1).expand(-1, generator.config.num_ws, -1)
        image = synthesis(generator.styles(w), max_resolution=phase.resolution, precision=precision, plain=True)
        loss = reconstruction_loss(image, scaled, weight)
        figures = {"l1": float(loss.detach())}
        if phase.edges:
            loss = loss + phase.edges * edge_loss(image, scaled)
        if probe is not None:
            with torch.autocast("cpu", torch.bfloat16, enabled=precision == torch.bfloat16):
                with torch.no_grad():
                    wanted = probe.maps(truth, most=3)
                activations = probe.maps(image, most=3)
            perceptual = torch.stack(
                [F.l1_loss(a, b) / (b.abs().mean() + 1e-6) for a, b in zip(activations, wanted, strict=True)]
            )
            loss = loss + PROBE_WEIGHT * perceptual.mean()
            figures["probe"] = float(perceptual.mean().detach())
        if phase.texture:
            texture = texture_loss(image, scaled)
            loss = loss + phase.texture * texture
            figures["texture"] = float(texture.detach())
        if phase.strands:
            strands = strand_loss(image, scaled)
            loss = loss + phase.strands * strands
            figures["strands"] = float(strands.detach())
        optimizer.zero_grad(set_to_none=True)
        torch.autograd.backward(loss)
        nn.utils.clip_grad_norm_(parameters, 3.0)
        optimizer.step()
        average.update(generator, index)
        return figures

    state: dict[str, Any] = {"generator": generator, "average": average.module, "optimizer": optimizer}
    if phase.w == "learned":
        state["bend"] = teacher.bend
    run(f"generator-{number}", steps=phase.steps, step=step, state=state, folder=work, images=len(data))


def latents_for_phase(
    phase: Phase, teacher: Teacher, generator: StyleGAN2, data: Renders[Any]
) -> Callable[[NDArray[np.int64], NDArray[np.bool_]], Tensor]:
    """Return what gives the w ``[b, w_dim]`` of rows, of which some are mirrored."""
    if phase.w == "mapped":
        with torch.no_grad():
            mapped = generator.mapping_network(torch.from_numpy(data.latents))
        return lambda rows, mirrored: mapped[rows]
    plain = teacher.standard(data.parameters)
    flipped = teacher.standard(data.parameters, mirror=True)

    def latents(rows: NDArray[np.int64], mirrored: NDArray[np.bool_]) -> Tensor:
        columns = torch.where(torch.from_numpy(mirrored)[:, None], flipped[rows], plain[rows])
        with torch.set_grad_enabled(phase.w == "learned" and torch.is_grad_enabled()):
            return teacher.of(columns)

    return latents


def train_generator(
    subject: TrainingSubject[Any],
    phases: Sequence[Phase],
    work: Path,
    out: Path,
    *,
    mapping_steps: int = MAPPING_STEPS,
    mapping_rate: float = MAPPING_RATE,
) -> None:
    """All phases, each resumed where it was, then the shipped file.

    Phases that the file in ``out`` has behind it, as its metadata say, are not gone through again: the others start
    from its weights, and its mapping network stays. What a phase has learned of w is not in the file, so that phases
    that need it begin anew.
    """
    data = renders(subject, work, subject.count, subject.seed)
    teacher = teacher_of(subject)
    torch.manual_seed(subject.seed)
    shipped = out / "generator.safetensors"
    behind = phases_of(shipped)
    left = phases[len(behind) :]
    learned = any(phase.w == "learned" for phase in phases) and any(phase.w != "mapped" for phase in left)
    if not behind or behind != list(phases[: len(behind)]) or learned:
        behind, generator = [], new_generator(subject.generator)
    else:
        generator = StyleGAN2(subject.generator)
        generator.load_state_dict(load_stylegan2(shipped).state_dict())
    average = Average(generator, StyleGAN2(subject.generator))
    mapped = bool(behind)
    for number in range(len(behind), len(phases)):
        if phases[number].w == "mapped" and not mapped:
            train_mapping(subject, teacher, generator, work, steps=mapping_steps, rate=mapping_rate)
            mapped = True
        train_phase(subject, teacher, generator, average, data, phases, number, work)
    if not mapped:
        train_mapping(subject, teacher, generator, work, steps=mapping_steps, rate=mapping_rate)
    final = StyleGAN2(subject.generator).eval()
    final.load_state_dict(average.module.state_dict())
    final.mapping_network.load_state_dict(generator.mapping_network.state_dict())
    finish(subject, phases, final, data, shipped)


def prepare_mapping(
    subject: TrainingSubject[Any],
    phases: Sequence[Phase],
    work: Path,
    *,
    mapping_steps: int = MAPPING_STEPS,
    mapping_rate: float = MAPPING_RATE,
) -> None:
    """Train the mapping network alone, beside the phases that do not learn w: `train_generator` takes its checkpoint.

    Raises:
        ConfigError: the phases that learn w have not ended.
    """
    teacher = teacher_of(subject)
    for number, phase in enumerate(phases):
        if phase.w != "learned":
            continue
        path = work / f"generator-{number}.pt"
        saved: dict[str, Any] = torch.load(path, weights_only=True) if path.is_file() else {"step": 0}
        if saved["step"] < phase.steps:
            raise ConfigError(f"{path} has {saved['step']} of {phase.steps} steps: w is not learned; train it first")
        teacher.bend.load_state_dict(saved["bend"])
    torch.manual_seed(subject.seed)
    train_mapping(subject, teacher, new_generator(subject.generator), work, steps=mapping_steps, rate=mapping_rate)


def new_generator(config: StyleGAN2Config) -> StyleGAN2:
    """Untrained: every style near 1."""
    generator = StyleGAN2(config)
    for module in generator.modules():
        if isinstance(module, ModulatedConv | ToRGB):
            nn.init.normal_(module.affine.weight, std=1 / math.sqrt(config.w_dim))
            nn.init.ones_(module.affine.bias)
    return generator


def phases_of(path: Path) -> list[Phase]:
    """What a shipped file has behind it; nothing where there is none."""
    if not path.is_file():
        return []
    with safe_open(str(path), framework="pt") as file:
        return [Phase(*phase) for phase in json.loads(file.metadata()["info"])["phases"]]


@torch.no_grad()
def finish(
    subject: TrainingSubject[Any], phases: Sequence[Phase], generator: StyleGAN2, data: Renders[Any], path: Path
) -> None:
    """Store the average latent, measure, and write the shipped file."""
    latents = torch.from_numpy(data.latents)
    generator.mapping_network.w_avg.copy_(generator.mapping_network(latents).mean(0))
    rows = data.measured_on(512)
    errors = []
    for part in np.array_split(rows, -(-len(rows) // 32)):
        images = generator.synthesis(generator.styles(generator.mapping(latents[part]))).clamp(-1, 1)
        errors.append((images - data.batch(part)).square().mean(dim=(1, 2, 3)))
    psnr = 10 * math.log10(4.0 / float(torch.cat(errors).mean()))
    info = {
        "domain": subject.name,
        "recipe": f"distilled in phases: {', '.join(field.name for field in fields(Phase))}; then the mapping",
        "phases": [astuple(phase) for phase in phases],
        "seed": subject.seed,
        "images": len(data),
        "psnr_db": round(psnr, 2),
    }
    path.parent.mkdir(parents=True, exist_ok=True)
    save_generator(generator, path, metadata=info, half=True)
