"""Words for people: forms that captions lack, wordings that training never reads, and the prompts that are shipped."""

from __future__ import annotations

import numpy as np

from lab.captions import TEMPLATES
from lab.people.attributes import ATTRIBUTES, TRUTH, margins
from lab.people.captions import speakable, vocabulary
from lab.people.parameters import LATENT_DIM, Parameters
from lab.people.train.subject import SUBJECT
from lab.people.unseen_words import UNSEEN
from lab.people.word_forms import WORD_FORMS, WORDS, draw_text
from zoom_engine.domains.people.domain import DOMAIN
from zoom_engine.text.prompts import words_of


def people(count: int, seed: int = 0) -> Parameters:
    return Parameters.from_latents(np.random.default_rng(seed).standard_normal((count, LATENT_DIM)))


def rows_of(parameters: Parameters) -> list[dict[str, float]]:
    table = margins(parameters)
    return [dict(zip(table, row, strict=True)) for row in np.stack(list(table.values()), axis=1)]


def test_texts_are_of_known_words_and_claim_what_is_true() -> None:
    rng, known = np.random.default_rng(0), set(WORDS.known_words())
    spoken: set[str] = set()
    claimed: set[tuple[str, bool]] = set()
    for row in rows_of(people(1500)):
        text, claims = draw_text(row, rng, TEMPLATES, 4)
        spoken |= set(words_of(text))
        claimed |= {(name, bool(present)) for name, present in claims.items()}
        assert all((row[name] > 0) == present and abs(row[name]) >= 0.1 for name, present in claims.items()), text
    assert spoken <= known
    assert len(known - set(vocabulary())) > 120
    assert len(known - spoken) < 30, "every form is said"
    assert {name for name, present in claimed if present} == set(ATTRIBUTES)


def test_what_is_hidden_is_not_denied() -> None:
    covered = people(50, 1).replace(headscarf=1.0, baldness=0.0, sunglasses=1.0, hat=0.0)
    for row in rows_of(covered):
        left = speakable(row)
        assert not {"long_hair", "curly_hair", "bald", "hat", "eyes_closed", "eyeglasses"} & set(left)
        assert left["headscarf"] > 0
    assert all("straight" not in draw_text(row, np.random.default_rng(2), ("{}",), 4)[0] for row in rows_of(covered))


def test_forms_are_of_every_attribute_and_prompts_differ() -> None:
    assert set(WORD_FORMS) == set(ATTRIBUTES)
    for name in ATTRIBUTES:
        pairs = list(WORDS.form_prompts(name))
        assert len(pairs) >= 3, name
        assert all(positive != negative for positive, negative in pairs)
        assert {word for pair in pairs for text in pair for word in words_of(text)} <= set(WORDS.known_words())


def test_unseen_wordings_are_three_of_each_attribute_in_words_that_captions_lack() -> None:
    assert set(UNSEEN) == set(ATTRIBUTES)
    assert all(len(pairs) == 3 for pairs in UNSEEN.values())
    texts = [text for pairs in UNSEEN.values() for pair in pairs for text in pair]
    trained = {text for name in ATTRIBUTES for pair in WORDS.form_prompts(name) for text in pair}
    assert not trained & set(texts)
    known = set(WORDS.known_words())
    pairs = [pair for three in UNSEEN.values() for pair in three]
    assert all(set(words_of(" ".join(pair))) - known for pair in pairs)


def test_the_shipped_prompts_are_the_subjects_own() -> None:
    assert set(DOMAIN.attributes) <= set(SUBJECT.prompts)
    assert len(set(DOMAIN.attributes)) == len(DOMAIN.attributes)
    planted = {"smiling", "eyeglasses", "hat", "dark_skin", "outdoors"}
    assert planted <= {SUBJECT.prompts[prompt] for prompt in DOMAIN.attributes}
    assert set(TRUTH.table) == set(ATTRIBUTES)
