"""Each image is edited until its own score is that of the other side, and no further."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from zoom_engine.directions import (
    Bounding,
    CalibratedRange,
    EditDirections,
    ImageBounds,
    Sampling,
    ScoreScale,
    calibrate_range,
    find_directions,
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
    return calibrate_range(*toy, found_directions, sampling=Sampling(400))


@pytest.fixture
def styles(toy: tuple[Any, Any]) -> Tensor:
    return torch.cat([styles for _, styles in Sampling(IMAGES, 5).draw(toy[0])])


def bounded(
    toy: tuple[Any, Any],
    found_directions: EditDirections,
    calibrated: CalibratedRange,
    styles: Tensor,
    wanted: list[tuple[int, int]] = WANTED,
    scale: ScoreScale | None = None,
) -> list[Bounding]:
    """What is found of the images, each drawn alone."""
    generator, encoder = toy
    bounds = ImageBounds(encoder, found_directions, calibrated, scale)

    def scored(image: int, attribute: int, weight: float) -> Any:
        edited = generator.synthesis(styles[[image]] + weight * found_directions.matrix[attribute])
        return bounds.scores(bounds.embed(edited))[0]

    result = []
    for image, attribute in wanted:
        bounding = bounds.of(attribute, scored(image, attribute, 0.0))
        while bounding.weight is not None:
            bounding.tell(scored(image, attribute, bounding.weight))
        result.append(bounding)
    return result


def bounds_of(*given: Any) -> Tensor:
    return torch.tensor([bounding.limits for bounding in bounded(*given)])


def test_an_image_ends_where_its_own_score_meets_the_goal(
    toy: tuple[Any, Any], found_directions: EditDirections, calibrated: CalibratedRange, styles: Tensor
) -> None:
    generator, encoder = toy
    bounds = bounds_of(toy, found_directions, calibrated, styles)
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
    bounds = bounds_of(toy, found_directions, calibrated, styles)
    weights = bounds.sum(dim=1).view(IMAGES, -1)
    expected = torch.where(weights < 0, calibrated.bounds[:, 0], calibrated.bounds[:, 1]) * REACH
    torch.testing.assert_close(weights, expected.clamp(-calibrated.bound, calibrated.bound))
    calibrated.bounds[:] = torch.tensor([-29.0, 29.0])
    weak = dataclasses.replace(found_directions, matrix=found_directions.matrix * 1e-2)
    weights = bounds_of(toy, weak, calibrated, styles).sum(dim=1)
    torch.testing.assert_close(weights.abs(), torch.full_like(weights, calibrated.bound))


def test_an_image_whose_score_stands_still_is_edited_no_further(
    toy: tuple[Any, Any], found_directions: EditDirections, calibrated: CalibratedRange, styles: Tensor
) -> None:
    """A score is a cosine: along a strong direction it soon has nowhere to go."""
    generator, encoder = toy
    calibrated.goals[:] = torch.tensor([-9.0, 9.0])
    calibrated.bounds[:] = torch.tensor([-29.0, 29.0])
    limits = bounds_of(toy, found_directions, calibrated, styles).sum(dim=1)
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


def test_what_an_edit_to_its_bound_does_to_the_scores_is_what_pictures_there_show(
    toy: tuple[Any, Any], found_directions: EditDirections, calibrated: CalibratedRange, styles: Tensor
) -> None:
    generator, encoder = toy
    beside = ScoreScale(score_directions(encoder, found_directions)[:1], torch.ones(len(PROMPTS) + 1))
    result = bounded(toy, found_directions, calibrated, styles, WANTED, beside)
    limits = torch.tensor([bounding.limits for bounding in result])
    moved = torch.tensor(np.array([bounding.moved for bounding in result])).float()
    assert [bounding.scores for bounding in result] == beside.measure(moved)
    assert moved.shape == (len(WANTED), len(PROMPTS) + 1)
    assert torch.equal(moved[:, 0], moved[:, 3])
    assert torch.equal(limits, bounds_of(toy, found_directions, calibrated, styles))
    along = score_directions(encoder, found_directions)
    rows = torch.tensor([image for image, _ in WANTED])
    shifts = torch.stack(
        [bound.sum() * found_directions.matrix[which] for bound, (_, which) in zip(limits, WANTED, strict=True)]
    )
    before, after = (text_scores(encoder, along, [generator.synthesis(styles[rows] + s)]) for s in (0 * shifts, shifts))
    units = calibrated.goals.diff(dim=1)[:, 0]
    assert (((moved[:, :3] - (after - before)) / units).abs() < 0.1).float().mean() > 0.9
