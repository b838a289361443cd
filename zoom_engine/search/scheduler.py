"""The scheduler packs what many trials ask for into full batches, retires finished trials and refills.

A trial's own state decides what it asks for next, and rows of a batch do not mix, so results do not depend on the
packing.
"""

from __future__ import annotations

import dataclasses
import itertools
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from typing import Protocol

import numpy as np
import torch
from torch import Tensor

from zoom_engine.common.errors import ConfigError
from zoom_engine.common.progress import ProgressFactory, silent
from zoom_engine.evaluation.evaluator import Evaluator, Originals
from zoom_engine.generators import StyleRows
from zoom_engine.search.bounded import Bounded
from zoom_engine.search.choose import check_gradients, is_foreign
from zoom_engine.search.contract import Held
from zoom_engine.search.evaluated import evaluated_points, origins
from zoom_engine.search.reevaluated import Reevaluated
from zoom_engine.search.trials import Array, Bounding, EvaluatedPoint, Search, SearchResult, SearchState, Trial

Finished = list[tuple[int, Trial, SearchResult]]


class Bounds(Protocol):
    """How far each image is edited along one attribute, see `zoom_engine.directions.ImageBounds`."""

    @property
    def text_encoder(self) -> object:
        """What scores the images."""
        ...

    def embed(self, images: Tensor) -> Tensor:
        """Return embeddings `[B, D]` of images `[B, 3, R, R]`."""
        ...

    def scores(self, embeddings: Tensor) -> Array:
        """Return the text scores `[B, S]` of images' embeddings."""
        ...

    def of(self, attribute: int, unedited: Array) -> Bounding:
        """Begin on an image whose unedited text scores are `unedited [S]`."""
        ...


def searched(
    trials: Iterable[Trial],
    *,
    search: Search,
    evaluators: Sequence[Evaluator],
    styles: StyleRows,
    bounds: Bounds | None = None,
    batch_size: int = 32,
    progress: ProgressFactory = silent,
) -> Iterator[Finished]:
    """Search every trial for each evaluator and yield the results that are new after a batch.

    A picture that several evaluators ask for is made once: they must have the same `renderer` and `directions`; those
    with the same text encoder also share its embeddings. Results are those of each evaluator alone. Gradient searches
    take one evaluator. Where an interruption or an error ends it, what is new by then comes first, and it is raised
    when more is asked for.

    Args:
        trials: the trials; those of one image should be neighbours, since an unedited image is kept only while trials
            need it.
        search: the search and its options.
        evaluators: one for each target.
        styles: float `[I, S]`, in memory or mapped when asked for; `Trial.image` is a row of it.
        bounds: narrow the bounds of a trial of one attribute to those of its image before it is searched.
        batch_size: rows per evaluation, as long as there are so many; halved where memory does not take them.
        progress: a bar over the trials.

    Yields:
        Lists of (index of the evaluator, trial, result), not in the order of the trials; with `bounds` each trial has
        its own.

    Raises:
        ConfigError: for a batch size below 1, a trial that the search cannot do, bounds that do not contain 0, or a
            search of somebody else's that asks or answers what it cannot (`contract.Held`).
        TargetError: when the target fails, or gives no gradients where the search needs them.
    """
    trials = list(trials)
    _check(trials, search, evaluators, styles, batch_size)
    run = _Run(trials, search, evaluators, styles, bounds, batch_size)
    with progress(len(trials) * len(evaluators), "Searching", unit="trial") as bar:
        flips = done = 0
        try:
            while run.advance():
                results = run.take_finished()
                if results:
                    yield results
                    done += len(results)
                    flips += sum(result.flipped for _, _, result in results)
                    bar.update(len(results), note=f"flip rate {flips / done:.2f}")
        except (Exception, KeyboardInterrupt):
            if results := run.take_finished():
                yield results
                bar.update(len(results))
            raise


def _check(
    trials: Sequence[Trial], search: Search, evaluators: Sequence[Evaluator], styles: StyleRows, batch_size: int
) -> None:
    if batch_size < 1:
        raise ConfigError(f"batch size is {batch_size}, but must be at least 1")
    if not evaluators:
        raise ConfigError("there is no target to search: give at least one evaluator")
    first = evaluators[0]
    for other in evaluators[1:]:
        if other.renderer != first.renderer or not torch.equal(other.directions, first.directions):
            raise ConfigError("evaluators can share pictures only with the same generator and the same edit directions")
    if search.needs_gradient:
        if len(evaluators) > 1:
            raise ConfigError(f"{search.name} follows the gradient of one target: run the targets one after the other")
        check_gradients(search, first.target)
    count = len(first.directions)
    for trial in trials:
        if not 0 <= trial.image < len(styles):
            raise ConfigError(f"a trial names image {trial.image}, but there are {len(styles)} images")
        if trial.attribute is not None and not 0 <= trial.attribute < count:
            raise ConfigError(f"a trial names attribute {trial.attribute}, but there are {count} edit directions")
        for bounds in (trial.bounds, trial.outer):
            if bounds is not None and (
                bounds.shape != (count, 2) or (bounds[:, 0] > 0).any() or (bounds[:, 1] < 0).any()
            ):
                raise ConfigError(
                    "bounds need a lowest weight of at most 0 and a highest of at least 0 for every attribute"
                )
        mode = "multi" if trial.attribute is None else "single"
        if mode not in search.modes:
            raise ConfigError(f"{search.name} has no {mode} mode; it has {', '.join(search.modes)}")


@dataclasses.dataclass(eq=False)
class _Task:
    """One trial under one evaluator, with the answers to its last question as they come in."""

    trial: Trial
    evaluator: int
    state: SearchState
    answers: list[EvaluatedPoint | None] = dataclasses.field(default_factory=list)
    missing: int = 0


@dataclasses.dataclass(eq=False)
class _Row:
    """One picture to make, and who waits for it: (task, place among its answers).

    `scored` tells whether somebody wants its text scores.
    """

    image: int
    weights: Array
    waiting: list[tuple[_Task, int]] = dataclasses.field(default_factory=list)
    scored: bool = False


_Answers = list[tuple[_Task, int, EvaluatedPoint]]
"""Answers: to whom, to which of the points that it asked for, and what."""


def _half(size: int, error: Exception) -> int:
    """Return the batch size to go on with where `size` rows took more memory than there is; else raise `error`."""
    out_of_memory = isinstance(error, torch.OutOfMemoryError | MemoryError) or "can't allocate memory" in str(error)
    if not out_of_memory or size == 1:
        raise error
    return size // 2


class _Pool:
    """The originals of the images in use, rendered ahead in whole batches and dropped after their last trial."""

    def __init__(
        self,
        trials: Sequence[Trial],
        evaluators: Sequence[Evaluator],
        styles: StyleRows,
        bounds: Bounds | None,
        batch_size: int,
    ) -> None:
        self._evaluators, self._styles, self._bounds = evaluators, styles, bounds
        self._batch_size = batch_size
        self._uses = Counter(trial.image for trial in trials for _ in evaluators)
        self._ahead: Iterator[int] = iter(list(dict.fromkeys(trial.image for trial in trials)))
        self._rows: dict[int, list[Originals]] = {}
        self._scores: dict[int, Array] = {}

    def gather(self, images: Sequence[int], evaluator: int) -> Originals:
        """Return the originals of `images`, one row each, as `evaluator` sees them."""
        return Originals.cat([self.row(image, evaluator) for image in images])

    def row(self, image: int, evaluator: int) -> Originals:
        while image not in self._rows:
            self._render_ahead()
        return self._rows[image][evaluator]

    def scores(self, image: int) -> Array:
        """Return the text scores of an original whose row was asked for."""
        return self._scores[image]

    def release(self, image: int) -> None:
        self._uses[image] -= 1
        if not self._uses[image]:
            del self._rows[image]
            self._scores.pop(image, None)

    def _render_ahead(self) -> None:
        wanted = list(itertools.islice(self._ahead, self._batch_size))
        try:
            with torch.no_grad():
                images = self._evaluators[0].render(self._styles[torch.tensor(wanted)])
                embeddings = Embeddings(images, exact=False)
                scores = None if self._bounds is None else embeddings.scores(self._bounds, range(len(wanted)))
                originals_by_evaluator = [
                    evaluator.originals_of(images, embeddings=embeddings.of(evaluator))
                    for evaluator in self._evaluators
                ]
        except Exception as error:
            self._batch_size = _half(len(wanted), error)
            self._ahead = itertools.chain(wanted, self._ahead)
            return
        for place, image in enumerate(wanted):
            self._rows[image] = [
                originals.rows(torch.tensor([place], device=images.device)) for originals in originals_by_evaluator
            ]
            if scores is not None:
                self._scores[image] = scores[place]


class Embeddings:
    """Embeddings of one batch of images, made once per text encoder."""

    def __init__(self, images: Tensor, *, exact: bool) -> None:
        """Prepare for `images`; nothing is computed yet.

        Args:
            images: the batch.
            exact: whether embeddings are made as a loss needs them, or just exact enough to tell each evaluator's
                labels.
        """
        self._images, self._exact = images, exact
        self._made: dict[int, Tensor] = {}
        self._scored: tuple[object, Tensor, Tensor] | None = None  # text encoder, bool [B], its embeddings of those

    def scores(self, bounds: Bounds, rows: Sequence[int]) -> Array:
        """Return the text scores `[k, S]` of some of the images; labels of the same text encoder share what it made."""
        scored = torch.zeros(len(self._images), dtype=torch.bool, device=self._images.device)
        scored[list(rows)] = True
        embeddings = bounds.embed(self._images[scored])
        self._scored = bounds.text_encoder, scored, embeddings
        return bounds.scores(embeddings)

    def of(self, evaluator: Evaluator) -> Tensor | None:
        """Return the embeddings for the labels of `evaluator`, None where its labels are off."""
        labels = evaluator.labels
        if labels is None:
            return None
        images, scored = self._images, None
        if self._scored is not None and self._scored[0] is labels.text_encoder:
            _, scored, exact = self._scored
            if bool(scored.all()):
                return exact
            images = images[~scored]
        key = id(labels.text_encoder if self._exact else labels.first_encoder)
        if key not in self._made:
            self._made[key] = (labels.embed if self._exact else labels.low_precision_embeddings)(images)
        made = self._made[key] if self._exact else labels.rechecked(self._made[key], images)
        if scored is None:
            return made
        together = made.new_empty(len(self._images), made.shape[1])
        together[scored], together[~scored] = exact.to(made), made
        return together


class _Run:
    """All trials under way."""

    def __init__(
        self,
        trials: Sequence[Trial],
        search: Search,
        evaluators: Sequence[Evaluator],
        styles: StyleRows,
        bounds: Bounds | None,
        batch_size: int,
    ) -> None:
        self._search, self._evaluators, self._styles, self._bounds = search, evaluators, styles, bounds
        self._batch_size = batch_size
        self._foreign = is_foreign(search)
        self._verifies = search.needs_gradient and not all(evaluator.follows_exactly for evaluator in evaluators)
        self._todo = iter(trials)
        self._pool = _Pool(trials, evaluators, styles, bounds, batch_size)
        # Points that are asked for with gradients, where the search wants them, and those without.
        self._queues: dict[bool, dict[tuple[int, bytes], _Row]] = {True: {}, False: {}}
        self._finished: Finished = []

    def take_finished(self) -> Finished:
        """Return the results since the last call."""
        finished, self._finished = self._finished, []
        return finished

    def advance(self) -> bool:
        """Evaluate one batch; return False when nothing is left to do."""
        before = len(self._finished)
        while max(map(len, self._queues.values())) < self._batch_size:
            trial = next(self._todo, None)
            if trial is None:
                break
            for index in range(len(self._evaluators)):
                self._begin(trial, index)
        follow = len(self._queues[True]) >= len(self._queues[False])
        queue = self._queues[follow]
        keys = list(queue)[: self._batch_size]
        batch = [queue[key] for key in keys]
        if not batch:
            return len(self._finished) > before
        try:
            answers = self._follow(batch) if follow else self._evaluate(batch)
        except Exception as error:
            self._batch_size = _half(len(batch), error)
            return True
        for key in keys:
            del queue[key]
        for task, place, point in answers:
            self._tell(task, place, point)
        return True

    def _begin(self, trial: Trial, index: int) -> None:
        (origin,) = origins(self._evaluators[index], self._pool.row(trial.image, index))

        def start(trial: Trial) -> SearchState:
            state = Held(self._search, trial, origin) if self._foreign else self._search.start(trial, origin)
            return Reevaluated(state, trial, origin) if self._verifies else state

        if self._bounds is None or trial.attribute is None:
            self._proceed(_Task(trial, index, start(trial)))
        else:
            bounding = self._bounds.of(trial.attribute, self._pool.scores(trial.image))
            self._proceed(_Task(trial, index, Bounded(trial, trial.attribute, bounding, start)))

    def _proceed(self, task: _Task) -> None:
        """Retire the task if it has its result, else queue what it asks for."""
        result = task.state.result()
        search: SearchState | None = task.state
        if isinstance(task.state, Bounded):
            task.trial, search = task.state.trial, task.state.search
        if result is not None:
            self._finished.append((task.evaluator, task.trial, result))
            self._pool.release(task.trial.image)
            return
        points = task.state.ask()
        task.answers = [None] * len(points)
        task.missing = len(points)
        exact = search is None or (isinstance(search, Reevaluated) and search.exact)
        queue = self._queues[self._search.needs_gradient and not exact]
        for place, point in enumerate(points):
            key = (task.trial.image, point.tobytes())
            row = queue.setdefault(key, _Row(task.trial.image, point))
            row.waiting.append((task, place))
            row.scored |= search is None

    def _inputs(self, batch: list[_Row]) -> tuple[list[int], Tensor, Tensor]:
        """Return images, styles and edit weights of a batch."""
        images = [row.image for row in batch]
        weights = torch.from_numpy(np.stack([row.weights for row in batch])).float()
        return images, self._styles[torch.tensor(images)], weights.to(self._styles.device)

    def _follow(self, batch: list[_Row]) -> _Answers:
        (evaluator,) = self._evaluators
        images, styles, weights = self._inputs(batch)
        evaluate = evaluator.value_and_grad if self._search.needs_loss else evaluator.value_and_slopes
        evaluation, gradients = evaluate(styles, weights, self._pool.gather(images, 0))
        points = np.stack([row.weights for row in batch])
        return [
            (task, place, point)
            for row, point in zip(batch, evaluated_points(evaluation, points, gradients), strict=True)
            for task, place in row.waiting
        ]

    @torch.no_grad()
    def _evaluate(self, batch: list[_Row]) -> _Answers:
        _, styles, weights = self._inputs(batch)
        pictures = self._evaluators[0].render(styles, weights)
        shared = Embeddings(pictures, exact=self._search.needs_loss)
        scored = [i for i, row in enumerate(batch) if row.scored]
        scores: dict[int, Array] = {}
        if self._bounds is not None and scored:
            scores = dict(zip(scored, shared.scores(self._bounds, scored), strict=True))
        answers: _Answers = []
        for index, evaluator in enumerate(self._evaluators):
            rows = [i for i, row in enumerate(batch) if any(task.evaluator == index for task, _ in row.waiting)]
            if not rows:
                continue
            chosen = torch.tensor(rows, device=pictures.device)
            embeddings = shared.of(evaluator)
            evaluation = evaluator.evaluate(
                pictures[chosen],
                self._pool.gather([batch[i].image for i in rows], index),
                embeddings=None if embeddings is None else embeddings[chosen],
                ssim="flipped",
                loss=self._search.needs_loss,
            )
            for i, point in zip(
                rows, evaluated_points(evaluation, np.stack([batch[i].weights for i in rows])), strict=True
            ):
                if i in scores:
                    point = dataclasses.replace(point, scores=scores[i])
                answers += [(task, place, point) for task, place in batch[i].waiting if task.evaluator == index]
        return answers

    def _tell(self, task: _Task, place: int, point: EvaluatedPoint) -> None:
        task.answers[place] = point
        task.missing -= 1
        if not task.missing:
            task.state.tell([answer for answer in task.answers if answer is not None])
            self._proceed(task)
