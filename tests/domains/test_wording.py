"""Words of a drawn domain say each attribute, and it is told where one is missing."""

from __future__ import annotations

import pytest

from zoom_engine.common.errors import ConfigError
from zoom_engine.domains.truth import Attribute, Truth
from zoom_engine.domains.wording import Wording, Words

TRUTH = Truth("mug", {name: Attribute(name, 1.0, 0.0) for name in ("tall", "handle")}, colours=())
TALL = Wording("adjective", ("tall",), ("short",))


def test_absence_has_words_of_its_own_or_is_said_with_without() -> None:
    words = Words(TRUTH, "mug", {"tall": TALL, "handle": Wording("with", ("a handle",), ())})
    assert words.zero_shot_prompts("tall") == ("a tall mug", "a short mug")
    assert words.zero_shot_prompts("handle") == ("a mug with a handle", "a mug without a handle")


@pytest.mark.parametrize(
    ("phrases", "match"),
    [
        ({"tall": TALL}, "'handle' of a mug has no phrase"),
        ({"tall": TALL, "handle": Wording("with", (), ())}, "'handle' of a mug has no phrase"),
        (
            {"tall": TALL, "handle": Wording("at the end", ("in steam",), ())},
            "kind 'at the end': choose from with, adj",
        ),
    ],
)
def test_a_missing_phrase_and_an_unknown_kind_are_named(phrases: dict[str, Wording], match: str) -> None:
    with pytest.raises(ConfigError, match=match):
        Words(TRUTH, "mug", phrases)
