"""CMA-ES finds what gradients would, without them, and each trial by itself."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
import pytest
import torch
from search_toys import DIRECTIONS, LABELS, SIDE, ColourLabels, evaluator, linear, point_at, run_trials, trial
from torch import Tensor

from zoom_engine.common.errors import ConfigError, TargetError
from zoom_engine.evaluation.labels import ZeroShotLabels
from zoom_engine.search import (
    CMAES,
    SGD,
    Search,
    SearchResult,
    Trial,
    check_search_options,
    choose_search,
    describe_search,
)
from zoom_engine.settings.audit_settings import LossWeights
from zoom_engine.targets import BinaryTask, Preprocessing, load_target

TARGET_AND_STRUCTURE = LossWeights(target=5.0, structure=1.0, label=0.0)
STYLES = torch.tensor([[-1.0, 0, 0, 0.5], [0.5, 1, 0, 0.1], [3.5, 0, 1, 0.2]])


def run(search: Search, trials: list[Trial], *, batch_size: int = 16, **options: Any) -> list[SearchResult]:
    outcomes: dict[int, SearchResult] = {}
    order = {id(trial): place for place, trial in enumerate(trials)}
    run_trials(
        trials,
        search=search,
        evaluator=evaluator(linear, **{"loss_weights": TARGET_AND_STRUCTURE, **options}),
        styles=STYLES,
        batch_size=batch_size,
        on_result=lambda results: outcomes.update({order[id(trial)]: result for trial, result in results}),
    )
    return [outcomes[place] for place in range(len(trials))]


def trials() -> list[Trial]:
    return [trial(image, None, -4, 4) for image in range(len(STYLES))]


def literal_loss(styles: Tensor, weights: np.ndarray) -> float:
    """α · softplus(margin) of the linear target, from the colours that styles and weights paint."""
    colour = styles[:3] + (torch.tensor(weights).float() @ DIRECTIONS)[:3]
    logit = float(linear(colour[None])[0])
    was = float(linear(styles[None, :3])[0])
    margin = logit if was >= 0 else -logit
    return 5.0 * float(np.log1p(np.exp(margin)))


def test_it_flips_what_gradients_flip_and_reaches_as_low_a_loss() -> None:
    result, gradient = run(CMAES(steps=25), trials()), run(SGD(steps=60, learning_rate=0.3), trials())
    for image, (mine, theirs) in enumerate(zip(result, gradient, strict=True)):
        assert mine.flipped
        assert theirs.flipped
        assert np.all(np.abs(mine.edit_weights) <= 4)
        last = np.array(mine.trajectory[-1].weights)
        reached = np.array(theirs.trajectory[-1].weights)
        assert literal_loss(STYLES[image], last) <= literal_loss(STYLES[image], reached) + 0.3
        assert mine.change >= theirs.change - 0.05


def test_units_do_not_depend_on_the_packing_or_on_one_another() -> None:
    together = run(CMAES(steps=6), trials(), batch_size=16)
    apart = [run(CMAES(steps=6), [trial], batch_size=3)[0] for trial in trials()]
    for one, other in zip(together, apart, strict=True):
        np.testing.assert_allclose(one.edit_weights, other.edit_weights)
        assert one.trajectory == other.trajectory
    assert together[0].trajectory != together[1].trajectory


def test_what_a_record_says_is_one_point() -> None:
    (result,) = run(CMAES(steps=8, population=6), [trial(0, None, -4, 4)])
    assert (result.steps, result.evaluations) == (8, 48)
    assert 9 <= len(result.trajectory) <= 10
    colour = STYLES[0, :3] + (torch.tensor(result.edit_weights).float() @ DIRECTIONS)[:3]
    assert result.output[0] == pytest.approx(torch.sigmoid(linear(colour[None]))[0].item(), abs=0.02)


def test_the_largest_change_is_a_point_of_the_trajectory() -> None:
    """A report shows it as the most extreme of all: where it was no generation's best, it showed another picture."""
    state = CMAES(steps=2).start(trial(0, None, -4, 4), point_at([0, 0, 0]))
    while (result := state.result()) is None:
        points = [point_at(list(point)) for point in state.ask()]
        state.tell([dataclasses.replace(it, loss=float(i), change=i / 10) for i, it in enumerate(points)])
    assert len(result.trajectory) == 4
    assert max(point.change for point in result.trajectory) == result.change > 0


def test_attributes_without_a_range_stay_and_one_alone_moves() -> None:
    (result,) = run(CMAES(steps=25), [trial(1, None, 0, 0)])
    assert result.stop == "no-range"
    bounds = np.array([[0.0, 0.0], [0.0, 0.0], [-2.0, 6.0]])
    (result,) = run(CMAES(steps=25), [Trial(0, None, bounds)])
    assert not result.edit_weights[:2].any()
    assert 0 < result.edit_weights[2] <= 6
    assert all(-2 <= point.weights[2] <= 6 for point in result.trajectory)


def test_patience_stops_after_the_first_flip() -> None:
    (patient,) = run(CMAES(steps=40, patience=1), [trial(1, None, -4, 4)])
    (long,) = run(CMAES(steps=40), [trial(1, None, -4, 4)])
    assert patient.stop == "flipped"
    assert patient.steps < long.steps


def test_it_keeps_the_label_as_the_loss_asks() -> None:
    (result,) = run(
        CMAES(steps=30),
        [trial(1, None, -4, 4)],
        labels=ZeroShotLabels(ColourLabels(at=3.0), LABELS),
        loss_weights=LossWeights(target=5.0, structure=0.0, label=20.0),
    )
    assert result.label_kept
    assert result.flipped


def test_points_without_a_loss_are_refused() -> None:
    state = CMAES().start(trial(0, None, -1, 1), point_at([0, 0, 0]))
    with pytest.raises(ConfigError, match="needs losses"):
        state.tell([point_at(list(point)) for point in state.ask()])
    points = [dataclasses.replace(point_at(list(point)), loss=1.0) for point in state.ask()]
    state.tell(points)
    assert state.result() is None


@pytest.mark.parametrize(
    ("options", "message"),
    [({"steps": 0}, "steps"), ({"population": 2}, "population"), ({"sigma": 2.0}, "sigma"), ({"patience": -1}, "pat")],
)
def test_options_are_checked(options: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        CMAES(**options)


def test_a_missing_package_is_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "cmaes", None)
    with pytest.raises(ConfigError, match=r"pip install 'zoom-engine\[blackbox\]'") as caught:
        CMAES()
    assert "\n" not in str(caught.value)


def test_the_choice_follows_mode_and_target_and_says_why() -> None:
    white = evaluator(linear).target
    black = load_target(
        lambda pixels: pixels.mean((1, 2, 3)) / 255, kind="probabilities", task=BinaryTask(output="probability"),
        preprocessing=Preprocessing(layout="NHWC", value_range=(0, 255)), resolution=SIDE,
    )  # fmt: skip
    for target, mode, name in ((white, "single", "scan"), (white, "multi", "minimal"), (black, "single", "scan")):
        assert choose_search(None, mode=mode, target=target)[0].name == name
    search, reason = choose_search(None, mode="multi", target=black, options={"steps": 3})
    assert search.name == "cmaes"
    assert describe_search(search)["steps"] == 3
    assert "gives no gradients" in reason
    assert choose_search("pgd", mode="multi", target=white)[1] == "it was asked for by name"
    for name in ("sgd", "pgd"):
        with pytest.raises(TargetError, match=r"use search scan .* or cmaes") as caught:
            choose_search(name, mode="multi", target=black)
        assert "\n" not in str(caught.value)
    with pytest.raises(ConfigError, match="cmaes has no single mode"):
        choose_search("cmaes", mode="single", target=black)


def test_options_that_no_search_of_the_mode_takes_are_refused_without_a_target() -> None:
    for options in ({}, {"steps": 3}, {"overshoot": 0.1}, {"population": 8}):
        check_search_options(None, mode="multi", options=options)
    for mode, options, says in (
        (
            "multi",
            {"stepz": 3},
            "minimal has no option 'stepz'; did you mean 'steps'.*; cmaes has no option 'stepz'",
        ),
        ("multi", {"overshoot": 0.1, "population": 8}, "minimal has no option 'population'.*cmaes has no .*'overs"),
        ("multi", {"steps": 0}, "minimal: steps is 0.*cmaes: steps is 0"),
        ("single", {"steps": 3}, "^scan has no option 'steps'; known are points, .*, monotone$"),
        ("both", {}, "no mode 'both'"),
    ):
        with pytest.raises(ConfigError, match=says):
            check_search_options(None, mode=mode, options=options)
    with pytest.raises(ConfigError, match="sgd has no option 'population'"):
        check_search_options("sgd", mode="multi", options={"population": 8})
