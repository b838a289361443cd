"""One training loop for everything: seeded by the step, checkpointed, resumed after a kill."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

from zoom_engine.common.errors import ConfigError
from zoom_engine.common.files.atomic import replacing
from zoom_engine.common.progress import forced


def rng_for(seed: int, step: int) -> np.random.Generator:
    """The random numbers of one step: a resumed run draws what an undisturbed one would have drawn."""
    return np.random.default_rng((seed, step))


def cosine(step: int, steps: int, *, warmup: int = 100, floor: float = 0.01) -> float:
    """Learning-rate factor: a linear warm-up, then half a cosine down to ``floor``."""
    if step < warmup:
        return (step + 1) / warmup
    position = (step - warmup) / max(steps - warmup, 1)
    return float(floor + (1 - floor) * 0.5 * (1 + np.cos(np.pi * position)))


class Average:
    """An exponential moving average of a module's weights; ``module`` is the averaged copy."""

    def __init__(self, source: nn.Module, copy: nn.Module, *, decay: float = 0.998) -> None:
        self.module = copy
        self.decay = decay
        self.module.load_state_dict(source.state_dict())
        self.module.requires_grad_(False).eval()

    @torch.no_grad()
    def update(self, source: nn.Module, step: int) -> None:
        """The decay is shorter at the start, so that the first weights are forgotten."""
        decay = min(self.decay, (1 + step) / (10 + step))
        for average, new in zip(self.module.state_dict().values(), source.state_dict().values(), strict=True):
            if average.dtype.is_floating_point:
                average.lerp_(new, 1 - decay)
            else:
                average.copy_(new)


def run(
    name: str,
    *,
    steps: int,
    step: Callable[[int], dict[str, float]],
    state: dict[str, Any],
    folder: Path,
    images: int | None = None,
    interval: float = 90.0,
) -> None:
    """Call ``step(i)`` for the steps that are left, showing its figures and saving ``state`` now and then.

    ``state`` maps names to objects with ``state_dict``/``load_state_dict``. The checkpoint is
    ``folder/name.pt``; it is read with ``weights_only``. ``images`` are those that the steps draw from.

    Raises:
        ConfigError: the checkpoint is in the middle of steps that drew from another number of images.
    """
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{name}.pt"
    begin = 0
    if path.exists():
        saved: dict[str, Any] = torch.load(path, weights_only=True)
        begin, before = int(saved.pop("step")), saved.pop("images", images)
        if begin < steps and before != images:
            raise ConfigError(
                f"{path} is of {begin} steps on {before} pictures, not {images}: go on with as many, or remove it"
            )
        for key, value in saved.items():
            state[key].load_state_dict(value)
    about = {} if images is None else {"images": images}
    last = time.monotonic()
    shown: dict[str, float] = {}
    with forced(steps, f"Training {name}", unit="step", initial=begin) as bar:
        for index in range(begin, steps):
            for key, value in step(index).items():
                shown[key] = value if key not in shown else 0.98 * shown[key] + 0.02 * value
            bar.update(1, note=", ".join(f"{k} {v:.4f}" for k, v in shown.items()))
            if time.monotonic() - last > interval or index + 1 == steps:
                with replacing(path) as temporary:
                    torch.save({"step": index + 1} | about | {k: v.state_dict() for k, v in state.items()}, temporary)
                last = time.monotonic()
