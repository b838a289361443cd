"""Response curves: the target's output over the edit weight, as mean and spread over images."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from zoom_engine.audit.outputs import OutputReading
from zoom_engine.audit.records import Record

Array = NDArray[np.float64]
_POINTS = 41


@dataclass(frozen=True)
class ResponseCurve:
    """Output over edit weight: `weights`, `mean`, `low` and `high` (quartiles over images) are float64 [P].

    The output is what `OutputReading.followed` takes of it.
    """

    weights: Array
    mean: Array
    low: Array
    high: Array

    def change_at(self, weight: float) -> float:
        """Mean output at an edit weight (the nearest one measured) minus that of the unedited images."""
        there, here = (float(np.interp(at, self.weights, self.mean)) for at in (weight, 0.0))
        return there - here


def response_curve(records: Sequence[Record], column: int, reading: OutputReading) -> ResponseCurve | None:
    """The curve of the attribute with index `column` from its records; None below two shared points.

    Each image's outputs are interpolated linearly between the weights tried on it, never beyond them; a point
    counts when at least half of the images reach it.
    """
    curves = [curve for record in records if (curve := _of_record(record, column, reading)) is not None]
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


def _of_record(record: Record, column: int, reading: OutputReading) -> tuple[Array, Array] | None:
    """(weights, outputs) of one image by rising weight, the unedited one included; None if it is alone."""
    original = record.original_output
    outputs = {point.weights[column]: reading.followed(point.output, original) for point in record.trajectory}
    outputs[0.0] = reading.followed(original, original)
    if len(outputs) < 2:
        return None
    weights = sorted(outputs)
    return np.array(weights), np.array([outputs[weight] for weight in weights])
