"""Counts agree with their nouns and verbs."""

from __future__ import annotations

import pytest

from zoom_engine.common.plurals import agreeing, number_of


@pytest.mark.parametrize(("count", "words"), [(0, "0 images"), (1, "1 image"), (2, "2 images")])
def test_a_count_of_one_alone_takes_the_singular(count: int, words: str) -> None:
    assert number_of(count, "image") == words


def test_other_words_than_nouns_in_s() -> None:
    assert number_of(2, "match", "matches") == "2 matches"
    assert [agreeing(count, "flips", "flip") for count in (0, 1, 2)] == ["flip", "flips", "flip"]
