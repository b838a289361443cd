"""Ways to say the attributes of rendered pictures."""

from __future__ import annotations

from typing import NamedTuple


class Wording(NamedTuple):
    """Ways to say an attribute.

    The `kind` "with": noun phrases that follow "with". "adjective": words before the noun. "noun": words that replace
    it. "place": words at the end. The first of each list is what prompts use. An empty `absent` list means that the
    absence is said with "without".
    """

    kind: str
    present: tuple[str, ...]
    absent: tuple[str, ...]


def with_article(phrase: str) -> str:
    """Return the phrase with "a" or "an" before it."""
    return f"{'an' if phrase[0] in 'aeiou' else 'a'} {phrase}"
