"""Prompts of avatars."""

from __future__ import annotations

import pytest

from zoom_engine.common.errors import ConfigError
from zoom_engine.domains.avatars.attributes import ATTRIBUTES
from zoom_engine.domains.avatars.wording import ATTRIBUTE_PHRASES, prompt, zero_shot_prompts


def test_prompts_read_well() -> None:
    assert prompt("eyeglasses") == "a face with eyeglasses"
    assert prompt("smiling") == "a smiling face"
    assert prompt("old") == "an old face"
    assert prompt("angry") == "an angry face"
    assert prompt("male") == "the face of a man"
    assert zero_shot_prompts("eyeglasses") == ("a face with eyeglasses", "a face without eyeglasses")
    assert zero_shot_prompts("smiling") == ("a smiling face", "a serious face")
    assert zero_shot_prompts("male") == ("the face of a man", "the face of a woman")
    assert zero_shot_prompts("bald")[1] == "a face with hair"
    with pytest.raises(ConfigError, match="unknown avatar attribute 'hat'"):
        prompt("hat")


def test_every_attribute_has_words_and_its_own_prompts() -> None:
    assert set(ATTRIBUTE_PHRASES) == set(ATTRIBUTES)
    pairs = [zero_shot_prompts(name) for name in ATTRIBUTES]
    assert len({text for pair in pairs for text in pair}) == 2 * len(ATTRIBUTES)
    for wording in ATTRIBUTE_PHRASES.values():
        assert wording.kind in ("with", "adjective", "noun")
        assert wording.present
