"""Captions of places are true and of known words; the unseen wordings are unseen."""

from __future__ import annotations

import re
from collections import Counter

import numpy as np

from lab.captions import TEMPLATES
from lab.places.captions import CAPTIONS
from lab.places.train.subject import SUBJECT
from lab.places.unseen_words import UNSEEN
from zoom_engine.domains.places.attributes import TRUTH
from zoom_engine.domains.places.parameters import KINDS
from zoom_engine.domains.places.wording import ATTRIBUTE_PHRASES
from zoom_engine.text.prompts import words_of


def drawn(count: int) -> tuple[list[str], list[dict[str, bool]], list[dict[str, float]]]:
    rng = np.random.default_rng(5)
    margins = SUBJECT.margins(SUBJECT.parameters(count, 6))
    rows = [dict(zip(TRUTH.attributes, map(float, row), strict=True)) for row in margins]
    texts, claims = zip(*(CAPTIONS.draw(row, rng, TEMPLATES, 4) for row in rows), strict=True)
    return list(texts), list(claims), rows


def test_captions_are_varied_true_and_of_known_words() -> None:
    texts, claims, rows = drawn(800)
    assert drawn(800)[0] == texts
    assert len(set(texts)) > 650
    assert {word for text in texts for word in words_of(text)} <= set(CAPTIONS.vocabulary())
    for text, claimed, row in zip(texts, claims, rows, strict=True):
        assert all((row[name] > 0) == present and abs(row[name]) >= 0.1 for name, present in claimed.items()), text
        for kind in KINDS:
            named = any(re.search(rf"(?<!no )\b{word}\b", text) for word in ATTRIBUTE_PHRASES[kind].present)
            assert not named or row[kind] > 0, text


def test_a_caption_tells_of_one_kind_and_what_it_claims_is_said() -> None:
    texts, claims, _ = drawn(800)
    counts: Counter[tuple[str, bool]] = Counter()
    for text, claimed in zip(texts, claims, strict=True):
        told = [kind for kind in KINDS if kind in claimed]
        assert len(told) <= 1
        for name, present in claimed.items():
            wording = ATTRIBUTE_PHRASES[name]
            ways = [*wording.present, *(() if present else wording.absent)]
            assert any(words in text for words in ways) or name in text or (name == "snow" and "snowy" in text), text
            counts[name, present] += 1
    for name in TRUTH.attributes:
        assert counts[name, True] > 5, name
        assert counts[name, False] > 2, name


def test_nobody_denies_what_is_hidden() -> None:
    row = dict.fromkeys(TRUTH.attributes, -0.5) | {"night": 0.5, "house": 0.5, "wooden": 0.5}
    rng = np.random.default_rng(0)
    claimed = {name for _ in range(200) for name in CAPTIONS.draw(row, rng, TEMPLATES, 4)[1]}
    assert claimed == set(TRUTH.attributes) - {"sunset", "blue_sky", "brick", "stone"}


def test_three_unseen_wordings_of_each_attribute_hold_a_word_that_no_caption_holds() -> None:
    assert set(UNSEEN) == set(TRUTH.attributes)
    known = set(CAPTIONS.vocabulary())
    for name, pairs in UNSEEN.items():
        assert len(pairs) == 3, name
        for present, absent in pairs:
            assert set(words_of(present)) - known, (name, present)
            assert present != absent
