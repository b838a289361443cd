"""Outlines: where edges run, whatever the colours are."""

from __future__ import annotations

import pytest
import torch

from zoom_engine.commands.fit.outlines import CELLS, DIRECTIONS, outlines


def bar(angle: float) -> torch.Tensor:
    """A soft edge through the middle at an angle, `[1, 3, 96, 96]`."""
    y, x = torch.meshgrid(torch.linspace(-1, 1, 96), torch.linspace(-1, 1, 96), indexing="ij")
    angle_of = torch.tensor(angle)
    return torch.tanh(9 * (x * angle_of.cos() + y * angle_of.sin())).expand(1, 3, -1, -1)


@pytest.mark.parametrize("step", range(DIRECTIONS))
def test_an_edge_lies_in_the_bin_of_its_direction(step: int) -> None:
    cells = outlines(bar(step * torch.pi / DIRECTIONS)).view(DIRECTIONS, CELLS, CELLS)
    assert int(cells.sum(dim=(1, 2)).argmax()) == step


def test_colours_and_contrast_change_nothing_and_places_do() -> None:
    image = bar(0.3)
    same = torch.cat([image, 0.2 * image + 0.5, -image])
    rows = outlines(same)
    assert torch.allclose(rows[1:], rows[:1], atol=1e-4)
    assert torch.allclose(rows.norm(dim=1), torch.ones(3))
    assert float(outlines(image.roll(30, dims=3))[0] @ rows[0]) < 0.8


def test_a_flat_picture_has_none_and_one_picture_does_not_depend_on_another() -> None:
    flat = torch.full((1, 3, 40, 40), 0.3)
    assert float(outlines(flat).norm()) == 0
    both = torch.cat([bar(1.0), bar(2.0)])
    assert torch.equal(outlines(both)[1], outlines(both[1:])[0])
