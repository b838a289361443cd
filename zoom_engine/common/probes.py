"""A model's answers on probes, which are fixed inputs: they show what its code does not.

Answers stand beside a model's hash, and are compared, never hashed: another machine, or another number of threads,
rounds differently.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from numpy.typing import NDArray

Answers = list[list[float]]
"""A row of numbers for each input."""
_WIDTH = 8  # numbers a row
_DIGITS = 6
_OF_SPREAD, _OF_LEVEL = 1e-2, 1e-3
_OTHERWISE = 0.25


def short_answers(outputs: NDArray[Any]) -> Answers:
    """Reduce finite outputs `[B, …]` to `[B, K]` with K of 8 at most, in float64, rounded to 6 digits.

    Longer rows are projected on fixed random signs, which keep how far two of them lie apart.
    """
    import numpy as np  # late: a reader of a folder's settings alone does not wait for it

    rows = outputs.reshape(len(outputs), -1).astype(np.float64)
    size = rows.shape[1]
    if size > _WIDTH:
        random = np.random.default_rng(0)
        signs = (random.integers(0, 2, size, dtype=np.int8) * 2.0 - 1 for _ in range(_WIDTH))
        rows = np.stack([rows @ row for row in signs], axis=1) / np.sqrt(size)
    return [[float(f"{value:.{_DIGITS}g}") for value in row] for row in rows]


def same_answers(first: Any, second: Any) -> bool:
    """Return whether two lists of `short_answers`, as JSON has them, may be of one model.

    By rounding, answers move by 1 % of their spread and 0.1 % of their size at most. Where a threshold lies in the way,
    as before areas and boxes, a quarter of the inputs may be answered differently.
    """
    import numpy as np

    try:
        before, after = (np.asarray(outputs, dtype=np.float64) for outputs in (first, second))
    except (ValueError, TypeError):
        return False
    if before.ndim != 2 or before.shape != after.shape or before.size == 0:
        return False
    allowed = _OF_SPREAD * np.maximum(np.ptp(before, axis=0), np.ptp(after, axis=0)) + _OF_LEVEL * np.abs(before).max(0)
    otherwise = (~(np.abs(before - after) <= allowed + 1e-9)).any(axis=1)
    return bool(otherwise.mean() <= _OTHERWISE)
