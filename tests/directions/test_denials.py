"""Denials that lead towards what they deny are told, and denials that are read are not, on the embedded encoders."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from zoom_engine import load_text_encoder
from zoom_engine.directions import MisreadDenial, misread_denials
from zoom_engine.directions.denials import affirmed
from zoom_engine.settings.attributes import Attribute

# By the sign of what the prompt's edits do to the attribute, as the domain's probe sees it (bench/prompts.py).
MISREAD = (
    ("a face that is not smiling", "a face that is smiling"),
    ("a face without a smile", "a face with a smile"),
    ("a face that is not bald", "a face that is bald"),
    ("a face that is not angry", "a face that is angry"),
    ("a face not smiling", "a face smiling"),
)
READ = {
    "a face": (
        *("a face without eyeglasses", "a face with no beard", "a face with no mustache", "a face without lipstick"),
        *("a face without bangs", "a face without an open mouth", "a face without big eyes", "a face that is not old"),
    ),
    "a pet": (
        *("a pet without a collar", "a pet with no whiskers", "a pet with no stripes", "a pet without black fur"),
        *("a pet without pointed ears", "a pet without blue eyes", "a pet without a long snout"),
    ),
}


def told(domain: str, neutral: str, prompts: Sequence[str]) -> list[MisreadDenial]:
    encoder = load_text_encoder(domain)
    return list(misread_denials(encoder, [Attribute.parse(prompt) for prompt in prompts], neutral=neutral))


@pytest.mark.parametrize(
    ("prompt", "plain"),
    [
        *MISREAD,
        ("a face without any hair", "a face with hair"),
        ("a face with no beard", "a face with beard"),
        ("No beard", "beard"),
        ("a face that isn't old", "a face that is old"),
        ("a face that does not have a beard", "a face that has a beard"),
        ("a person who lacks hair", "a person with hair"),
        ("a person who never smiles", "a person who smiles"),
        ("a non-smiling face", "a smiling face"),
        ("a face with a nose and a notable knot from the north", None),
        ("a smiling face", None),
        ("not", None),
    ],
)
def test_a_denial_is_taken_out_by_words_of_its_own(prompt: str, plain: str | None) -> None:
    assert affirmed(prompt) == plain


def test_what_leads_towards_what_it_denies_is_told_in_a_line_that_says_what_to_do() -> None:
    prompts = [prompt for prompt, _ in MISREAD]
    results = told("avatars", "a face", [*READ["a face"], *prompts, "a smiling face"])
    assert [(misread.prompt, misread.affirmed) for misread in results] == list(MISREAD)
    assert all(misread.cosine > 0.3 for misread in results)
    line = str(results[0])
    assert line.startswith("'a face that is not smiling' leads towards what it denies")
    assert "'a face that is smiling' (cosine 0.44); type that instead, as an edit both adds and removes it" in line
    assert "\n" not in line


def test_a_denial_that_is_read_is_not_told() -> None:
    assert told("pets", "a pet", READ["a pet"]) == []


def test_each_wording_is_asked_by_itself_and_what_cannot_be_asked_is_left() -> None:
    (result,) = told("avatars", "a face", ["a serious face|a face that is not smiling"])
    assert result.prompt == "a face that is not smiling"
    assert told("avatars", "a face", ["not a face"]) == []  # without the denial it is the neutral prompt
    encoder = load_text_encoder("avatars")
    quasar = [Attribute.parse("a face that is not a quasar")]
    assert list(misread_denials(encoder, quasar, neutral="a face")) == []  # refused where directions are found
