"""Style vectors of many seeds: mapped when asked for, equal bits whatever is asked for together, few in memory."""

from __future__ import annotations

import gc

import pytest
import torch
from networks import spread_generator, styles_of
from torch import Tensor

from zoom_engine.generators import SeedStyles, StyleGAN2
from zoom_engine.generators.seed_styles import CACHED_ROWS


@pytest.fixture(scope="module")
def network() -> StyleGAN2:
    return spread_generator()


def test_rows_are_those_of_the_mapping(network: StyleGAN2) -> None:
    styles = SeedStyles(network, range(5, 15))
    assert len(styles) == 10
    torch.testing.assert_close(styles[:], styles_of(network, 10, first=5))
    assert torch.equal(styles[3], styles[3:4][0])
    assert torch.equal(styles[-1], styles[9])
    assert styles[4:4].shape == (0, network.space.size)
    with pytest.raises(IndexError):
        styles[10]


def test_no_bit_of_a_row_depends_on_what_is_asked_for_beside_it(network: StyleGAN2) -> None:
    seeds = range(100)
    wanted = torch.stack([SeedStyles(network, [seed])[0] for seed in seeds])
    order = torch.randperm(100, generator=torch.Generator().manual_seed(0))
    for packed in (torch.arange(100), order, order[:7], order[20:53].repeat(2)):
        assert torch.equal(SeedStyles(network, seeds)[packed], wanted[packed])


def test_truncation_is_that_of_the_mapping(network: StyleGAN2) -> None:
    styles = SeedStyles(network, [3, 4], truncation=0.6, truncation_cutoff=2)
    w = network.mapping(network.latents([3, 4]), truncation=0.6, truncation_cutoff=2)
    torch.testing.assert_close(styles[:], network.styles(w))


def test_memory_does_not_grow_with_the_seeds(network: StyleGAN2) -> None:
    """Of 100,000 images a search holds the rows that are under way."""
    styles = SeedStyles(network, range(100_000))
    for first in range(0, 2 * CACHED_ROWS, 32):
        styles[first : first + 32]
    gc.collect()
    rows = [o for o in gc.get_objects() if issubclass(type(o), Tensor) and o.shape == (network.space.size,)]
    assert len(rows) <= CACHED_ROWS + 8
