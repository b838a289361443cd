"""All parts of a drawn domain by the recipes that domains share."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any

from lab.training.command import Train
from lab.training.generator import Phase, train_generator
from lab.training.probe import train_probe
from lab.training.targets import Pool, Recipe, train_targets
from lab.training.tasks import TaskRecipe, train_tasks
from lab.training.text import train_text

ORDER = "the generator needs the probe, the others nothing"


def parts_of(
    pool: Pool, phases: Sequence[Phase], recipes: Sequence[Recipe], tasks: Sequence[TaskRecipe[Any]]
) -> dict[str, Train]:
    """Return the parts of the domain of a `pool`, for `lab.training.command`, in the order in which they are needed."""
    subject = pool.subject
    return {
        "probe": partial(train_probe, subject, steps=1200),
        "generator": partial(train_generator, subject, phases),
        "text": partial(train_text, subject, image_steps=900, text_steps=900),
        "targets": partial(train_targets, pool, recipes, steps=400),
        "tasks": partial(train_tasks, pool, tasks),
    }
