"""Texts that say nothing, from any tokenizer's vocabulary."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import open_clip
import pytest

from zoom_engine.text.random_texts import random_texts, vocabulary_words


def hugging_face(*tokens: str) -> Any:
    return SimpleNamespace(tokenizer=SimpleNamespace(get_vocab=lambda: dict.fromkeys(tokens)))


def test_they_are_the_neutral_prompt_and_one_or_two_words_of_the_vocabulary() -> None:
    tokenizer = open_clip.SimpleTokenizer()
    words = set(vocabulary_words(tokenizer))
    texts = random_texts(tokenizer, "a face", 99)
    assert texts == random_texts(tokenizer, "a face", 99)
    assert texts != random_texts(tokenizer, "a face", 99, seed=1)
    assert len(set(texts)) == 99
    for text in texts:
        words_of_text = text.removeprefix("a face ").split()
        assert len(words_of_text) in (1, 2)
        assert set(words_of_text) <= words
    assert {len(text.split()) for text in texts} == {3, 4}


@pytest.mark.parametrize(
    ("tokenizer", "words"),
    [
        (hugging_face("Ġhouse", "▁river", "ing", "Ġ12ab", "▁", "Ġof"), ["house", "river"]),
        (hugging_face("house", "##ing", "river", "[unused1]"), ["house", "river"]),
        (SimpleNamespace(encoder={"house</w>": 1, "hou": 2, "!</w>": 3}), ["house"]),
        (None, []),
    ],
)
def test_whole_words_are_read_from_every_kind_of_vocabulary(tokenizer: Any, words: list[str]) -> None:
    assert vocabulary_words(tokenizer) == words


def test_words_are_made_up_where_there_is_no_vocabulary() -> None:
    texts = random_texts(None, "a cat", 50)
    assert len(set(texts)) == 50
    assert all(text.startswith("a cat ") and text.removeprefix("a cat ").replace(" ", "").isalpha() for text in texts)
