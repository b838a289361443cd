"""Small networks that tests share: a generator that hides nothing (non-zero noise, spread styles), and a target."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from zoom_engine.generators import StyleGAN2, StyleGAN2Config
from zoom_engine.generators.generator import shown
from zoom_engine.ops.modulation import edited
from zoom_engine.text import TextEncoder

CONFIG = StyleGAN2Config(32, (12, 10, 8, 6), z_dim=16, w_dim=24, mapping_layers=2)


def spread_generator(config: StyleGAN2Config = CONFIG, *, seed: int = 0) -> StyleGAN2:
    """Float32, frozen; a fresh initialisation would hide noise, biases and modulation."""
    torch.manual_seed(seed)
    network = StyleGAN2(config).eval().requires_grad_(False)
    for name, parameter in network.named_parameters():
        if name.endswith("bias"):
            parameter.normal_(1.0 if "affine" in name else 0.0, 0.3)
        if name.endswith("noise_strength"):
            parameter.fill_(0.2)
        if name.endswith("affine.weight"):
            parameter.normal_(0.0, 0.3)
    return network


def small_encoder() -> TextEncoder:
    """A CLIP of random weights, which sees pictures of 32 pixels."""
    import open_clip  # takes seconds

    clip = open_clip.CLIP(
        embed_dim=12,
        vision_cfg={"image_size": 32, "layers": 1, "width": 16, "head_width": 8, "patch_size": 16},
        text_cfg={"context_length": 16, "vocab_size": 49408, "width": 8, "heads": 2, "layers": 1},
    )
    clip.visual.preprocess_cfg = {"size": 32, "mean": [0.5] * 3, "std": [0.3] * 3, "interpolation": "bicubic"}
    return TextEncoder(clip, open_clip.SimpleTokenizer(context_length=16), name="small")


def styles_of(network: StyleGAN2, count: int, *, first: int = 0) -> torch.Tensor:
    """Style vectors ``[count, S]`` of the seeds from ``first`` on."""
    return network.styles(network.mapping(network.latents(range(first, first + count))))


def relative_error(result: torch.Tensor, wanted: torch.Tensor) -> float:
    return float((result.double() - wanted.double()).norm() / wanted.double().norm())


@dataclass(frozen=True)
class Drawing:
    """A renderer that draws codes by a function ``[B, S]`` → ``[B, 3, R, R]``."""

    function: Callable[[Tensor], Tensor]

    def render(self, codes: Tensor, edit_weights: Tensor | None = None, directions: Tensor | None = None) -> Tensor:
        return shown(self.function(edited(codes, edit_weights, directions)))


class Function(nn.Module):
    """A target network made of a function of the mean colours ``[B, 3]``."""

    def __init__(self, function: Callable[[Tensor], Any]) -> None:
        super().__init__()
        self.function = function

    def forward(self, x: Tensor) -> Any:
        return self.function(x.mean((2, 3)))
