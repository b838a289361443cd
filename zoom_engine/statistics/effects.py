"""Effects of edits: how far the output moves, in which direction, and which other attributes move too (side effects).

*Side effects*: `Record.scores` says how far an edit to the end of its range moves the text score of every attribute and
label, in natural ranges of each. Its mean over images, in the direction of adding the attribute, is a row of the matrix
of side effects. An attribute has a side effect on another one where that mean is `LARGE_SIDE_EFFECT` or more.

*Adjusted change*: every evaluated point of every search is an observation: its signed change y, beside the scores z
that moved with it (the fraction of the way to the end of the range, times `Record.scores`). Least squares y ≈ Σₘ βₘzₘ
over all images, attributes and weights tells what each attribute does alone. The adjusted change of an image is |y − Σ
βₘzₘ| over the attributes m that the edited one has side effects on, at the end of the range (or the largest on the way,
where that is judged): what the side effects do not explain. Without side effects it is the change itself.

Signed and adjusted changes need a target whose output is one number.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence, Set
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from zoom_engine.audit.manifest import Config
from zoom_engine.audit.records import WEIGHT_SLACK, Record
from zoom_engine.audit.summary import LEAST_EDIT_SCORE, Interval
from zoom_engine.statistics.intervals import Array

LARGE_SIDE_EFFECT = LEAST_EDIT_SCORE
"""The smallest side effect that counts, in natural ranges of the attribute that moves too."""
_RIDGE = 1e-3  # of the mean of the diagonal: two attributes that always move together share their effect


@dataclass(frozen=True)
class Effect:
    """The effect of one trial.

    Attributes:
        image: number of the image.
        column: index of the attribute, or number of the random baseline direction.
        change: the largest change of the output on the way, in [0, 1].
        at_end: the change at the end of the range, or at the nearest point to it that keeps the label; None where the
            search did not go there, or where the range leads both ways.
        share: float64 `[P]`, for each evaluated point the fraction of the way to the end of the range.
        moved: float64 `[P]`, the signed change of the output at each evaluated point.
        adding: float64 `[P]`, the same, positive where adding the attribute raises the output; None where the output is
            not one number.
        scores: float64 `[N + L]`, see `Record.scores`; None where they were not measured.
    """

    image: int
    column: int
    change: float
    at_end: float | None
    share: Array
    moved: Array
    adding: Array | None
    scores: Array | None


def effects(config: Config, records: Sequence[Record]) -> list[Effect]:
    """Return the effects that records of single mode hold.

    `Effect.column` is the attribute's index, or the number of the random baseline direction.
    """
    column = {attribute.text: index for index, attribute in enumerate(config.attributes)}
    return [
        _effect(record, column[record.attribute or ""] if record.baseline is None else record.baseline)
        for record in records
    ]


def by_image(
    records: Sequence[Record],
    columns: Sequence[int],
    width: int,
    values: Iterable[object],
    *,
    images: Set[int] | None = None,
) -> Array:
    """Arrange one value per record as float64 `[I, width]`, a row per image (of the records, or of `images`).

    NaN marks what has no value.
    """
    shown = {record.image for record in records} if images is None else images
    row = {image: index for index, image in enumerate(sorted(shown))}
    matrix = np.full((len(row), width), np.nan)
    for record, column, value in zip(records, columns, values, strict=True):
        if value is not None:
            matrix[row[record.image], column] = value
    return matrix


def is_judged_at_end(*effects: Sequence[Effect]) -> bool:
    """Tell whether the change at the end of the range is judged: it is where all trials of the audit went there.

    Otherwise the largest change on the way is judged. That one is above 0 whatever is edited, because it is the largest
    of several.
    """
    return all(effect.at_end is not None for group in effects for effect in group)


def judged(effects: Sequence[Effect], *, at_end: bool) -> list[float]:
    """Return for each trial the change that is judged."""
    return [effect.at_end or 0.0 if at_end else effect.change for effect in effects]


def judged_signed(effects: Sequence[Effect], *, at_end: bool) -> list[float | None]:
    """Return for each trial the change that is judged, positive where adding the attribute raises the output.

    None where the output is not one number.
    """
    return [
        None if effect.adding is None else float(effect.adding[_judged_point(effect, at_end)].sum())
        for effect in effects
    ]


def _judged_point(effect: Effect, at_end: bool) -> slice:
    """Return which of the evaluated points is judged: the furthest or the one of the largest change; none of none."""
    if not len(effect.moved):
        return slice(0)
    place = int(np.abs(effect.share if at_end else effect.moved).argmax())
    return slice(place, place + 1)


def _effect(record: Record, column: int) -> Effect:
    before = record.original_output
    low, high = record.bounds or (-np.inf, np.inf)
    points = record.counted(column)
    weights = np.array([point.weights[column] for point in points])
    at_end = None
    if (low == 0) != (high == 0) and any(_is_bound(point.weights[column], low, high) for point in record.trajectory):
        at_end = max(points, key=lambda point: abs(point.weights[column])).change if points else 0.0
    moved = np.array([point.change for point in points])
    adding = None
    if len(before) == 1:
        moved = moved * np.array([np.sign(point.output[0] - before[0]) for point in points])
        adding = moved * np.sign(weights)
    bound = high if towards_adding((low, high)) > 0 else low
    share = weights / bound if np.isfinite(bound) and bound else np.zeros(len(points))
    scores = None if record.scores is None else np.array(record.scores)
    return Effect(record.image, column, record.change, at_end, share, moved, adding, scores)


def _is_bound(weight: float, low: float, high: float) -> bool:
    return abs(weight - (low or high)) <= WEIGHT_SLACK


def mean_side_effects(config: Config, effects: Sequence[Effect], records: Sequence[Record]) -> Array | None:
    """Compute the matrix of side effects `[N, N + L]`: what adding an attribute does to each attribute and label.

    Values are in natural ranges of the attribute or label that moves. Rows of attributes without images are NaN. None
    where no scores were measured.
    """
    width = len(config.attributes) + len(config.labels or ())
    rows: list[list[Array]] = [[] for _ in config.attributes]
    for effect, record in zip(effects, records, strict=True):
        if effect.scores is not None and len(effect.scores) == width and record.bounds is not None:
            rows[effect.column].append(effect.scores * towards_adding(record.bounds))
    if not any(rows):
        return None
    return np.array([np.mean(row, axis=0) if row else np.full(width, np.nan) for row in rows])


def towards_adding(bounds: Interval) -> int:
    """Return 1 where the further end of a range, to which text scores belong, adds the attribute, and -1 elsewhere."""
    return 1 if bounds[1] >= -bounds[0] else -1


def own_scores(effects: Sequence[Effect], records: Sequence[Record]) -> list[float | None]:
    """Return for each trial how far adding its attribute moves that attribute's own text score, in natural ranges."""
    return [
        None
        if effect.scores is None or record.bounds is None
        else float(effect.scores[effect.column]) * towards_adding(record.bounds)
        for effect, record in zip(effects, records, strict=True)
    ]


def has_large_side_effect(matrix: Array) -> NDArray[np.bool_]:
    """Return bool `[N, N + L]`: on which others each attribute has a side effect; never on itself."""
    affected: NDArray[np.bool_] = np.asarray(np.abs(np.nan_to_num(matrix)) >= LARGE_SIDE_EFFECT)
    affected[np.arange(len(matrix)), np.arange(len(matrix))] = False
    return affected


def effects_alone(effects: Sequence[Effect], count: int) -> Array:
    """Compute β `[N]`: what one natural range of each attribute alone does to the output."""
    known = [effect for effect in effects if effect.scores is not None and effect.adding is not None]
    scores = np.array([effect.scores[:count] for effect in known if effect.scores is not None]).reshape(-1, count)
    squares = np.array([effect.share @ effect.share for effect in known])
    products = np.array([effect.share @ effect.moved for effect in known])
    gram = scores.T @ (squares[:, None] * scores)
    ridge = _RIDGE * gram.trace() / count * np.eye(count)
    beta: Array = np.linalg.lstsq(gram + ridge, scores.T @ products, rcond=None)[0]
    return beta


def adjusted_changes(effects: Sequence[Effect], matrix: Array, *, at_end: bool) -> list[float | None]:
    """Compute for each trial what side effects do not explain of the change that is judged.

    Where that is the largest on the way, it is the largest such part. None without sign or scores.
    """
    count = len(matrix)
    beta, affected = effects_alone(effects, count), has_large_side_effect(matrix)[:, :count]
    adjusted: list[float | None] = []
    for effect, change in zip(effects, judged(effects, at_end=at_end), strict=True):
        if effect.adding is None or effect.scores is None:
            adjusted.append(None)
        elif not affected[effect.column].any():
            adjusted.append(change)
        else:
            explained = effect.share * float((beta * effect.scores[:count])[affected[effect.column]].sum())
            unexplained = np.abs(effect.moved - explained)
            if at_end:
                unexplained = unexplained[_judged_point(effect, at_end)]
            adjusted.append(float(unexplained.max(initial=0.0).clip(max=1.0)))
    return adjusted


def named(config: Config, matrix: Array) -> dict[str, Mapping[str, float]]:
    """Return the matrix of side effects by texts, as summary.json holds it: attribute → attribute or label → value."""
    names = [*(attribute.text for attribute in config.attributes), *(config.labels or ())]
    return {
        name: {other: round(float(value), 4) for other, value in zip(names, row, strict=True)}
        for name, row in zip(names, matrix, strict=False)
        if np.isfinite(row).all()
    }
