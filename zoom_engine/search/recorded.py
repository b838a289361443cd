"""Conversion of a trial's result to the record that an audit keeps of it."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from zoom_engine.audit.records import Record
from zoom_engine.search.trials import SearchResult, Trial


def record_of(
    trial: Trial,
    result: SearchResult,
    seed: int,
    name: str | int | None,
    *,
    groups: tuple[bool, ...] | None = None,
    paraphrases: tuple[float, ...] | None = None,
) -> Record:
    """Return the record of a trial; `name` is an attribute's text, a random baseline direction's number, or None."""
    return Record(
        image=trial.image,
        seed=seed,
        attribute=name if isinstance(name, str) else None,
        baseline=name if isinstance(name, int) else None,
        edit_weights=tuple(round(float(w), 6) for w in result.edit_weights),
        original_output=tuple(round(v, 6) for v in result.original_output),
        output=tuple(round(v, 6) for v in result.output),
        change=round(result.change, 6),
        flipped=result.flipped,
        decisive=result.decisive,
        label_kept=result.label_kept,
        ssim=None if result.ssim is None else round(result.ssim, 6),
        flip_weight=None if result.flip_weight is None else round(result.flip_weight, 6),
        steps=result.steps,
        evaluations=result.evaluations,
        stop=result.stop,
        trajectory=result.trajectory,
        natural=result.natural,
        scores=trial.scores,
        groups=groups,
        paraphrases=paraphrases,
        bounds=None if trial.attribute is None else _rounded(trial.bounds[trial.attribute]),
        paper=result.paper,
    )


def _rounded(bounds: NDArray[np.float64]) -> tuple[float, float]:
    return round(float(bounds[0]), 6), round(float(bounds[1]), 6)
