"""Measurement of how large a generator's activations get, so that half precision can be kept in range."""

from __future__ import annotations

import copy
import math
import threading
from typing import Any, cast

import torch
from torch import Tensor, nn

from zoom_engine.generators import StyleGAN2
from zoom_engine.generators.stylegan2.network import Around, ModulatedConv, ToRGB

SAFE = 256.0  # NVIDIA's conv_clamp: with normalised styles and weights no sum of products then leaves float16
SAMPLES = 16
SEED = 2**31  # far from other seeds: an exported graph is compared with torch on other images than these


@torch.no_grad()
def activation_scales(generator: StyleGAN2) -> dict[str, float]:
    """Return, by layer name (and "const"), the power of two that brings its largest activation to at most `SAFE`.

    Measured on `SAMPLES` images of random latents; 1 where nothing is too large, and where `conv_clamp` limits
    activations. A block of "resnet" ends in a sum, which is as large as both its parts at most.
    """
    largest = {"const": float(generator.const.abs().max())}
    around: dict[str, float] = {}
    thread = threading.get_ident()

    def hook(name: str, ranges: dict[str, float]) -> Any:
        def keep(module: nn.Module, inputs: tuple[Tensor, ...], output: Tensor | tuple[Tensor, Tensor]) -> None:
            if threading.get_ident() != thread:  # another draws with this generator
                return
            activations = output[0] if isinstance(output, tuple) else output
            ranges[name] = max(ranges.get(name, 0.0), float(activations.abs().max()))

        return keep

    handles = [module.register_forward_hook(hook(name, largest)) for name, module in generator.convs.items()]
    handles += [module.register_forward_hook(hook(name, around)) for name, module in generator.around.items()]
    try:
        z = torch.randn(SAMPLES, generator.z_dim, generator=torch.Generator().manual_seed(SEED))
        for part in torch.split(generator.styles(generator.mapping(z.to(generator.device))), 1):
            generator.synthesis(part, plain=True)
    finally:
        for handle in handles:
            handle.remove()
    for name, value in around.items():
        largest[name] += value
    return {
        name: 2.0 ** max(0, math.ceil(math.log2(value / SAFE))) if value else 1.0 for name, value in largest.items()
    }


@torch.no_grad()
def within_half(generator: StyleGAN2) -> StyleGAN2:
    """Return the same function with every layer's activations divided by its scale (`activation_scales`).

    A layer's input is divided already: its bias and noise are made as small as its input, its gain then brings all to
    the new scale. What leaves for the picture, or around a block, is multiplied again.
    """
    network, scales = copy.deepcopy(generator), activation_scales(generator)
    scale = before = scales["const"]
    network.const.div_(scale)
    for layer in network.space.layers:
        if layer.is_rgb:
            cast(ToRGB, network.to_rgb[layer.name]).weight.mul_(scale)
            continue
        conv, new = cast(ModulatedConv, network.convs[layer.name]), scales[layer.name]
        before = scale if conv.up else before
        conv.bias.div_(scale)
        conv.noise_strength.div_(scale)
        conv.gain *= scale / new
        conv.clamp = None if conv.clamp is None else conv.clamp / new
        if layer.name in network.around:
            cast(Around, network.around[layer.name]).weight.mul_(before / new)
        scale = new
    return network
