"""``python -m lab.avatars.evaluate``: measure every quality figure of the shipped weights."""

from __future__ import annotations

from functools import partial
from typing import Any

from lab.avatars.train.subject import SUBJECT
from lab.avatars.train.tasks import RECIPES
from lab.avatars.word_quality import word_quality
from lab.evaluation import Evaluation
from lab.evaluation_command import measure_parts
from lab.task_quality import task_quality
from zoom_engine.common.files.cache import default_cache
from zoom_engine.common.progress import forced
from zoom_engine.directions import Sampling, regression_relevance
from zoom_engine.directions.regression import Regression
from zoom_engine.domains.avatars.domain import DOMAIN

UNITS = {"keypoints": "mean distance, in the pupils'", "regression": "years"}
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


if __name__ == "__main__":
    measure_parts(
        "avatars",
        {**EVALUATION.parts, "text": text_quality, "tasks": partial(task_quality, EVALUATION, RECIPES, UNITS)},
        EVALUATION.contact_sheet,
    )
