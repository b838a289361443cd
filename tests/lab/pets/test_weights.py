"""The shipped weights of the pets reach their quality bars, on samples smaller than the model card's."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from lab.pets.evaluate import EVALUATION
from lab.pictures import predict
from zoom_engine.domains.pets.attributes import ATTRIBUTES, CLEAR_MARGIN, margins
from zoom_engine.domains.pets.renderer import sample


def test_the_probe_sees_what_is_there() -> None:
    images, parameters = sample(400, 31)
    says = (predict(EVALUATION.probe(), torch.from_numpy(images)) > 0).numpy()
    table = margins(parameters)
    for index, name in enumerate(ATTRIBUTES):
        clear = np.abs(table[name]) >= CLEAR_MARGIN
        bar = 0.90 if name == "slit_pupils" else 0.95  # lids hide pupils
        assert np.mean(says[clear, index] == (table[name][clear] > 0)) >= bar, name


@pytest.mark.ci
def test_prompts_find_their_attributes() -> None:
    rows = EVALUATION.text_quality(300)["attributes"]
    good = [name for name, row in rows.items() if row["accuracy"] >= 0.95]
    assert len(good) >= 12, {name: row["accuracy"] for name, row in rows.items()}


@pytest.fixture(scope="module")
def seen() -> dict[str, tuple[float, float]]:
    """How often the probe sees each attribute in 400 renders and in 400 samples."""
    judge = EVALUATION.probe()
    real, _ = sample(400, 32)
    _, fake = EVALUATION.generated(400, 33)
    shares = [(predict(judge, images) > 0).float().mean(0).tolist() for images in (torch.from_numpy(real), fake)]
    return dict(zip(ATTRIBUTES, zip(*shares, strict=True), strict=True))


@pytest.mark.parametrize("attribute", ATTRIBUTES)
@pytest.mark.ci
def test_samples_look_like_renders_to_the_probe(seen: dict[str, tuple[float, float]], attribute: str) -> None:
    # 400 samples each: three standard errors of a difference are about 10 points
    assert abs(seen[attribute][0] - seen[attribute][1]) < 0.12
