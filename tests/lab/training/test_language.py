"""A lexicon of ordinary English: what a sentence encoder is sure of becomes claims, and only the known one is read."""

from __future__ import annotations

import sys
import zipfile
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import open_clip
import pytest
import torch
from open_clip.model import CLIP
from torch import Tensor

from lab.people.attributes import ATTRIBUTES
from lab.people.train.subject import SUBJECT
from lab.training import language
from lab.training.language import Lexicon, SentenceEncoder, in_a_sentence, lexicon
from lab.training.renders import latents_for
from lab.training.text import train_text_tower
from zoom_engine.common.errors import ConfigError
from zoom_engine.text.prompts import words_of

VOCABULARY = ["chair", "goatee", "stubble", *(a + b + "x" for a in "bcdfghj" for b in "aeiou")]
ALIKE = {"goatee": "beard", "stubble": "beard"}


class StandIn(SentenceEncoder):
    """A sentence is the sum of its words' random vectors; words that are `ALIKE` have one."""

    width = 48

    def __init__(self, work: Path) -> None:
        pass

    def embed(self, texts: Sequence[str], *, batch: int = 64) -> Tensor:
        def vector(word: str) -> Tensor:
            seed = int.from_bytes(ALIKE.get(word, word).encode()[:7].ljust(7, b"-"))
            return torch.randn(self.width, generator=torch.Generator().manual_seed(seed))

        return torch.stack([sum((vector(word) for word in words_of(text)), torch.zeros(self.width)) for text in texts])

    def words(self) -> list[str]:
        return VOCABULARY


@pytest.mark.ci
def test_words_get_the_claims_of_captions_that_mean_the_same(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def draw_caption(row: object, rng: np.random.Generator, *_: object) -> tuple[str, dict[str, bool]]:
        kind = int(rng.integers(3))
        texts = ("a person with a beard", "a person with a hat", "a person with a chair"), ("beard", "hat", None)
        name = texts[1][kind]
        return texts[0][kind], {} if name is None else {name: True}

    monkeypatch.setattr(language, "SentenceEncoder", StandIn)
    for name, value in {"PHRASES": 5, "COMMON": 1, "UNRELATED": 40}.items():
        monkeypatch.setattr(language, name, value)
    monkeypatch.setitem(language.train_reader.__kwdefaults__, "captions", 300)
    monkeypatch.setitem(language.train_reader.__kwdefaults__, "steps", 150)
    subject = replace(SUBJECT, draw_caption=draw_caption)
    made = lexicon(subject, tmp_path)
    told = dict(zip(made.entries, made.claims, strict=True))
    beard = ATTRIBUTES.index("beard")
    assert told["goatee"][beard] == told["stubble"][beard] == 1
    assert told["chair"][beard] == 0
    assert all(len(entry.split()) == 2 for entry in made.entries if entry not in VOCABULARY)
    assert set(words_of(" ".join(made.entries))) <= made.words()
    again = lexicon(subject, tmp_path)
    assert again.entries == made.entries
    assert np.array_equal(again.claims, made.claims)
    monkeypatch.setattr(language, "SURE", 1.1)
    unsure = lexicon(subject, tmp_path / "unsure")
    assert set(VOCABULARY) <= set(unsure.entries)
    assert not unsure.claims.any()


def test_half_of_the_sentences_claim_something() -> None:
    claims = np.zeros((50, len(ATTRIBUTES)), dtype=np.int8)
    claims[7, 3] = -1
    made = Lexicon([f"word{'s' * i}" for i in range(50)], claims)
    texts, drawn = made.draw(np.random.default_rng(0), 400)
    assert 150 < (drawn[:, 3] == -1).sum() < 260
    assert all("wordsssssss" in text for text, row in zip(texts, drawn, strict=True) if row.any())


def test_a_word_is_said_in_a_sentence() -> None:
    rng = np.random.default_rng(0)
    assert {in_a_sentence("old", rng).rpartition("of ")[2] for _ in range(200)} >= {
        "an old person",
        "somebody who is old",
    }
    assert any(in_a_sentence("hairy chin", rng) == "a photo of a person with hairy chin" for _ in range(500))


@pytest.mark.ci
def test_a_text_tower_learns_a_word_that_no_caption_holds(tmp_path: Path) -> None:
    """Pictures are stood in for by their attributes."""
    parameters = SUBJECT.table.from_latents(latents_for(400, 3))
    table = SUBJECT.truth.margins(parameters)
    edges = np.stack([table[name] for name in ATTRIBUTES], axis=1)
    config = {
        "embed_dim": 32,
        "vision_cfg": {"image_size": 32, "layers": 1, "width": 32, "head_width": 16, "patch_size": 16},
        "text_cfg": {"context_length": 16, "vocab_size": 49408, "width": 16, "heads": 2, "layers": 1},
    }
    features = torch.zeros(400, 32)
    features[:, 0], features[:, 1] = 0.3 * torch.from_numpy(np.sign(table["beard"])), 1.0
    features = torch.nn.functional.normalize(features, dim=1)

    def draw_caption(*_: object) -> tuple[str, dict[str, bool]]:
        return "a person", {}

    claims = np.zeros((2, len(ATTRIBUTES)), dtype=np.int8)
    claims[0, ATTRIBUTES.index("beard")] = 1
    subject = replace(SUBJECT, draw_caption=draw_caption, text_encoder=config)
    torch.manual_seed(0)
    model = CLIP(**config)
    words = Lexicon(["goatee", "chair"], claims)
    rows = lambda rng, count: rng.integers(0, 400, count)  # noqa: E731
    train_text_tower(subject, model, features, edges, rows, tmp_path, 60, ordinary=words)
    read = open_clip.SimpleTokenizer(context_length=16)(["a person with goatee", "a person with chair", "a person"])
    with torch.no_grad():
        texts = torch.nn.functional.normalize(model.encode_text(read), dim=1)
    goatee, chair, plain = texts[:, 0]
    assert goatee > plain + 0.2
    assert goatee > chair + 0.2
    answers, bearded = (features @ texts.T).argmax(dim=1), torch.from_numpy(table["beard"] > 0)
    assert (answers[bearded] == 0).float().mean() > 0.9, "what claims nothing is no better answer than what is there"
    assert (answers[~bearded] != 0).float().mean() > 0.9


def test_a_package_that_is_missing_or_another_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(language, "PACKAGE", "no_such_package_of_sentences")
    with pytest.raises(ConfigError, match="pip install"):
        SentenceEncoder(tmp_path / "work")
    folder = tmp_path / "another_minilm"
    folder.mkdir()
    (folder / "__init__.py").write_text("")
    with zipfile.ZipFile(folder / "model.zip", "w") as packed:
        packed.writestr("config.json", "{}")
    monkeypatch.setattr(sys, "path", [str(tmp_path), *sys.path])
    monkeypatch.setattr(language, "PACKAGE", "another_minilm")
    with pytest.raises(ConfigError, match="SHA-256"):
        SentenceEncoder(tmp_path / "work")
    assert not (tmp_path / "work").exists()
