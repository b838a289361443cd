"""Phrasings of attributes, and a direction of each."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from zoom_engine.common.errors import DirectionError
from zoom_engine.directions import find_directions, paraphrase_directions
from zoom_engine.directions.paraphrases import paraphrases
from zoom_engine.text import find_templates

ATTRIBUTES = ("a smiling face|a face with a smile", "a face with a beard")


def test_templates_are_taken_evenly_and_texts_by_turns() -> None:
    result = paraphrases(ATTRIBUTES, ["{}", "a photo of {}", "a drawing of {}", "{}, up close"], 2)
    assert result == [
        (["a smiling face", "a face with a beard"], "{}"),
        (["a face with a smile", "a face with a beard"], "a drawing of {}"),
    ]
    few = paraphrases(ATTRIBUTES[:1], ["{}", "a photo of {}"], 4)
    assert [(texts[0], template) for texts, template in few] == [
        ("a smiling face", "{}"),
        ("a smiling face", "a photo of {}"),
        ("a face with a smile", "{}"),
        ("a face with a smile", "a photo of {}"),
    ]
    with pytest.raises(DirectionError, match="'a face with a beard' has 2 paraphrases"):
        paraphrases(ATTRIBUTES, ["{}", "a photo of {}"], 4)


def test_each_phrasing_has_its_own_directions(toy: tuple[Any, Any]) -> None:
    def find(texts: list[str], template: str) -> Any:
        return find_directions(*toy, texts, neutral="face", samples=256, templates=[template], level=1.0)

    templates = list(find_templates("general")[:2])
    matrix = paraphrase_directions(("beard", "hat"), templates, 2, find)
    assert matrix.shape == (4, toy[0].space.size)
    for k, template in enumerate(templates):
        assert torch.equal(matrix[2 * k : 2 * k + 2], find(["beard", "hat"], template).matrix)
    assert not torch.equal(matrix[0], matrix[2])
