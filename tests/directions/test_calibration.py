"""The calibrated range is where edited images score as unedited ones do."""

from __future__ import annotations

import dataclasses
import math
import statistics
from pathlib import Path
from typing import Any

import pytest
import torch
from bars import Bars
from hypothesis import given
from hypothesis import strategies as st

from zoom_engine.common.errors import DirectionError
from zoom_engine.directions import (
    EditDirections,
    Sampling,
    calibrate_range,
    find_directions,
    score_directions,
    text_directions,
    text_scores,
)
from zoom_engine.directions.calibration import _Ascent, representatives, split_in_two

PROMPTS = ("beard", "man", "hat")


@pytest.fixture
def found_directions(toy: tuple[Any, Any]) -> EditDirections:
    return find_directions(*toy, PROMPTS, neutral="face", samples=512)


def test_bounds_carry_one_side_to_the_other(toy: tuple[Any, Any], found_directions: EditDirections) -> None:
    generator, encoder = toy
    natural = calibrate_range(generator, encoder, found_directions, sampling=Sampling(400), side_images=400)
    styles = torch.cat([s for _, s in Sampling(400).draw(generator)])
    wanted = text_directions(encoder, PROMPTS, neutral="face")
    scores = encoder.embed_images(generator.synthesis(styles)) @ wanted.T
    assert natural.reached.all()
    for index in range(3):
        above = scores[:, index] > natural.splits[index]
        low, high = (~above).nonzero()[:, 0], above.nonzero()[:, 0]
        spread = scores[high, index].mean() - scores[low, index].mean()
        torch.testing.assert_close(
            natural.goals[index], torch.stack([scores[low, index].mean(), scores[high, index].mean()])
        )
        for start, end, weight in (
            (high, low, natural.bounds[index, 0]),
            (low, high, natural.bounds[index, 1]),
        ):
            edited = generator.synthesis(styles[start] + weight * found_directions.matrix[index])
            mean = (encoder.embed_images(edited) @ wanted[index]).mean()
            assert (mean - scores[end, index].mean()).abs() < 0.01 * spread
    assert ((natural.bounds[:, 0] < 0) & (natural.bounds[:, 1] > 0)).all()


def within(scores: list[float], k: int) -> float:
    """Variance within the k lowest and the others, added up: Otsu's criterion, literally."""
    ordered = sorted(scores)
    return sum(statistics.pvariance(part) * len(part) for part in (ordered[:k], ordered[k:]))


@given(st.lists(st.integers(-50, 50).map(float), min_size=16, max_size=40))
def test_sides_differ_most_where_they_are_split(scores: list[float]) -> None:
    sides = split_in_two(torch.tensor(scores)[:, None])
    least = math.ceil(len(scores) / 10)
    below = int(sides.below)
    assert least <= below <= len(scores) - least
    assert within(scores, below) <= min(within(scores, k) for k in range(least, len(scores) - least + 1)) + 1e-6
    ordered = sorted(scores)
    assert ordered[below - 1] <= float(sides.splits) <= ordered[below]
    expected = [statistics.fmean(ordered[:below]), statistics.fmean(ordered[below:])]
    assert sides.means[0].tolist() == pytest.approx(expected, abs=1e-5)


@given(st.permutations(range(60)), st.integers(12, 60), st.integers(1, 30))
def test_the_images_that_are_edited_stand_for_all_of_a_side(order: list[int], count: int, most: int) -> None:
    side = torch.tensor(order[:count])
    chosen = representatives(side, most).tolist()
    assert len(chosen) == len(set(chosen)) == min(most, count)
    for few in range(4, len(chosen) if most <= count // 2 else 4, 4):
        ranks = sorted(order.index(row) * 4 // count for row in chosen[:few])
        assert max(ranks.count(quarter) for quarter in range(4)) <= few // 4 + 1


@given(st.permutations(range(60)), st.integers(0, 58), st.integers(1, 40))
def test_two_scores_that_change_places_replace_one_image_at_most(order: list[int], place: int, most: int) -> None:
    swapped = list(order)
    swapped[place], swapped[place + 1] = order[place + 1], order[place]
    one, other = (set(representatives(torch.tensor(side), most).tolist()) for side in (order, swapped))
    assert len(one - other) <= 1


@pytest.mark.parametrize("share", [0.2, 0.5, 0.8])
def test_who_has_it_and_who_has_not_are_told_apart_however_many_have_it(share: float) -> None:
    has = torch.rand(500, generator=torch.Generator().manual_seed(1)) < share
    scores = torch.randn(500, generator=torch.Generator().manual_seed(2)) * 0.15 + has
    sides = split_in_two(scores[:, None])
    assert ((scores > sides.splits) == has).float().mean() > 0.99


def test_bounds_scale_inversely_with_the_direction(toy: tuple[Any, Any], found_directions: EditDirections) -> None:
    doubled = dataclasses.replace(found_directions, matrix=2 * found_directions.matrix)
    one, two = (calibrate_range(*toy, d, sampling=Sampling(200)) for d in (found_directions, doubled))
    torch.testing.assert_close(two.bounds * 2, one.bounds, rtol=0.03, atol=0)


def test_a_goal_out_of_reach_of_a_score_that_moves_on_ends_at_30(
    toy: tuple[Any, Any], found_directions: EditDirections
) -> None:
    weak = dataclasses.replace(found_directions, matrix=found_directions.matrix * 1e-3)
    natural = calibrate_range(*toy, weak, sampling=Sampling(200))
    assert not natural.reached.any()
    torch.testing.assert_close(natural.bounds, torch.tensor([[-30.0, 30.0]] * 3))


@pytest.mark.parametrize(
    ("scores", "ends_at"),
    [
        ((0.20, 0.27, 0.278, 0.28), 10.0),  # "a beard", taken away: nearly all of it is gone at a third
        ((0.20, 0.27, 0.34, 0.33), 20.0),  # it turns back
        ((0.20, 0.22, 0.26, 0.30), 30.0),  # it moves on
        ((0.16, 0.15, 0.14, 0.13), 5.0),  # it never came nearer
    ],
)
@pytest.mark.parametrize("sign", [-1, 1])
def test_a_goal_out_of_reach_ends_where_the_score_stops_moving(
    scores: tuple[float, ...], ends_at: float, sign: int
) -> None:
    start = torch.full((24,), sign * 0.18)
    ascent = _Ascent(0, sign, torch.zeros(24, 1), start, goal=sign * 0.5, bound=30.0, first=5.0)
    for score in scores:
        assert not ascent.done
        ascent.tell(sign * score)
    assert ascent.done
    assert ascent.result() == (sign * ends_at, False)


@pytest.mark.parametrize("sign", [-1, 1])
def test_scouts_climb_and_all_say_where_the_goal_lies(sign: int) -> None:
    """Scores are 0.1 and a fortieth of the weight; of the scouts too, though they begin elsewhere than the rest."""
    start = torch.linspace(-0.05, 0.15, 24) ** 2
    start = sign * (start - start.mean() + 0.1)
    ascent = _Ascent(0, sign, torch.zeros(24, 1), start, goal=sign * 0.3, bound=30.0, first=5.0)
    looked = []
    while not ascent.done:
        rows = ascent.looking
        looked.append(len(rows))
        ascent.tell(float(start[rows].mean()) + ascent.ask() / 40)
    weight, reached = ascent.result()
    assert reached
    assert weight == pytest.approx(sign * 8.0, rel=1e-3)
    assert looked == [8, 8, 24], "one refinement is enough where the score is a straight line"
    assert sum(looked) <= ascent.most_images


def test_batching_does_not_matter_and_the_cache_remembers(
    toy: tuple[Any, Any], found_directions: EditDirections, tmp_path: Path
) -> None:
    generator, encoder = toy
    one = calibrate_range(generator, encoder, found_directions, sampling=Sampling(200, batch_size=7, cache=tmp_path))
    two = calibrate_range(generator, encoder, found_directions, sampling=Sampling(200, batch_size=64))
    torch.testing.assert_close(one.bounds, two.bounds, rtol=1e-3, atol=0)
    before = generator.synthesized
    again = calibrate_range(generator, encoder, found_directions, sampling=Sampling(200, cache=tmp_path))
    assert generator.synthesized == before
    assert torch.equal(again.bounds, one.bounds)
    assert torch.equal(again.reached, one.reached)


@pytest.mark.parametrize("options", [{"sampling": Sampling(15)}, {"bound": 0.0}, {"side_images": 0}])
def test_bad_options(toy: tuple[Any, Any], found_directions: EditDirections, options: dict[str, Any]) -> None:
    with pytest.raises(DirectionError, match="calibrated range needs"):
        calibrate_range(*toy, found_directions, **{"sampling": Sampling(16), **options})


def test_text_scores_are_cosines_with_the_text_direction(
    toy: tuple[Any, Any], found_directions: EditDirections
) -> None:
    generator, encoder = toy
    images = generator.synthesis(next(styles for _, styles in Sampling(5, 3).draw(generator)))
    scores = text_scores(encoder, score_directions(encoder, found_directions), [images[:2], images[2:]])
    wanted = text_directions(
        encoder,
        found_directions.attributes,
        neutral=found_directions.neutral,
        templates=found_directions.provenance["templates"],
    )
    torch.testing.assert_close(scores, encoder.embed_images(images) @ wanted.T)


def test_progress_counts_looks_at_images_not_finished_bounds(
    toy: tuple[Any, Any], found_directions: EditDirections
) -> None:
    """All bounds are found side by side, so counting them would stand at 0 and jump to the end."""
    bars = Bars()
    calibrate_range(*toy, found_directions, sampling=Sampling(200, batch_size=16, progress=bars))
    (steps,) = bars.steps["Calibrating the range"]
    assert sum(steps) == bars.totals["Calibrating the range"]
    moving = [step for step in steps if step]
    assert moving[0] <= 16
    assert max(moving) < bars.totals["Calibrating the range"] / 4


def test_the_first_weight_is_near_where_the_goal_lies(toy: tuple[Any, Any], found_directions: EditDirections) -> None:
    """The regression on unedited pictures saves most of the climb: on average a side takes two looks and a half."""
    generator, _ = toy
    before = generator.synthesized
    natural = calibrate_range(*toy, found_directions, sampling=Sampling(400))
    assert natural.reached.all()
    assert generator.synthesized - before - 400 <= 2.5 * 8 * 2 * len(found_directions.attributes)
