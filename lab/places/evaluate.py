"""``python -m lab.places.evaluate``: measure every quality figure of the weights."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

from lab.evaluation import Evaluation
from lab.evaluation_command import measure_parts
from lab.places.train.subject import SUBJECT, TASKS
from lab.places.unseen_words import UNSEEN
from lab.task_quality import task_quality
from zoom_engine.domains.places.domain import DOMAIN

EVALUATION = Evaluation(DOMAIN, SUBJECT)
PARTS: dict[str, Callable[..., Any]] = {
    **EVALUATION.parts,
    "text": partial(EVALUATION.text_quality, unseen=UNSEEN),
    "tasks": partial(task_quality, EVALUATION, TASKS, {}),
}

if __name__ == "__main__":
    measure_parts("places", PARTS, EVALUATION.contact_sheet)
