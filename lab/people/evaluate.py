"""``python -m lab.people.evaluate``: measure every quality figure of the weights.

A picture costs seconds. So figures of renders are measured on the data set, those rows first that training left out;
and what is drawn for them alone (attributes set and unset) is kept in `PICTURES`, for the next call or another process.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from functools import cached_property, partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lab.evaluation import Evaluation
from lab.evaluation_command import measure_parts
from lab.people.drawn_once import DrawnOnce
from lab.people.parameters import Parameters
from lab.people.train.renders import packed
from lab.people.train.subject import SUBJECT
from lab.people.unseen_words import UNSEEN
from lab.training.renders import Renders, renders
from lab.training.subject import TrainingSubject
from zoom_engine.domains.embedded import RenderedDomain
from zoom_engine.domains.people.domain import DOMAIN as SHIPPED

RUNS = Path("runs/people")
PICTURES = RUNS / "pictures"
EFFECTS_OF, PSNR_ON = 24, 100


@dataclass(frozen=True, eq=False)
class Stored(TrainingSubject[Parameters]):
    """People whose pictures were rendered before."""

    @cached_property
    def data(self) -> Renders[Parameters]:
        """Read what there is of the data set.

        Raises:
            ConfigError: there is none.
        """
        assert self.stored is not None
        return renders(self, RUNS, packed(self.stored, self.seed), self.seed)

    def sample(self, count: int, seed: int) -> tuple[NDArray[np.uint8], Parameters]:
        """Take pictures of the data set in place of new ones, whatever the seed: those that were held out first."""
        rows = slice(0, min(count, len(self.data)))
        return self.data.images[rows], self.data.parameters[rows]


def _of(thing: Any, **changed: Any) -> dict[str, Any]:
    return {field.name: getattr(thing, field.name) for field in fields(thing)} | changed


STORED = Stored(**_of(SUBJECT, stored=RUNS / "renders", render=DrawnOnce(PICTURES, SUBJECT.render)))
DOMAIN = RenderedDomain(**_of(SHIPPED, subject=STORED))
EVALUATION = Evaluation(DOMAIN, STORED, EFFECTS_OF)


if __name__ == "__main__":
    measure_parts(
        "people",
        {
            **EVALUATION.parts,
            "text": partial(EVALUATION.text_quality, STORED.held_out, unseen=UNSEEN),
            "generator": partial(EVALUATION.generator_quality, psnr_on=PSNR_ON),
            "targets": partial(EVALUATION.target_quality, twins=PSNR_ON),
        },
        EVALUATION.contact_sheet,
    )
