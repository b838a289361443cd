"""Choose a backend for the synthesis and say why."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from zoom_engine import ops
from zoom_engine.errors import BackendError, ConfigError
from zoom_engine.generators import StyleGAN2
from zoom_engine.runtime.machine import bf16_in_hardware

BACKENDS = ("auto", "torch", "native")
PRECISIONS = {"fp32": torch.float32, "bf16": torch.bfloat16}


@dataclass(frozen=True)
class Synthesizer:
    """Styles ``[B, S]`` float32 → images ``[B, 3, R, R]`` float32; differentiable.

    ``backend`` is what runs ("native": convolutions by torch, everything after them by the compiled
    operators; "torch": all by torch), ``precision`` the dtype of the activations, ``reason`` why.
    """

    generator: StyleGAN2
    backend: str
    precision: str
    reason: str

    def __call__(self, styles: Tensor) -> Tensor:
        plain = self.backend == "torch"
        return self.generator.synthesis(styles, precision=PRECISIONS[self.precision], plain=plain)

    def describe(self) -> dict[str, Any]:
        return {"backend": self.backend, "precision": self.precision, "reason": self.reason}


def choose_synthesizer(
    generator: StyleGAN2, *, backend: str = "auto", precision: str = "auto", device: str = "cpu"
) -> Synthesizer:
    """The synthesizer for ``backend`` and ``precision``; "auto" leaves the choice to what the machine has.

    Raises :class:`BackendError` where a backend asked for by name cannot run here; nothing falls back.
    """
    if backend not in BACKENDS:
        raise ConfigError(f"unknown backend '{backend}'; choose one of {', '.join(BACKENDS)}")
    if precision not in ("auto", *PRECISIONS):
        raise ConfigError(f"unknown precision '{precision}'; choose one of auto, {', '.join(PRECISIONS)}")
    on_cpu = torch.device(device).type == "cpu"
    native, why_not = ops.native_available()
    if backend == "native" and not (native and on_cpu):
        raise BackendError(f"backend 'native' cannot run: {why_not if on_cpu else f'it has no {device} kernels yet'}")
    if backend == "auto":
        backend = "native" if native and on_cpu else "torch"
        reason = "compiled operators found" if native and on_cpu else f"no compiled operators: {why_not}"
    else:
        reason = "asked for by name"
    if precision == "auto":
        fast = not on_cpu or bf16_in_hardware()
        precision = "bf16" if fast else "fp32"
        reason += "; bf16 arithmetic in hardware" if fast else "; no bf16 arithmetic in hardware"
    return Synthesizer(generator, backend, precision, reason)
