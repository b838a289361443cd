"""A small diffusion autoencoder, shaped as the published code has it, as a generator. None was run on real weights."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from zoom_engine import check_editable_generator
from zoom_engine.common.errors import ConfigError
from zoom_engine.generators import SemanticAutoencoder

SIDE, SIZE = 16, 6


class DiffusionAutoencoder(nn.Module):
    """`encode`, `encode_stochastic` and `render`, by DDIM in T steps of a network that is told the semantic code."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(3)
        self.encoder = nn.Sequential(nn.Conv2d(3, 4, 3, stride=4), nn.SiLU(), nn.Flatten(), nn.Linear(64, SIZE))
        self.told, self.first, self.last = nn.Linear(SIZE, 8), nn.Conv2d(3, 8, 3, padding=1), nn.Conv2d(8, 3, 1)

    def predicted(self, x: Tensor, cond: Tensor) -> Tensor:
        y: Tensor = self.last(torch.tanh(self.first(x) + self.told(cond)[..., None, None]))
        return y

    def encode(self, x: Tensor) -> Tensor:
        codes: Tensor = self.encoder(x)
        return codes

    def moved(self, x: Tensor, cond: Tensor, levels: Tensor) -> Tensor:
        """From each level of `alphas_cumprod` to the next."""
        for now, after in pairwise(levels):
            noise = self.predicted(x, cond)
            clean = (x - (1 - now).sqrt() * noise) / now.sqrt()
            x = after.sqrt() * clean + (1 - after).sqrt() * noise
        return x

    def render(self, noise: Tensor, cond: Tensor, T: int) -> Tensor:  # as the published code has it
        return (self.moved(noise, cond, torch.linspace(0.1, 1, T + 1)).clamp(-1, 1) + 1) / 2

    def encode_stochastic(self, x: Tensor, cond: Tensor, T: int) -> Tensor:
        return self.moved(x, cond, torch.linspace(1, 0.1, T + 1))


def encoded(model: Any, images: Tensor) -> Tensor:
    codes: Tensor = model.encode(images)
    return codes


def drawn(model: Any, noise: Tensor, semantic: Tensor) -> Tensor:
    images: Tensor = model.render(noise, semantic, T=4)
    return images


def noise_that_draws(model: Any, images: Tensor, semantic: Tensor) -> Tensor:
    noise: Tensor = model.encode_stochastic(images, semantic, T=40)
    return noise


def autoencoder(**options: Any) -> SemanticAutoencoder:
    model = DiffusionAutoencoder()
    with torch.no_grad():
        codes = model.encode(torch.rand(5, 3, SIDE, SIDE, generator=torch.Generator().manual_seed(0)))
    given: dict[str, Any] = {"noise_of": noise_that_draws, "noise_shape": (3, SIDE, SIDE), "semantic_codes": codes}
    given |= {"encode": encoded, "decode": drawn, "output_range": (0.0, 1.0), **options}
    return SemanticAutoencoder(model, **given)


def test_it_holds_the_contract_and_edits_leave_the_noise_alone() -> None:
    generator = autoencoder()
    check_editable_generator(generator)
    noise, semantic = generator.space.layers
    assert (noise.channels, semantic.channels, generator.resolution) == (3 * SIDE * SIDE, SIZE, SIDE)
    fixed = generator.space.fixed_mask()
    assert bool(fixed[: noise.stop].all())
    assert not bool(fixed[semantic.start :].any())
    codes = generator.sample([1, 6])
    assert torch.equal(codes[0, semantic.start :], codes[1, semantic.start :]), "seed 6 has the second code of five"
    assert not torch.equal(codes[0, : noise.stop], codes[1, : noise.stop])
    direction = torch.zeros(1, generator.space.size)
    direction[0, semantic.start] = 1.0
    edited = generator.render(codes, torch.full((2, 1), 2.0), direction)
    assert not torch.allclose(edited, generator.render(codes))


def test_a_picture_is_found_in_its_codes_with_its_noise_and_worse_without() -> None:
    generator, without = autoencoder(), autoencoder(noise_of=None)
    pictures = generator.render(generator.sample([11, 12, 13]))
    again = generator.render(generator.encode(pictures))
    off, off_without = ((one - pictures).abs().mean() for one in (again, without.render(without.encode(pictures))))
    assert off < 0.05
    assert off_without > 3 * off
    assert generator.content_hash != without.content_hash, "photographs are found in other codes"


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"noise_shape": (3, 300, 300)}, "the engine edits codes of 1 to 65536"),
        ({"noise_shape": (0,)}, "1 number of it or more, not 0"),
        ({"noise_shape": (-1,)}, "1 number of it or more, not -1"),
        ({"semantic_codes": torch.zeros(0, SIZE)}, r"must be \[K, P\], not \[0, 6\]"),
        ({"semantic_codes": torch.zeros(4, SIZE + 1)}, r"the decoder fails on codes of \[2, 775\]"),
        ({"output_range": (1.0, 1.0)}, "two different finite numbers"),
    ],
)
def test_what_does_not_fit_is_one_line(options: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message) as caught:
        autoencoder(**options)
    assert "\n" not in str(caught.value)


def test_an_encoder_of_other_codes_is_one_line() -> None:
    generator = autoencoder(encode=lambda model, images: encoded(model, images)[:, :2])
    with pytest.raises(ConfigError) as caught:
        generator.encode(torch.zeros(2, 3, SIDE, SIDE))
    assert "\n" not in str(caught.value)
