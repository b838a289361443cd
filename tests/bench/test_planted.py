"""Targets that are put together see what was planted into them, and what is told of their audits follows from them."""

from __future__ import annotations

from types import ModuleType

import pytest
import torch
from torch import Tensor, nn


@pytest.fixture
def planted() -> ModuleType:
    import planted  # its folder is on the path for a test at a time

    return planted


class Constant(nn.Module):
    def __init__(self, *logits: float) -> None:
        super().__init__()
        self.logits = torch.tensor(logits)

    def forward(self, x: Tensor) -> Tensor:
        return self.logits.expand(len(x), -1)


def test_a_mixture_is_of_probabilities(planted: ModuleType) -> None:
    parts = [(Constant(0.0), 0, False, 0.6), (Constant(-40.0, 40.0), 1, False, 0.3), (Constant(1.0, 1.0), 0, True, 0.1)]
    result = planted.Mixture(parts)(torch.zeros(3, 3, 8, 8))
    assert result.shape == (3, 1)
    assert result.sigmoid()[:, 0].tolist() == pytest.approx([0.6 * 0.5 + 0.3 + 0.1 * 0.5] * 3)


@pytest.mark.parametrize(
    ("attribute", "reads"), [("beard", (2, False)), ("pale_skin", (7, False)), ("gray_hair", (4, True))]
)
def test_what_sees_an_attribute_is_found_by_its_name(
    planted: ModuleType, attribute: str, reads: tuple[int, bool]
) -> None:
    _, output, among, share = planted.seeing(attribute, 0.25)
    assert (output, among, share) == (*reads, 0.25)


def test_runs_are_counted_by_target(planted: ModuleType) -> None:
    one = {"all_sensitive": True, "first": False, "first_adjusted": True}
    other = {"all_sensitive": False, "first": True, "first_adjusted": True}
    result = planted.added_up({"beard@100": one, "beard@101": other, "two@100": other})
    assert result["beard"] == {"seeds": 2, "all_sensitive": 1, "first": 1, "first_adjusted": 2}
    assert result["two"]["seeds"] == 1
