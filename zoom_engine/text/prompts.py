"""Checks of prompts: they come from users, so they are not trusted."""

from __future__ import annotations

import difflib
import re
import unicodedata
from collections.abc import Iterable, Sequence
from typing import Any

from torch import Tensor

from zoom_engine.common.errors import TextEncoderError

MAX_CHARACTERS = 1000  # far above any context length; keeps the tokenizer's quadratic merge loop short


def shorten(text: str, limit: int = 60) -> str:
    """Return `text` on one printable line of at most `limit` characters, for use in an error message."""
    printable = "".join(c if c.isprintable() else "\N{REPLACEMENT CHARACTER}" for c in text)
    return printable if len(printable) <= limit else printable[: limit - 1] + "…"


def check_prompt(prompt: str) -> str:
    """Return `prompt` without surrounding blanks.

    Raises:
        TextEncoderError: it is no single line of visible text.
    """
    if not isinstance(prompt, str):
        raise TextEncoderError(f"a prompt must be a string, not {type(prompt).__name__}")
    text = prompt.strip()
    if not text:
        raise TextEncoderError("a prompt is empty: describe what the image shows, such as 'a smiling face'")
    if len(text) > MAX_CHARACTERS:
        raise TextEncoderError(f"prompt '{shorten(text)}' has {len(text)} characters: {MAX_CHARACTERS} is the limit")
    for character in text:
        if unicodedata.category(character).startswith("C"):
            raise TextEncoderError(
                f"prompt '{shorten(text)}' holds the control character U+{ord(character):04X}: remove it"
            )
    return text


def words_of(prompt: str) -> list[str]:
    """Return the words of a prompt, in lower case, without punctuation."""
    return re.findall(r"[^\W_]+", prompt.lower())


def nearest_words(word: str, known: Iterable[str], *, most: int = 3) -> list[str]:
    """Return the `known` words that are spelled most like `word`, the likest first; none where none is near."""
    return difflib.get_close_matches(word, sorted(known), n=most, cutoff=0.7)


def fill_template(template: str, prompt: str) -> str:
    """Return the template with the prompt in place of its single `{}` (replaced, never formatted).

    Raises:
        TextEncoderError: the template is no text, or does not hold `{}` exactly once.
    """
    if not isinstance(template, str):
        raise TextEncoderError(f"a template must be a string, not {type(template).__name__}")
    if template.count("{}") != 1:
        raise TextEncoderError(f"template '{shorten(template)}' must hold '{{}}' exactly once")
    return template.replace("{}", prompt)


def tokenize(tokenizer: Any, sentences: Sequence[str], context_length: int) -> Tensor:
    """Return tokens `[P, context_length]` (int64).

    Raises:
        TextEncoderError: a sentence is too long, instead of a silent cut, or holds a special token.
    """
    for sentence in sentences:
        count = _token_count(tokenizer, sentence)
        if count > context_length:
            raise TextEncoderError(
                f"prompt '{shorten(sentence)}' takes {count} tokens: this text encoder reads {context_length} at most"
            )
    return tokenizer(list(sentences), context_length=context_length)  # type: ignore[no-any-return]


def _token_count(tokenizer: Any, sentence: str) -> int:
    if hasattr(tokenizer, "encode"):  # open_clip's own byte-pair tokenizer
        ids = tokenizer.encode(sentence)
        if set(ids) & set(tokenizer.all_special_ids):
            raise TextEncoderError(f"prompt '{shorten(sentence)}' holds a special token of the tokenizer: remove it")
        if not ids:
            raise TextEncoderError(f"prompt '{shorten(sentence)}' has no text left once cleaned: write it in words")
        return len(ids) + 2  # with the start and the end token
    return len(tokenizer.tokenizer(sentence).input_ids)
