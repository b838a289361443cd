"""What is stored of a text encoder: all that is ever read, and nothing else."""

from __future__ import annotations

import open_clip
import pytest
import torch

from lab.training.text import read_tokens
from zoom_engine.diagnose.domain import find_domain
from zoom_engine.directions.wording import RANDOM_TEXTS
from zoom_engine.domains.embedded import EmbeddedDomain
from zoom_engine.text.prompts import fill_template
from zoom_engine.text.random_texts import random_texts
from zoom_engine.text.templates import TEMPLATE_SETS


@pytest.mark.ci
@pytest.mark.parametrize("name", ["avatars", "people", "pets", "places", "cars"])
def test_what_is_not_stored_of_a_shipped_encoder_is_never_read(name: str) -> None:
    domain = find_domain(name)
    assert isinstance(domain, EmbeddedDomain)
    encoder = domain.text_encoder()
    assert encoder.words is not None
    read = read_tokens(sorted(encoder.words))
    stored = encoder.model.token_embedding.weight.any(dim=1)
    assert torch.equal(stored, read)
    texts = [*random_texts(encoder.tokenizer, domain.neutral, RANDOM_TEXTS), *domain.attributes]
    sentences = [fill_template(template, texts[0]) for templates in TEMPLATE_SETS.values() for template in templates()]
    marks = f"{domain.neutral}, 40: 'a' (1/2)!"
    tokens = encoder.tokenizer([*texts, *sentences, *encoder.words, marks], context_length=40).unique()
    assert stored[tokens].all()


def test_pieces_of_words_are_read_with_their_words_alone() -> None:
    tokenizer = open_clip.SimpleTokenizer()
    word = "zoomengined"
    pieces = tokenizer.encode(word)
    assert len(pieces) > 1
    assert not read_tokens(["a"])[pieces].all()
    assert read_tokens(["a", word])[pieces].all()
