"""Packing changes nothing but the time it takes, and what is finished is handed over."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from networks import Drawing
from search_toys import (
    DIRECTIONS,
    LABELS,
    ColourLabels,
    bounds,
    evaluator,
    linear,
    run_trials,
    synthesize,
    target,
    trial,
)
from torch import Tensor

from zoom_engine.common.errors import ConfigError, TargetError
from zoom_engine.evaluation.evaluator import Evaluator
from zoom_engine.evaluation.labels import ZeroShotLabels
from zoom_engine.search import PGD, SGD, Minimal, Scan, Search, SearchResult, Trial, searched
from zoom_engine.search.scheduler import Finished

STYLES = torch.randn(9, 4, generator=torch.Generator().manual_seed(3)) * 2
SINGLE = [trial(i, a, -6, 9, outer=30) for i in range(9) for a in range(3)]
FEW = SINGLE[:15]
MULTI = [trial(i, None, -6, 9) for i in range(9)]


def labelled() -> Evaluator:
    return evaluator(linear, labels=ZeroShotLabels(ColourLabels(0.5), LABELS))


def run(search: Search, trials: list[Trial], **options: Any) -> dict[tuple[int, int | None], SearchResult]:
    results: Finished = []
    run_trials(trials, search=search, evaluator=labelled(), styles=STYLES, on_result=results.extend, **options)
    assert len(results) == len(trials)
    return {(trial.image, trial.attribute): result for trial, result in results}


@pytest.mark.parametrize(
    ("search", "trials"),
    [
        (Scan(), FEW),
        (SGD(steps=5), FEW),
        (PGD(steps=5), FEW),
        (SGD(steps=5), MULTI),
        (PGD(steps=5, patience=1), MULTI),
        (SGD(steps=60, momentum=0.5, decay=0.98), MULTI),
        (Minimal(), MULTI),
    ],
    ids=["scan", "sgd", "pgd", "sgd-multi", "pgd-multi", "sgd-early", "minimal"],
)
def test_results_do_not_depend_on_the_packing(search: Search, trials: list[Trial]) -> None:
    expected = run(search, trials, batch_size=1)
    assert len(expected) == len(trials)
    for options in ({"batch_size": 7}, {"batch_size": 32}):
        outcome = run(search, trials, **options)
        for key, result in expected.items():
            np.testing.assert_allclose(outcome[key].edit_weights, result.edit_weights, atol=1e-3)
            assert outcome[key].change == pytest.approx(result.change, abs=1e-4)
            assert (outcome[key].flipped, outcome[key].label_kept, outcome[key].stop) == (
                result.flipped,
                result.label_kept,
                result.stop,
            )
            assert outcome[key].evaluations == result.evaluations
    shuffled = run(search, trials[::-1], batch_size=7)
    assert all(
        np.allclose(shuffled[key].edit_weights, result.edit_weights, atol=1e-3) for key, result in expected.items()
    )


def test_nothing_is_drawn_that_nobody_asked_for() -> None:
    """A lonely trial in a batch of 8 costs its own evaluations and the unedited image, not eight times as many."""
    for trials, search in (
        ([trial(0, None, -6, 9)], SGD(steps=6)),
        ([trial(0, 1, -6, 9)], Scan()),
        (MULTI, PGD(steps=3)),
    ):
        drawn: list[int] = []

        def watching(styles: Tensor, drawn: list[int] = drawn) -> Tensor:
            drawn.append(len(styles))
            return synthesize(styles)

        results: Finished = []
        where = Evaluator(Drawing(watching), DIRECTIONS, target(linear))
        run_trials(trials, search=search, evaluator=where, styles=STYLES, batch_size=8, on_result=results.extend)
        assert sum(drawn) == sum(result.evaluations for _, result in results) + len({trial.image for trial in trials})
        assert max(drawn) <= 8


def test_each_original_is_drawn_once() -> None:
    shapes: list[int] = []
    plain: list[bytes] = []

    def watching(styles: Tensor) -> Tensor:
        shapes.append(len(styles))
        plain.extend(row.numpy().tobytes() for row in styles)
        return synthesize(styles)

    where = Evaluator(Drawing(watching), DIRECTIONS, target(linear))
    results: Finished = []
    run_trials(SINGLE, search=Scan(), evaluator=where, styles=STYLES, batch_size=4, on_result=results.extend)
    assert max(shapes) == 4
    evaluations = sum(result.evaluations for _, result in results)
    assert len(shapes) <= np.ceil(evaluations / 4) + 3 + 8
    distinct = {row.numpy().tobytes() for row in STYLES}
    assert sum(row in distinct for row in plain) == 9


def test_batches_are_kept_full() -> None:
    rows: list[int] = []

    def watching(styles: Tensor) -> Tensor:
        rows.append(len(styles))
        return synthesize(styles)

    trials = [trial(i, 0, -10, high) for high in range(5, 15) for i in range(9)]
    results: Finished = []
    run_trials(
        trials,
        search=Scan(),
        evaluator=Evaluator(Drawing(watching), DIRECTIONS, target(linear)),
        styles=STYLES,
        batch_size=16,
        on_result=results.extend,
    )
    assert sum(rows) < 1.1 * sum(result.evaluations for _, result in results) + 2 * 16


def test_finished_units_come_in_batches() -> None:
    sizes: list[int] = []
    run_trials(
        SINGLE,
        search=Scan(),
        evaluator=labelled(),
        styles=STYLES,
        batch_size=5,
        on_result=lambda results: sizes.append(len(results)),
    )
    assert sum(sizes) == len(SINGLE)
    assert 0 < max(sizes) <= 5


@pytest.mark.parametrize("failing", range(1, 12, 2))
def test_an_interruption_hands_over_what_is_finished_and_repeats_nothing(failing: int) -> None:
    calls = 0

    def interrupted(styles: Tensor) -> Tensor:
        nonlocal calls
        calls += 1
        if calls == failing:
            raise KeyboardInterrupt
        return synthesize(styles)

    done: Finished = []
    where = Evaluator(Drawing(interrupted), DIRECTIONS, target(linear))
    with pytest.raises(KeyboardInterrupt):
        run_trials(SINGLE, search=Scan(), evaluator=where, styles=STYLES, batch_size=16, on_result=done.extend)
    finished = {(trial.image, trial.attribute) for trial, _ in done}
    assert len(finished) == len(done)
    calls = failing + 1
    rest = [trial for trial in SINGLE if (trial.image, trial.attribute) not in finished]
    run_trials(rest, search=Scan(), evaluator=where, styles=STYLES, batch_size=16, on_result=done.extend)
    whole: Finished = []
    run_trials(SINGLE, search=Scan(), evaluator=where, styles=STYLES, batch_size=16, on_result=whole.extend)
    expected = {(trial.image, trial.attribute): result.edit_weights.tolist() for trial, result in whole}
    assert {(trial.image, trial.attribute): result.edit_weights.tolist() for trial, result in done} == expected


OUT_OF_MEMORY = [
    torch.OutOfMemoryError("CUDA out of memory"),
    MemoryError("std::bad_alloc"),
    RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried to allocate 1099511627776 bytes"),
]


def recorded(search: Search, draw: Any) -> dict[tuple[int, int | None], tuple[Any, ...]]:
    """What records keep of every trial, found with pictures by `draw`."""
    where, results = Evaluator(Drawing(draw), DIRECTIONS, target(linear)), Finished()
    run_trials(SINGLE, search=search, evaluator=where, styles=STYLES, batch_size=16, on_result=results.extend)
    return {
        (trial.image, trial.attribute): (result.edit_weights.tolist(), result.change, result.trajectory)
        for trial, result in results
    }


@pytest.mark.parametrize("error", OUT_OF_MEMORY, ids=lambda error: type(error).__name__)
@pytest.mark.parametrize("search", [Scan(), SGD(steps=4)], ids=["scan", "sgd"])
def test_where_memory_ends_batches_are_halved_and_the_results_the_same(search: Search, error: Exception) -> None:
    sizes: list[int] = []

    def in_little_memory(styles: Tensor) -> Tensor:
        sizes.append(len(styles))
        if len(styles) > 3:
            raise error
        return synthesize(styles)

    result, wanted = recorded(search, in_little_memory), recorded(search, synthesize)
    assert result.keys() == wanted.keys()
    for key, (weights, change, trajectory) in wanted.items():
        assert result[key][:2] == (pytest.approx(weights, abs=1e-5), pytest.approx(change, abs=1e-6))
        assert len(result[key][2]) == len(trajectory)
    assert sizes[:3] == [9, 4, 2]
    assert sum(size > 3 for size in sizes) < 6, "what was too much is not tried again and again"


@pytest.mark.parametrize(("error", "most"), [(MemoryError("std::bad_alloc"), 0), (RuntimeError("a fault"), 3)])
def test_no_other_error_halves_and_one_picture_is_the_least(error: Exception, most: int) -> None:
    def failing(styles: Tensor) -> Tensor:
        if len(styles) > most:
            raise error
        return synthesize(styles)

    with pytest.raises(type(error), match=str(error)):
        recorded(Scan(), failing)


def test_an_error_in_the_writer_is_not_repeated() -> None:
    calls = 0

    def full_disk(results: Finished) -> None:
        nonlocal calls
        calls += 1
        raise OSError("no space left")

    with pytest.raises(OSError, match="no space"):
        run_trials(SINGLE, search=Scan(), evaluator=labelled(), styles=STYLES, on_result=full_disk)
    assert calls == 1


def test_targets_that_share_pictures_get_what_they_get_alone() -> None:
    pictures = 0

    def counting(styles: Tensor) -> Tensor:
        nonlocal pictures
        pictures += len(styles)
        return synthesize(styles)

    functions = [linear, lambda x: x[:, 0] + x[:, 2] - 1, lambda x: x[:, 1] - 0.5]
    encoder = ColourLabels(0.5)
    evaluators = [
        Evaluator(Drawing(counting), DIRECTIONS, target(function), labels=ZeroShotLabels(encoder, LABELS))
        for function in functions
    ]
    together: dict[tuple[int, int, int | None], SearchResult] = {}
    for results in searched(SINGLE, search=Scan(), evaluators=evaluators, styles=STYLES):
        together |= {(index, u.image, u.attribute): result for index, u, result in results}
    shared, pictures = pictures, 0
    for index, one in enumerate(evaluators):
        alone: Finished = []
        run_trials(SINGLE, search=Scan(), evaluator=one, styles=STYLES, on_result=alone.extend)
        for u, result in alone:
            other = together.pop((index, u.image, u.attribute))
            np.testing.assert_allclose(other.edit_weights, result.edit_weights, atol=1e-3)
            assert other.trajectory == tuple(
                replace(
                    point,
                    output=pytest.approx(point.output, abs=1e-5),
                    change=pytest.approx(point.change, abs=1e-5),
                    ssim=pytest.approx(point.ssim, abs=1e-5),
                )
                for point in result.trajectory
            )
    assert not together
    assert shared < 0.6 * pictures


def test_what_cannot_run_is_refused_in_one_line() -> None:
    deaf = target(linear)
    deaf.differentiable = False
    cases: list[tuple[dict[str, Any], type[Exception], str]] = [
        ({"trials": [trial(99, 0, -1, 1)]}, ConfigError, "image 99"),
        ({"trials": [Trial(0, 7, bounds(None, -1, 1))]}, ConfigError, "attribute 7"),
        ({"trials": [trial(0, 0, 1, 2)]}, ConfigError, "at most 0"),
        ({"trials": [trial(0, None, -1, 1)]}, ConfigError, "no multi mode"),
        ({"batch_size": 0}, ConfigError, "batch size"),
        (
            {"search": SGD(), "evaluator": Evaluator(Drawing(synthesize), DIRECTIONS, deaf)},
            TargetError,
            "no gradients",
        ),
    ]
    for changed, kind, message in cases:
        options: dict[str, Any] = {"trials": SINGLE, "search": Scan(), "evaluator": labelled(), **changed}
        with pytest.raises(kind, match=message) as caught:
            run_trials(options.pop("trials"), styles=STYLES, on_result=pytest.fail, **options)
        assert "\n" not in str(caught.value)
    with pytest.raises(ConfigError, match="one target"):
        next(searched(SINGLE, search=SGD(), evaluators=[labelled(), labelled()], styles=STYLES))
    other = Evaluator(Drawing(lambda styles: synthesize(styles)), DIRECTIONS, target(linear))
    with pytest.raises(ConfigError, match="same generator"):
        next(searched(SINGLE, search=Scan(), evaluators=[labelled(), other], styles=STYLES))


def test_no_units_is_no_work() -> None:
    run_trials([], search=Scan(), evaluator=labelled(), styles=STYLES, on_result=pytest.fail)
