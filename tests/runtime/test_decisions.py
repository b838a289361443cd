"""A target's decisions stay when a runtime makes the pictures instead of torch."""

from __future__ import annotations

import pytest
import torch

from zoom_engine import load_generator, load_target
from zoom_engine.runtime import bf16_in_hardware, choose_synthesizer

NEAR = (0.2, 0.8)


@pytest.mark.parametrize(
    "images", [pytest.param(200, marks=pytest.mark.slow), pytest.param(2000, marks=pytest.mark.experiment)]
)
@pytest.mark.parametrize("backend", ["openvino", "onnxruntime"])
@torch.no_grad()
def test_decisions_stay(backend: str, images: int) -> None:
    """At least 99 % of the decisions; a fifth of the pictures or more have a probability in 0.2 to 0.8.

    Undecided pictures are made: each lies between one of either class, where the target changes its mind.
    """
    pytest.importorskip(backend)
    generator, target = load_generator("avatars"), load_target("avatars:gender")
    precision = "bf16" if backend == "openvino" and bf16_in_hardware() else "fp32"
    runtime = choose_synthesizer(generator, backend=backend, precision=precision)
    styles = undecided(generator, target, runtime, images // 4)
    styles = torch.cat([styles, generator.styles(generator.mapping(generator.latents(range(images - len(styles)))))])
    found, wanted = [], []
    for part in torch.split(styles, 50):
        found.append(target.task.probabilities(target(runtime(part).clamp(-1, 1))))
        wanted.append(target.task.probabilities(target(generator.synthesis(part).clamp(-1, 1))))
    probabilities = torch.cat(wanted)
    near = ((probabilities > NEAR[0]) & (probabilities < NEAR[1])).float().mean()
    assert near >= 0.2
    assert ((torch.cat(found) > 0.5) == (probabilities > 0.5)).float().mean() >= 0.99


def undecided(generator, target, runtime, count):  # type: ignore[no-untyped-def]
    """Style vectors ``[count, S]`` near the target's decision boundary, by bisection between random pictures."""
    pool = generator.styles(generator.mapping(generator.latents(range(10_000, 10_000 + 100))))
    logits = target(runtime(pool).clamp(-1, 1))[:, 0]
    low, high = pool[logits < 0], pool[logits >= 0]
    picks = torch.Generator().manual_seed(0)
    a = low[torch.randint(len(low), (count,), generator=picks)]
    b = high[torch.randint(len(high), (count,), generator=picks)]
    for _ in range(6):
        middle = (a + b) / 2
        above = (torch.cat([target(runtime(p).clamp(-1, 1))[:, 0] for p in torch.split(middle, 50)]) >= 0)[:, None]
        a, b = torch.where(above, a, middle), torch.where(above, middle, b)
    return (a + b) / 2
