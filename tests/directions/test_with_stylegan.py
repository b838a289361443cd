"""All three methods through a real StyleGAN2 and a real CLIP, both tiny and untrained."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from networks import small_encoder

from zoom_engine.directions import Sampling, calibrate_range, find_directions, text_directions
from zoom_engine.generators import StyleGAN2, StyleGAN2Config
from zoom_engine.text import TextEncoder


@pytest.fixture(scope="module")
def models() -> tuple[StyleGAN2, TextEncoder]:
    torch.manual_seed(0)
    generator = StyleGAN2(StyleGAN2Config(16, (8, 8, 6), z_dim=8, w_dim=8, mapping_layers=2))
    for layer in generator.space.layers:
        modules = generator.to_rgb if layer.is_rgb else generator.convs
        torch.nn.init.ones_(modules[layer.name].affine.bias)  # type: ignore[union-attr, arg-type]
    return generator.eval().requires_grad_(False), small_encoder()


@pytest.mark.parametrize("method", ["regression", "sampled", "gradient"])
def test_edits_raise_the_text_score(models: tuple[StyleGAN2, TextEncoder], method: Any) -> None:
    generator, encoder = models
    prompts = ["a red hat", "a wide smile"]
    samples = {"regression": 256, "sampled": 6, "gradient": 16}[method]
    result = find_directions(generator, encoder, prompts, neutral="a face", method=method, samples=samples, level=1.0)
    assert result.matrix.shape == (2, generator.space.size)
    assert (result.matrix[:, generator.space.fixed_mask()] == 0).all()
    natural = calibrate_range(generator, encoder, result, sampling=Sampling(80), side_images=8)
    wanted = text_directions(encoder, prompts, neutral="a face")
    styles = generator.styles(generator.mapping(generator.latents(range(24))))
    for index in range(2):
        up, down = (
            (encoder.embed_images(generator.synthesis(styles + weight * result.matrix[index])) @ wanted[index]).mean()
            for weight in (0.5, -0.5)
        )
        assert up > down
    assert (natural.bounds[:, 0] < 0).all()
    assert (natural.bounds[:, 1] > 0).all()
