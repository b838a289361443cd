"""Counts, numbers and lists in sentences: the one place that knows when English takes the plural."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence


def number_of(count: int, one: str, several: str = "") -> str:
    """Return "1 image", "2 images" or "0 images"; `several` where an s alone does not make the plural."""
    return f"{count} {agreeing(count, one, several or f'{one}s')}"


def agreeing(count: int, one: str, several: str) -> str:
    """Return `one` for a count of 1, else `several`: of verbs, such as "1 of 9 images flips", and of nouns."""
    return one if count == 1 else several


def listed(texts: Sequence[str], word: str = "and") -> str:
    """Join texts as "a", "a and b" or "a, b and c", by that word; at least one is needed."""
    return texts[0] if len(texts) == 1 else f"{', '.join(texts[:-1])} {word} {texts[-1]}"


def few_of(texts: Sequence[str], most: int = 8) -> str:
    """Join the first texts as `listed` does, and say how many more there are."""
    more = len(texts) - most
    return listed([*texts[:most], *([f"{more} more"] if more > 0 else [])])


def with_minus(number: str) -> str:
    """Return a formatted number with a true minus sign in place of a hyphen."""
    return number.replace("-", "−")


def digits_beside(limit: float, value: float, digits: int) -> int:
    """Return `digits`, or how many more it takes (up to 6) to show on which side of a limit beside it a number lies."""

    def side(number: float) -> int:
        return 0 if math.isclose(number, limit, rel_tol=1e-9) else 1 if number > limit else -1

    return next((more for more in range(digits, 7) if side(round(value, more)) == side(value)), digits)


def duration(seconds: float) -> str:
    """Say a time in rounded words, such as "40 seconds", "4 minutes" or "3 hours"."""
    if seconds < 90:
        return number_of(max(10, 10 * round(seconds / 10)), "second")
    if seconds < 90 * 60:
        return number_of(round(seconds / 60), "minute")
    return number_of(round(seconds / 3600), "hour")


def tries_in_words(tries: Mapping[str, int]) -> str:
    """Return counts in words, such as "812 answered, 3 late"."""
    return ", ".join(f"{count} {kind}" for kind, count in sorted(tries.items())) or "nothing asked"
