"""A domain's text encoder: a CLIP of open_clip's own architecture, trained on renders and varied captions.

1. The image tower learns the attribute labels through a linear head *without bias* on its unit embedding:
   every threshold must lie in the embedding itself, where a pair of prompts can find it.
2. The text tower learns on cached image embeddings. A caption claims some attributes; the sigmoid matching
   loss (SigLIP) is told for every pair in the batch whether all claims hold, so one caption has many
   positives. Images on the edge of a claimed attribute are left out of the pair. A caption of at most one
   claim is also told to score alike all images that the claim cannot tell apart: without that the neutral
   prompt preferred hair, and every attribute minus the neutral prompt meant "bald" too.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import open_clip
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from open_clip.model import CLIP
from safetensors.torch import save_file
from torch import Tensor, nn

from lab.captions import all_templates
from lab.training.augment import augment
from lab.training.language import Lexicon, lexicon
from lab.training.loop import Average, cosine, rng_for, run
from lab.training.renders import Renders, renders
from lab.training.subject import TrainingSubject
from zoom_engine.common.files.atomic import replacing
from zoom_engine.common.machine import bf16_in_hardware
from zoom_engine.directions.wording import RANDOM_TEXTS
from zoom_engine.text.load import WORDS_KEY
from zoom_engine.text.random_texts import random_texts

IMAGE_STEPS = 1_200
TEXT_STEPS = 3_000
IMAGE_BATCH = 64
TEXT_BATCH = 256
WEIGHT_FILE = "open_clip_model.safetensors"
EDGE = 0.1
ORDINARY = 0.25
SPREAD_WEIGHT = 0.05
PREPROCESS: dict[str, Any] = {
    "mean": [0.5, 0.5, 0.5],
    "std": [0.5, 0.5, 0.5],
    "interpolation": "bicubic",
    "resize_mode": "shortest",
}


def train_image_tower(
    subject: TrainingSubject[Any], model: CLIP, average: Average, data: Renders[Any], work: Path, steps: int
) -> None:
    edges = torch.from_numpy(subject.margins(data.parameters))
    side = subject.text_encoder["vision_cfg"]["image_size"]
    head = nn.Linear(subject.text_encoder["embed_dim"], edges.shape[1], bias=False)
    nn.init.normal_(head.weight, std=1.0)
    visual: nn.Module = model.visual
    optimizer = torch.optim.AdamW([*visual.parameters(), *head.parameters()], lr=2e-3, weight_decay=1e-2)

    def step(index: int) -> dict[str, float]:
        rng = rng_for(subject.seed, index)
        rows = np.sort(data.draw(rng, IMAGE_BATCH))
        for group in optimizer.param_groups:
            group["lr"] = 2e-3 * cosine(index, steps)
        visual.train()
        with torch.autocast("cpu", torch.bfloat16, enabled=bf16_in_hardware()):
            embedded = visual(augment(data.batch(rows, side=side, resize=PREPROCESS["interpolation"]), rng))
        logits = 8.0 * head(F.normalize(embedded.float(), dim=-1))
        truth = torch.sigmoid(edges[rows] * 20.0)
        loss = F.binary_cross_entropy_with_logits(logits, truth)
        optimizer.zero_grad(set_to_none=True)
        torch.autograd.backward(loss)
        optimizer.step()
        average.update(visual, index)
        return {"bce": float(loss.detach())}

    state = {"visual": visual, "average": average.module, "head": head, "optimizer": optimizer}
    run("text-image-tower", steps=steps, step=step, state=state, folder=work, images=len(data))


@torch.no_grad()
def embed(subject: TrainingSubject[Any], visual: nn.Module, data: Renders[Any]) -> Tensor:
    """Unit embeddings float32 ``[n, D]`` of all renders, unchanged by augmentation."""
    side = subject.text_encoder["vision_cfg"]["image_size"]
    parts = []
    for begin in range(0, len(data), 250):
        images = data.batch(
            np.arange(begin, min(begin + 250, len(data))), side=side, resize=PREPROCESS["interpolation"]
        )
        with torch.autocast("cpu", torch.bfloat16, enabled=bf16_in_hardware()):
            parts.append(F.normalize(visual(images).float(), dim=-1))
    return torch.cat(parts)


def read(model: CLIP, tokens: Tensor, embedding: nn.Module | None = None) -> Tensor:
    """Unit embeddings float32 ``[n, D]`` of sentences, as ``model.encode_text``, up to the longest of them.

    ``embedding`` stands in for the model's own of tokens.
    """
    tokens = tokens[:, : int((tokens != 0).sum(dim=1).max())]
    length = tokens.shape[1]
    x = (embedding or model.token_embedding)(tokens) + model.positional_embedding[:length]
    x = model.ln_final(model.transformer(x, attn_mask=model.attn_mask[:length, :length]))
    return F.normalize((x[torch.arange(len(x)), tokens.argmax(dim=1)] @ model.text_projection).float(), dim=-1)


def claims_hold(claims: NDArray[np.int8], edges: NDArray[np.float32]) -> tuple[Tensor, Tensor]:
    """For captions ``claims [C, A]`` (1 present, -1 absent, 0 unsaid) and images ``edges [B, A]``:
    ``truth [B, C]`` (all claims hold) and ``sure [B, C]`` (no claimed attribute on the edge, or one clearly false).
    """
    claimed = torch.from_numpy(claims).float()
    margin = torch.from_numpy(edges)
    wrong = (margin <= -EDGE).float() @ (claimed > 0).float().t() + (margin >= EDGE).float() @ (claimed < 0).float().t()
    vague = (margin.abs() < EDGE).float() @ (claimed != 0).float().t()
    truth = (wrong == 0) & (vague == 0)
    return truth, (wrong > 0) | (vague == 0)


def even_where_unclaimed(truth: Tensor, claims: NDArray[np.int8]) -> Tensor:
    """Return the probabilities of ``truth [B, C]`` that scores are trained towards: a half for captions that claim
    nothing.

    They are true of all images. Where a quarter of the sentences are of that kind, each image would match them better
    than any attribute that it has, and a pair of an attribute and a neutral prompt would always answer "neutral".
    """
    return torch.where(torch.from_numpy((claims != 0).any(axis=1)), truth.float(), 0.5)


def spread_within(scores: Tensor, truth: Tensor, sure: Tensor) -> Tensor:
    """Mean variance of ``scores [B, C]`` over the images of which a caption is true, plus over those of which it is
    false; images that are not ``sure`` do not count.
    """
    total = scores.new_zeros(())
    for group in (truth & sure, ~truth & sure):
        weight = group / group.sum(dim=0).clamp(min=1)
        mean = (scores * weight).sum(dim=0)
        total = total + ((scores - mean).square() * weight).sum(dim=0).mean()
    return total


def train_text_tower(
    subject: TrainingSubject[Any],
    model: CLIP,
    features: Tensor,
    edges: NDArray[np.float32],
    rows_of: Callable[[np.random.Generator, int], NDArray[np.int64]],
    work: Path,
    steps: int,
    *,
    ordinary: Lexicon | None = None,
) -> None:
    """Train the text tower on pictures' embeddings `features [n, D]` and margins `edges [n, A]`.

    `rows_of` draws the rows of a step. A share `ORDINARY` of the sentences is the lexicon's, where there is one.
    """
    tokenizer = open_clip.SimpleTokenizer(context_length=subject.text_encoder["text_cfg"]["context_length"])
    bias = nn.Parameter(torch.tensor(-4.0))
    text = [p for name, p in model.named_parameters() if not name.startswith("visual.")]
    groups: list[dict[str, Any]] = [{"params": text}, {"params": [bias], "weight_decay": 0.0}]
    optimizer = torch.optim.AdamW(groups, lr=2e-3, weight_decay=1e-2)
    holder = nn.ParameterDict({"bias": bias})

    def step(index: int) -> dict[str, float]:
        rng = rng_for(subject.seed + 1, index)
        rows = rows_of(rng, TEXT_BATCH)
        texts, claims = subject.draw_captions(edges[rows], rng)
        if ordinary is not None:
            others = int(TEXT_BATCH * ORDINARY)
            texts[:others], claims[:others] = ordinary.draw(rng, others)
        truth, sure = claims_hold(claims, edges[rows])
        for group in optimizer.param_groups:
            group["lr"] = 2e-3 * cosine(index, steps, warmup=200)
        if ordinary is None:
            words = F.normalize(model.encode_text(tokenizer(texts)), dim=-1)
        else:
            with torch.autocast("cpu", torch.bfloat16, enabled=bf16_in_hardware()):
                words = read(model, tokenizer(texts))
        logits = model.logit_scale.exp() * features[rows] @ words.t() + bias
        wanted = truth.float() if ordinary is None else even_where_unclaimed(truth, claims)
        matching = F.binary_cross_entropy_with_logits(logits, wanted, reduction="none")
        true_fraction = truth.float().mean().clamp(0.02, 0.5)
        balance = torch.where(truth, 0.5 / true_fraction, 0.5 / (1 - true_fraction))
        loss = (matching * balance * sure).sum() / sure.sum()
        simple = torch.from_numpy((claims != 0).sum(1) <= 1)
        spread = spread_within(logits[:, simple], truth[:, simple], sure[:, simple])
        loss = loss + SPREAD_WEIGHT * spread
        optimizer.zero_grad(set_to_none=True)
        torch.autograd.backward(loss)
        nn.utils.clip_grad_norm_(text, 1.0)
        optimizer.step()
        with torch.no_grad():
            model.logit_scale.clamp_(0, math.log(100))
        right = (((logits > 0) == truth) & sure).sum() / sure.sum()
        return {"loss": float(loss.detach()), "spread": float(spread.detach()), "pairs_right": float(right)}

    run(
        "text-tower",
        steps=steps,
        step=step,
        state={"model": model, "bias": holder, "optimizer": optimizer},
        folder=work,
        images=len(features),
    )


def train_text(
    subject: TrainingSubject[Any],
    work: Path,
    out: Path,
    *,
    image_steps: int = IMAGE_STEPS,
    text_steps: int = TEXT_STEPS,
    ordinary_english: bool = False,
) -> None:
    """Train and write both towers; with `ordinary_english` the text tower learns a lexicon beside its captions."""
    data = renders(subject, work, subject.count, subject.seed)
    torch.manual_seed(subject.seed)
    model = CLIP(**subject.text_encoder)
    average = Average(model.visual, CLIP(**subject.text_encoder).visual)
    train_image_tower(subject, model, average, data, work, image_steps)
    model.visual.load_state_dict(average.module.state_dict())
    model.visual.eval().requires_grad_(False)
    ordinary = lexicon(subject, work) if ordinary_english else None
    features, edges = embed(subject, model.visual, data), subject.margins(data.parameters)
    train_text_tower(subject, model, features, edges, data.draw, work, text_steps, ordinary=ordinary)
    info = {"recipe": [image_steps, text_steps], "seed": subject.seed}
    tensors = {k: (v.half() if v.dtype.is_floating_point else v).contiguous() for k, v in model.state_dict().items()}
    write_text_encoder(
        subject,
        tensors,
        out / "text",
        info,
        words=sorted({*subject.vocabulary(), *(ordinary.words() if ordinary else ())}),
    )


def write_text_encoder(
    subject: TrainingSubject[Any],
    tensors: dict[str, Tensor],
    folder: Path,
    info: dict[str, Any],
    *,
    words: Sequence[str],
) -> None:
    """Write what ``open_clip`` loads as ``local-dir:FOLDER``: its config, with the ``words`` it knows, and weights.

    The rows of tokens that are never read are zeros, which a package stores in nothing.
    """
    folder.mkdir(parents=True, exist_ok=True)
    rows = tensors["token_embedding.weight"].clone()
    rows[~read_tokens(words)] = 0
    tensors = {**tensors, "token_embedding.weight": rows}
    config = {"model_cfg": dict(subject.text_encoder), "preprocess_cfg": PREPROCESS, WORDS_KEY: list(words)}
    with replacing(folder / "open_clip_config.json") as temporary:
        temporary.write_text(json.dumps(config, indent=1) + "\n", encoding="utf-8")
    with replacing(folder / WEIGHT_FILE) as temporary:
        save_file(tensors, str(temporary), metadata={"info": json.dumps(info)})


def read_tokens(words: Sequence[str]) -> Tensor:
    """Return which tokens of open_clip's vocabulary an encoder reads that knows ``words`` alone, bool ``[49408]``.

    Those of its words, since prompts with others are refused; of all sets of templates; of random texts, the yardstick
    of edit directions, of ten times as many as there are today; marks of ASCII; and all bytes.
    """
    tokenizer = open_clip.SimpleTokenizer()
    pieces = [tokenizer.decoder[i].removesuffix("</w>") for i in range(tokenizer.vocab_size)]
    read = torch.tensor([piece.isascii() and not piece.isalpha() for piece in pieces])
    read[: 2 * 256] = True  # bytes, in and at the end of a word
    known = [*words, *all_templates(), *random_texts(tokenizer, "", 10 * RANDOM_TEXTS)]
    read[sorted({token for text in known for token in tokenizer.encode(text)})] = True
    return read
