"""Tests of whether unedited pictures answer a text at all, on a few pictures before anything is measured on many.

A picture's score on a text in one of T paraphrases (the text in a template) is s[x, t] = ⟨E(x), E(text in t) −
E(neutral in t)⟩. What a picture answers in all paraphrases is due to the text; what it answers in one paraphrase only
is due to wording. Two questions follow:

1. **Does the encoder know anything?** Random texts are put into several paraphrases. Each paraphrase of a text is
   searched for among all texts in another paraphrase, by how the pictures rank on it. A trained encoder finds nearly
   all: a paraphrase changes the ranking little, another text much. With random weights a paraphrase changes it as much
   as another text does. With 99 random texts on 128 avatars, found were: 93 % by the avatars' encoder; 61 % and 96 %
   after 50 and 150 of the 3,000 steps that its text tower is trained; of random weights 12 % by a ViT-B/32, 7 % by an
   RN50, 10 to 16 % by the avatars' architecture and a small ViT. Fewer than `LEAST_RECOGNISED` are refused. Limits: no
   published CLIP was tried, and the test is mostly one of the text tower. Towers that were each trained, but not
   together, pass (85 %, with one rotated against the other), and so does a trained text tower beside an image tower of
   random weights (78 %).
2. **Does this text say anything?** Its agreement is F = T · variance over pictures of the mean over paraphrases,
   divided by the variance left over (two-way analysis of variance, one score per cell). It must exceed what random
   texts reach: a random text passes with probability `level` at most, each text alone. What adds nothing to the neutral
   prompt, or nothing that these pictures differ in, is mostly wording. F depends neither on how far a text lies from
   the neutral prompt nor on scale; an attribute that none of the pictures has scores like any random text.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from itertools import permutations

import torch
import torch.nn.functional as F
from torch import Tensor

from zoom_engine.common.errors import DirectionError
from zoom_engine.directions.relevance import Sampling
from zoom_engine.directions.unedited import unedited_embeddings
from zoom_engine.directions.wording import Phrased, exceeds
from zoom_engine.generators import EditableGenerator
from zoom_engine.text import TextEncoder

PICTURES = 128
LEAST_RECOGNISED = 0.5


def check_answers(
    generator: EditableGenerator,
    text_encoder: TextEncoder,
    attributes: Sequence[str],
    texts: Phrased,
    *,
    sampling: Sampling,
    level: float,
) -> None:
    """Refuse an encoder that knows nothing, and attributes that unedited pictures answer no better than random texts.

    Args:
        generator: draws `PICTURES` unedited pictures.
        text_encoder: embeds them.
        attributes: N prompts, for the message.
        texts: the attributes in several paraphrases, and random texts.
        sampling: says which pictures.
        level: the probability that a random text passes, each text alone.

    Raises:
        DirectionError: pictures answer no text (the encoder is named), or some attributes too little (all are named).
    """
    few = dataclasses.replace(sampling, samples=PICTURES)
    pictures = unedited_embeddings(generator, text_encoder, few, doing="Checking prompts")
    check_encoder(text_encoder, pictures, texts.random)
    agreements = agreement(pictures, texts.wanted)
    floor = exceeds(agreement(pictures, texts.random), level)
    refused = [i for i in agreements.argsort().tolist() if not agreements[i] > floor]
    if refused:
        others = f" (so with {', '.join(repr(attributes[i]) for i in refused[1:])})" if refused[1:] else ""
        raise DirectionError(
            f"the pictures answer '{attributes[refused[0]]}' no better than random text: its paraphrases agree by"
            f" {float(agreements[refused[0]]):.3g}, those of random texts by up to {floor:.3g} (level"
            f" {level:.0%}){others}; use words that the text encoder knows, for what differs between pictures"
        )


def check_encoder(text_encoder: TextEncoder, pictures: Tensor, random: Tensor) -> None:
    """Refuse an encoder that knows nothing of unedited pictures.

    Args:
        text_encoder: is named in the message.
        pictures: float `[n, D]`, embeddings.
        random: float `[M, T, D]`, random texts as in `Phrased`.

    Raises:
        DirectionError: all pictures look the same, or they answer the random texts otherwise in other paraphrases.
    """
    if bool((pictures == pictures[0]).all()):
        raise DirectionError("all samples of the generator look the same to the text encoder: there is nothing to edit")
    known = recognised(pictures, random)
    if known < LEAST_RECOGNISED:
        raise DirectionError(
            f"text encoder '{text_encoder.name}' knows nothing of these pictures: of {len(random)} random texts"
            f" they answer {known:.0%} alike in another paraphrase ({LEAST_RECOGNISED:.0%} is least); its weights or"
            " its tokenizer do not belong together, or were never trained: choose another"
        )


def recognised(pictures: Tensor, differences: Tensor) -> float:
    """Compute the fraction of texts that are found again in another paraphrase.

    A text is found where, of all texts in the other paraphrase, pictures rank most alike on the same one. The fraction
    is averaged over all pairs of paraphrases.

    Args:
        pictures: float `[n, D]`, embeddings.
        differences: float `[P, T, D]`, texts in T paraphrases less the neutral prompt.
    """
    scores = _scores(pictures, differences).transpose(0, 1)  # [T, P, n]
    ranks = F.normalize(scores - scores.mean(dim=2, keepdim=True), dim=2)
    right = torch.arange(len(differences))
    pairs = permutations(range(len(ranks)), 2)
    return float(
        torch.stack([((ranks[a] @ ranks[b].T).argmax(dim=1) == right).double().mean() for a, b in pairs]).mean()
    )


def agreement(pictures: Tensor, differences: Tensor) -> Tensor:
    """Compute F `[P]` of texts `differences [P, T, D]` on `pictures [n, D]`; 0 where scores do not vary at all."""
    scores = _scores(pictures, differences).transpose(1, 2)  # [P, n, T]
    _, count, paraphrases = scores.shape
    scores = scores - scores.mean(dim=1, keepdim=True)
    mean = scores.mean(dim=2, keepdim=True)
    between = paraphrases * mean.square().sum(dim=(1, 2)) / (count - 1)
    left = (scores - mean).square().sum(dim=(1, 2)) / ((count - 1) * (paraphrases - 1))
    return torch.where(between > 0, between / left.clamp(min=1e-30), 0.0)


def _scores(pictures: Tensor, differences: Tensor) -> Tensor:
    return torch.einsum("nd,ptd->ptn", pictures.double(), differences.double())
