"""Response curves: the target's output over the edit weight, over images and at the range's ends."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from zoom_engine.audit.records import WEIGHT_SLACK, Record
from zoom_engine.targets import TaskView

Array = NDArray[np.float64]
_POINTS = 41


@dataclass(frozen=True)
class ResponseCurve:
    """Output over edit weight: `weights`, `mean`, `low` and `high` (quartiles over images) are float64 [P].

    The output is what `TaskView.response` takes of it.
    """

    weights: Array
    mean: Array
    low: Array
    high: Array


@dataclass(frozen=True)
class Side:
    """The effect of an edit towards one end of the range.

    `changes` are those of `TaskView.response` of the output, of each image that is edited that way.
    """

    changes: tuple[float, ...]

    @property
    def images(self) -> int:
        """Return how many images are edited that way."""
        return len(self.changes)

    @property
    def mean(self) -> float:
        """Return the mean over images; 0 without one."""
        return sum(self.changes) / max(len(self.changes), 1)

    def beyond(self, least: float) -> tuple[int, int]:
        """Return how many images rise, and how many fall, by `least` or more."""
        far = [change for change in self.changes if change and abs(change) >= least]
        return sum(change > 0 for change in far), sum(change < 0 for change in far)


def sides(records: Sequence[Record], column: int, view: TaskView, within: tuple[float, float]) -> tuple[Side, Side]:
    """Return what removing and adding the attribute with index `column` does, by its records.

    For each image it is the change at the furthest edit of its range that keeps the label. `within` is the range of
    records that do not hold theirs.
    """
    by_end: tuple[list[float], list[float]] = ([], [])
    for record in records:
        low, high = record.bounds or within
        original = record.original_output
        for changes, end in zip(by_end, (low, high), strict=True):
            sign = 1 if end > 0 else -1
            tried = [p for p in record.trajectory if 0 < sign * p.weights[column] <= abs(end) + WEIGHT_SLACK]
            valid = [point for point in tried if point.label_kept is not False]
            if tried:
                last = max(valid, key=lambda point: abs(point.weights[column])).output if valid else original
                changes.append(view.response(last, original) - view.response(original, original))
    removing, adding = by_end
    return Side(tuple(removing)), Side(tuple(adding))


def response_curve(records: Sequence[Record], column: int, view: TaskView) -> ResponseCurve | None:
    """Compute the curve of the attribute with index `column` by its records; None below two shared points.

    Each image's outputs are interpolated linearly between the weights tried on it, never beyond them; a point counts
    when at least half of the images reach it.
    """
    curves = [curve for record in records if (curve := _of_record(record, column, view)) is not None]
    if not curves:
        return None
    ends = min(weights[0] for weights, _ in curves), max(weights[-1] for weights, _ in curves)
    grid = np.union1d(np.linspace(*ends, _POINTS), [0.0])
    values = np.array([np.interp(grid, *curve, left=np.nan, right=np.nan) for curve in curves])
    shared = np.isfinite(values).sum(axis=0) * 2 >= len(curves)
    if shared.sum() < 2:
        return None
    low, high = np.nanpercentile(values[:, shared], [25, 75], axis=0)
    return ResponseCurve(grid[shared], np.nanmean(values[:, shared], axis=0), low, high)


def _of_record(record: Record, column: int, view: TaskView) -> tuple[Array, Array] | None:
    """Return (weights, outputs) of one image by rising weight, the unedited one included; None if it is alone."""
    original = record.original_output
    outputs = {point.weights[column]: view.response(point.output, original) for point in record.trajectory}
    outputs[0.0] = view.response(original, original)
    if len(outputs) < 2:
        return None
    weights = sorted(outputs)
    return np.array(weights), np.array([outputs[weight] for weight in weights])
