"""Further words for a trained text encoder, with everything that it knows left bit for bit as it is.

Of the token embeddings only the rows that no caption and no template of ours reads are trained; all other weights stay
frozen. A sentence in the new words is taught to land where the trained encoder puts the caption that means the same,
in the same direction from the neutral one; and a form and its denial to tell renders apart.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import open_clip
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from open_clip.model import CLIP
from safetensors import safe_open
from torch import Tensor, nn

from lab.avatars.captions import vocabulary
from lab.avatars.train.subject import SUBJECT
from lab.avatars.word_forms import draw_contrast, draw_pair, known_words
from lab.captions import all_templates
from lab.training.loop import cosine, rng_for, run
from lab.training.renders import renders
from lab.training.text import EDGE, WEIGHT_FILE, embed, read, write_text_encoder
from zoom_engine.domains.avatars.attributes import ATTRIBUTES

SEED = 11
STEPS = 2_000
SENTENCES, CONTRASTS, PICTURES = 64, 40, 256  # per step
RATE = 5e-2
FORM_WEIGHT = 4.0
IMAGES = 3_000
LEAST_MEANING = 0.15  # a caption nearer to the neutral one has no direction of its own


def old_tokens(tokenizer: Any) -> list[int]:
    """The tokens that captions or any set of templates read, sorted: their rows stay."""
    texts = [*vocabulary(), *all_templates(), "a, b-c"]
    return sorted({token for text in texts for token in tokenizer.encode(text)})


def new_tokens(tokenizer: Any) -> list[int]:
    """The other tokens of the words to be learned, sorted."""
    words = [*known_words(), "isn't", "doesn't"]
    return sorted({token for word in words for token in tokenizer.encode(word)} - set(old_tokens(tokenizer)))


class PartlyTrained(nn.Module):
    """An embedding of which only the rows ``tokens`` are trained; they begin as noise of ``SEED``."""

    def __init__(self, embedding: nn.Embedding, tokens: list[int]) -> None:
        super().__init__()
        self.embedding = embedding.requires_grad_(False)
        size, width = embedding.weight.shape
        row_of = torch.full((size,), -1)
        row_of[tokens] = torch.arange(len(tokens))
        self.register_buffer("row_of", row_of)
        noise = torch.randn(len(tokens), width, generator=torch.Generator().manual_seed(SEED))
        self.rows = nn.Parameter(0.3 * noise)

    def forward(self, tokens: Tensor) -> Tensor:
        row_of = self.row_of[tokens]  # type: ignore[index]
        return torch.where((row_of >= 0)[..., None], self.rows[row_of.clamp(min=0)], self.embedding(tokens))


def train_word_forms(work: Path, out: Path, *, scale: float = 1.0) -> None:
    """Teach the encoder in ``out``/text the forms of `WORD_FORMS`; done again it ends at the same rows."""
    with safe_open(str(out / "text" / WEIGHT_FILE), framework="pt") as file:
        info: dict[str, Any] = json.loads((file.metadata() or {})["info"])
        stored = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    model = CLIP(**SUBJECT.text_encoder)
    model.load_state_dict({k: v.float() if v.dtype == torch.float16 else v for k, v in stored.items()})
    model.eval().requires_grad_(False)
    tokenizer = open_clip.SimpleTokenizer(context_length=SUBJECT.text_encoder["text_cfg"]["context_length"])
    tokens = new_tokens(tokenizer)
    table = PartlyTrained(model.token_embedding, tokens)
    data = renders(SUBJECT, work, IMAGES, SEED)
    _train(
        model,
        table,
        tokenizer,
        SUBJECT.margins(data.parameters),
        embed(SUBJECT, model.visual, data),
        work,
        int(STEPS * scale),
    )
    stored["token_embedding.weight"][tokens] = table.rows.detach().half()
    info |= {"word_forms": {"steps": STEPS, "scale": scale, "seed": SEED}}
    write_text_encoder(SUBJECT, stored, out / "text", info, words=known_words())


def _train(
    model: CLIP,
    table: PartlyTrained,
    tokenizer: Any,
    edges: NDArray[np.float32],
    pictures: Tensor,
    work: Path,
    steps: int,
) -> None:
    """``pictures [n, D]`` are embeddings of avatars with the margins ``edges [n, A]``."""
    rows = [dict(zip(ATTRIBUTES, row, strict=True)) for row in edges]
    optimizer = torch.optim.Adam([table.rows], lr=RATE)
    scale = float(model.logit_scale.exp())

    def read_by(embedding: nn.Module, sentences: Sequence[str]) -> Tensor:
        return read(model, tokenizer(list(sentences)), embedding)

    def step(index: int) -> dict[str, float]:
        rng = rng_for(SEED, index)
        for group in optimizer.param_groups:
            group["lr"] = RATE * cosine(index, steps)
        drawn = [draw_pair(rows[int(i)], rng) for i in rng.integers(0, len(rows), SENTENCES)]
        named = [int(i) for i in rng.integers(0, len(ATTRIBUTES), CONTRASTS)]
        contrasts = [draw_contrast(ATTRIBUTES[i], rng) for i in named]
        sentences, captions, plain = (list(texts) for texts in zip(*drawn, strict=True))
        for side in (0, 1):
            sentences += [ours[side] for ours, _, _ in contrasts]
            captions += [theirs[side] for _, theirs, _ in contrasts]
            plain += [neutral for _, _, neutral in contrasts]
        with torch.no_grad():
            wanted, base = read_by(model.token_embedding, captions), read_by(model.token_embedding, plain)
        embedded = read_by(table, sentences)
        distance = (1 - (embedded * wanted).sum(dim=1)).mean()
        says = (wanted - base).norm(dim=1) > LEAST_MEANING
        # A row serves a form and its denial: where both cannot be had, the form comes first.
        weight = torch.ones(len(embedded))
        weight[SENTENCES : SENTENCES + CONTRASTS] = FORM_WEIGHT
        weight = weight * says / (weight * says).sum()
        direction = ((1 - F.cosine_similarity(embedded - base, wanted - base, dim=1)) * weight).sum()
        yes, no = embedded[SENTENCES:].chunk(2)
        seen = rng.integers(0, len(pictures), PICTURES)
        margin = torch.from_numpy(edges[seen][:, named])
        answers = F.binary_cross_entropy_with_logits(
            scale * pictures[seen] @ (yes - no).t(), (margin > 0).float(), reduction="none"
        )
        sure = margin.abs() >= EDGE
        contrast = (answers * sure).sum() / sure.sum()
        optimizer.zero_grad(set_to_none=True)
        torch.autograd.backward(distance + 2 * direction + contrast)
        optimizer.step()
        return {
            "distance": float(distance.detach()),
            "direction": float(direction.detach()),
            "contrast": float(contrast.detach()),
        }

    holder = nn.ParameterDict({"rows": table.rows})
    run("text-word-forms", steps=steps, step=step, state={"rows": holder, "optimizer": optimizer}, folder=work)
