"""One way to fit a small network: AdamW, half a cosine, bf16 where the processor has it, averaged weights."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

import numpy as np
import torch
from torch import Tensor, nn

from lab.training.augment import augment
from lab.training.loop import Average, cosine, rng_for, run
from zoom_engine.common.machine import bf16_in_hardware

Network = TypeVar("Network", bound=nn.Module)


def fit(
    name: str,
    make: Callable[[], Network],
    *,
    batch: Callable[[np.random.Generator], tuple[Tensor, Tensor]],
    loss: Callable[[Tensor, Tensor], Tensor],
    seed: int,
    steps: int,
    folder: Path,
    learning_rate: float,
    weight_decay: float = 1e-2,
    decay: float = 0.99,
    seen: int | None = None,
) -> Network:
    """The averaged weights, in evaluation mode, of ``make()`` fitted for ``steps`` steps.

    ``batch`` draws images ``[b, 3, R, R]`` in [-1, 1], which are augmented, and their truth, from ``seen`` images;
    ``loss`` compares float32 outputs with it. ``decay`` is that of the average. The checkpoint is ``folder/NAME.pt``:
    after a kill the same call goes on there.
    """
    torch.manual_seed(seed)
    network = make()
    averaged = make()
    average = Average(network, averaged, decay=decay)
    optimizer = torch.optim.AdamW(network.parameters(), lr=learning_rate, weight_decay=weight_decay)

    def step(index: int) -> dict[str, float]:
        rng = rng_for(seed, index)
        images, truth = batch(rng)
        for group in optimizer.param_groups:
            group["lr"] = learning_rate * cosine(index, steps)
        network.train()
        with torch.autocast("cpu", torch.bfloat16, enabled=bf16_in_hardware()):
            outputs = network(augment(images, rng))
        value = loss(outputs.float(), truth)
        optimizer.zero_grad(set_to_none=True)
        torch.autograd.backward(value)
        optimizer.step()
        average.update(network, index)
        return {"loss": float(value.detach())}

    state = {"network": network, "average": averaged, "optimizer": optimizer}
    run(name, steps=steps, step=step, state=state, folder=folder, images=seen)
    return averaged.eval()
