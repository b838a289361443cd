"""The smallest edit is the one that is known in closed form, within the bounds, and the same in every packing."""

from __future__ import annotations

import dataclasses
import itertools

import numpy as np
import pytest
import torch
from hypothesis import example, given, settings
from hypothesis import strategies as st
from networks import Drawing
from search_toys import (
    DIRECTIONS,
    LABELS,
    SCALE,
    ColourLabels,
    bounds,
    evaluator,
    linear,
    looked_at,
    point_at,
    run_trials,
    synthesize,
    trial,
)
from torch import Tensor

from zoom_engine.common.errors import ConfigError, TargetError
from zoom_engine.directions.natural_region import NaturalEdits
from zoom_engine.evaluation.evaluator import Evaluator
from zoom_engine.evaluation.labels import ZeroShotLabels
from zoom_engine.search import Minimal, SearchResult, Trial, check_search_options, choose_search, find_search
from zoom_engine.search.linearised import REACH, least_step, next_edit
from zoom_engine.search.scheduler import Finished
from zoom_engine.search.trials import Array
from zoom_engine.targets import KeypointsTask, Preprocessing, RegressionTask, Target

STYLES = torch.tensor([[-1.0, 0, 0, 0.5], [0.5, 1, 0, 0.1], [3.5, 0, 1, 0.2], [9.0, 1, 0, 0.3]])


def run(
    trials: list[Trial], search: Minimal | None = None, *, where: Evaluator | None = None, batch_size: int = 8
) -> list[SearchResult]:
    results: Finished = []
    run_trials(
        trials,
        search=search or Minimal(),
        evaluator=where or evaluator(linear),
        styles=STYLES,
        batch_size=batch_size,
        on_result=results.extend,
    )
    return [next(result for searched, result in results if searched is one) for one in trials]


def literal_step(c: Array, h: Array, g: Array, b: float, low: Array, high: Array) -> Array:
    """The best of all ways to put each entry on a bound or leave it free, with the constraint met exactly or slack."""
    best, least = np.zeros(len(c)), np.inf
    for where in itertools.product((-1, 0, 1), repeat=len(c)):
        fixed = np.array(where)
        d = np.where(fixed < 0, low, np.where(fixed > 0, high, 0.0))
        free = fixed == 0
        for tight in (False, True):
            e = d.copy()
            multiplier = 0.0
            if tight:
                bend = float((g[free] ** 2 / h[free]).sum())
                if not bend or np.isinf(b):
                    continue
                multiplier = -(b - g @ d + float((g[free] * c[free] / h[free]).sum())) / bend
            e[free] = -(c[free] + multiplier * g[free]) / h[free]
            inside = np.all(e >= low - 1e-9) and np.all(e <= high + 1e-9) and g @ e <= b + 1e-9
            value = float(c @ e + (h * e**2).sum() / 2)
            if inside and value < least:
                best, least = e, value
    assert np.isfinite(least)
    return best


vectors = st.lists(st.floats(-2, 2).map(lambda x: round(x, 2)), min_size=4, max_size=4).map(np.array)


@given(vectors, vectors, vectors, vectors, st.floats(0.05, 0.95))
@example(*(np.array([0, 0, 0, x]) for x in (1.0, 0.0, -1.0, 1.0)), 0.875)
def test_the_step_is_the_literal_minimiser(c: Array, costs: Array, g: Array, box: Array, share: float) -> None:
    h, low, high = 0.2 + np.abs(costs), -np.abs(box) - 0.1, np.abs(box[::-1]) + 0.1
    b = share * float(np.minimum(g * low, g * high).sum())
    result = least_step(c, h, g, b, low, high)
    free = literal_step(c, h, g, np.inf, low, high)
    b = max(b, REACH * float(np.minimum(g * low, g * high).sum()) + (1 - REACH) * float(g @ free))
    np.testing.assert_allclose(result, literal_step(c, h, g, b, low, high), atol=1e-6)


def test_what_the_box_does_not_hold_is_approached_by_what_counts() -> None:
    """The last bit of the way would move the second entry, a hundred times as weak, to its bound."""
    low, high = -np.ones(2), np.ones(2)
    result = least_step(np.zeros(2), np.ones(2), np.array([1.0, 0.01]), -9.0, low, high)
    np.testing.assert_allclose(result, [-REACH, -0.0], atol=0.02)


def test_slopes_that_rounding_may_turn_hardly_turn_the_step() -> None:
    """Eight of eleven entries have a twentieth of the others' slope, once with this sign and once with that."""
    low, high = -np.ones(11), np.ones(11)
    weak = 0.05 * np.where(np.arange(8) % 2, 1.0, -1.0)
    one, other = (
        least_step(np.zeros(11), np.ones(11), np.append(np.ones(3), sign * weak), -9.0, low, high) for sign in (1, -1)
    )
    assert np.max(np.abs(one - other)) < 0.15, "of the 2 from bound to bound"


def ball(limit: float) -> NaturalEdits:
    """Edits within a length of √`limit`."""
    return NaturalEdits(np.zeros(3), np.eye(3), np.eye(3), limit)


@given(vectors, st.floats(0.3, 3))
def test_edits_stay_natural_and_go_most_of_the_way_that_the_region_lets_them(slope: Array, limit: float) -> None:
    g = slope[:3]
    one = Trial(0, None, bounds(None, -9, 9), natural=ball(limit), stay_natural=True)
    result = next_edit(one, np.zeros(3), np.zeros(3), np.ones(3), g, -99.0, radius=np.full(3, 9.0))
    assert one.natural is not None
    assert one.natural.holds(result)
    assert -g @ result >= 0.55 * np.linalg.norm(g) * np.sqrt(limit) - 1e-9, "of the ball's own best"


@pytest.mark.parametrize("image", [0, 1, 2])
def test_the_smallest_edit_of_a_linear_target_is_known(image: int) -> None:
    """Red and blue are as visible as one another: of the picture's change |d|² with d = red, green, blue the least that
    moves red + green/4 to its boundary is along (1, 1/4, 0). The third direction adds blue, which only costs."""
    (result,) = run([trial(image, None, -8, 8)], Minimal(polish=8))
    was = float(linear(STYLES[image, None, :3])[0])
    assert result.decisive
    moved = (torch.tensor(result.edit_weights).float() @ DIRECTIONS)[:3]
    margin = was + float(moved[0] + moved[1] / 4)
    assert was * margin < 0
    least = abs(was) / np.sqrt(1 + 1 / 16)
    assert least <= float(moved.norm()) <= 1.4 * least + 0.6, "not much further than the boundary, but decisive"
    assert result.evaluations <= 29


def test_a_curved_boundary_is_followed() -> None:
    """A logit of 4 − red² − green², from red 0.5: it flips at a distance of 2 from the middle, 1.5 away along red."""
    where = evaluator(lambda x: 4 - x[:, 0] ** 2 - x[:, 1] ** 2)
    (result,) = run([trial(1, None, -8, 8)], Minimal(polish=8), where=where)
    assert result.decisive
    red, green, _ = (STYLES[1] + torch.tensor(result.edit_weights).float() @ DIRECTIONS)[:3]
    assert 2 < float(torch.hypot(red, green)) < 2.6
    assert np.abs(result.edit_weights).sum() < 3


def test_an_attribute_that_shows_at_once_is_left_alone() -> None:
    """Both move the margin alike. The first takes 0.4 of SSIM by a tenth of its range and little beyond, the second
    ever more: at the far end they cost about the same, near the unedited image the first many times as much."""
    state = Minimal().start(Trial(0, None, np.array([[-1.0, 1.0]] * 2)), point_at([0, 0]))
    while (result := state.result()) is None:
        (at,) = state.ask()
        margin, fall = 1 - 1.4 * at.sum(), np.full(2, -1.4)
        gone = np.exp(-np.abs(at[0]) / 0.05)
        ssim = 1 - 0.4 * (1 - gone) - 0.3 * at[1] ** 2
        slopes = np.stack([fall, [8 * np.sign(at[0]) * gone, 0.6 * at[1]]])
        outcome = point_at(at.tolist(), margin=margin, change=abs(1 - margin), ssim=ssim)
        state.tell([dataclasses.replace(outcome, gradient=slopes)])
    assert result.decisive
    assert abs(result.edit_weights[0]) < 0.05
    assert result.ssim is not None
    assert result.ssim > 0.8


def test_an_attribute_whose_slope_turns_does_not_hold_the_others_back() -> None:
    """The first has the steeper slope at the unedited image, which turns within a hundredth of its range; the second
    flips near the end of its own."""
    state = Minimal(afar=0).start(Trial(0, None, np.array([[-1.0, 1.0]] * 2)), point_at([0, 0]))
    while (result := state.result()) is None:
        (at,) = state.ask()
        margin = 1 + 200 * ((at[0] - 0.01) ** 2 - 0.01**2) - 1.2 * at[1]
        slopes = np.stack([[400 * (at[0] - 0.01), -1.2], 0.1 * at])
        outcome = point_at(at.tolist(), margin=margin, change=abs(1 - margin), ssim=1 - 0.05 * (at**2).sum())
        state.tell([dataclasses.replace(outcome, gradient=slopes)])
    assert result.decisive
    assert abs(result.edit_weights[0]) < 0.05
    assert 0.75 < result.edit_weights[1] < 0.95, "near the boundary at 0.83"


@settings(deadline=None)
@given(st.integers(0, 2**32 - 1), st.floats(0.05, 30), st.floats(0, 3), st.just(0.0) | st.floats(1e-6, 1))
def test_whatever_the_answers_it_ends_within_its_bounds(seed: int, high: float, low: float, hope: float) -> None:
    """Margins, slopes and labels are drawn at random: the more hope, the steeper."""
    random, search = np.random.default_rng(seed), Minimal(steps=4, afar=3, descents=2, again=5, polish=3)
    box = np.array([[-low, high]] * 3)
    state = search.start(Trial(0, None, box), point_at([0, 0, 0]))
    while (result := state.result()) is None:
        (at,) = state.ask()
        assert np.all((box[:, 0] <= at) & (at <= box[:, 1]))
        margin, label_kept = (random.uniform(-0.3, 1), bool(random.random() < 0.9)) if at.any() else (1.0, True)
        outcome = point_at(
            at.tolist(), margin=margin, change=1 - margin, label_kept=label_kept, ssim=random.uniform(0.5, 1)
        )
        state.tell([dataclasses.replace(outcome, gradient=random.normal(size=(2, 3)) * [[8 * hope], [1.0]])])
    assert result.evaluations <= search.most_evaluations


def test_what_no_slope_reaches_is_given_up_after_a_few_looks() -> None:
    """A logit of 50 + red/10: all three edits at their ends move it by less than 2."""
    (result,) = run([trial(1, None, -8, 8)], where=evaluator(lambda x: 50 + x[:, 0] / 10))
    assert (result.flipped, result.stop) == (False, "hopeless")
    assert result.evaluations <= 5


def test_a_slope_that_is_flat_where_it_begins_is_no_reason_to_give_up() -> None:
    """A logit of 4 − red⁴/8, from red 0.5: its slope there foretells 0.5, and it flips from red 2.4 on."""
    (result,) = run([trial(1, None, -8, 8)], where=evaluator(lambda x: 4 - x[:, 0] ** 4 / 8))
    assert result.decisive


def hollow(x: Tensor) -> Tensor:
    """A logit of 3 + red² − red⁴/8: from red 0.5 downhill it ends at 3, and beyond red 3.2 it flips."""
    return 3 + x[:, 0] ** 2 - x[:, 0] ** 4 / 8


@pytest.mark.parametrize("afar", [0, 2, 6])
def test_where_slopes_lead_nowhere_it_looks_afar(afar: int) -> None:
    search = Minimal(afar=afar)
    (result,) = run([trial(1, None, -8, 8)], search, where=evaluator(hollow))
    assert result.decisive is (afar > 0)
    assert result.evaluations <= search.most_evaluations
    if not afar:
        assert result.stop == "no-decisive-flip"


def test_a_way_whose_margin_falls_no_more_is_left() -> None:
    """It took all of the steps, most of them in one place."""
    (result,) = run([trial(1, None, -8, 8)], Minimal(afar=0, steps=30), where=evaluator(hollow))
    assert result.stop == "no-decisive-flip"
    assert result.evaluations <= 8


@pytest.mark.parametrize("descents", [0, 1, 2])
def test_where_the_nearest_corner_leads_nowhere_it_descends_from_the_next(descents: int) -> None:
    """Slopes from the unedited image lead to the upper bound, where the margin is 0.15; it is negative in a hollow
    around −0.6 alone."""
    state = Minimal(descents=descents).start(Trial(0, None, np.array([[-1.0, 1.0]])), point_at([0]))
    while (result := state.result()) is None:
        ((at,),) = state.ask()
        hollow = 2.4 * np.exp(-(((at + 0.6) / 0.3) ** 2))
        margin, slope = 1 - hollow - 0.85 * at, 2 * (at + 0.6) / 0.3**2 * hollow - 0.85
        outcome = point_at([at], margin=margin, change=abs(1 - margin), ssim=1 - 0.05 * at**2)
        state.tell([dataclasses.replace(outcome, gradient=np.array([[slope], [0.1 * at]]))])
    assert result.decisive is (descents == 2)
    assert result.stop == ("polished" if descents == 2 else "no-decisive-flip")
    assert descents < 2 or -1 < result.edit_weights[0] < -0.2


def test_corners_of_bounds_that_are_not_natural_are_drawn_in() -> None:
    one = Trial(1, None, bounds(None, -8, 8), natural=ball(64), stay_natural=True)
    (result,) = run([one], where=evaluator(hollow))
    assert one.natural is not None
    distances = [one.natural.distance(np.array(point.weights)) for point in result.trajectory]
    assert max(distances) <= 64 * (1 + 1e-4)
    assert result.decisive


@settings(deadline=None, max_examples=25)
@given(st.integers(0, 3), st.floats(0.5, 6), st.floats(0.5, 6), st.floats(0.3, 40))
@example(0, 1.0, 1.71875, 9.0)  # flips at a corner of the bounds alone
@example(0, 3.5625951952969466, 1.7234936779524814, 22.44257903006587)  # as well, and the corner is off the lattice
def test_it_stays_where_it_may_look_and_flips_what_a_grid_flips(
    image: int, low: float, high: float, far: float
) -> None:
    one = Trial(image, None, bounds(None, -low, high), natural=ball(far), stay_natural=True)
    (result,) = run([one])
    assert one.natural is not None
    for point in result.trajectory:
        weights = np.array(point.weights)
        assert np.all((weights >= -low - 1e-6) & (weights <= high + 1e-6))
        assert one.natural.distance(weights) <= far * (1 + 1e-4)
    axis = np.linspace(-low, high, 9)
    grid = np.array([w for w in itertools.product(axis, axis, axis) if one.natural.holds(np.array(w))]).reshape(-1, 3)
    logits = linear(STYLES[image, :3] + (torch.tensor(grid).float() @ DIRECTIONS)[:, :3])
    was = linear(STYLES[image, None, :3])
    decisive = ((logits >= 0) != (was >= 0)) & ((logits.sigmoid() - was.sigmoid()).abs() >= 0.1)
    if decisive.any():
        assert result.decisive


def test_it_keeps_the_label_where_it_can() -> None:
    """Red alone flips; green, which would help, is what the label goes by."""
    where = evaluator(linear, labels=ZeroShotLabels(ColourLabels(at=1.2), LABELS))
    (result,) = run([trial(1, None, -4, 4)], where=where)
    assert result.decisive
    assert result.label_kept


def test_results_do_not_depend_on_the_packing() -> None:
    trials = [trial(image, None, -low, 6) for image in range(4) for low in (2, 4)]
    alone = [run([searched], batch_size=1)[0] for searched in trials]
    for size in (3, 32):
        for one, other in zip(alone, run(trials, batch_size=size), strict=True):
            np.testing.assert_allclose(one.edit_weights, other.edit_weights, atol=1e-3)
            assert (one.flipped, one.stop, one.evaluations) == (other.flipped, other.stop, other.evaluations)


def test_an_interrupted_search_goes_on_to_the_same_results() -> None:
    trials = [trial(image, None, -4, 6) for image in range(4)]
    whole = run(trials)
    calls = 0

    def interrupted(styles: Tensor) -> Tensor:
        nonlocal calls
        calls += 1
        if calls == 9:
            raise KeyboardInterrupt
        return synthesize(styles)

    done: Finished = []
    where = Evaluator(Drawing(interrupted), DIRECTIONS, evaluator(linear).target)
    with pytest.raises(KeyboardInterrupt):
        run_trials(trials, search=Minimal(), evaluator=where, styles=STYLES, batch_size=2, on_result=done.extend)
    assert 0 < len(done) < 4
    finished = [searched for searched, _ in done]
    rest = [searched for searched in trials if not any(searched is one for one in finished)]
    run_trials(rest, search=Minimal(), evaluator=where, styles=STYLES, batch_size=2, on_result=done.extend)
    for searched, result in zip(trials, whole, strict=True):
        (again,) = [other for one, other in done if one is searched]
        np.testing.assert_allclose(again.edit_weights, result.edit_weights, atol=1e-3)


@pytest.mark.parametrize(
    ("task", "read"),
    [
        (RegressionTask(range=(0.0, 10.0)), lambda colour: colour[:, :1] + 5),
        (KeypointsTask(), lambda colour: torch.stack((colour[:, :2], colour[:, :2] * 0 + 9), dim=1)),
    ],
    ids=["regression", "keypoints"],
)
def test_outputs_that_count_by_how_far_they_moved_have_a_slope_at_the_start(task: object, read: object) -> None:
    """|f(x̂) − f(x)| is flat at x."""
    network = torch.nn.Module()
    network.forward = lambda x: read(x.mean((2, 3)) / SCALE)  # type: ignore[operator,assignment]
    preprocessing = Preprocessing(value_range=(-1, 1))
    moving = Target(network, name="toy", task=task, preprocessing=preprocessing, content_hash="toy")  # type: ignore[arg-type]
    (result,) = run([trial(1, None, -8, 8)], where=Evaluator(Drawing(synthesize), DIRECTIONS, moving))
    assert result.flipped


def test_the_slopes_are_those_of_margin_and_ssim() -> None:
    where = evaluator(linear)
    originals = where.originals(STYLES)
    weights = torch.tensor([[1.0, -0.5, 0.5]]).repeat(4, 1)
    value, slopes = where.value_and_slopes(STYLES, weights, originals)
    assert slopes.shape == (4, 2, 3)
    assert not value.margin.requires_grad
    torch.testing.assert_close(value.ssim, looked_at(where, STYLES, weights, originals).ssim)
    for attribute in range(3):
        shift = torch.zeros(3)
        shift[attribute] = 0.05
        up, down = (looked_at(where, STYLES, weights + sign * shift, originals) for sign in (1, -1))
        torch.testing.assert_close((up.margin - down.margin) / 0.1, slopes[:, 0, attribute], rtol=0.01, atol=0.01)
        torch.testing.assert_close((down.ssim - up.ssim) / 0.1, slopes[:, 1, attribute], rtol=0.02, atol=0.002)


def test_it_runs_unasked_where_there_are_gradients() -> None:
    target = evaluator(linear).target
    search, reason = choose_search(None, mode="multi", target=target)
    assert (search.name, reason) == ("minimal", "all attributes move together and the target gives gradients")
    check_search_options(None, mode="multi", options={"polish": 2})
    with pytest.raises(ConfigError, match="minimal has no single mode"):
        find_search("minimal", mode="single")
    deaf = dataclasses.replace(target) if dataclasses.is_dataclass(target) else evaluator(linear).target
    deaf.differentiable = False
    with pytest.raises(TargetError, match="gives no gradients"):
        run([trial(0, None, -1, 1)], where=Evaluator(Drawing(synthesize), DIRECTIONS, deaf))


def test_options_and_answers_are_checked() -> None:
    for wrong in ({"steps": 0}, {"afar": -1}, {"descents": -1}, {"again": -1}, {"polish": -1}, {"overshoot": 0.0}):
        with pytest.raises(ConfigError, match=next(iter(wrong))):
            Minimal(**wrong)  # type: ignore[arg-type]
    state = Minimal().start(trial(0, None, -1, 1), point_at([0, 0, 0]))
    with pytest.raises(ConfigError, match="gradients"):
        state.tell([point_at([0, 0, 0])])
    (frozen,) = run([trial(0, None, 0, 0)])
    assert (frozen.stop, frozen.evaluations) == ("no-range", 0)
