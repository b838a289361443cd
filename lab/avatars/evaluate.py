"""``python -m lab.avatars.evaluate``: measure every quality figure of the shipped weights."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from lab.avatars.train.subject import SUBJECT
from lab.avatars.train.tasks import recipes
from lab.avatars.word_quality import word_quality
from lab.evaluation import Evaluation
from lab.evaluation_command import measure_parts
from zoom_engine.common.files.cache import default_cache
from zoom_engine.common.progress import forced
from zoom_engine.directions import Sampling, regression_relevance
from zoom_engine.directions.regression import Regression
from zoom_engine.domains.avatars.attributes import labels
from zoom_engine.domains.avatars.domain import DOMAIN
from zoom_engine.domains.avatars.renderer import masks, sample
from zoom_engine.domains.networks import to_float
from zoom_engine.targets import KeypointsTask, MultiLabelTask, RegressionTask, SegmentationTask, Task

TASK_SEED = 9400
UNITS = {
    "keypoints": "mean distance, in the pupils'",
    "segmentation": "1 − mIoU",
    "regression": "years",
    "multilabel": "wrong labels",
    "multiclass": "wrong pictures",
}
EVALUATION = Evaluation(DOMAIN, SUBJECT)


def text_quality(count: int = 2000) -> dict[str, Any]:
    """The figures of `Evaluation.text_quality`, and in ``word_forms`` the same for the other forms of the words, see
    `word_quality`."""
    encoder = EVALUATION.text_encoder()
    embedded, table = EVALUATION.embedded(count)
    samples, renderer = Regression.samples, DOMAIN.synthesizer()
    sampling = Sampling(samples, synthesizer=renderer, cache=default_cache(), progress=forced)
    relevance = regression_relevance(DOMAIN.generator(), encoder, sampling=sampling)
    forms = word_quality(encoder, relevance, embedded, table, neutral=DOMAIN.neutral)
    return {**EVALUATION.zero_shot(embedded, table), "word_forms": forms}


def task_quality(names: Sequence[str] = (), *, count: int = 400, effects_of: int = 100) -> dict[str, Any]:
    """Of the targets of other tasks (all, where none are named): errors on ``count`` renders that training never saw,
    and true effects over ``effects_of`` avatars.

    ``error`` is in ``unit``, a mean over the renders; ``error_planted`` over those that have the attribute that was
    planted into the target or into its weak twin.
    """
    images, parameters = sample(count, TASK_SEED)
    pictures, table = torch.from_numpy(images), labels(parameters)
    truth = {recipe.name: recipe for recipe in recipes(parameters, torch.from_numpy(masks(parameters)), parameters)}
    effects = EVALUATION.true_effects(names or tuple(truth), count=effects_of)
    figures: dict[str, Any] = {}
    for name, recipe in truth.items():
        if name not in effects:
            continue
        twin = truth[name.partition("-weak-")[0]]
        target = DOMAIN.target(name)
        parts = zip(torch.split(pictures, 50), torch.split(twin.truth, 50), strict=True)
        with torch.no_grad():
            errors = torch.cat([_errors(target.task, target(to_float(part)), wanted) for part, wanted in parts])
        planted = recipe.planted or next(
            (r.planted for r in truth.values() if r.name.startswith(f"{name}-weak-")), None
        )
        having = None if planted is None else torch.from_numpy(table[planted])
        figures[name] = {
            "task": target.task.name,
            "planted": recipe.planted,
            "unit": UNITS[target.task.name],
            "error": round(float(errors.mean()), 4),
            "split_by": planted,
            "error_planted": None if having is None else round(float(errors[having].mean()), 4),
            "error_without": None if having is None else round(float(errors[~having].mean()), 4),
            "effects": effects[name],
        }
    return figures


def _errors(task: Task, outputs: Tensor, truth: Tensor) -> Tensor:
    """``[B]``: how wrong outputs are, in the task's ``UNITS``; ``truth`` as `recipes` have it."""
    match task:
        case KeypointsTask():
            return task.displacements(outputs, truth).mean(1)
        case SegmentationTask():
            areas = F.one_hot(truth.long(), len(task.classes)).permute(0, 3, 1, 2).float()
            return 1 - task.agreement(outputs, areas)
        case RegressionTask():
            return (outputs - truth).abs()[:, 0]
        case MultiLabelTask():
            return ((outputs > 0) != (truth > 0.5)).float().mean(1)
        case _:
            return (outputs.argmax(1) != truth).float()


if __name__ == "__main__":
    measure_parts(
        "avatars",
        {**EVALUATION.parts, "text": text_quality, "tasks": task_quality},
        EVALUATION.contact_sheet,
    )
