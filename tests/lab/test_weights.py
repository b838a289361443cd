"""The shipped models are as good as their domains' cards say, on samples smaller than those of the cards."""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np
import pytest
import torch

from lab.avatars.evaluate import EVALUATION as AVATARS
from lab.cars.evaluate import EVALUATION as CARS
from lab.evaluation import Evaluation, precision_recall
from lab.pets.evaluate import EVALUATION as PETS
from lab.pictures import predict
from lab.places.evaluate import EVALUATION as PLACES
from zoom_engine.domains.truth import CLEAR_MARGIN

EVALUATIONS = {"avatars": AVATARS, "pets": PETS, "places": PLACES, "cars": CARS}
HARD_TO_SEE = {"slit_pupils": 0.90}  # lids hide pupils


@pytest.fixture(scope="module", params=EVALUATIONS)
def evaluation(request: pytest.FixtureRequest) -> Evaluation:
    return EVALUATIONS[request.param]


@cache
def seen_in_renders(domain: str) -> tuple[Any, Any]:
    """Whether the domain's probe sees each attribute in each of 400 renders, `[n, A]`, and their parameters."""
    evaluation = EVALUATIONS[domain]
    images, parameters = evaluation.subject.sample(400, 31)
    return (predict(evaluation.probe(), torch.from_numpy(images)) > 0).numpy(), parameters


@pytest.mark.ci
@pytest.mark.parametrize("domain", EVALUATIONS)
def test_the_probe_sees_what_is_there(domain: str) -> None:
    subject = EVALUATIONS[domain].subject
    says, parameters = seen_in_renders(domain)
    table = subject.truth.margins(parameters)
    for index, name in enumerate(subject.truth.attributes):
        clear = np.abs(table[name]) >= CLEAR_MARGIN
        assert np.mean(says[clear, index] == (table[name][clear] > 0)) >= HARD_TO_SEE.get(name, 0.95), name


@pytest.mark.ci
def test_prompts_find_their_attributes(evaluation: Evaluation) -> None:
    rows = evaluation.text_quality(300)["attributes"]
    good = [name for name, row in rows.items() if row["accuracy"] >= 0.95]
    assert len(good) >= 12, {name: row["accuracy"] for name, row in rows.items()}


@pytest.fixture(scope="module")
def seen() -> dict[str, dict[str, tuple[float, float]]]:
    """How often each domain's probe sees each attribute in 400 renders and in 400 samples."""
    result = {}
    for domain, evaluation in EVALUATIONS.items():
        real, _ = seen_in_renders(domain)
        _, fake = evaluation.generated(400, 33)
        shares = [real.mean(0).tolist(), (predict(evaluation.probe(), fake) > 0).float().mean(0).tolist()]
        result[domain] = dict(zip(evaluation.subject.truth.attributes, zip(*shares, strict=True), strict=True))
    return result


@pytest.mark.ci
@pytest.mark.parametrize(
    ("domain", "attribute"),
    [(domain, name) for domain, evaluation in EVALUATIONS.items() for name in evaluation.subject.truth.attributes],
)
def test_samples_look_like_renders_to_the_probe(
    seen: dict[str, dict[str, tuple[float, float]]], domain: str, attribute: str
) -> None:
    # 400 samples each: three standard errors of a difference are about 10 points
    real, fake = seen[domain][attribute]
    assert abs(real - fake) < 0.12


def test_precision_and_recall_tell_coverage_from_quality() -> None:
    rng = torch.Generator().manual_seed(0)
    real = torch.randn(400, 4, generator=rng)
    narrow = 0.3 * torch.randn(400, 4, generator=rng)
    precision, recall = precision_recall(real, narrow)
    assert precision > 0.9
    assert recall < 0.6
    far, _ = precision_recall(real, real + 20)
    assert far == 0.0
