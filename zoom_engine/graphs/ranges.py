"""How large a generator's activations get: measured, so that half precision can be kept in range."""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor

from zoom_engine.generators import StyleGAN2
from zoom_engine.generators.stylegan2 import ModulatedConv

SAFE = 256.0  # NVIDIA's conv_clamp: with normalised styles and weights no sum of products then leaves float16
SAMPLES = 16


@torch.no_grad()
def activation_scales(generator: StyleGAN2, *, samples: int = SAMPLES, seed: int = 0) -> dict[str, float]:
    """By layer name (and "const"): the power of two that brings its largest activation to at most ``SAFE``.

    Measured on ``samples`` images of random latents; 1 where nothing is too large, and where ``conv_clamp`` sees to it.
    """
    largest = {"const": float(generator.const.abs().max())}

    def hook(name: str) -> Any:
        def keep(module: ModulatedConv, inputs: tuple[Tensor, ...], output: tuple[Tensor, Tensor]) -> None:
            largest[name] = max(largest.get(name, 0.0), float(output[0].abs().max()))

        return keep

    handles = [module.register_forward_hook(hook(name)) for name, module in generator.convs.items()]
    try:
        z = torch.randn(samples, generator.z_dim, generator=torch.Generator().manual_seed(seed))
        for part in torch.split(generator.styles(generator.mapping(z.to(generator.device))), 1):
            generator.synthesis(part, plain=True)
    finally:
        for handle in handles:
            handle.remove()
    return {
        name: 2.0 ** max(0, math.ceil(math.log2(value / SAFE))) if value else 1.0 for name, value in largest.items()
    }
