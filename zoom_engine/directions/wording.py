"""The meaning of a text and what its wording adds: the same text in several templates, and random texts in the same."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor

from zoom_engine.common.errors import DirectionError
from zoom_engine.directions.cache import DirectionCache
from zoom_engine.settings.attributes import Attribute
from zoom_engine.text import TextEncoder
from zoom_engine.text.random_texts import random_texts
from zoom_engine.text.templates import GENERAL

RANDOM_TEXTS = 99
TEMPLATES_PER_TEXT = 4
DEFAULT_LEVEL = 0.1
"""The probability that a random text passes for one with a meaning, in each of the tests that refuse texts."""

_LEAST_NOISE = 1e-5  # of unit vectors in float32: below it paraphrases differ by rounding


@dataclass(frozen=True)
class Phrased:
    """Texts in T paraphrases, as the step from the neutral prompt: E(text in t) − E(neutral in t), of unit vectors.

    `wanted [N, T, D]` are the attributes, `random [M, T, D]` the random texts that they are compared with.
    """

    wanted: Tensor
    random: Tensor


def phrase(
    text_encoder: TextEncoder,
    attributes: Sequence[str],
    *,
    neutral: str,
    templates: Sequence[str] = GENERAL,
    level: float = DEFAULT_LEVEL,
    cache: Path | None = None,
) -> Phrased:
    """Embed the attributes and `RANDOM_TEXTS` random texts in the first `TEMPLATES_PER_TEXT` templates.

    General templates are added where there are fewer. `cache` stores the embeddings of the random texts. At `level` 1
    nothing is compared with random texts, and there are none.
    """
    sentences = tuple(dict.fromkeys([*templates, *GENERAL]))[:TEMPLATES_PER_TEXT]
    base = _embedded(text_encoder, [neutral], sentences)
    wanted = torch.cat([_of_paraphrases(text_encoder, attribute, sentences) for attribute in attributes]) - base
    random = wanted[:0] if level == 1 else _random(text_encoder, neutral, sentences, cache) - base
    return Phrased(wanted, random)


def clearness(differences: Tensor) -> Tensor:
    """Compute how far texts `[P, T, D]` move the neutral prompt, relative to how their paraphrases differ: `[P]`."""
    mean = differences.mean(dim=1, keepdim=True)
    noise = (differences - mean).square().sum(dim=2).mean(dim=1).sqrt()
    clear: Tensor = mean.squeeze(1).norm(dim=1) / noise.clamp(min=_LEAST_NOISE)
    return clear


def exceeds(of_random: Tensor, level: float) -> float:
    """Return the value that must be exceeded so that a random text does so with probability `level` at most.

    It is the k-th largest of `of_random [M]`, k = level · (M + 1) rounded down: a rank test, exact for a text drawn as
    they are. At level 1 everything passes.

    Raises:
        DirectionError: M texts are too few for this level.
    """
    if not 0 < level <= 1:
        raise DirectionError(f"level must be in (0, 1], not {level}: it is the share of random texts that may pass")
    rank = int(level * (len(of_random) + 1) + 1e-9)
    if rank < 1:
        raise DirectionError(
            f"level {level:g} is too small for {len(of_random)} random texts: {1 / (len(of_random) + 1):g} is least"
        )
    return float("-inf") if rank > len(of_random) else float(of_random.sort(descending=True).values[rank - 1])


def _embedded(text_encoder: TextEncoder, texts: Sequence[str], templates: Sequence[str]) -> Tensor:
    rows = [text_encoder.embed_texts(texts, templates=[template]).float().cpu() for template in templates]
    return torch.stack(rows, dim=1)


def _of_paraphrases(text_encoder: TextEncoder, prompt: str, templates: Sequence[str]) -> Tensor:
    paraphrases = Attribute.parse(prompt).paraphrases
    return F.normalize(_embedded(text_encoder, paraphrases, templates).mean(dim=0, keepdim=True), dim=-1)


def _random(text_encoder: TextEncoder, neutral: str, templates: Sequence[str], cache: Path | None) -> Tensor:
    key = {
        "text_encoder": text_encoder.content_hash,
        "neutral": neutral,
        "templates": list(templates),
        "count": RANDOM_TEXTS,
    }

    def measure() -> dict[str, Tensor]:
        texts = random_texts(text_encoder.tokenizer, neutral, RANDOM_TEXTS)
        return {"embeddings": _embedded(text_encoder, texts, templates)}

    return DirectionCache(cache).cached("random-texts", key, measure)["embeddings"]
