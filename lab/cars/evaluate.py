"""``python -m lab.cars.evaluate``: measure every quality figure of the weights."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

from lab.cars.train.subject import SUBJECT, TASKS
from lab.cars.unseen_words import UNSEEN
from lab.evaluation import Evaluation
from lab.evaluation_command import measure_parts
from lab.task_quality import task_quality
from zoom_engine.domains.cars.domain import DOMAIN

EVALUATION = Evaluation(DOMAIN, SUBJECT)
PARTS: dict[str, Callable[..., Any]] = {
    **EVALUATION.parts,
    "text": partial(EVALUATION.text_quality, unseen=UNSEEN),
    "tasks": partial(task_quality, EVALUATION, TASKS, {"keypoints": "mean distance, in the wheels'"}),
}

if __name__ == "__main__":
    measure_parts("cars", PARTS, EVALUATION.contact_sheet)
