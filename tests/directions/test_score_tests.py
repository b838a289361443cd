"""What shows that an attribute that is no words is one: codes predict its score, and examples have something in
common."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from zoom_engine.common.errors import DirectionError
from zoom_engine.directions import Sampling, find_directions
from zoom_engine.directions.score_tests import check_scores, predicted
from zoom_engine.targets import RegressionTask, Target
from zoom_engine.targets.scorer import PictureScorer
from zoom_engine.text import AttributeEncoder

PIXEL = 0.02  # as the toy draws


class OfStyles(nn.Module):
    """A function of the toy's styles, read off the picture."""

    def __init__(self, read: Callable[[Tensor], Tensor]) -> None:
        super().__init__()
        self.read = read

    def forward(self, x: Tensor) -> Tensor:
        return self.read((2 * x - 1).flatten(1) / PIXEL)[:, None]


def scored_by(read: Callable[[Tensor], Tensor]) -> AttributeEncoder:
    target = Target(OfStyles(read), name="scorer", task=RegressionTask(range=(0, 1)), content_hash="a scorer")
    return AttributeEncoder(None, scorers=[(["x"], PictureScorer(target))], examples={})


def test_latents_predict_what_hangs_on_them_and_nothing_else() -> None:
    random = torch.Generator().manual_seed(1)
    latents = torch.randn(256, 64, generator=random)
    score = latents[:, 3] + 0.5 * torch.randn(256, generator=random)
    correlation, shuffled = predicted(score, latents)
    assert correlation > 0.6
    assert float(shuffled.max()) < 0.4
    passed = []
    for _ in range(40):
        correlation, shuffled = predicted(torch.randn(256, generator=random), latents)
        passed.append(correlation > float(shuffled.quantile(0.9)))
    assert sum(passed) <= 9


def test_a_scorer_of_what_the_generator_varies_finds_the_direction_that_moves_it(toy: tuple[Any, Any]) -> None:
    generator, reader = toy

    def beard(styles: Tensor) -> Tensor:
        return reader.attributes(styles[:, : generator.space.size])[:, 0]

    encoder = scored_by(beard)
    result = find_directions(generator, encoder, ["x"], neutral="face", samples=512)
    codes = Sampling(32).codes(generator)
    moved = [beard(codes + way * result.matrix[0]).mean() for way in (-1.0, 1.0)]
    assert float(moved[1] - moved[0]) > 0.5
    assert result.strength[0] > 0.9
    assert result.noise_floor[0] < 0.3


@pytest.mark.parametrize(
    ("read", "told"),
    [
        (lambda styles: 3.0 + 0 * styles[:, 0], "the same score"),
        (lambda styles: torch.frac(styles.double().sum(dim=1).abs() * 1e4).float(), "codes say nothing of 'x'"),
    ],
    ids=["constant", "noise"],
)
def test_a_scorer_that_says_nothing_of_the_pictures_is_refused(
    read: Callable[[Tensor], Tensor], told: str, toy: tuple[Any, Any]
) -> None:
    with pytest.raises(DirectionError, match=told) as refusal:
        check_scores(toy[0], scored_by(read), ["x"], sampling=Sampling(64), level=0.1)
    assert "\n" not in str(refusal.value)
    if "nothing" in told:
        check_scores(toy[0], scored_by(read), ["x"], sampling=Sampling(64), level=1.0)
