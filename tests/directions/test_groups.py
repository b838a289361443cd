"""Images are told apart by their own text scores."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor

from zoom_engine.common.errors import DirectionError
from zoom_engine.directions import Sampling, text_groups, text_scores
from zoom_engine.directions.relevance import text_directions

TEXTS = ("beard", "hat")
OPTIONS: dict[str, Any] = {"neutral": "face", "templates": ("{}",), "sampling": Sampling(300, 0)}


@pytest.fixture
def styles(toy: tuple[Any, Any]) -> Tensor:
    return torch.cat([styles for _, styles in Sampling(24, 5).draw(toy[0])])


def test_an_image_has_what_its_score_lies_above_the_split_of(toy: tuple[Any, Any], styles: Tensor) -> None:
    generator, encoder = toy
    groups = text_groups(generator, encoder, TEXTS, **OPTIONS)
    images = [3, 0, 20, 7]
    result = groups.of(encoder, generator, styles, images, batch_size=3)
    along = text_directions(encoder, TEXTS, neutral="face", templates=("{}",))
    scores = text_scores(encoder, along, [generator.synthesis(styles)])
    assert result == {image: tuple((scores[image] > groups.splits).tolist()) for image in images}
    groups_of_images = groups.of(encoder, generator, styles, range(24))
    for column in range(len(TEXTS)):
        assert 2 < sum(row[column] for row in groups_of_images.values()) < 22
    assert groups.of(encoder, generator, styles, []) == {}


def test_a_text_that_says_nothing_makes_no_groups(toy: tuple[Any, Any]) -> None:
    with pytest.raises(DirectionError, match="cannot tell 'face' from the neutral prompt"):
        text_groups(*toy, ("face",), **OPTIONS)
