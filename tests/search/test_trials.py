"""The definitions: sensitivity, counterfactual and flip weight are of the best evaluated point, by METHOD § 2."""

from __future__ import annotations

import dataclasses

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from search_toys import point_at

from zoom_engine.audit.records import Within
from zoom_engine.search.trials import Array, EvaluatedPoint, EvaluatedPoints, Trial, within

TRIAL = Trial(0, 0, np.array([[-5.0, 10.0]]), np.array([[-30.0, 30.0]]))


def evaluated(*tried: EvaluatedPoint, labels: bool = True, trial: Trial = TRIAL) -> EvaluatedPoints:
    result = EvaluatedPoints(trial, point_at([0.0], label_kept=True if labels else None, ssim=1.0))
    result.add(list(tried))
    return result


def test_sensitivity_is_the_largest_label_keeping_change_within_the_bounds() -> None:
    result = evaluated(
        point_at([2.0], change=0.3, label_kept=True),
        point_at([4.0], change=0.6, margin=-1, label_kept=True, ssim=0.8),
        point_at([6.0], change=0.9, margin=-2, label_kept=False),
        point_at([20.0], change=0.8, margin=-2, label_kept=True),
    ).result("done", by_weight=True)
    assert result.change == 0.6
    assert result.change_weights == [4.0]
    assert result.paper == Within(change=0.8, flipped=True, decisive=True)


def test_the_counterfactual_is_the_most_similar_flip_not_the_last() -> None:
    result = evaluated(
        point_at([9.0], change=0.9, margin=-3, label_kept=True, ssim=0.4),
        point_at([5.0], change=0.6, margin=-1, label_kept=True, ssim=0.7),
        point_at([4.0], change=0.5, margin=-1, label_kept=False, ssim=0.95),
        point_at([7.0], change=0.7, margin=-2, label_kept=True, ssim=0.6),
    ).result("done", by_weight=True)
    assert result.flipped
    assert result.edit_weights == [5.0]
    assert result.ssim == 0.7
    assert result.flip_weight == 5.0
    assert result.change == 0.9


def test_a_decisive_flip_is_shown_before_a_borderline_one() -> None:
    borderline = point_at([4.0], change=0.02, margin=-0.01, label_kept=True, ssim=0.99)
    decisive = [
        point_at([7.0], change=0.3, margin=-1, label_kept=True, ssim=0.8),
        point_at([9.0], change=0.4, margin=-2, label_kept=True, ssim=0.6),
    ]
    both = evaluated(borderline, *decisive).result("done", by_weight=True)
    assert (both.flipped, both.decisive) == (True, True)
    assert both.edit_weights == [7.0]
    assert both.ssim == 0.8
    assert both.flip_weight == 4.0
    alone = evaluated(borderline, point_at([9.0], change=0.4, margin=-2, label_kept=False)).result(
        "done", by_weight=True
    )
    assert (alone.flipped, alone.decisive) == (True, False)
    assert alone.edit_weights == [4.0]


def test_the_edit_that_is_reported_is_told_natural_or_not() -> None:
    class Small:
        def holds(self, weights: Array) -> bool:
            return bool(abs(weights[0]) <= 6)

        def normal(self, weights: Array) -> Array:
            return np.sign(weights)

        def projected(self, weights: Array) -> Array:
            return np.clip(weights, -6, 6)

    near, far = (point_at([w], change=0.5, margin=-1, label_kept=True) for w in (5.0, 8.0))
    known = dataclasses.replace(TRIAL, natural=Small())
    assert evaluated(near, trial=known).result("done", by_weight=True).natural is True
    assert evaluated(far, trial=known).result("done", by_weight=True).natural is False
    assert evaluated(far).result("done", by_weight=True).natural is None
    assert known.allowed(np.array([99.0])) == [10.0]
    assert dataclasses.replace(known, stay_natural=True).allowed(np.array([99.0])) == [6.0]


def test_without_a_flip_the_result_is_the_largest_change() -> None:
    result = evaluated(
        point_at([2.0], change=0.3, label_kept=True), point_at([-2.0], change=0.1, label_kept=True)
    ).result("done", by_weight=True)
    assert not result.flipped
    assert result.flip_weight is None
    assert result.edit_weights == [2.0]
    assert result.label_kept is True


def test_where_no_point_keeps_the_label_sensitivity_is_zero_and_the_stop_says_so() -> None:
    result = evaluated(
        point_at([2.0], change=0.3, label_kept=False), point_at([3.0], change=0.9, margin=-1, label_kept=False)
    ).result("done", by_weight=True)
    assert result.change == 0
    assert result.stop == "label-lost"
    assert result.label_kept is False
    assert not result.flipped
    assert result.edit_weights == [0.0]
    assert result.output == result.original_output


def test_a_flip_that_always_loses_the_label_is_reported_as_such() -> None:
    result = evaluated(
        point_at([2.0], change=0.3, label_kept=True), point_at([3.0], change=0.9, margin=-1, label_kept=False)
    ).result("done", by_weight=True)
    assert (result.flipped, result.label_kept, result.change, result.stop) == (False, False, 0.3, "done")


def test_with_labels_off_every_point_counts() -> None:
    result = evaluated(point_at([3.0], change=0.9, margin=-1), labels=False).result("done", by_weight=True)
    assert (result.flipped, result.label_kept, result.change) == (True, None, 0.9)


points = st.lists(
    st.tuples(st.floats(-12, 12), st.floats(0, 1), st.floats(-3, 3), st.booleans(), st.floats(0, 1)),
    min_size=1,
    max_size=12,
)


@given(points)
def test_definitions_hold_for_any_iterates(rows: list[tuple[float, float, float, bool, float]]) -> None:
    tried = [point_at([w], change=c, margin=m, label_kept=k, ssim=s) for w, c, m, k, s in rows]
    result = evaluated(*tried).result("done", by_weight=True)
    inside = [it for it in tried if -5 <= it.weights[0] <= 10]
    flips = [it for it in inside if it.margin < 0 and it.label_kept]
    assert result.change == max([0.0, *(it.change for it in inside if it.label_kept)])
    assert result.flipped == bool(flips)
    if flips:
        far = [it for it in flips if it.change >= 0.1]
        assert result.decisive == bool(far)
        assert result.ssim == max(it.ssim for it in far or flips)
        assert result.flip_weight == min(abs(it.weights[0]) for it in flips)
    curve = [point.weights[0] for point in result.trajectory]
    assert curve == sorted(curve)
    assert 0.0 in curve


def test_within_is_closed() -> None:
    box = np.array([[-1.0, 2.0], [0.0, 0.0]])
    assert within(np.array([2.0, 0.0]), box)
    assert not within(np.array([2.1, 0.0]), box)
    assert not within(np.array([0.0, 0.1]), box)
