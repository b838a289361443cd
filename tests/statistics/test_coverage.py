"""Coverage and density: what they are by their definition, and that halves of one population cover each other."""

from __future__ import annotations

import numpy as np
import pytest

from zoom_engine.statistics.coverage import LEAST_PHOTOGRAPHS, NEIGHBOURS, coverage, coverage_and_density


def literal(real: np.ndarray, generated: np.ndarray, k: int) -> tuple[float, float]:
    """Coverage and density as the paper writes them, picture by picture."""
    reach = [sorted(np.linalg.norm(real - x, axis=1))[k] for x in real]
    covered = [any(np.linalg.norm(y - x) < r for y in generated) for x, r in zip(real, reach, strict=True)]
    inside = [sum(np.linalg.norm(y - x) < r for x, r in zip(real, reach, strict=True)) for y in generated]
    return float(np.mean(covered)), float(np.mean(inside)) / k


def test_both_are_what_the_paper_says() -> None:
    random = np.random.default_rng(0)
    real, generated = random.normal(size=(40, 3)), random.normal(0.5, 0.7, size=(25, 3))
    among, across = (np.linalg.norm(real[:, None] - others, axis=2) for others in (real, generated))
    covered, density = coverage_and_density(among, across, 3)
    assert (covered.mean(), density.mean()) == pytest.approx(literal(real, generated, 3))


def test_samples_of_one_population_cover_each_other_as_much_as_theory_says() -> None:
    random = np.random.default_rng(1)
    result = coverage(random.normal(size=(200, 8)), random.normal(size=(300, 8)))
    expected = 1 - np.prod([(100 - 1 - i) / (2 * 100 - 1 - i) for i in range(NEIGHBOURS)])  # Naeem 2020, equation 9
    assert result.pictures == 100
    for one in (result.coverage, result.reference_coverage):
        assert one.value == pytest.approx(expected, abs=0.04)
        assert one.interval[0] <= one.value <= one.interval[1] <= 1
    assert result.relative.interval[0] < 1 < result.relative.interval[1] + 0.03
    assert result.density.value == pytest.approx(1, abs=0.25)
    assert result.reference_density.value == pytest.approx(1, abs=0.1)


def test_what_is_drawn_elsewhere_covers_nothing_and_a_part_covers_a_part() -> None:
    random = np.random.default_rng(2)
    photographs = np.concatenate([random.normal(0, 1, (60, 4)), random.normal(40, 1, (60, 4))])
    assert coverage(photographs, random.normal(-40, 1, (80, 4))).coverage.value == 0
    half = coverage(photographs, random.normal(0, 1, (80, 4))).relative
    assert half.value == pytest.approx(0.5, abs=0.1)
    assert half.interval[0] > 0.3
    assert half.interval[1] < 0.7


def test_the_interval_of_density_is_of_the_pictures_that_were_drawn() -> None:
    """Of many generated pictures splits draw some; the others counted as if they lay in no ball."""
    random = np.random.default_rng(6)
    density = coverage(random.normal(size=(50, 8)), random.normal(size=(2048, 8))).density
    assert density.value - density.interval[0] < 0.15
    assert 0.02 < density.interval[1] - density.value < 0.15


def test_fewer_photographs_than_balls_need_are_refused() -> None:
    random = np.random.default_rng(3)
    with pytest.raises(ValueError, match="too few pictures: 39"):
        coverage(random.normal(size=(LEAST_PHOTOGRAPHS - 1, 2)), random.normal(size=(50, 2)))
    with pytest.raises(ValueError, match="19 generated"):
        coverage(random.normal(size=(LEAST_PHOTOGRAPHS, 2)), random.normal(size=(19, 2)))


def test_the_same_seed_gives_the_same_figures_and_the_same_picture_twice_breaks_nothing() -> None:
    random = np.random.default_rng(4)
    photographs = np.repeat(random.normal(size=(24, 3)), 2, axis=0)
    generated = random.normal(size=(30, 3))
    assert coverage(photographs, generated, seed=5) == coverage(photographs, generated, seed=5)
