"""Each image is edited until its own score is that of the other side, and no further."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest
import torch
from bars import Bars
from torch import Tensor

from zoom_engine.directions import (
    CalibratedRange,
    EditDirections,
    Sampling,
    calibrate_range,
    find_directions,
    image_bounds,
    score_directions,
    text_scores,
)
from zoom_engine.directions.image_bounds import REACH

PROMPTS = ("beard", "man", "hat")
IMAGES = 24
WANTED = [(image, attribute) for image in range(IMAGES) for attribute in range(len(PROMPTS))]


@pytest.fixture
def found_directions(toy: tuple[Any, Any]) -> EditDirections:
    return find_directions(*toy, PROMPTS, neutral="face", samples=512)


@pytest.fixture
def calibrated(toy: tuple[Any, Any], found_directions: EditDirections) -> CalibratedRange:
    return calibrate_range(*toy, found_directions, samples=400)


@pytest.fixture
def styles(toy: tuple[Any, Any]) -> Tensor:
    return torch.cat([styles for _, styles in Sampling(IMAGES, 5).draw(toy[0])])


def bounds_of(
    toy: tuple[Any, Any], found_directions: EditDirections, calibrated: CalibratedRange, *rest: Any, **size: int
) -> Tensor:
    generator, encoder = toy
    return image_bounds(encoder, found_directions, calibrated, generator, *rest, **size).limits


def test_an_image_ends_where_its_own_score_meets_the_goal(
    toy: tuple[Any, Any], found_directions: EditDirections, calibrated: CalibratedRange, styles: Tensor
) -> None:
    generator, encoder = toy
    bounds = bounds_of(toy, found_directions, calibrated, styles, WANTED)
    before = text_scores(encoder, score_directions(encoder, found_directions), [generator.synthesis(styles)])
    inside = 0
    for (image, attribute), (low, high) in zip(WANTED, bounds, strict=True):
        has = bool(before[image, attribute] > calibrated.splits[attribute])
        assert (high == 0) == has
        assert (low == 0) != has
        weight = low + high
        largest = REACH * calibrated.bounds[attribute, int(not has)].abs()
        assert weight.abs() <= largest * 1.001
        if weight.abs() > 0.99 * largest:
            continue
        inside += 1
        edited = generator.synthesis(styles[[image]] + weight * found_directions.matrix[attribute])
        goal = calibrated.goals[attribute, int(not has)]
        spread = calibrated.goals[attribute].diff()
        assert (
            text_scores(encoder, score_directions(encoder, found_directions), [edited])[0, attribute] - goal
        ).abs() < 0.03 * spread
    assert inside > len(WANTED) / 2


def test_an_image_that_never_gets_there_ends_at_the_reach(
    toy: tuple[Any, Any], found_directions: EditDirections, calibrated: CalibratedRange, styles: Tensor
) -> None:
    """Nor beyond the paper's range."""
    calibrated.goals[:] = torch.tensor([-9.0, 9.0])
    bounds = bounds_of(toy, found_directions, calibrated, styles, WANTED)
    weights = bounds.sum(dim=1).view(IMAGES, -1)
    expected = torch.where(weights < 0, calibrated.bounds[:, 0], calibrated.bounds[:, 1]) * REACH
    torch.testing.assert_close(weights, expected.clamp(-calibrated.bound, calibrated.bound))
    calibrated.bounds[:] = torch.tensor([-29.0, 29.0])
    weak = dataclasses.replace(found_directions, matrix=found_directions.matrix * 1e-2)
    weights = bounds_of(toy, weak, calibrated, styles, WANTED).sum(dim=1)
    torch.testing.assert_close(weights.abs(), torch.full_like(weights, calibrated.bound))


def test_an_image_whose_score_stands_still_is_edited_no_further(
    toy: tuple[Any, Any], found_directions: EditDirections, calibrated: CalibratedRange, styles: Tensor
) -> None:
    """A score is a cosine: along a strong direction it soon has nowhere to go."""
    generator, encoder = toy
    calibrated.goals[:] = torch.tensor([-9.0, 9.0])
    calibrated.bounds[:] = torch.tensor([-29.0, 29.0])
    limits = bounds_of(toy, found_directions, calibrated, styles, WANTED).sum(dim=1)
    seen = set()
    for (image, attribute), limit in zip(WANTED, limits, strict=True):
        weights = limit.sign() * calibrated.bound * torch.tensor([0.0, 1 / 3, 2 / 3, 1.0])
        edited = generator.synthesis(styles[[image]] + weights[:, None] * found_directions.matrix[attribute])
        gained = (
            limit.sign() * text_scores(encoder, score_directions(encoder, found_directions), [edited])[:, attribute]
        )
        first, second, third = gained.diff().tolist()
        thirds = 1 if second < 0.2 * first else 2 if third < 0.2 * (first + second) / 2 else 3
        assert limit.abs() == pytest.approx(thirds / 3 * calibrated.bound, abs=calibrated.bound / 64)
        seen.add(thirds)
    assert len(seen) > 1


@pytest.mark.parametrize("batch_size", [1, 7, 100])
def test_neither_batches_nor_other_edits_matter(
    toy: tuple[Any, Any], found_directions: EditDirections, calibrated: CalibratedRange, styles: Tensor, batch_size: int
) -> None:
    whole = bounds_of(toy, found_directions, calibrated, styles, WANTED)
    some = [WANTED[index] for index in (50, 3, 4, 21)]
    part = bounds_of(toy, found_directions, calibrated, styles, some, batch_size=batch_size)
    assert torch.equal(part, whole[[50, 3, 4, 21]])


def test_nothing_wanted(
    toy: tuple[Any, Any], found_directions: EditDirections, calibrated: CalibratedRange, styles: Tensor
) -> None:
    assert bounds_of(toy, found_directions, calibrated, styles, []).shape == (0, 2)


class Asked:
    """Style rows that notes how many are asked for at once."""

    def __init__(self, styles: Tensor) -> None:
        self.styles, self.device, self.counts = styles, styles.device, []  # type: ignore[var-annotated]

    def __len__(self) -> int:
        return len(self.styles)

    def __getitem__(self, index: Tensor) -> Tensor:
        self.counts.append(len(index))
        return self.styles[index]


def test_no_more_than_a_batch_of_styles_is_held(
    toy: tuple[Any, Any], found_directions: EditDirections, calibrated: CalibratedRange, styles: Tensor
) -> None:
    """With 100,000 images and ten attributes all of them would be tens of gigabytes."""
    asked: Any = Asked(styles)
    bounds = bounds_of(toy, found_directions, calibrated, asked, WANTED, batch_size=8)
    assert torch.equal(bounds, bounds_of(toy, found_directions, calibrated, styles, WANTED))
    assert max(asked.counts) == 8


def test_progress_moves_with_every_batch_and_ends_at_the_end(
    toy: tuple[Any, Any], found_directions: EditDirections, calibrated: CalibratedRange, styles: Tensor
) -> None:
    bars = Bars()
    bounds_of(toy, found_directions, calibrated, styles, WANTED, batch_size=8, progress=bars)
    (steps,) = bars.steps["Bounding the edits"]
    assert sum(steps) == bars.totals["Bounding the edits"]
    assert len(steps) > len(WANTED) / 8


def test_what_an_edit_to_its_bound_does_to_the_scores_is_what_pictures_there_show(
    toy: tuple[Any, Any], found_directions: EditDirections, calibrated: CalibratedRange, styles: Tensor
) -> None:
    generator, encoder = toy
    beside = score_directions(encoder, found_directions)[:1]
    limits, moved = image_bounds(encoder, found_directions, calibrated, generator, styles, WANTED, beside=beside)
    assert moved.shape == (len(WANTED), len(PROMPTS) + 1)
    assert torch.equal(moved[:, 0], moved[:, 3])
    assert torch.equal(limits, bounds_of(toy, found_directions, calibrated, styles, WANTED))
    along = score_directions(encoder, found_directions)
    rows = torch.tensor([image for image, _ in WANTED])
    shifts = torch.stack(
        [bound.sum() * found_directions.matrix[which] for bound, (_, which) in zip(limits, WANTED, strict=True)]
    )
    before, after = (text_scores(encoder, along, [generator.synthesis(styles[rows] + s)]) for s in (0 * shifts, shifts))
    units = calibrated.goals.diff(dim=1)[:, 0]
    assert (((moved[:, :3] - (after - before)) / units).abs() < 0.1).float().mean() > 0.9
