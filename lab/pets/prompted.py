"""A generator of pets that reads prompts: noise and the embedding of a prompt are its code.

    zoom-engine diagnose --generator python:lab/pets/prompted.py:prompted_pets --trust \
        --generator-option population=lab/pets/prompts.txt --text-encoder pets --neutral "a pet" …

A small network, trained by the truth of the renderer (`lab.pets.train.prompted`), turns noise and prompt into a latent
of the domain's own StyleGAN2: what the prompt claims holds in the picture, all else is the noise's. Edits along a
difference of prompts move the second part of the code alone. Nothing of it is installed.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Self

import torch
import torch.nn.functional as F
from safetensors.torch import load_file
from torch import Tensor, nn

from zoom_engine.common.module_hash import weights_hash
from zoom_engine.domains.parameters import LATENT_DIM
from zoom_engine.domains.pets.domain import DOMAIN
from zoom_engine.generators import DrawnFromPrompts, PromptedCodes, edited, read_prompts

HERE = Path(__file__).parent
WEIGHTS, POPULATION = HERE / "prompted.safetensors", HERE / "prompts.txt"
EMBEDDED, SLOTS, HIDDEN = 128, 96, 192


class PromptedMapping(nn.Module):
    """Noise ``[B, 64]`` and embedded prompts ``[B, 128]`` → latents ``[B, 64]`` of mean square 1.

    A prompt opens some gates; behind an open one the noise is moved until a projection of it has the value wanted.
    """

    def __init__(self) -> None:
        super().__init__()
        self.read = nn.Sequential(nn.Linear(EMBEDDED, HIDDEN), nn.GELU(), nn.Linear(HIDDEN, 2 * SLOTS))
        self.project = nn.Linear(LATENT_DIM, SLOTS, bias=False)
        self.back = nn.Linear(SLOTS, LATENT_DIM, bias=False)

    def forward(self, noise: Tensor, prompt: Tensor) -> Tensor:
        start = normalised(noise)
        gate, wanted = self.read(EMBEDDED**0.5 * F.normalize(prompt, dim=1)).chunk(2, dim=1)
        return normalised(start + self.back(gate.sigmoid() * (wanted - self.project(start))))


def normalised(latents: Tensor) -> Tensor:
    return latents * (latents.square().mean(dim=1, keepdim=True) + 1e-8).rsqrt()


class PromptedPets(DrawnFromPrompts):
    """Pets of the prompts of a population. Edits may move the noise too: nothing is frozen."""

    differentiable = True
    frozen = ()

    def __init__(self, mapping: PromptedMapping, prompts: Sequence[str]) -> None:
        self.mapping = mapping.eval().requires_grad_(False)
        self.drawn_by, self.text_encoder = DOMAIN.generator(), DOMAIN.text_encoder()
        self.resolution = self.drawn_by.resolution
        self.codes = PromptedCodes(LATENT_DIM, prompts, self.embedded(prompts))
        about = [weights_hash(self.mapping), self.drawn_by.content_hash, self.codes.identity]
        self.content_hash = hashlib.sha256(json.dumps(about).encode()).hexdigest()

    @property
    def device(self) -> torch.device:
        return self.drawn_by.device

    def to(self, device: torch.device | str) -> Self:
        self.drawn_by, self.mapping = self.drawn_by.to(device), self.mapping.to(device)
        return self

    def embedded(self, prompts: Sequence[str]) -> Tensor:
        return torch.cat([self.text_encoder.embed_texts([prompt]) for prompt in prompts])

    def render(self, codes: Tensor, edit_weights: Tensor | None = None, directions: Tensor | None = None) -> Tensor:
        noise, prompt = torch.split(edited(codes, edit_weights, directions), [LATENT_DIM, EMBEDDED], dim=1)
        latents = self.drawn_by.mapping(self.mapping(noise, prompt))
        return self.drawn_by.render(self.drawn_by.styles(latents))


def prompted_pets(population: str | Path = POPULATION) -> PromptedPets:
    """The trained generator, which draws the prompts of the file ``population``."""
    mapping = PromptedMapping()
    mapping.load_state_dict({name: tensor.float() for name, tensor in load_file(WEIGHTS).items()})
    return PromptedPets(mapping, read_prompts(population))
