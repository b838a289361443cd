"""Attributes and their file names, hostile ones too."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from zoom_engine.common.errors import ConfigError
from zoom_engine.settings.attributes import NEUTRAL, Attribute, check_prompt, parse_attributes, slug


def test_wordings_share_one_attribute() -> None:
    attribute = Attribute.parse(" a smiling face |a face with a smile")
    assert attribute.paraphrases == ("a smiling face", "a face with a smile")
    assert attribute.name == "a smiling face"
    assert attribute.text == str(attribute) == "a smiling face|a face with a smile"
    assert Attribute.parse(attribute) is attribute


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "empty"),
        ("a|", "empty"),
        ("a\nface", "control character"),
        ("a \x1b[31mred\x1b[0m face", "control character"),
        ("a \u202eecaf", "control character"),
        ("a face \udc80", "control character"),
        ("x" * 301, "at most 300"),
    ],
)
def test_hostile_or_useless_attributes_are_refused_in_one_line(text: str, message: str) -> None:
    with pytest.raises(ConfigError, match=message) as error:
        Attribute.parse(text)
    assert len(str(error.value).splitlines()) == 1


def test_markup_is_no_reason_to_refuse() -> None:
    assert Attribute.parse('<script>alert("x")</script>').name == '<script>alert("x")</script>'


@pytest.mark.parametrize(
    ("texts", "message"),
    [
        ([], "at least one"),
        (["a smiling face", "A  Smiling face"], "repeats"),
        (["a smiling face", "a face with a smile|a smiling face"], "repeats"),
        (["A face"], "the neutral prompt"),
        ("a smiling face", "list of prompts"),
    ],
)
def test_attribute_lists_are_checked(texts: list[str], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        parse_attributes(texts, neutral=NEUTRAL)


@pytest.mark.parametrize("neutral", ["a face|a head", "a face|", "a face=examples:faces", "a face=edits"])
def test_a_neutral_prompt_is_one_text(neutral: str) -> None:
    """Directions were those of its paraphrases, the random texts beside them began with the whole of it."""
    with pytest.raises(ConfigError, match="must be one text"):
        parse_attributes(["a smiling face"], neutral=neutral)
    assert parse_attributes(["a smiling face"], neutral="a face = a head")


def test_attribute_lists_keep_their_order() -> None:
    assert [a.name for a in parse_attributes(["b", Attribute.parse("a")])] == ["b", "a"]


def test_prompts_name_their_role() -> None:
    assert check_prompt(" a cat ", "label") == "a cat"
    with pytest.raises(ConfigError, match="the label is empty"):
        check_prompt(" ", "label")


@pytest.mark.parametrize("text", ["../../etc/passwd", "CON", "a/b\\c:d*?", "", ".", "日本語", "x" * 500, "\udc80"])
def test_slugs_of_hostile_names_are_plain_file_names(text: str) -> None:
    assert re.fullmatch(r"[a-z0-9][a-z0-9-]{0,48}", slug(text))


@given(st.lists(st.text(max_size=60), unique=True, max_size=8))
def test_slugs_are_safe_and_distinct(texts: list[str]) -> None:
    slugs = [slug(text) for text in texts]
    assert len(set(slugs)) == len(texts)
    assert all(re.fullmatch(r"[a-z0-9][a-z0-9-]{0,48}", name) for name in slugs)


def test_slug_is_readable_and_stable() -> None:
    assert re.fullmatch(r"a-face-with-pale-skin-[0-9a-f]{8}", slug("a face with pale skin"))
    assert slug("a face with pale skin") == slug("a face with pale skin")
    assert slug("a face") != slug("a  face")
