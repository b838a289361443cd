"""SGD and PGD step as their formulas say, and carry nothing over from trial to trial."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from search_toys import DIRECTIONS, LABELS, ColourLabels, bounds, evaluator, linear, point_at, run_trials, trial
from torch import Tensor

from zoom_engine.common.errors import ConfigError
from zoom_engine.evaluation.labels import ZeroShotLabels
from zoom_engine.search import PGD, SGD, Search, SearchResult, Trial, describe_search
from zoom_engine.search.trials import Planned
from zoom_engine.settings.audit_settings import LossWeights

TARGET_ONLY = LossWeights(target=1.0, structure=0.0, label=0.0)


def run(
    search: Search,
    trials: list[Trial],
    styles: Tensor,
    *,
    batch_size: int = 8,
    weights: LossWeights = TARGET_ONLY,
) -> list[SearchResult]:
    outcomes: dict[int, SearchResult] = {}
    order = {id(trial): place for place, trial in enumerate(trials)}
    run_trials(
        trials,
        search=search,
        evaluator=evaluator(linear, loss_weights=weights),
        styles=styles,
        batch_size=batch_size,
        on_result=lambda results: outcomes.update({order[id(trial)]: result for trial, result in results}),
    )
    return [outcomes[place] for place in range(len(trials))]


def literal_descent(start: float, rate: float, steps: int, low: float, high: float, *, sign: bool) -> list[float]:
    """w ← clip(w - η ∇ softplus(margin)) for the linear target along red, with the gradient written out
    by hand."""
    w, path = 0.0, []
    side = 1.0 if start - 2 >= 0 else -1.0
    for _ in range(steps + 1):
        path.append(w)
        gradient = side / (1 + np.exp(-side * (start + w - 2)))
        w = float(np.clip(w - rate * (np.sign(gradient) if sign else gradient), low, high))
    return path


@pytest.mark.parametrize("sign", [False, True])
def test_the_path_is_the_formulas(sign: bool) -> None:
    search = (PGD if sign else SGD)(steps=12, learning_rate=0.7)
    for start in (-1.0, 4.0):
        (result,) = run(search, [trial(0, 0, -3, 3)], torch.tensor([[start, 0, 0, 0]]))
        expected = literal_descent(start, 0.7, 12, -3, 3, sign=sign)
        path = [point.weights[0] for point in result.trajectory]
        np.testing.assert_allclose(path, expected[: len(path)], atol=1e-4)
        assert np.sign(path[-1]) == np.sign(2 - start)
        assert abs(path[-1]) <= 3


def test_pgd_stays_on_the_grid_and_moves_all_attributes() -> None:
    (result,) = run(PGD(steps=9), [trial(0, None, -30, 30)], torch.zeros(1, 4))
    for point in result.trajectory:
        np.testing.assert_allclose(np.array(point.weights) / 0.1, np.round(np.array(point.weights) / 0.1), atol=1e-6)
    np.testing.assert_allclose(result.trajectory[-1].weights, [0.9, 0.9, 0.9], atol=1e-6)


def test_default_rates_are_the_references() -> None:
    single, multi = run(PGD(steps=1), [trial(0, 0, -30, 30), trial(0, None, -30, 30)], torch.zeros(1, 4))
    assert single.trajectory[-1].weights == (0.2, 0, 0)
    assert multi.trajectory[-1].weights == (0.1, 0.1, 0.1)
    assert describe_search(SGD()) == {
        "name": "sgd",
        "steps": 100,
        "learning_rate": None,
        "decay": 1.0,
        "momentum": 0.0,
        "patience": None,
        "early_stop": True,
    }


def test_single_mode_moves_only_its_attribute() -> None:
    results = run(SGD(steps=5, learning_rate=1.0), [trial(0, a, -30, 30) for a in range(3)], torch.zeros(1, 4))
    for attribute, result in enumerate(results):
        for point in result.trajectory:
            assert all(w == 0 for i, w in enumerate(point.weights) if i != attribute)
        assert result.trajectory[-1].weights[attribute] > 0


def test_the_best_iterate_is_reported_not_the_last() -> None:
    """Fault 7 of the reference: the flip of highest SSIM is the first one, and weights and output belong
    to one point."""
    (result,) = run(PGD(steps=30, learning_rate=0.3), [trial(0, 0, -30, 30)], torch.zeros(1, 4))
    assert result.edit_weights[0] == pytest.approx(2.1)
    assert result.flip_weight == pytest.approx(2.1)
    assert result.output[0] == pytest.approx(1 / (1 + np.exp(-0.1)), abs=1e-4)
    assert result.trajectory[-1].weights[0] == pytest.approx(9.0)
    assert result.change == pytest.approx(1 / (1 + np.exp(-7)) - 1 / (1 + np.exp(2)), abs=1e-3)


@pytest.mark.parametrize("search", [SGD, PGD])
def test_the_end_of_a_range_that_leads_away_from_the_boundary_is_looked_at(search: type[SGD] | type[PGD]) -> None:
    """There no step leads: an attribute that moved each of 12 images by 0.4 had no effect on 8 of them."""
    labels = ZeroShotLabels(ColourLabels(1.7), LABELS)
    for attribute, end, judged, where in (
        (0, 3.0, 3.0, evaluator(linear, loss_weights=TARGET_ONLY)),
        (1, 4.0, 0.375, evaluator(linear, loss_weights=TARGET_ONLY, labels=labels)),  # at 1.5: beyond 1.7 it is green
    ):
        results: list[tuple[Trial, SearchResult]] = []
        run_trials(
            [trial(0, attribute, 0, end)],
            search=search(),
            evaluator=where,
            styles=torch.tensor([[4.0, 0, 0, 0]]),
            on_result=results.extend,
        )
        ((_, result),) = results
        probability = 1 / (1 + np.exp(-2))
        assert result.change == pytest.approx(1 / (1 + np.exp(-2 - judged)) - probability, abs=1e-4)
        assert (result.stop, result.flipped) == ("stationary", False)
        assert any(point.weights[attribute] == end for point in result.trajectory)
        assert result.evaluations <= search().evaluations(Planned(attributes=3, calibrated=True, labels=True))[1]


def test_patience_stops_after_the_flip_and_no_sooner() -> None:
    impatient, patient = (
        run(PGD(steps=50, learning_rate=0.3, patience=patience), [trial(0, 0, -30, 30)], torch.zeros(1, 4))[0]
        for patience in (0, 3)
    )
    assert (impatient.stop, impatient.steps) == ("flipped", 8)
    assert (patient.stop, patient.steps) == ("flipped", 11)
    assert patient.change > impatient.change


def test_it_stops_where_it_cannot_move() -> None:
    (result,) = run(PGD(steps=50, learning_rate=1.0), [trial(0, 0, -1, 1)], torch.zeros(1, 4))
    assert (result.stop, result.steps) == ("stationary", 2)
    (frozen,) = run(PGD(), [trial(0, 0, 0, 0)], torch.zeros(1, 4))
    assert (frozen.stop, frozen.evaluations) == ("no-range", 0)


def test_decay_and_momentum_are_the_formulas() -> None:
    """v ← μv + ∇L, w ← clip(w − ηv), η ← decay·η, with the linear target's gradient written out by hand."""
    search = SGD(steps=10, learning_rate=0.7, decay=0.9, momentum=0.6)
    (result,) = run(search, [trial(0, 0, -30, 30)], torch.tensor([[-1.0, 0, 0, 0]]))
    w, v, rate, path = 0.0, 0.0, 0.7, []
    for _ in range(11):
        path.append(w)
        v = 0.6 * v - 1 / (1 + np.exp(w - 3))
        w, rate = w - rate * v, 0.9 * rate
    np.testing.assert_allclose([point.weights[0] for point in result.trajectory], path, atol=1e-4)
    (signed,) = run(PGD(steps=3, learning_rate=1.0, decay=0.5), [trial(0, 0, -30, 30)], torch.zeros(1, 4))
    assert [point.weights[0] for point in signed.trajectory] == [0, 1, 1.5, 1.75]


STRUCTURED = LossWeights(target=1.0, structure=30.0, label=0.0)


@pytest.mark.ci
@pytest.mark.parametrize("search", [SGD, PGD])
def test_an_early_stop_changes_nothing_that_a_single_attribute_reports(search: type[SGD] | type[PGD]) -> None:
    """Sensitivity above all: it is the largest change of all steps. A structure term makes paths turn round."""
    styles = torch.randn(4, 4, generator=torch.Generator().manual_seed(5)) * 3
    trials = [trial(i, a, -4, 5) for i in range(4) for a in range(3)]
    early, late = (
        run(search(steps=40, learning_rate=0.5, early_stop=early), trials, styles, weights=STRUCTURED)
        for early in (True, False)
    )
    assert sum(result.evaluations for result in early) <= sum(result.evaluations for result in late)
    if search is PGD:
        assert any(result.stop == "repeats" for result in early)
    for one, other in zip(early, late, strict=True):
        assert one.change == pytest.approx(other.change, abs=1e-6)
        assert (one.flipped, one.decisive, one.ssim) == (
            other.flipped,
            other.decisive,
            pytest.approx(other.ssim, abs=1e-6),
        )
        np.testing.assert_allclose(one.edit_weights, other.edit_weights, atol=1e-5)
        assert (one.flip_weight is None) == (other.flip_weight is None)


def test_several_attributes_stop_when_they_have_settled_or_when_it_is_hopeless() -> None:
    def both(trials: list[Trial], styles: Tensor, rate: float) -> list[SearchResult]:
        return [
            run(PGD(steps=100, learning_rate=rate, early_stop=early), trials, styles, weights=TARGET_ONLY)[0]
            for early in (True, False)
        ]

    early, late = both([trial(0, None, -30, 30)], torch.zeros(1, 4), 0.1)
    assert early.stop == "settled"
    assert early.steps < late.steps == 101
    assert (early.flipped, early.decisive) == (late.flipped, late.decisive) == (True, True)
    np.testing.assert_allclose(early.edit_weights, late.edit_weights)
    early, late = both([trial(0, None, -30, 30)], torch.tensor([[-60.0, 0, 0, 0]]), 0.1)
    assert early.stop == "hopeless"
    assert early.steps < 40
    assert not late.flipped
    early, late = both([trial(0, None, -30, 30)], torch.tensor([[-10.0, 0, 0, 0]]), 0.1)
    assert early.flipped, "slow is not hopeless"
    np.testing.assert_allclose(early.edit_weights, late.edit_weights)


def test_gradients_do_not_leak_from_image_to_image() -> None:
    """Fault 2 of the reference: every trial's path is the one it takes alone, whatever ran before or
    beside it."""
    styles = torch.randn(6, 4, generator=torch.Generator().manual_seed(1)) * 3
    trials = [trial(i, a, -30, 30) for i in range(6) for a in (0, None)]
    everything = LossWeights(target=1.0, structure=1.0, label=0.0)
    search = SGD(steps=6, learning_rate=0.5)
    together = run(search, trials, styles, batch_size=5, weights=everything)
    for place, searched in enumerate(trials):
        (alone,) = run(search, [searched], styles, batch_size=1, weights=everything)
        assert [p.weights for p in alone.trajectory] == [
            pytest.approx(p.weights, abs=1e-5) for p in together[place].trajectory
        ]
    again = run(search, trials, styles, batch_size=5, weights=everything)
    assert [r.edit_weights.tolist() for r in again] == [r.edit_weights.tolist() for r in together]


def test_nothing_but_edit_weights_gets_a_gradient() -> None:
    where = evaluator(linear)
    styles = torch.zeros(2, 4, requires_grad=True)
    _, gradient = where.value_and_grad(styles, torch.zeros(2, 3), where.originals(styles.detach()))
    assert gradient.shape == (2, 3)
    assert styles.grad is None
    assert not gradient.requires_grad
    assert not DIRECTIONS.requires_grad


def test_options_are_checked() -> None:
    for wrong in (
        {"steps": 0},
        {"learning_rate": 0.0},
        {"learning_rate": float("inf")},
        {"patience": -1},
        {"decay": 0.0},
        {"decay": 1.5},
        {"momentum": 1.0},
        {"momentum": -0.1},
    ):
        with pytest.raises(ConfigError, match=next(iter(wrong))):
            SGD(**wrong)  # type: ignore[arg-type]
    state = PGD().start(Trial(0, 0, bounds(0, -1, 1)), point_at([0, 0, 0]))
    with pytest.raises(ConfigError, match="gradients"):
        state.tell([point_at([0, 0, 0])])
