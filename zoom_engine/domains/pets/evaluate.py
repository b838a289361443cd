"""``python -m zoom_engine.domains.pets.evaluate``: measure every quality figure of the shipped weights."""

from __future__ import annotations

from zoom_engine.domains.evaluation import Evaluation
from zoom_engine.domains.evaluation_command import measure_parts
from zoom_engine.domains.pets.domain import DOMAIN
from zoom_engine.domains.pets.train.subject import SUBJECT

EVALUATION = Evaluation(DOMAIN, SUBJECT)

if __name__ == "__main__":
    measure_parts(
        "pets",
        {
            "text": EVALUATION.text_quality,
            "generator": EVALUATION.generator_quality,
            "edits": EVALUATION.edit_quality,
            "targets": EVALUATION.target_quality,
        },
        EVALUATION.contact_sheet,
    )
