"""Words for cars: captions that are true, and wordings that training never reads."""

from __future__ import annotations

import re

import numpy as np

from lab.captions import HELD_OUT_TEMPLATES, TEMPLATES
from lab.cars.captions import CAPTIONS
from lab.cars.train.subject import SUBJECT
from lab.cars.unseen_words import UNSEEN
from zoom_engine.domains.cars.attributes import ATTRIBUTES
from zoom_engine.domains.cars.parameters import KINDS, Parameters
from zoom_engine.text.prompts import words_of

SAID = {
    "sports": r"(?<!no )\b(sports|racing) car\b", "saloon": r"(?<!no )\b(saloon|sedan)\b",
    "suv": r"(?<!no )\b(suv|jeep|off-roader)\b",
    "red": r"\bred\b", "spoiler": r"\b(a spoiler|a rear wing)", "open_top": r"\b(an open top|the roof down)",
    "snow": r"(in the snow|in winter)", "night": r"(at night|in the dark)", "dirty": r"\b(dirty|muddy)\b",
}  # fmt: skip
DENIED = {
    "sports": r"(family|everyday) car",
    "estate": r"car that is no estate car",
    "open_top": r"(a closed roof|the roof up)",
    "night": r"(by day|in daylight)",
}


def rows_of(parameters: Parameters) -> list[dict[str, float]]:
    return [dict(zip(ATTRIBUTES, row, strict=True)) for row in SUBJECT.margins(parameters)]


def test_captions_are_varied_true_and_of_known_words() -> None:
    rng, known, texts = np.random.default_rng(0), set(CAPTIONS.vocabulary()), []
    claimed: set[tuple[str, bool]] = set()
    for row in rows_of(SUBJECT.parameters(1200, 6)):
        text, claims = CAPTIONS.draw(row, rng, TEMPLATES, 4)
        texts.append(text)
        claimed |= set(claims.items())
        assert all((row[name] > 0) == present and abs(row[name]) >= 0.1 for name, present in claims.items()), text
        stated = re.sub(r"without .*", "", text)
        for name, words in SAID.items():
            assert not re.search(words, stated) or row[name] > 0, text
        for name, words in DENIED.items():
            assert not re.search(words, stated) or row[name] < 0, text
    assert len(set(texts)) > 1000
    assert {word for text in texts for word in words_of(text)} <= known
    assert {name for name, present in claimed if present} == set(ATTRIBUTES)
    assert {name for name, present in claimed if not present} == set(ATTRIBUTES)


def test_what_is_hidden_is_not_denied_and_kinds_are_told_or_left_out() -> None:
    row = rows_of(Parameters.neutral().replace(black=1.0, snow=1.0, open_top=1.0))[0]
    left = CAPTIONS.speakable(row, kinds=True)
    assert not {"white", "red", "field", "street", "roof_rack"} & set(left)
    assert {"black", "snow", "open_top", "dirty"} <= set(left)
    assert set(KINDS) & set(left) == {"saloon"}
    assert not set(KINDS) & set(CAPTIONS.speakable(row, kinds=False))


def test_prompts_are_of_words_that_captions_hold() -> None:
    known = set(CAPTIONS.vocabulary())
    for name in ATTRIBUTES:
        for prompt in SUBJECT.zero_shot_prompts(name):
            assert set(words_of(prompt)) <= known, prompt
    assert not set(HELD_OUT_TEMPLATES) & set(TEMPLATES)


def test_unseen_wordings_are_three_of_each_attribute_in_words_that_captions_lack() -> None:
    assert set(UNSEEN) == set(ATTRIBUTES)
    pairs = [pair for three in UNSEEN.values() for pair in three]
    assert all(len(three) == 3 for three in UNSEEN.values())
    assert all(one and other and one != other for one, other in pairs)
    known = set(CAPTIONS.vocabulary())
    assert all(set(words_of(" ".join(pair))) - known for pair in pairs)
