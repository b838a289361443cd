"""A target's decisions stay when a runtime makes the pictures instead of torch."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor

from zoom_engine import load_generator, load_target
from zoom_engine.generators import StyleGAN2
from zoom_engine.runtime import Synthesizer, choose_synthesizer
from zoom_engine.targets import Target

NEAR = (0.2, 0.8)


@pytest.mark.parametrize(
    ("images", "precision"),
    [
        pytest.param(45, "fp32", marks=pytest.mark.slow),
        pytest.param(2000, "auto", marks=pytest.mark.experiment),
    ],
)
@pytest.mark.parametrize("backend", ["openvino", "onnxruntime"])
@torch.no_grad()
def test_decisions_stay(backend: str, images: int, precision: str) -> None:
    """At least 99 % of the decisions; a fifth of the pictures or more have a probability in 0.2 to 0.8.

    Pictures so undecided are made: each lies between two of different classes.
    """
    pytest.importorskip(backend)
    generator, target = load_generator("avatars"), load_target("avatars:gender")
    runtime = choose_synthesizer(generator, backend=backend, precision=precision)
    styles = undecided(generator, target, runtime, images // 3)
    styles = torch.cat([styles, generator.styles(generator.mapping(generator.latents(range(images - len(styles)))))])
    found, wanted = [], []
    for part in torch.split(styles, 50):
        found.append(target.task.probabilities(target(runtime(part).clamp(-1, 1))))
        wanted.append(target.task.probabilities(target(generator.synthesis(part).clamp(-1, 1))))
    probabilities = torch.cat(wanted)
    near = ((probabilities > NEAR[0]) & (probabilities < NEAR[1])).float().mean()
    assert near >= 0.2
    assert ((torch.cat(found) > 0.5) == (probabilities > 0.5)).float().mean() >= 0.99


def undecided(generator: StyleGAN2, target: Target, runtime: Synthesizer, count: int) -> Tensor:
    """Style vectors ``[count, S]`` of pictures whose probability is 0.2 to 0.8, evenly in the logit, by bisection."""

    def logits(styles: Tensor) -> Tensor:
        return torch.cat([target(runtime(part).clamp(-1, 1))[:, 0] for part in torch.split(styles, 50)])

    pool = generator.styles(generator.mapping(generator.latents(range(10_000, 10_030))))
    classes = logits(pool) >= 0
    low, high = pool[~classes], pool[classes]
    picks = torch.Generator().manual_seed(0)
    a = low[torch.randint(len(low), (count,), generator=picks)]
    b = high[torch.randint(len(high), (count,), generator=picks)]
    goal = math.log(NEAR[1] / NEAR[0]) * (2 * torch.rand(count, generator=picks) - 1)
    for _ in range(6):
        middle = (a + b) / 2
        above = (logits(middle) >= goal)[:, None]
        a, b = torch.where(above, a, middle), torch.where(above, middle, b)
    return (a + b) / 2
