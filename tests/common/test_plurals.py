"""Counts agree with their nouns and verbs."""

from __future__ import annotations

import pytest

from zoom_engine.common.plurals import agreeing, digits_beside, number_of


@pytest.mark.parametrize(("count", "words"), [(0, "0 images"), (1, "1 image"), (2, "2 images")])
def test_a_count_of_one_alone_takes_the_singular(count: int, words: str) -> None:
    assert number_of(count, "image") == words


def test_other_words_than_nouns_in_s() -> None:
    assert number_of(2, "match", "matches") == "2 matches"
    assert [agreeing(count, "flips", "flip") for count in (0, 1, 2)] == ["flip", "flips", "flip"]


@pytest.mark.parametrize(
    ("limit", "value", "digits"),
    [
        (0.1, 0.10004, 5),
        (0.1, 0.0996, 4),
        (0.1, 0.1, 3),
        (0.1, 0.2, 3),
        (0.1003, 0.1004, 4),
        (100 * 0.29, 29.0, 3),
        (0.5, float("nan"), 3),
    ],
)
def test_a_number_is_shown_on_its_side_of_the_limit_beside_it(limit: float, value: float, digits: int) -> None:
    assert digits_beside(limit, value, 3) == digits
