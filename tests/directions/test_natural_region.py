"""Several edits together stay where the generator draws: the Mahalanobis distance along the directions, literally."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from zoom_engine.common.errors import DirectionError
from zoom_engine.directions import EditDirections, NaturalEdits, natural_region


def directions(matrix: Tensor) -> EditDirections:
    count = len(matrix)
    return EditDirections(
        matrix=matrix,
        attributes=tuple(f"attribute {index}" for index in range(count)),
        neutral="a face",
        method="regression",
        threshold=0.1,
        channels=(1,) * count,
        strength=(1.0,) * count,
        noise_floor=(0.1,) * count,
        provenance={"truncation": 1.0, "truncation_cutoff": None, "templates": ["{}"]},
    )


def codes(generator: Any, count: int, *, seed: int = 77) -> Tensor:
    z = torch.randn(count, generator.z_dim, generator=torch.Generator().manual_seed(seed))
    return generator.styles(generator.mapping(z))


@pytest.fixture
def moves(toy: tuple[Any, Any]) -> EditDirections:
    """Three directions in the column space of the toy's affine map, as edits are."""
    generator, _ = toy
    latent = torch.tensor([[1.0, 0.3, 0, 0, 0, 0], [0, 1.0, 0, 0.4, 0, 0], [0, 0, 1.0, 0, 0, 0]])
    return directions((latent @ generator.affine.T).contiguous())


def test_an_edit_moves_the_position_as_the_edited_code_lies(toy: tuple[Any, Any], moves: EditDirections) -> None:
    generator, _ = toy
    region = natural_region(generator, moves)
    styles = codes(generator, 5)
    weights = np.array([0.7, -1.1, 0.4])
    edited = styles + torch.from_numpy(weights).float() @ moves.matrix
    for before, after in zip(map(region.around, styles), map(region.around, edited), strict=True):
        np.testing.assert_allclose(before.position + before.gram @ weights, after.position, atol=1e-3)
        assert before.distance(weights) == pytest.approx(after.distance(np.zeros(3)), rel=1e-3)


def test_the_normal_is_the_distances_gradient(toy: tuple[Any, Any], moves: EditDirections) -> None:
    generator, _ = toy
    (style,) = codes(generator, 1)
    edits = natural_region(generator, moves).around(style)
    weights = np.array([0.7, -1.1, 0.4])
    slopes = [(edits.distance(weights + d) - edits.distance(weights - d)) / 2e-4 for d in 1e-4 * np.eye(3)]
    np.testing.assert_allclose(edits.normal(weights), slopes, rtol=1e-5)


def test_distances_are_mahalanobis_and_one_unedited_code_in_a_hundred_lies_beyond(
    toy: tuple[Any, Any], moves: EditDirections
) -> None:
    generator, _ = toy
    region = natural_region(generator, moves)
    styles = codes(generator, 4000).double()
    # Literally: coordinates along the directions in standard deviations of the channels, whitened by their covariance.
    std = styles.std(0, correction=0)
    still = std < 1e-9
    unit = torch.where(still, 1.0, std)
    u = ((styles - styles.mean(0)) / unit) @ torch.where(still, 0.0, moves.matrix.double() / unit).T
    expected = torch.einsum("bi,ij,bj->b", u, torch.linalg.inv(u.T @ u / len(u)), u).numpy()
    result = np.array([around.distance(np.zeros(3)) for around in map(region.around, styles.float())])
    np.testing.assert_allclose(result, expected, rtol=0.2, atol=0.2)
    assert result.mean() == pytest.approx(3, rel=0.1)
    assert (result > region.limit).mean() == pytest.approx(0.01, abs=0.006)


def test_edits_within_each_range_can_leave_the_region_together(toy: tuple[Any, Any], moves: EditDirections) -> None:
    generator, _ = toy
    region = natural_region(generator, moves)
    centre = region.around(codes(generator, 4000).mean(0))
    alone = [np.eye(3)[index] * 2.5 for index in range(3)]
    assert all(centre.holds(weights) for weights in alone)
    together = sum(alone)
    assert not centre.holds(together)
    back = centre.projected(together)
    assert centre.distance(back) == pytest.approx(centre.limit)
    assert np.allclose(back / together, back[0] / together[0])


@given(
    st.integers(0, 10_000),
    st.lists(st.floats(-40, 40), min_size=4, max_size=4),
)
def test_what_is_drawn_back_is_natural_and_what_is_natural_stays(seed: int, wanted: list[float]) -> None:
    random = np.random.default_rng(seed)
    rows, spread = random.normal(size=(4, 9)), random.normal(size=(4, 4))
    precision = np.linalg.inv(spread @ spread.T + 0.1 * np.eye(4))
    position = random.normal(size=4) * 3
    distance = float(position @ precision @ position)
    around = NaturalEdits(position, rows @ rows.T, precision, max(distance, 5.0))
    weights = np.array(wanted)
    back = around.projected(weights)
    assert around.holds(back)
    assert np.array_equal(around.projected(back), back)
    assert np.all(np.abs(back) <= np.abs(weights) + 1e-12)
    if around.holds(weights):
        assert np.array_equal(back, weights)
    else:
        further = weights * min(1.0, 1.01 * np.linalg.norm(back) / np.linalg.norm(weights) + 1e-3)
        assert around.distance(further) > around.distance(back)


def test_an_unusual_image_may_stay_as_it_is(toy: tuple[Any, Any], moves: EditDirections) -> None:
    generator, _ = toy
    region = natural_region(generator, moves)
    far = codes(generator, 1) + 20 * moves.matrix.sum(0)
    around = region.around(far[0])
    assert around.limit > region.limit
    assert around.holds(np.zeros(3))
    assert not around.holds(np.ones(3))
    assert around.holds(-np.ones(3))


def test_two_wordings_of_one_attribute_do_no_harm(toy: tuple[Any, Any], moves: EditDirections) -> None:
    generator, _ = toy
    twice = torch.cat([moves.matrix[:1], moves.matrix[:1], moves.matrix[1:]])
    once, doubled = natural_region(generator, moves), natural_region(generator, directions(twice))
    styles = codes(generator, 50)
    for one, two in zip(map(once.around, styles), map(doubled.around, styles), strict=True):
        assert two.distance(np.array([0.5, 0.5, 1.0, 0.0])) == pytest.approx(
            one.distance(np.array([1.0, 1.0, 0.0])), rel=1e-2
        )


def test_directions_of_another_generator_are_refused(toy: tuple[Any, Any]) -> None:
    with pytest.raises(DirectionError, match="another generator"):
        natural_region(toy[0], directions(torch.ones(2, 5)))


def test_what_was_measured_is_kept(toy: tuple[Any, Any], moves: EditDirections, tmp_path: Path) -> None:
    generator, _ = toy
    region = natural_region(generator, moves, cache=tmp_path)
    mapped = []
    generator.mapping = lambda *_, **__: mapped.append(1)
    cached = natural_region(generator, moves, cache=tmp_path)
    assert not mapped
    style = torch.ones(generator.space.size)
    assert cached.around(style).distance(np.ones(3)) == region.around(style).distance(np.ones(3))
    assert cached.limit == region.limit
