"""Pictures that say how far an image may be edited are points of its search."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
import torch
from networks import Drawing
from search_toys import DIRECTIONS, LABELS, SCALE, ColourLabels, evaluator, linear, synthesize, target, trial
from torch import Tensor

from zoom_engine.directions import Bounding, CalibratedRange
from zoom_engine.evaluation.evaluator import Evaluator
from zoom_engine.evaluation.labels import ZeroShotLabels
from zoom_engine.search import PGD, Scan, Search, SearchResult, Trial, searched
from zoom_engine.search.trials import Array

STYLES = torch.randn(9, 4, generator=torch.Generator().manual_seed(5)) * 2
TRIALS = [trial(i, a, -30, 30, outer=30) for i in range(9) for a in range(3)]
WITHOUT_OUTER = [trial(i, a, -30, 30) for i in range(9) for a in range(3)]
GOAL = 6.0


class Bounds:
    """Attribute i is scored by the i-th mean colour; images are edited until it is 6 or -6, and no further than 10."""

    def __init__(self) -> None:
        self.text_encoder = ColourLabels(0.5)
        self.calibrated = CalibratedRange(
            bounds=torch.tensor([[-8.0, 8.0]] * 3),
            splits=torch.zeros(3),
            goals=torch.tensor([[-GOAL, GOAL]] * 3),
            reached=torch.ones(3, 2, dtype=torch.bool),
            bound=30.0,
        )

    def embed(self, images: Tensor) -> Tensor:
        self.means = images.mean((2, 3)) / SCALE
        return self.text_encoder.embed_images(images)

    def scores(self, embeddings: Tensor) -> Array:
        assert len(embeddings) == len(self.means)
        scores: Array = self.means.double().numpy()
        return scores

    def of(self, attribute: int, unedited: Array) -> Bounding:
        return Bounding(self.calibrated, None, attribute, unedited)


def run(
    search: Search, trials: Sequence[Trial], evaluators: Sequence[Evaluator], **options: Any
) -> dict[tuple[int, int, int | None], tuple[Trial, SearchResult]]:
    by_trial: dict[tuple[int, int, int | None], tuple[Trial, SearchResult]] = {}
    for results in searched(trials, search=search, evaluators=evaluators, styles=STYLES, bounds=Bounds(), **options):
        by_trial |= {(which, trial.image, trial.attribute): (trial, result) for which, trial, result in results}
    assert len(by_trial) == len(trials) * len(evaluators)
    return by_trial


@pytest.fixture
def drawn() -> Counted:
    return Counted()


class Counted:
    """A drawing that counts its pictures."""

    def __init__(self) -> None:
        self.pictures, self.renderer = 0, Drawing(self.draw)

    def draw(self, styles: Tensor) -> Tensor:
        self.pictures += len(styles)
        return synthesize(styles)

    def evaluator(self, function: Any = linear) -> Evaluator:
        return Evaluator(self.renderer, DIRECTIONS, target(function))


def test_every_picture_is_a_point_of_the_search(drawn: Counted) -> None:
    by_trial = run(Scan(), TRIALS, [drawn.evaluator()], batch_size=8)
    assert drawn.pictures == sum(result.evaluations for _, result in by_trial.values()) + len(STYLES)
    for bounded, result in by_trial.values():
        attribute = bounded.attribute or 0
        low, high = bounded.bounds[attribute]
        end = low or high
        tried = [point.weights[attribute] for point in result.trajectory]
        assert (low == 0) != (high == 0)
        assert all(min(abs(it.weights[attribute] - weight) for weight in tried) < 1e-6 for it in bounded.seen)
        assert min(abs(weight - end) for weight in tried) < 1e-6, "the end of the range"
        inside = sorted(weight / end for weight in tried if 0 <= weight / end <= 1 + 1e-9)
        assert max(np.diff(inside)) <= 0.5 + 1e-6
        assert np.count_nonzero(bounded.bounds) == 1


@pytest.mark.parametrize(("search", "trials"), [(Scan(), TRIALS), (PGD(steps=3), WITHOUT_OUTER)], ids=["scan", "pgd"])
def test_results_do_not_depend_on_the_packing(search: Search, trials: list[Trial]) -> None:
    where = evaluator(linear, labels=ZeroShotLabels(ColourLabels(0.5), LABELS))
    alone = run(search, trials, [where], batch_size=1)
    for key, (bounded, result) in run(search, trials[::-1], [where], batch_size=7).items():
        np.testing.assert_allclose(bounded.bounds, alone[key][0].bounds, atol=1e-5)
        np.testing.assert_allclose(result.edit_weights, alone[key][1].edit_weights, atol=1e-3)
        assert result.evaluations == alone[key][1].evaluations
        assert result.change == pytest.approx(alone[key][1].change, abs=1e-4)


def test_several_targets_share_the_pictures_that_bound_an_image(drawn: Counted) -> None:
    evaluators = [drawn.evaluator(function) for function in (linear, lambda x: x[:, 0] + x[:, 2] - 1)]
    alone = [run(Scan(), TRIALS, [one]) for one in evaluators]
    before = drawn.pictures
    together = run(Scan(), TRIALS, evaluators)
    for (which, image, attribute), (bounded, result) in together.items():
        own_trial, of_trial = alone[which][0, image, attribute]
        np.testing.assert_allclose(bounded.bounds, own_trial.bounds, atol=1e-5)
        assert result.evaluations == of_trial.evaluations
        assert result.change == pytest.approx(of_trial.change, abs=1e-5)
    assert drawn.pictures - before < 0.75 * before


def test_labels_of_the_same_text_encoder_look_at_no_picture_twice() -> None:
    looked: list[int] = []

    class Looking(ColourLabels):
        def embed_images(self, images: Tensor) -> Tensor:
            looked.append(len(images))
            return super().embed_images(images)

    bounds, encoder = Bounds(), Looking(0.5)
    bounds.text_encoder = encoder
    where = evaluator(linear, labels=ZeroShotLabels(encoder, LABELS))
    evaluations = 0
    for results in searched(TRIALS, search=Scan(), evaluators=[where], styles=STYLES, bounds=bounds, batch_size=8):
        evaluations += sum(result.evaluations for _, _, result in results)
    assert sum(looked) == evaluations + len(STYLES)


def test_a_gradient_search_begins_within_the_bounds_and_takes_its_own_points_and_the_end_alone() -> None:
    by_trial = run(PGD(steps=3), WITHOUT_OUTER, [evaluator()])
    for bounded, result in by_trial.values():
        low, high = bounded.bounds[bounded.attribute or 0]
        assert result.evaluations <= 5
        assert any(abs(point.weights[bounded.attribute or 0] - (low or high)) < 1e-6 for point in result.trajectory)
        assert bounded.seen
        assert all(low - 1e-6 <= point.weights[bounded.attribute or 0] <= high + 1e-6 for point in result.trajectory)
