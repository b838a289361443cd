"""The scan finds what is known to be there."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from search_toys import LABELS, ColourLabels, bounds, evaluator, looked_at, point_at, run_trials, trial
from torch import Tensor

from zoom_engine.audit.records import Within
from zoom_engine.common.errors import ConfigError
from zoom_engine.evaluation.evaluator import Evaluator
from zoom_engine.evaluation.labels import ZeroShotLabels
from zoom_engine.search import EvaluatedPoint, Scan, SearchResult, Trial, describe_search, find_search
from zoom_engine.search.scan import grid, outer_grid
from zoom_engine.search.trials import Array, Planned
from zoom_engine.settings.audit_settings import AuditSettings, options_of


def scan(where: Evaluator, *trials: Trial, styles: Tensor | None = None, **options: object) -> list[SearchResult]:
    outcomes: dict[int, SearchResult] = {}
    order = {id(trial): place for place, trial in enumerate(trials)}
    run_trials(
        trials,
        search=Scan(**options),  # type: ignore[arg-type]
        evaluator=where,
        styles=torch.zeros(4, 4) if styles is None else styles,
        on_result=lambda results: outcomes.update({order[id(trial)]: result for trial, result in results}),
    )
    return [outcomes[place] for place in range(len(trials))]


@settings(max_examples=40, deadline=None)
@given(low=st.floats(-30, 0), high=st.floats(0, 30), points=st.integers(2, 20))
def test_the_grid_has_both_ends_and_not_zero(low: float, high: float, points: int) -> None:
    weights = grid(low, high, points)
    if low == high == 0:
        assert weights == []
        return
    assert len(weights) == points
    assert weights == sorted(weights)
    assert 0 not in weights or low > -1e-300 or high < 1e-300
    assert all(low - 1e-9 <= weight <= high + 1e-9 for weight in weights)
    if low < 0:
        assert weights[0] == pytest.approx(low)
    if high > 0:
        assert weights[-1] == pytest.approx(high)


def test_the_outer_grid_covers_what_the_outer_range_adds() -> None:
    assert outer_grid((-5, 10), (-30, 30), 4) == [-17.5, -30, 20, 30]
    assert outer_grid((-30, 10), (-30, 30), 4) == [15, 20, 25, 30]
    assert outer_grid((-40, 40), (-30, 30), 4) == []
    assert outer_grid((-5, 10), (-30, 30), 3) == [-17.5, -30, 30], "the wider side has the odd one"
    assert outer_grid((-10, 10), (-20, 30), 5) == [-15, -20, 10 + 20 / 3, 10 + 40 / 3, 30]


@given(low=st.floats(-25, 0), high=st.floats(0, 25), points=st.integers(2, 9))
def test_each_outer_point_that_is_asked_for_is_there(low: float, high: float, points: int) -> None:
    weights = outer_grid((low, high), (-30, 30), points)
    assert len(set(weights)) == points
    assert (min(weights), max(weights)) == pytest.approx((-30, 30))
    below, above = (sum(sign * weight > 0 for weight in weights) for sign in (-1, 1))
    odd_one_above = points % 2 and 30 - high >= 30 + low
    assert above == points // 2 + odd_one_above
    assert below == points - above


@pytest.mark.parametrize("points", [0, 2, 3, 4, 5])
def test_a_scan_takes_as_many_outer_points_as_were_asked_for(points: int) -> None:
    def taken(**options: float | None) -> int:
        return seen((0.02).__mul__, 4.0, 8.0, 12.0, outer=30.0, **options).evaluations

    planned = Planned(attributes=1, calibrated=True, labels=False)
    less, more = (Scan(outer_points=count).evaluations(planned) for count in (0, points))
    assert taken(outer_points=points) - taken(outer_points=0) == points
    assert (more[0] - less[0], more[1] - less[1]) == (points, points)


@settings(max_examples=25, deadline=None)
@given(start=st.floats(-6, 6).filter(lambda x: abs(x - 2) > 1e-3), tolerance=st.sampled_from([0.3, 0.05, 0.001]))
def test_the_flip_weight_of_a_linear_target_is_found_to_the_tolerance(start: float, tolerance: float) -> None:
    styles = torch.tensor([[start, 0.0, 0.0, 0.0]])
    (result,) = scan(evaluator(), trial(0, 0, -10, 10), styles=styles, tolerance=tolerance)
    truth = abs(2 - start)
    assert result.flipped
    assert result.stop == "flip-bracketed"
    assert result.flip_weight is not None
    assert truth - 1e-3 <= result.flip_weight <= truth + tolerance + 1e-3
    # The counterfactual is the flip of highest SSIM, which need not be the one at the smallest weight.
    assert np.sign(result.edit_weights[0]) == np.sign(2 - start)
    assert abs(result.edit_weights[0]) >= result.flip_weight - 1e-9
    assert np.all(result.edit_weights[1:] == 0)


def test_output_and_weights_of_a_result_belong_together() -> None:
    where = evaluator()
    styles = torch.tensor([[0.5, 1.0, -1.0, 0.3]])
    for attribute in range(3):
        (result,) = scan(where, trial(0, attribute, -10, 10), styles=styles)
        originals = where.originals(styles)
        weights = torch.from_numpy(result.edit_weights)[None].float()
        again = looked_at(where, styles, weights, originals)
        assert again.recorded[0].tolist() == pytest.approx(result.output, abs=1e-5)
        assert bool(again.flipped[0]) == result.flipped
        if result.flipped:
            assert again.ssim[0].item() == pytest.approx(result.ssim, abs=1e-5)
        peak = looked_at(where, styles, torch.from_numpy(result.change_weights)[None].float(), originals)
        assert peak.change[0].item() == pytest.approx(result.change, abs=1e-5)


def test_sensitivity_is_measured_over_the_whole_range_and_not_at_the_flip() -> None:
    (near, far) = scan(evaluator(), trial(0, 0, -3, 3), trial(0, 0, -10, 10))
    assert near.flip_weight == pytest.approx(2, abs=0.06)
    assert far.flip_weight == pytest.approx(2, abs=0.06)
    probability = torch.tensor([-2.0, 1.0, 8.0]).sigmoid()
    assert near.change == pytest.approx((probability[1] - probability[0]).item(), abs=1e-4)
    assert far.change == pytest.approx((probability[2] - probability[0]).item(), abs=1e-4)


def test_no_flip_within_the_bounds() -> None:
    (result,) = scan(evaluator(), trial(0, 1, -6, 6))
    assert (result.flipped, result.flip_weight, result.stop) == (False, None, "no-flip")
    assert result.evaluations == 4
    assert result.change > 0


def responding(response: Callable[[Array], Array], **options: float | None) -> SearchResult:
    """The scan of [-10, 10] where the change is that function of the weights; the label is lost beyond a change of 2,
    and the prediction flips from 0.5 on."""
    state = Scan(**options).start(trial(0, 0, -10, 10), point_at([0, 0, 0], margin=0.5, ssim=1.0))  # type: ignore[arg-type]
    while (result := state.result()) is None:
        weights = state.ask()[:, 0]
        assert len(set(weights)) == len(weights)
        state.tell(
            [
                point_at([w, 0, 0], margin=0.5 - c, change=min(c, 1.0), label_kept=bool(c < 2))
                for w, c in zip(weights, response(weights), strict=True)
            ]
        )
    return result


@settings(max_examples=40, deadline=None)
@given(
    up=st.floats(0, 0.1), down=st.floats(0, 0.1), bend=st.floats(0.3, 3), points=st.integers(2, 12), ends=st.booleans()
)
def test_of_responses_that_only_grow_half_the_grid_says_all(
    up: float, down: float, bend: float, points: int, ends: bool
) -> None:
    def grows(weights: Array) -> Array:
        return np.where(weights > 0, up, down) * np.abs(weights) ** bend / 10 ** (bend - 1)

    half, whole = (responding(grows, points=points, monotone=slack) for slack in (0.005, None))
    assert half.change == whole.change
    assert (half.flipped, half.decisive) == (whole.flipped, whole.decisive)
    assert half.flip_weight == (whole.flip_weight and pytest.approx(whole.flip_weight, abs=0.05))
    assert half.trajectory[0].weights == whole.trajectory[0].weights
    assert half.trajectory[-1].weights == whole.trajectory[-1].weights
    if not whole.flipped:
        assert half.evaluations <= max(4, (points + 3) // 2)


def test_a_side_whose_change_falls_or_that_loses_the_label_is_walked_whole() -> None:
    def hump(weights: Array) -> Array:  # on the right only, at 7.5, which is not among every second point
        return np.where(weights > 0, 0.4 * np.exp(-(((weights - 7) / 2) ** 2)), 0.0)

    seen, unseen = responding(hump), responding(hump, monotone=1.0)
    assert seen.change == responding(hump, monotone=None).change == pytest.approx(0.4, abs=0.03)
    assert seen.evaluations == 6  # the left side is flat
    assert unseen.change < 0.3

    lost = responding(lambda weights: np.where(weights > 9, 3.0, 0.01))
    assert lost.evaluations == 6


@pytest.mark.parametrize("end", [10.0, -10.0])
@pytest.mark.parametrize("lost_from", [0.3, 0.6, 0.9])
def test_where_the_end_of_a_range_loses_the_label_a_look_at_the_ends_judges_as_the_whole_scan(
    end: float, lost_from: float
) -> None:
    """It judged at half of the range, or at none of it, where the scan judged at seven eighths."""

    def judged(**options: float | None) -> tuple[float, int]:
        low, high = min(end, 0.0), max(end, 0.0)
        start = point_at([0, 0, 0], margin=0.5, ssim=1.0)
        state = Scan(**options).start(trial(0, 0, low, high), start)  # type: ignore[arg-type]
        while (result := state.result()) is None:
            way = state.ask()[:, 0] / end
            state.tell(
                [point_at([end * w, 0, 0], margin=0.4, change=w / 5, label_kept=bool(w < lost_from)) for w in way]
            )
        return result.change, result.evaluations

    few, many = judged(points=2, outer_points=2, tolerance=None), judged()
    assert few[0] == many[0]
    assert few[1] <= 5
    always = judged(points=2, outer_points=2, tolerance=None, monotone=None)
    assert always == few


def seen(
    curve: Callable[[float], float],
    *weights: float,
    label_until: float = 99.0,
    outer: float | None = None,
    **options: float | None,
) -> SearchResult:
    """The scan of [0, 12] of a change that is that function of the weight, where it was seen at some; it flips from a
    change of 0.5 on."""

    def at(weight: float) -> EvaluatedPoint:
        change = curve(weight)
        retained = bool(weight <= label_until)
        return point_at([weight, 0, 0], margin=0.5 - change, change=change, label_kept=retained)

    given = dataclasses.replace(trial(0, 0, 0, 12, outer=outer), seen=tuple(at(weight) for weight in weights))
    state = Scan(**options).start(given, point_at([0, 0, 0], margin=0.5, ssim=1.0))  # type: ignore[arg-type]
    while (result := state.result()) is None:
        state.tell([at(weight) for weight in state.ask()[:, 0]])
    return result


def weights_of(result: SearchResult) -> list[float]:
    return [point.weights[0] for point in result.trajectory]


def test_what_was_seen_is_not_asked_for_again() -> None:
    grows = (0.02).__mul__
    assert weights_of(seen(grows, 5.0, 10.0, 15.0)) == [0, 5, 10, 12, 15], "the end alone"
    assert weights_of(seen(grows, 4.0, 8.0, 12.0)) == [0, 4, 8, 12], "nothing"
    assert weights_of(seen(grows, 11.0)) == [0, 5.5, 11, 12], "the end and the middle of a wide gap"
    assert weights_of(seen(grows, 4.0, 8.0, 12.0, monotone=None)) == [0, 1.5, 3, 4, 4.5, 6, 7.5, 8, 9, 10.5, 12]
    assert weights_of(seen(grows, 11.0, points=2)) == [0, 11, 12]


def test_beside_a_point_from_which_the_change_falls_it_looks_into_both_gaps() -> None:
    def hump(weight: float) -> float:
        return 0.4 * float(np.exp(-(((weight - 6.5) / 3) ** 2)))

    result = seen(hump, 4.0, 8.0, 12.0)
    assert weights_of(result) == [0, 4, 6, 8, 10, 12]
    assert result.change == hump(6.0)


def test_where_the_end_loses_the_label_points_that_were_seen_judge_as_finely_as_the_whole_scan() -> None:
    result = seen((0.02).__mul__, 4.0, 8.0, 12.0, label_until=9.2)
    assert weights_of(result) == [0, 4, 8, 9, 10.5, 12]
    assert result.change == pytest.approx(0.18)


def test_a_flip_between_points_that_were_seen_is_found_to_the_tolerance() -> None:
    result = seen((0.06).__mul__, 4.0, 8.0, 12.0)
    assert result.flip_weight == pytest.approx(0.5 / 0.06, abs=0.05)
    assert result.evaluations <= 7
    assert seen((0.06).__mul__, 4.0, 8.0, 12.0, tolerance=None).flip_weight == 9.0, "at the grid"


def test_the_outer_range_is_told_of_what_was_seen_and_of_its_ends() -> None:
    result = seen((0.02).__mul__, 5.0, 10.0, 15.0, outer=30.0)
    assert weights_of(result) == [-30, 0, 5, 10, 12, 15, 30]
    assert result.change == pytest.approx(0.24)
    assert result.paper == Within(change=pytest.approx(0.6), flipped=True, decisive=True)
    few = seen((0.02).__mul__, 5.0, 10.0, 15.0, outer=30.0, outer_points=0)
    assert few.paper == Within(change=pytest.approx(0.3), flipped=False, decisive=False)


def test_without_a_tolerance_the_smallest_flip_is_that_of_the_whole_grid() -> None:
    for slack in (0.005, None):
        assert responding(lambda w: np.abs(w) * 0.3, tolerance=None, monotone=slack).flip_weight == 2.5


def test_of_two_sides_the_nearer_flip_wins() -> None:
    # |red - 0.3| > 2 flips: at +2.3 and at -1.7, both between the same two rings of the grid.
    (result,) = scan(evaluator(lambda x: (x[:, 0] - 0.3).abs() - 2), trial(0, 0, -12, 12), points=4, tolerance=0.01)
    assert result.flip_weight == pytest.approx(1.7, abs=0.011)
    assert result.edit_weights[0] == pytest.approx(-1.7, abs=0.011)


@settings(max_examples=25, deadline=None)
@given(plus=st.floats(0.2, 11), minus=st.floats(0.2, 11), steep=st.floats(0.2, 5))
def test_any_two_thresholds(plus: float, minus: float, steep: float) -> None:
    def outside(x: Tensor) -> Tensor:
        return torch.sinh(torch.maximum(x[:, 0] - plus, -x[:, 0] - minus).clamp(-8, 8) * steep / 5)

    (result,) = scan(evaluator(outside), trial(0, 0, -12, 12), tolerance=0.02)
    truth = min(plus, minus)
    assert result.flip_weight is not None
    assert truth - 1e-3 <= result.flip_weight <= truth + 0.021


def test_lattice_points_do_not_depend_on_noise_in_the_margin() -> None:
    def wobbling(noise: float) -> SearchResult:
        search = Scan(tolerance=0.05)
        state = search.start(trial(0, 0, -10, 10), point_at([0, 0, 0], margin=3.03, ssim=1.0))
        random = np.random.default_rng(0)
        while (result := state.result()) is None:
            weights = state.ask()[:, 0]
            margins = 3.03 - np.abs(weights) + noise * random.standard_normal(len(weights))
            state.tell(
                [point_at([w, 0, 0], margin=m, change=abs(w) / 20) for w, m in zip(weights, margins, strict=True)]
            )
        return result

    assert wobbling(0.0).flip_weight == wobbling(0.002).flip_weight


def test_a_point_that_loses_the_label_is_no_flip() -> None:
    # Green moves the logit, and beyond 3 the label: it flips at 4 without it; with the label lost only
    # beyond 6, it flips in time.
    def green(x: Tensor) -> Tensor:
        return x[:, 1] - 4

    for at, flips in ((3.0, False), (6.0, True)):
        where = evaluator(green, labels=ZeroShotLabels(ColourLabels(at), LABELS))
        (result,) = scan(where, trial(0, 1, 0, 12))
        assert result.flipped is flips
        assert result.label_kept is flips
        probability = torch.tensor([-4.0, at - 4]).sigmoid()
        assert result.change <= (probability[1] - probability[0]).item() + 1e-5
        if flips:
            assert result.flip_weight == pytest.approx(4, abs=0.06)


def test_both_ranges_are_reported() -> None:
    (result,) = scan(evaluator(lambda x: x[:, 0] - 20), trial(0, 0, -5, 5, outer=30))
    assert not result.flipped
    assert result.change < 1e-6
    assert result.paper == Within(change=pytest.approx(1.0, abs=1e-3), flipped=True, decisive=True)
    assert result.trajectory[0].weights[0] == -30
    (inside,) = scan(evaluator(), trial(0, 0, -5, 5))
    assert inside.paper is None


def test_the_response_curve_is_there_in_order() -> None:
    (result,) = scan(evaluator(), trial(0, 0, -10, 10))
    weights = [point.weights[0] for point in result.trajectory]
    assert weights == sorted(weights)
    assert weights[0] == -10
    assert weights[-1] == 10
    assert 0 in weights
    for point in result.trajectory:
        assert point.output[0] == pytest.approx(1 / (1 + np.exp(2 - point.weights[0])), abs=1e-4)


def test_grid_only_and_frozen_attribute() -> None:
    (coarse,) = scan(evaluator(), trial(0, 0, -8, 8), tolerance=None)
    assert (coarse.stop, coarse.flip_weight, coarse.evaluations) == ("grid-only", 4.0, 6)
    (frozen,) = scan(evaluator(), trial(0, 0, 0, 0))
    assert (frozen.stop, frozen.change, frozen.evaluations) == ("no-range", 0.0, 0)


def test_it_takes_about_a_dozen_evaluations() -> None:
    styles = torch.zeros(40, 4)
    styles[:, 0] = torch.linspace(-4, 8, 40)
    results = scan(evaluator(), *(trial(i, 0, -10, 10) for i in range(40)), styles=styles)
    assert all(result.flipped for result in results)
    assert np.mean([result.evaluations for result in results]) < 12
    assert max(result.evaluations for result in results) < 18


def test_what_is_planned_for_a_flip_on_both_sides_is_no_bound() -> None:
    """Margins that leap at 22.7 and -22.6: interpolation gets nowhere, and halves every third time alone."""
    search, origin = Scan(), point_at([0, 0, 0])
    state = search.start(trial(0, 0, -30, 30), origin)
    while (result := state.result()) is None:
        weights = [float(point[0]) for point in state.ask()]
        flips = [weight > 22.7 or weight < -22.6 for weight in weights]
        state.tell([point_at([at, 0, 0], margin=-1e-6 if flip else 1) for at, flip in zip(weights, flips, strict=True)])
    assert result.flip_weight == pytest.approx(22.65)
    assert result.evaluations > search.evaluations(Planned(attributes=1, calibrated=False, labels=False))[1]


def test_options_and_modes_are_checked() -> None:
    with pytest.raises(ConfigError, match="one attribute at a time"):
        Scan().start(Trial(0, None, bounds(None, -1, 1)), point_at([0, 0, 0]))
    with pytest.raises(ConfigError, match="points"):
        Scan(points=1)
    with pytest.raises(ConfigError, match="outer_points"):
        Scan(outer_points=1)
    with pytest.raises(ConfigError, match="tolerance"):
        Scan(tolerance=0)
    with pytest.raises(ConfigError, match="tolerance"):
        Scan(tolerance=float("inf"))
    assert find_search("scan", mode="single", options={"monotone": "none"}) == Scan(monotone=None)
    name, _, value = options_of(AuditSettings)["search_options"].text.rpartition(" ")[2].partition("=")
    assert find_search("scan", mode="single", options={name: int(value)}) != Scan(), "the help's own example"
    with pytest.raises(ConfigError, match="monotone"):
        Scan(monotone=-0.1)
    assert describe_search(Scan()) == {
        "name": "scan",
        "points": 8,
        "outer_points": 2,
        "tolerance": 0.05,
        "monotone": 0.005,
    }
