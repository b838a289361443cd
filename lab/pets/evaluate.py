"""``python -m lab.pets.evaluate``: measure every quality figure of the shipped weights."""

from __future__ import annotations

from lab.evaluation import Evaluation
from lab.evaluation_command import measure_parts
from lab.pets.train.subject import SUBJECT
from zoom_engine.domains.pets.domain import DOMAIN

EVALUATION = Evaluation(DOMAIN, SUBJECT)

if __name__ == "__main__":
    measure_parts("pets", EVALUATION.parts, EVALUATION.contact_sheet)
