"""A bias that counts on some pictures alone, and what is told of audits that look for it."""

from __future__ import annotations

from types import ModuleType
from typing import Any

import pytest
import torch
from torch import Tensor, nn


@pytest.fixture
def interactions() -> ModuleType:
    import interactions  # its folder is on the path for a test at a time

    return interactions


class Brightness(nn.Module):
    """The mean of a picture as so many log-odds."""

    def forward(self, x: Tensor) -> Tensor:
        return x.mean(dim=(1, 2, 3))[:, None]


def test_what_is_planted_counts_as_far_as_the_gate_is_open(interactions: ModuleType) -> None:
    pictures = torch.tensor([-40.0, 0.0, 40.0])[:, None, None, None].expand(3, 3, 8, 8)

    def probabilities(gate: float | None) -> list[float]:
        opened = None if gate is None else lambda x: torch.full((len(x),), gate)
        result = interactions.Planted(lambda x: torch.zeros(len(x), 1), Brightness(), 0, None)
        result.gate = opened
        return result(pictures).sigmoid()[:, 0].tolist()

    assert probabilities(None) == pytest.approx([0.3, 0.5, 0.7])
    assert probabilities(1.0) == pytest.approx([0.3, 0.5, 0.7])
    assert probabilities(0.5) == pytest.approx([0.4, 0.5, 0.6])
    assert probabilities(0.0) == pytest.approx([0.5, 0.5, 0.5])


def test_runs_are_counted_by_target(interactions: ModuleType) -> None:
    def one(difference: float, p: float | None, *, is_found: bool) -> dict[str, Any]:
        return {"difference": difference, "p_adjusted": p, "found": is_found}

    none, small = one(0.01, 0.9, is_found=False), one(0.02, 0.01, is_found=False)
    runs = {
        "gated@100": {"smiling": one(0.3, 0.001, is_found=True), "beard": none},
        "gated@101": {"smiling": one(0.3, 0.001, is_found=True), "beard": one(0.2, 0.01, is_found=True)},
        "gated@102": {"smiling": one(-0.3, 0.001, is_found=True), "beard": none},
        "beard@100": {"smiling": none, "beard": small},
        "beard@101": {"smiling": one(0.3, None, is_found=False), "beard": one(0.3, None, is_found=False)},
    }
    assert interactions.added_up(runs) == {
        "gated": {"seeds": 3, "compared": 3, "as_planted": 1, "any": 3, "p_below_5_percent": 3},
        "beard": {"seeds": 2, "compared": 1, "as_planted": 0, "any": 0, "p_below_5_percent": 1},
    }
