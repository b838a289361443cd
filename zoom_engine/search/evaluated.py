"""Conversion of tensors to a search's plain numbers: each row of an evaluation is an evaluated point."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from zoom_engine.evaluation.evaluator import Evaluation, Evaluator, Originals
from zoom_engine.search.trials import Array, EvaluatedPoint


def evaluated_points(evaluation: Evaluation, weights: Array, gradients: Tensor | None = None) -> list[EvaluatedPoint]:
    """Return the rows of `evaluation` as evaluated points.

    Args:
        evaluation: of B pictures.
        weights: the edit weights `[B, N]` that it was made at.
        gradients: `[B, N]` or `[B, 2, N]`, if there are any, see `EvaluatedPoint`.
    """
    rows = zip(
        weights,
        evaluation.recorded.tolist(),
        evaluation.change.tolist(),
        evaluation.margin.tolist(),
        evaluation.flipped.tolist(),
        evaluation.decisive.tolist(),
        evaluation.label_kept.tolist(),
        evaluation.ssim.tolist(),
        [None] * len(weights) if gradients is None else gradients.double().cpu().numpy(),
        [None] * len(weights) if evaluation.loss is None else evaluation.loss.tolist(),
        strict=True,
    )
    return [
        EvaluatedPoint(
            point,
            tuple(output),
            change,
            margin,
            flipped,
            label_kept if evaluation.labels_on else None,
            similarity,
            gradient,
            loss,
            decisive,
        )
        for point, output, change, margin, flipped, decisive, label_kept, similarity, gradient, loss in rows
    ]


@torch.no_grad()
def origins(evaluator: Evaluator, originals: Originals) -> list[EvaluatedPoint]:
    """Return the unedited images as the evaluated points at edit weights 0: change 0, SSIM 1, label kept."""
    task = evaluator.target.task
    recorded = task.recorded(originals.outputs, originals.outputs).tolist()
    margins = task.margin(originals.outputs, originals.outputs).tolist()
    zeros = np.zeros(len(evaluator.directions))
    label_kept = None if evaluator.labels is None else True
    return [
        EvaluatedPoint(zeros, tuple(output), 0.0, margin, False, label_kept, 1.0)
        for output, margin in zip(recorded, margins, strict=True)
    ]
