"""What a search in bfloat16 names is evaluated again, until its result rests on that alone."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from search_toys import point_at, trial

from zoom_engine.search.reevaluated import MOST_ROUNDS, Reevaluated
from zoom_engine.search.trials import Array, EvaluatedPoint, EvaluatedPoints, SearchResult, Trial

MULTI = trial(0, None, -30, 30)
ORIGIN = point_at([0, 0, 0], label_kept=True, ssim=1.0)


class Scripted:
    """A search that walks along the first attribute, one point a step."""

    def __init__(self, where: Trial, steps: int) -> None:
        self.evaluated, self.steps = EvaluatedPoints(where, ORIGIN), steps

    def ask(self) -> Array:
        return np.array([[1.0 + len(self.evaluated.tried), 0, 0]])

    def tell(self, evaluated: list[EvaluatedPoint]) -> None:
        self.evaluated.add(evaluated)

    def result(self) -> SearchResult | None:
        done = len(self.evaluated.tried) == self.steps
        return self.evaluated.result("all-steps", by_weight=False) if done else None


def run(where: Trial, rough: list[EvaluatedPoint], exact: list[EvaluatedPoint]) -> tuple[SearchResult, list[int]]:
    """The result of a walk whose points are `rough`, evaluated again `exact`; and which were, in order."""
    state, again = Reevaluated(Scripted(where, len(rough)), where, ORIGIN), []
    while (result := state.result()) is None:
        points = [round(float(weights[0])) - 1 for weights in state.ask()]
        if state.exact:
            again += points
        state.tell([(exact if state.exact else rough)[place] for place in points])
    return result, again


def at(place: int, **options: float | bool) -> EvaluatedPoint:
    return point_at([1.0 + place, 0, 0], label_kept=bool(options.pop("label_kept", True)), **options)  # type: ignore[arg-type]


def test_what_stands_is_evaluated_once_more_and_no_other() -> None:
    rough = [at(0, change=0.1), at(1, change=0.5, margin=-1, ssim=0.7), at(2, change=0.6, margin=-2, ssim=0.6)]
    exact = [dataclasses.replace(point, change=point.change + 0.001, ssim=point.ssim + 0.001) for point in rough]
    result, again = run(MULTI, rough, exact)
    assert sorted(again) == [1, 2]
    assert (result.change, result.ssim) == (0.601, 0.701)
    assert (result.steps, result.evaluations, result.stop) == (3, 5, "all-steps")
    assert [point.weights[0] for point in result.trajectory] == [0, 1, 2, 3]


def test_a_flip_that_does_not_stand_makes_room_for_the_next() -> None:
    rough = [at(place, change=0.3, margin=-1, ssim=0.9 - place / 10) for place in range(3)]
    exact = [at(0, change=0.29, margin=0.1), at(1, change=0.31, margin=-0.1, ssim=0.8), rough[2]]
    result, again = run(MULTI, rough, exact)
    assert again[0] == 0
    assert 1 in again
    assert result.flipped
    assert result.edit_weights[0] == 2
    assert result.ssim == 0.8


def test_no_flip_that_only_bf16_saw() -> None:
    rough = [at(0, change=0.3, margin=-0.01), at(1, change=0.2, margin=0.4)]
    result, _ = run(MULTI, rough, [at(0, change=0.3, margin=0.01), rough[1]])
    assert (result.flipped, result.change) == (False, 0.3)


def test_a_flip_that_bf16_missed_by_a_hair() -> None:
    rough = [at(0, change=0.4, margin=0.5), at(1, change=0.3, margin=0.01)]
    result, again = run(MULTI, rough, [rough[0], at(1, change=0.3, margin=-0.01, ssim=0.8)])
    assert 1 in again
    assert result.flipped


def test_the_largest_change_is_one_that_stands() -> None:
    rough = [at(place, change=0.1 + place / 100) for place in range(4)]
    exact = [*rough[:3], at(3, change=0.02)]
    result, again = run(MULTI, rough, exact)
    assert again[:1] == [3] or 3 in again
    assert result.change == pytest.approx(0.12)


def test_single_mode_names_the_smallest_weight() -> None:
    rough = [at(0, change=0.3, margin=-0.01, ssim=0.5), at(1, change=0.4, margin=-1, ssim=0.9)]
    result, _ = run(trial(0, 0, -30, 30), rough, [at(0, change=0.3, margin=0.01, ssim=0.5), rough[1]])
    assert result.flip_weight == 2


def test_the_end_of_a_range_at_which_an_effect_is_judged_stands() -> None:
    rough = [at(0, change=0.4), at(1, change=0.1)]
    result, again = run(trial(0, 0, 0, 2), rough, [rough[0], at(1, change=0.12)])
    assert 1 in again
    assert [point.change for point in result.trajectory] == [0.0, 0.4, 0.12]


def test_a_lost_label_is_seen_to_be_lost() -> None:
    rough = [at(0, change=0.9, margin=-1, label_kept=False), at(1, change=0.8, margin=-1, label_kept=False)]
    result, again = run(MULTI, rough, rough)
    assert again
    assert (result.flipped, result.label_kept, result.stop) == (False, False, "label-lost")


def test_a_label_that_only_bf16_lost_is_not_told_to_be_lost() -> None:
    rough = [at(0, change=0.9, margin=-1, label_kept=False), at(1, change=0.8, margin=-1, label_kept=False)]
    result, _ = run(MULTI, rough, [dataclasses.replace(point, label_kept=True) for point in rough])
    assert (result.flipped, result.label_kept, result.stop) == (True, True, "re-evaluated")


def test_an_end_is_reached_whatever_the_answers() -> None:
    rough = [at(place, change=0.5, margin=-1, ssim=0.9) for place in range(4 * MOST_ROUNDS)]
    exact = [at(place, change=0.0, margin=1.0) for place in range(4 * MOST_ROUNDS)]
    result, again = run(MULTI, rough, exact)
    assert len(again) <= 4 * MOST_ROUNDS
    assert (result.flipped, result.change) == (False, 0.0)


def test_nothing_to_search_is_nothing_to_verify() -> None:
    class Done(Scripted):
        def result(self) -> SearchResult | None:
            return self.evaluated.result("no-range", by_weight=False)

    state = Reevaluated(Done(MULTI, 0), MULTI, ORIGIN)
    result = state.result()
    assert result is not None
    assert (result.stop, result.evaluations) == ("no-range", 0)
