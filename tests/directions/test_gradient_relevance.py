"""Gradient relevance against finite differences and an explicit projection."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from zoom_engine.directions import Sampling, find_directions, gradient_relevance, text_directions
from zoom_engine.directions.answers import PICTURES

PROMPTS = ("beard", "man", "hat")


def test_equals_finite_differences(toy: tuple[Any, Any]) -> None:
    generator, encoder = toy
    generator, encoder = generator.double(), encoder
    sampling = Sampling(5, seed=1, batch_size=2)
    wanted = text_directions(encoder, PROMPTS, neutral="face", templates=("{}",))
    relevance = gradient_relevance(generator, encoder, sampling=sampling, projected=False)
    rows = relevance.relevance(wanted)
    std = sampling.statistics(generator).std
    base = torch.cat([s for _, s in sampling.draw(generator)])
    step = 1e-2
    for channel in range(generator.space.size):
        shifted = [base.clone(), base.clone()]
        for sign, styles in zip((1, -1), shifted, strict=True):
            styles[:, channel] += sign * step
        ends = [encoder.embed_images(generator.synthesis(s)) @ wanted.T for s in shifted]
        slope = (ends[0] - ends[1]).mean(dim=0) / (2 * step)
        expected = slope * std[channel] * float(~generator.space.fixed_mask()[channel])
        torch.testing.assert_close(rows[:, channel], expected, atol=2e-4, rtol=2e-3)


def test_projection_is_the_nearest_point_of_the_column_space(toy: tuple[Any, Any]) -> None:
    generator, encoder = toy
    sampling = Sampling(4)
    wanted = text_directions(encoder, PROMPTS, neutral="face", templates=("{}",))
    bare = gradient_relevance(generator, encoder, sampling=sampling, projected=False).relevance(wanted)
    projected = gradient_relevance(generator, encoder, sampling=sampling).relevance(wanted)
    std = sampling.statistics(generator).std
    mask = (~generator.space.fixed_mask()) & (std > 0)
    columns = (generator.affine[mask] / std[mask, None]).double()
    nearest = columns @ torch.linalg.lstsq(columns, bare[:, mask].double().T).solution
    torch.testing.assert_close(projected[:, mask].double(), nearest.T, atol=1e-6, rtol=1e-4)
    assert (projected[:, ~mask] == 0).all()


def test_positive_weight_adds_the_attribute(toy: tuple[Any, Any]) -> None:
    generator, encoder = toy
    directions = find_directions(generator, encoder, PROMPTS, neutral="face", method="gradient", samples=8)
    styles = torch.cat([s for _, s in Sampling(8, seed=5).draw(generator)])
    for index in range(3):
        moved = encoder.attributes(styles + 2 * directions.matrix[index]) - encoder.attributes(styles)
        assert (moved[:, index] > 0).all()


def test_large_pictures_are_followed_some_at_a_time(toy: tuple[Any, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    """A generator keeps half a gigabyte of each picture of 1024² until its gradient is there."""
    generator, encoder = toy
    drawn, render = list[int](), generator.render

    def counting(codes: Tensor) -> Tensor:
        drawn.append(len(codes))
        return render(codes)

    monkeypatch.setattr(generator, "render", counting)
    relevance = gradient_relevance(generator, encoder, sampling=Sampling(5))
    wanted = text_directions(encoder, PROMPTS, neutral="face", templates=("{}",))
    whole = relevance.relevance(wanted)
    monkeypatch.setattr("zoom_engine.common.machine.FOLLOWED", 2 * generator.resolution**2)
    some = gradient_relevance(generator, encoder, sampling=Sampling(5)).relevance(wanted)
    assert drawn == [5, 2, 2, 1]
    torch.testing.assert_close(some, whole)


def test_each_direction_is_computed_once(toy: tuple[Any, Any], tmp_path: Path) -> None:
    generator, encoder = toy
    options: dict[str, Any] = {"neutral": "face", "method": "gradient", "samples": 4, "cache": tmp_path}
    first = find_directions(generator, encoder, ["beard"], **options)
    assert generator.synthesized == PICTURES + 8  # one pass for the prompt, one for random texts
    again = find_directions(generator, encoder, ["beard"], **options)
    assert generator.synthesized == PICTURES + 8
    assert torch.equal(first.matrix, again.matrix)
    both = find_directions(generator, encoder, ["man", "beard"], **options)
    assert generator.synthesized == PICTURES + 12
    assert torch.equal(both.matrix[1], first.matrix[0])
