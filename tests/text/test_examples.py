"""Directions from examples, and what says that pictures have nothing in common."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from zoom_engine.text.examples import Separation, separation

DIM, VARIED = 40, 12


def population(count: int = 256, seed: int = 0) -> Tensor:
    """Pictures that differ in `VARIED` coordinates, in the first ones most, and hardly in the others."""
    spread = torch.cat([torch.linspace(3, 1, VARIED), torch.full((DIM - VARIED,), 1e-4)])
    return torch.randn(count, DIM, generator=torch.Generator().manual_seed(seed)) * spread


def having(count: int = 20, *, by: float = 2.0, seed: int = 1) -> Tensor:
    """Pictures that lie further along coordinate 3."""
    pictures = population(count, seed)
    pictures[:, 3] += by * 2.45
    return pictures


def test_the_direction_is_that_of_what_sets_the_examples_apart() -> None:
    results = separation(having(40), None, population())
    wanted = F.one_hot(torch.tensor(3), DIM).float()
    assert float(results.direction.norm()) == pytest.approx(1, abs=1e-5)
    assert float(results.direction @ wanted) > 0.9
    assert results.apart > float(results.by_chance.max())
    beside = separation(having(40), population(40, 2), population())
    assert float(beside.direction @ wanted) > 0.8


@pytest.mark.ci
def test_random_pictures_lie_no_further_apart_than_chance_has_it() -> None:
    ranks = []
    for seed in range(60):
        results = separation(population(20, 100 + seed), None, population())
        ranks.append(float((results.by_chance >= results.apart).double().mean()))
    shares = torch.tensor(ranks)
    assert 0.3 < float(shares.mean()) < 0.7
    assert float((shares < 0.1).double().mean()) < 0.25
    assert not all(shares < 0.5)


@pytest.mark.ci
def test_nor_do_they_where_pictures_differ_in_more_ways_than_there_are_pictures() -> None:
    spread = torch.linspace(1, 0, 300).square() + 0.01

    def drawn(count: int, seed: int) -> Tensor:
        return torch.randn(count, 300, generator=torch.Generator().manual_seed(seed)) * spread

    others = drawn(128, 0)
    chances = torch.tensor([_chance(separation(drawn(20, 100 + seed), None, others)) for seed in range(40)])
    assert float((chances < 0.1).double().mean()) < 0.25
    assert float((chances < 0.02).double().mean()) < 0.1


def _chance(result: Separation) -> float:
    return float((result.by_chance >= result.apart).double().mean())


def test_what_the_generator_never_differs_in_is_left_out() -> None:
    photographs = having(40)
    photographs[:, VARIED:] += 1.0  # another camera
    results = separation(photographs, None, population())
    assert results.unlike
    assert float(results.direction[3]) > 0.5
    assert not separation(having(40, by=0.5), None, population()).unlike


def test_the_order_of_pictures_and_a_constant_added_to_all_do_not_matter() -> None:
    pictures, others = having(), population()
    first = separation(pictures, None, others)
    turned = separation(pictures.flip(0) + 7, None, others + 7)
    torch.testing.assert_close(first.direction, turned.direction, atol=1e-3, rtol=0)
    assert first.apart == pytest.approx(turned.apart, rel=1e-3)
