"""A generator and an encoder so linear that every relevance has a known answer.

Latents are Gaussian with a chosen covariance; three attributes a = Q·w are what the encoder sees:
e = normalise(FAR·e0 + C·a), with orthonormal columns C. The picture is the style vector, laid out as pixels.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable, Sequence
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from zoom_engine.generators import StyleSpace
from zoom_engine.ops.modulation import edited
from zoom_engine.text import find_templates

DIM, FAR, PIXEL = 48, 8.0, 0.02
PROMPTS = ("beard", "man", "hat")


class ToyGenerator(nn.Module):
    """The interface of StyleGAN2 over s = A·w + b; counts its syntheses, can fail after a number of them."""

    resolution, z_dim, w_dim, num_ws = 8, 6, 6, 2
    differentiable = True

    def __init__(self, covariance_root: Tensor) -> None:
        super().__init__()
        self.space = StyleSpace(
            [("conv0", 4, 9, False), ("rgb0", 4, 3, True), ("conv1", 8, 11, False), ("rgb1", 8, 3, True)]
        )
        random = torch.Generator().manual_seed(5)
        size = self.space.size
        self.affine = torch.randn(size, self.w_dim, generator=random) * torch.linspace(0.2, 2, size)[:, None]
        self.affine[4] = 0  # a channel that never moves
        self.bias = torch.randn(size, generator=random)
        self.root = covariance_root
        self.content_hash = f"toy-{covariance_root.double().sum():.6f}"
        self.device = torch.device("cpu")
        self.synthesized = 0
        self.fail_after: int | None = None

    def mapping(self, z: Tensor, *, truncation: float = 1.0, truncation_cutoff: int | None = None) -> Tensor:
        return (truncation * z @ self.root.T).unsqueeze(1).repeat(1, self.num_ws, 1)

    def styles(self, w: Tensor) -> Tensor:
        return w[:, 0] @ self.affine.T + self.bias

    def affine_weight(self) -> Tensor:
        return self.affine

    def draw(
        self, count: int, random: torch.Generator, *, truncation: float = 1.0, truncation_cutoff: int | None = None
    ) -> tuple[Tensor, Tensor]:
        w = self.mapping(torch.randn(count, self.z_dim, generator=random), truncation=truncation)
        return w[:, -1], self.styles(w)

    def render(self, codes: Tensor, edit_weights: Tensor | None = None, directions: Tensor | None = None) -> Tensor:
        return self.synthesis(edited(codes, edit_weights, directions))

    def synthesis(self, styles: Tensor) -> Tensor:
        if self.fail_after is not None and self.synthesized + len(styles) > self.fail_after:
            raise KeyboardInterrupt
        self.synthesized += len(styles)
        pixels = F.pad(styles * PIXEL, (0, 3 * 64 - styles.shape[1]))
        return pixels.view(-1, 3, 8, 8)


class ToyEncoder(nn.Module):
    """The interface of TextEncoder; reads the attributes off the channels that are not toRGB."""

    name, dim, logit_scale, tokenizer, precision = "toy", DIM, 10.0, None, "fp32"
    blocks = (slice(0, DIM),)

    def __init__(self, generator: ToyGenerator, attribute_map: Tensor) -> None:
        super().__init__()
        basis = torch.linalg.qr(torch.randn(DIM, DIM, generator=torch.Generator().manual_seed(9))).Q
        self.e0, self.columns, self.unseen = basis[:, 0], basis[:, 1:4], basis[:, 4]
        seen = (~generator.space.fixed_mask()).float()[:, None]
        self.read = attribute_map @ torch.linalg.pinv(generator.affine * seen)
        self.bias = generator.bias
        self.content_hash = f"toy-{attribute_map.double().sum():.6f}"
        self.wording = 0.02
        texts = {"face": self.e0, "gibberish": self.e0 + 0.3 * self.unseen}
        for index, prompt in enumerate(PROMPTS):
            texts[prompt] = self.e0 + 0.3 * self.columns[:, index]
        self.texts = {prompt: F.normalize(vector, dim=0) for prompt, vector in texts.items()}

    def attributes(self, styles: Tensor) -> Tensor:
        """The true attributes [B, 3] of style vectors [B, S]."""
        return (styles - self.bias) @ self.read.T

    def embed_images(self, images: Tensor) -> Tensor:
        styles = images.flatten(1)[:, : len(self.bias)] / PIXEL
        return F.normalize(FAR * self.e0 + self.attributes(styles) @ self.columns.T, dim=1)

    def check_words(self, prompts: Sequence[str]) -> None: ...

    def direction_of(self, attribute: str) -> None: ...

    @property
    def embedding_hash(self) -> str:
        return self.content_hash

    def embed_texts(self, prompts: Sequence[str], *, templates: Sequence[str] = ("{}",)) -> Tensor:
        """What the toy does not know lies anywhere; phrasings differ a little, and by nothing on their average."""
        sentences = [[self._sentence(prompt.strip(), template) for template in templates] for prompt in prompts]
        return F.normalize(torch.stack([torch.stack(row).mean(dim=0) for row in sentences]), dim=1)

    def _sentence(self, prompt: str, template: str) -> Tensor:
        text = self.texts.get(prompt, F.normalize(self.e0 + 0.3 * _anywhere(prompt), dim=0))
        paraphrases = find_templates("general")
        place = paraphrases.index(template)
        return text + (-1) ** place * self.wording * _anywhere(f"{prompt} {paraphrases[place // 2]}")


def _anywhere(text: str) -> Tensor:
    noise = torch.randn(DIM, generator=torch.Generator().manual_seed(zlib.crc32(text.encode())))
    return F.normalize(noise, dim=0)


def make_toy(*, tied: float = 0.0, orthogonal: bool = True) -> tuple[Any, Any]:
    """Generator and encoder; beard and man are correlated by ``tied`` among the samples.

    ``orthogonal``: the attributes are orthogonal directions of the latent; otherwise they share directions.
    """
    attribute_map = torch.eye(6)[:3].clone()
    if not orthogonal:
        attribute_map[0] += 0.8 * attribute_map[1]
    wanted = torch.tensor([[1.0, tied, 0.0], [tied, 1.0, 0.0], [0.0, 0.0, 1.0]])
    lift = torch.zeros(6, 6)
    lift[:3, :3] = attribute_map[:, :3].inverse() @ torch.linalg.cholesky(wanted)
    lift[3:, 3:] = torch.eye(3)
    generator = ToyGenerator(lift)
    return generator, ToyEncoder(generator, attribute_map)


@pytest.fixture(name="make_toy")
def _make_toy() -> Callable[..., tuple[Any, Any]]:
    return make_toy


@pytest.fixture
def toy() -> tuple[Any, Any]:
    return make_toy()
