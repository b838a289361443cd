"""Texts that mean nothing, with which a prompt with a meaning is compared."""

from __future__ import annotations

import random
from collections.abc import Iterable

_LEAST_VOCABULARY = 1000
_SHORTEST, _LONGEST = 4, 12  # letters of a word


def random_texts(tokenizer: object, neutral: str, count: int, *, seed: int = 0) -> list[str]:
    """Return `count` different texts: the neutral prompt, then one or two words of the tokenizer's vocabulary.

    So they differ from the neutral prompt as an attribute's prompt does, by a word or two, but by any words. Where no
    vocabulary of whole words can be read, the words are made up. Deterministic in `seed`.
    """
    rng = random.Random(seed)
    words = vocabulary_words(tokenizer)
    if len(words) < _LEAST_VOCABULARY:
        words = [_made_up(rng) for _ in range(2 * count)]
    texts: dict[str, None] = {}
    while len(texts) < count:
        texts[" ".join([neutral, *rng.sample(words, rng.randint(1, 2))])] = None
    return list(texts)


def vocabulary_words(tokenizer: object) -> list[str]:
    """Return the whole words of a tokenizer's vocabulary, sorted, of 4 to 12 letters.

    It may be open_clip's own (`word</w>`), a byte-pair or sentence-piece one (`Ġword`, `▁word`), or one of word pieces
    (`word` beside `##ing`).
    """
    inner = getattr(tokenizer, "tokenizer", None)
    tokens: Iterable[str] = getattr(tokenizer, "encoder", None) or (inner.get_vocab() if inner is not None else ())
    words = {token.removesuffix("</w>") for token in tokens if token.endswith("</w>")}
    words |= {token[1:] for token in tokens if token[:1] in ("Ġ", "▁")}
    if any(token.startswith("##") for token in tokens):
        words |= set(tokens)
    return sorted(word for word in words if word.isalpha() and _SHORTEST <= len(word) <= _LONGEST)


def _made_up(rng: random.Random) -> str:
    letters = ("bcdfghjklmnprstvz", "aeiou")
    return "".join(rng.choice(letters[place % 2]) for place in range(rng.randint(_SHORTEST, 8)))
