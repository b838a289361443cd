"""Differences between images that have something and those that lack it: against literal ones, and on simulations."""

from __future__ import annotations

import itertools
from collections.abc import Callable

import numpy as np
import pytest

from zoom_engine.audit.summary import GroupDifference
from zoom_engine.statistics import interactions
from zoom_engine.statistics.interactions import FEWEST, difference_intervals, differences, permuted
from zoom_engine.statistics.intervals import Array


def even(mean: float, spread: float, count: int) -> Callable[[np.random.Generator], np.ndarray]:
    return lambda random: mean + spread * random.uniform(-1, 1, count)


def flipping(mean: float, share: float, count: int) -> Callable[[np.random.Generator], np.ndarray]:
    """Next to nothing in most images, much in a few."""
    return lambda random: np.where(random.random(count) < share, mean / share, 0.0)


def first_against_rest(values: np.ndarray, has: int, **more: object) -> GroupDifference:
    """The difference of the first `has` of `values` from the rest."""
    first = np.arange(len(values)) < has
    options = {"smallest": 0.05, "correction": "holm", "draws": 500, **more}
    ((result,),) = differences([("x", first, ~first)], values[:, None], **options)
    return result


def share_of_partings(values: np.ndarray, has: np.ndarray) -> float:
    """Of all ways to pick as many images, the share in which they differ by as many standard errors."""

    def apart(picked: list[int]) -> float:
        one, other = values[picked], np.delete(values, picked)
        return abs(one.mean() - other.mean()) / np.sqrt(one.var(ddof=1) / len(one) + other.var(ddof=1) / len(other))

    observed = apart(list(np.flatnonzero(has)))
    ways = itertools.combinations(range(len(values)), int(has.sum()))
    return float(np.mean([apart(list(picked)) >= observed * (1 - 1e-9) for picked in ways]))


def test_the_p_value_of_few_images_is_the_share_of_all_ways_to_part_them() -> None:
    values = np.random.default_rng(0).random((11, 3)) ** 3
    has = np.arange(11) < 5
    shares = [share_of_partings(values[:, column], has) for column in range(3)]
    assert permuted(values, has) == pytest.approx(shares)
    drawn = permuted(values, has, draws=400)  # fewer than the 462 ways
    assert drawn == pytest.approx(permuted(values, has), abs=0.1)
    assert drawn * 401 == pytest.approx(np.round(drawn * 401))


def test_of_two_groups_that_do_not_vary_only_the_same_parting_is_as_far_apart() -> None:
    values = np.repeat([0.3, 0.1], [6, 5])[:, None]
    assert permuted(values, np.arange(11) < 6) == pytest.approx([1 / 462])
    assert permuted(np.full((11, 1), 0.3), np.arange(11) < 6) == pytest.approx([1.0])
    assert permuted(np.full((90, 1), 0.3), np.arange(90) < 40) == pytest.approx([1.0])


def test_ties_count_as_reached() -> None:
    values = np.array([1.0, 1.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 0.0, 0.0])[:, None]
    has = np.arange(11) < 5
    assert permuted(values, has) == pytest.approx([share_of_partings(values[:, 0], has)])


def test_images_without_a_value_are_left_out_of_their_column_alone() -> None:
    values = np.random.default_rng(1).random((14, 2))
    values[[2, 12], 1] = np.nan
    has = np.arange(14) < 6
    known = np.isfinite(values[:, 1])
    whole, part = permuted(values, has)
    assert whole == pytest.approx(permuted(values[:, :1], has)[0])
    assert part == pytest.approx(permuted(values[known, 1:], has[known])[0])
    result = first_against_rest(values[:, 1], 6)
    assert (result.has, result.lacks) == (5, 7)
    assert result.difference == pytest.approx(np.nanmean(values[:6, 1]) - np.nanmean(values[6:, 1]))


@pytest.mark.ci
@pytest.mark.parametrize(
    ("has", "lacks"),
    [
        (even(0.4, 0.3, 12), even(0.4, 0.05, 48)),  # few that vary much: shuffled means alone reject one in five
        (even(0.4, 0.05, 12), even(0.4, 0.3, 48)),
        (flipping(0.2, 0.4, 30), even(0.2, 0.1, 60)),
        (flipping(0.1, 0.2, 20), flipping(0.1, 0.2, 28)),
    ],
    ids=["few vary much", "many vary much", "flips and none", "alike"],
)
def test_equal_means_are_told_apart_in_one_of_twenty_whatever_else_differs(has: Callable, lacks: Callable) -> None:
    random = np.random.default_rng(2)
    simulated = 300
    told = 0
    for _ in range(simulated):
        first, rest = has(random), lacks(random)
        values = np.concatenate([first, rest])[:, None]
        told += permuted(values, np.arange(len(values)) < len(first), draws=200)[0] < 0.05
    assert told / simulated < 0.05 + 3 * np.sqrt(0.05 * 0.95 / simulated)


def test_where_the_p_value_is_no_proof_the_interval_is() -> None:
    """Equal means, five images that flip in one of ten: most often none does, and all lie below the others."""
    random = np.random.default_rng(3)
    low = result = 0
    for _ in range(100):
        values = np.concatenate([flipping(0.09, 0.1, 5)(random), even(0.09, 0.03, 43)(random)])
        told = first_against_rest(values, 5)
        low += told.p_adjusted < 0.05
        result += told.differs
    assert low > 40
    assert result <= 3


@pytest.mark.ci
@pytest.mark.parametrize(
    ("has", "lacks", "apart"),
    [
        (flipping(0.09, 0.1, 5), even(0.09, 0.03, 43), 0.0),
        (flipping(0.3, 0.4, 17), flipping(0.05, 0.1, 31), 0.25),
        (even(0.36, 0.2, 8), flipping(0.04, 0.05, 16), 0.32),
        (flipping(0.02, 0.03, 24), even(0.5, 0.5, 24), -0.48),
        (flipping(0.1, 0.2, 8), flipping(0.1, 0.15, 40), 0.0),
        (lambda random: random.beta(0.2, 1.8, 12), lambda random: random.beta(4, 36, 36), 0.0),
    ],
)
def test_the_interval_holds_the_difference(has: Callable, lacks: Callable, apart: float) -> None:
    random = np.random.default_rng(4)
    covered = 0
    for seed in range(100):
        low, high = difference_intervals(has(random)[:, None], lacks(random)[:, None], 0.95, seed=seed)
        covered += low[0] <= apart <= high[0]
    assert covered >= 94


def test_a_planted_difference_is_found_and_a_shared_effect_is_not() -> None:
    random = np.random.default_rng(6)
    missed = false = 0
    for seed in range(50):
        planted = np.concatenate([even(0.36, 0.3, 17)(random), flipping(0.04, 0.1, 31)(random)])
        shared = np.concatenate([even(0.36, 0.3, 17)(random), even(0.36, 0.3, 31)(random)])
        first = np.arange(48) < 17
        of_planted, of_shared, _ = differences(
            [("x", first, ~first)],
            np.stack([planted, shared, random.random(48)], axis=1),
            smallest=0.05,
            correction="holm",
            draws=500,
            seed=seed,
        )
        missed += not of_planted[0].differs
        false += of_shared[0].differs
    assert missed <= 2
    assert false <= 2


def test_what_is_found_is_found_in_either_direction_and_not_before_the_end() -> None:
    values = np.concatenate([np.full(20, 0.4), np.full(20, 0.02)]) + np.linspace(0, 0.02, 40)
    more, less = first_against_rest(values, 20), first_against_rest(values[::-1].copy(), 20)
    assert more.differs
    assert less.differs
    assert more.difference == pytest.approx(0.37, abs=0.001)
    assert less.difference == pytest.approx(-0.37, abs=0.001)
    assert more.ci95[0] < more.difference < more.ci95[1]
    unfinished = first_against_rest(values, 20, finished=False)
    assert not unfinished.differs
    assert unfinished.p_adjusted == more.p_adjusted


def test_a_difference_takes_as_many_images_as_could_have_shown_the_contrary() -> None:
    assert first_against_rest(np.repeat([0.2, 0.0], 16), 16).differs
    few = first_against_rest(np.repeat([0.2, 0.0], 8), 8)
    assert few.p_adjusted < 0.01
    assert not few.differs


def test_less_than_matters_is_not_found() -> None:
    values = np.repeat([0.06, 0.02], 200)
    assert first_against_rest(values, 200, smallest=0.02).differs
    assert not first_against_rest(values, 200).differs


def test_too_few_images_of_a_kind_are_not_tested() -> None:
    values = np.concatenate([np.full(FEWEST - 1, 0.9), np.zeros(40)])
    for has, result in {
        FEWEST - 1: first_against_rest(values, FEWEST - 1),
        40: first_against_rest(values[::-1].copy(), 40),
    }.items():
        assert (result.has, result.ci95, result.p_value, result.p_adjusted, result.differs) == (
            has,
            None,
            None,
            None,
            False,
        )
        assert abs(result.difference) == pytest.approx(0.9)
    none = first_against_rest(values, 0)
    assert (none.has, none.difference, none.ci95) == (0, None, None)


def test_all_attributes_and_texts_and_interim_analyses_are_paid_for() -> None:
    random = np.random.default_rng(7)
    effect = random.random((30, 2)) ** 2
    first = np.arange(30) % 3 == 0
    parted = [("x", first, ~first), ("y", np.arange(30) < 12, np.arange(30) >= 12), ("z", np.arange(30) < 2, ~first)]
    rows = differences(parted, effect, smallest=0.05, correction="holm")
    p_values = sorted(one.p_value for row in rows for one in row[:2])
    adjusted = sorted(one.p_adjusted for row in rows for one in row[:2])
    assert adjusted[0] == pytest.approx(min(1.0, 4 * p_values[0]))
    assert all(row[2].p_value is None for row in rows)
    analyses = differences(parted, effect, smallest=0.05, correction="holm", analyses=5)
    for one, several in zip(itertools.chain(*rows), itertools.chain(*analyses), strict=True):
        if one.p_value is not None:
            assert several.p_adjusted == pytest.approx(min(1.0, 5 * one.p_adjusted), abs=0.05)
            assert several.ci95[0] < one.ci95[0]
            assert one.ci95[1] < several.ci95[1]
    rates = differences(parted, effect, smallest=0.05, correction="benjamini-hochberg")
    assert all(
        share.p_adjusted <= any_.p_adjusted + 1e-9
        for share, any_ in zip(itertools.chain(*rates), itertools.chain(*rows), strict=True)
        if any_.p_adjusted is not None
    )


def test_without_texts_there_is_nothing_to_tell() -> None:
    assert differences([], np.zeros((4, 2)), smallest=0.05, correction="holm") == [(), ()]


def test_intervals_of_many_columns_are_drawn_some_at_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """By each of 100 attributes they take four million draws, of all columns at once thirteen gigabytes."""
    random = np.random.default_rng(4)
    has, lacks, level = random.random((9, 7)), random.random((8, 7)), 1 - 0.05 / 20
    together, drawn = difference_intervals(has, lacks, level), list[int]()
    monkeypatch.setattr(interactions, "_MOST_DRAWN", 3 * 8000)

    def counted(values: Array, draws: int, random: np.random.Generator) -> tuple[Array, Array]:
        drawn.append(draws * values.shape[1])
        return mean_draws(values, draws, random)

    mean_draws = interactions._mean_draws
    monkeypatch.setattr(interactions, "_mean_draws", counted)
    np.testing.assert_allclose(difference_intervals(has, lacks, level), together, rtol=1e-12)
    assert max(drawn) <= 3 * 8000 + 3
