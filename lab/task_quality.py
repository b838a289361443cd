"""How wrong targets of other tasks are, and what attributes do to them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from lab.evaluation import Evaluation
from lab.training.tasks import TaskRecipe
from zoom_engine.common.errors import ConfigError
from zoom_engine.domains.networks import to_float
from zoom_engine.targets import KeypointsTask, MultiLabelTask, RegressionTask, SegmentationTask, Task

TASK_SEED = 9400
UNITS = {"segmentation": "1 − mIoU", "multilabel": "wrong labels", "multiclass": "wrong pictures"}


def task_quality(
    evaluation: Evaluation,
    recipes: Sequence[TaskRecipe[Any]],
    units: Mapping[str, str],
    names: Sequence[str] = (),
    *,
    count: int = 400,
    effects_of: int = 100,
) -> dict[str, Any]:
    """Measure the targets of `recipes` on `count` renders that training never saw.

    Args:
        evaluation: of the domain.
        recipes: of its targets of other tasks.
        units: by task, what errors are measured in, where `UNITS` does not say it.
        names: those to measure; all by default.
        count: pictures for the errors.
        effects_of: pictures for the true effects.

    Returns:
        By target: ``error``, in ``unit``, a mean over the renders, and ``error_planted`` over those with the attribute
        that was planted into the target or into its weak twin; the true ``effects``.

    Raises:
        ConfigError: a name is of no recipe.
    """
    unknown = sorted(set(names) - {recipe.name for recipe in recipes})
    if unknown:
        raise ConfigError(f"no recipe of {unknown[0]!r}; choose from {', '.join(recipe.name for recipe in recipes)}")
    if not recipes:
        return {}
    images, parameters = evaluation.subject.sample(count, TASK_SEED)
    pictures, table = torch.from_numpy(images), evaluation.subject.truth.labels(parameters)
    by_name = {recipe.name: recipe for recipe in recipes if not names or recipe.name in names}
    effects = evaluation.true_effects(tuple(by_name), count=effects_of)
    planted_in = {recipe.name.partition("-weak-")[0]: recipe.planted for recipe in recipes if recipe.planted}
    figures: dict[str, Any] = {}
    for name, recipe in by_name.items():
        target = evaluation.domain.target(name)
        parts = zip(torch.split(pictures, 50), torch.split(recipe.truth(parameters), 50), strict=True)
        with torch.no_grad():
            errors = torch.cat([_errors(target.task, target(to_float(part)), wanted) for part, wanted in parts])
        planted = recipe.planted or planted_in.get(name)
        having = None if planted is None else torch.from_numpy(table[planted])
        figures[name] = {
            "task": target.task.name,
            "planted": recipe.planted,
            "unit": {**UNITS, **units}[target.task.name],
            "error": round(float(errors.mean()), 4),
            "split_by": planted,
            "error_planted": None if having is None else round(float(errors[having].mean()), 4),
            "error_without": None if having is None else round(float(errors[~having].mean()), 4),
            "effects": effects[name],
        }
    return figures


def _errors(task: Task, outputs: Tensor, truth: Tensor) -> Tensor:
    """Return ``[B]``: how wrong outputs are beside the `truth` of a recipe."""
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
