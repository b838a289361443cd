"""Ways to say the attributes of rendered pictures."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple

from zoom_engine.common.errors import ConfigError
from zoom_engine.domains.truth import Truth

KINDS = "with", "adjective", "noun", "place"


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


def phrase(wording: Wording, noun: str, *, present: bool, opposite: bool) -> str:
    """Say an attribute of a picture of a `noun`, or its absence: "a pet with a collar", "a fluffy pet", "a dog".

    Args:
        wording: of the attribute.
        noun: what the pictures show.
        present: say the presence.
        opposite: absence has words of its own after "with"; else it is said with "without".
    """
    words = wording.present if present else wording.absent
    if not words:
        return f"a {noun} without {wording.present[0]}" if wording.kind == "with" else f"a {noun}"
    match wording.kind:
        case "noun":
            return with_article(words[0])
        case "adjective":
            return with_article(f"{words[0]} {noun}")
        case "place":
            return f"a {noun} {words[0]}"
    if present or opposite:
        return f"a {noun} with {words[0]}"
    return f"a {noun} without {wording.present[0]}"


@dataclass(frozen=True)
class Words:
    """A domain's prompts, of its `truth` and the `phrases` of each attribute, about pictures of a `noun`.

    `opposites` are attributes whose absence is said with words of its own after "with".
    """

    truth: Truth
    noun: str
    phrases: Mapping[str, Wording]
    opposites: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        """Refuse an attribute without phrases, and phrases of a kind that there is not."""
        for attribute in self.truth.attributes:
            words = self.phrases.get(attribute)
            if words is None or not words.present:
                raise ConfigError(f"the attribute {attribute!r} of a {self.noun} has no phrase: give it a Wording")
            if words.kind not in KINDS:
                raise ConfigError(
                    f"the Wording of {attribute!r} is of kind {words.kind!r}: choose from {', '.join(KINDS)}"
                )

    def prompt(self, attribute: str) -> str:
        """Return the attribute's default prompt: "a building with a cross", "a wooden building", "a church".

        Raises:
            ConfigError: the attribute is unknown.
        """
        return self._said(attribute, present=True)

    def zero_shot_prompts(self, attribute: str) -> tuple[str, str]:
        """Return what a zero-shot classifier compares, (positive, negative): ("a dog", "a cat")."""
        return self._said(attribute, present=True), self._said(attribute, present=False)

    def _said(self, attribute: str, *, present: bool) -> str:
        self.truth.check(attribute)
        words = self.phrases[attribute]
        return phrase(words, self.noun, present=present, opposite=attribute in self.opposites)
