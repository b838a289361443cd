"""Scores of attributes and labels are told in natural ranges, from pictures that are there already."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
import torch.nn.functional as F

from zoom_engine.directions import calibrate_range, find_directions, score_scale
from zoom_engine.directions.calibration import split_in_two
from zoom_engine.directions.relevance import Sampling
from zoom_engine.directions.unedited import unedited_embeddings

PROMPTS = ("beard", "man", "hat")
LABELS = ("old", "young", "man")


def test_a_unit_is_the_way_from_images_that_lack_it_to_those_that_have_it(toy: tuple[Any, Any], tmp_path: Path) -> None:
    generator, encoder = toy
    result = find_directions(*toy, PROMPTS, neutral="face", samples=512, cache=tmp_path)
    calibrated = calibrate_range(*toy, result, sampling=Sampling(512, cache=tmp_path))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(type(encoder), "embed_images", lambda *_: pytest.fail("a picture was made"))
        scale = score_scale(*toy, result, calibrated, LABELS, sampling=Sampling(512, cache=tmp_path))
    assert scale.units[:3] == pytest.approx(calibrated.goals[:, 1] - calibrated.goals[:, 0])
    texts = encoder.embed_texts(LABELS)
    along = F.normalize(texts - texts.mean(dim=0), dim=1)
    assert torch.allclose(scale.labels, along, atol=1e-6)
    scores = unedited_embeddings(generator, encoder, Sampling(512, 0, cache=tmp_path)) @ along.T
    sides = split_in_two(scores)
    for label, (low, high) in enumerate(sides.means):
        above = scores[:, label] > sides.splits[label]
        assert scores[above, label].mean() == pytest.approx(float(high), abs=1e-5)
        assert scale.units[3 + label] == pytest.approx(float(high - low))
    (row,) = scale.measure(0.5 * scale.units[None])
    assert row == (0.5,) * 6


def test_without_labels_there_are_the_attributes_alone(toy: tuple[Any, Any]) -> None:
    result = find_directions(*toy, PROMPTS, neutral="face", samples=512)
    calibrated = calibrate_range(*toy, result, sampling=Sampling(400))
    scale = score_scale(*toy, result, calibrated, (), sampling=Sampling(400))
    assert scale.labels.shape[0] == 0
    assert len(scale.units) == 3
