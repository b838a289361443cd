"""The calibrated range is where edited images score as unedited ones do."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import Any

import pytest
import torch

from zoom_engine.directions import (
    EditDirections,
    Sampling,
    calibrate_range,
    find_directions,
    score_directions,
    text_directions,
    text_scores,
)
from zoom_engine.directions.calibration import _Ascent
from zoom_engine.errors import DirectionError

PROMPTS = ("beard", "man", "hat")


@pytest.fixture
def found(toy: tuple[Any, Any]) -> EditDirections:
    return find_directions(*toy, PROMPTS, neutral="face", samples=512)


def test_bounds_carry_one_tail_to_the_other(toy: tuple[Any, Any], found: EditDirections) -> None:
    generator, encoder = toy
    natural = calibrate_range(generator, encoder, found, samples=400, tail=0.1, tail_images=40)
    styles = torch.cat([s for _, s in Sampling(400, 1).draw(generator)])
    wanted = text_directions(encoder, PROMPTS, neutral="face")
    scores = encoder.embed_images(generator.synthesis(styles)) @ wanted.T
    assert natural.reached.all()
    for index in range(3):
        order = scores[:, index].argsort()
        low, high = order[:40], order[-40:]
        spread = scores[high, index].mean() - scores[low, index].mean()
        torch.testing.assert_close(natural.tails[index, 1], scores[high, index].mean())
        for start, end, weight in (
            (high, low, natural.bounds[index, 0]),
            (low, high, natural.bounds[index, 1]),
        ):
            edited = generator.synthesis(styles[start] + weight * found.matrix[index])
            mean = (encoder.embed_images(edited) @ wanted[index]).mean()
            assert (mean - scores[end, index].mean()).abs() < 0.01 * spread
    assert ((natural.bounds[:, 0] < 0) & (natural.bounds[:, 1] > 0)).all()
    torch.testing.assert_close(natural.scores[:, 4], scores.quantile(0.5, dim=0))
    assert (natural.scores.diff(dim=1) > 0).all()


def test_bounds_scale_inversely_with_the_direction(toy: tuple[Any, Any], found: EditDirections) -> None:
    doubled = dataclasses.replace(found, matrix=2 * found.matrix)
    one, two = (calibrate_range(*toy, d, samples=200) for d in (found, doubled))
    torch.testing.assert_close(two.bounds * 2, one.bounds, rtol=0.03, atol=0)


def test_a_goal_out_of_reach_of_a_score_that_moves_on_ends_at_30(toy: tuple[Any, Any], found: EditDirections) -> None:
    weak = dataclasses.replace(found, matrix=found.matrix * 1e-3)
    natural = calibrate_range(*toy, weak, samples=200)
    assert not natural.reached.any()
    torch.testing.assert_close(natural.bounds, torch.tensor([[-30.0, 30.0]] * 3))
    json.dumps(natural.to_dict(), allow_nan=False)


@pytest.mark.parametrize(
    ("scores", "ends_at"),
    [
        ((0.19, 0.20, 0.27, 0.278, 0.28), 10.0),  # "a beard", taken away: nearly all of it is gone at a third
        ((0.19, 0.20, 0.27, 0.34, 0.33), 20.0),  # it turns back
        ((0.19, 0.20, 0.22, 0.26, 0.30), 30.0),  # it moves on
        ((0.17, 0.16, 0.15, 0.14, 0.13), 2.5),  # it never came nearer
    ],
)
@pytest.mark.parametrize("sign", [-1, 1])
def test_a_goal_out_of_reach_ends_where_the_score_stops_moving(
    scores: tuple[float, ...], ends_at: float, sign: int
) -> None:
    ascent = _Ascent(0, sign, torch.empty(0), goal=sign * 0.5, bound=30.0, below=(0.0, sign * 0.18))
    for score in scores:
        assert not ascent.done
        ascent.tell(sign * score)
    assert ascent.done
    assert ascent.result() == (sign * ends_at, False)


def test_batching_does_not_matter_and_the_cache_remembers(
    toy: tuple[Any, Any], found: EditDirections, tmp_path: Path
) -> None:
    generator, encoder = toy
    one = calibrate_range(generator, encoder, found, samples=200, batch_size=7, cache=tmp_path)
    two = calibrate_range(generator, encoder, found, samples=200, batch_size=64)
    torch.testing.assert_close(one.bounds, two.bounds, rtol=1e-3, atol=0)
    before = generator.synthesized
    again = calibrate_range(generator, encoder, found, samples=200, cache=tmp_path)
    assert generator.synthesized == before
    assert torch.equal(again.bounds, one.bounds)
    assert torch.equal(again.reached, one.reached)


@pytest.mark.parametrize("options", [{"samples": 20, "tail": 0.1}, {"tail": 0.0}, {"bound": 0.0}, {"tail_images": 0}])
def test_bad_options(toy: tuple[Any, Any], found: EditDirections, options: dict[str, Any]) -> None:
    with pytest.raises(DirectionError, match="calibrated range needs"):
        calibrate_range(*toy, found, **options)


def test_text_scores_are_cosines_with_the_text_direction(toy: tuple[Any, Any], found: EditDirections) -> None:
    generator, encoder = toy
    images = generator.synthesis(next(styles for _, styles in Sampling(5, 3).draw(generator)))
    scores = text_scores(encoder, score_directions(encoder, found), [images[:2], images[2:]])
    wanted = text_directions(encoder, found.attributes, neutral=found.neutral, templates=found.provenance["templates"])
    torch.testing.assert_close(scores, encoder.embed_images(images) @ wanted.T)
