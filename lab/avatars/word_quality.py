"""How well the text encoder reads the other forms of its words: on renders, and in the edit directions that follow."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

from lab.avatars.word_forms import form_prompts
from lab.captions import HELD_OUT_TEMPLATES
from lab.evaluation import balanced
from zoom_engine.directions import Relevance, text_directions
from zoom_engine.domains.avatars.attributes import ATTRIBUTES
from zoom_engine.domains.avatars.wording import zero_shot_prompts
from zoom_engine.text import TextEncoder


def word_quality(
    encoder: TextEncoder,
    relevance: Relevance,
    embedded: Tensor,
    margins: Mapping[str, NDArray[np.float32]],
    *,
    neutral: str,
) -> dict[str, Any]:
    """Per attribute and pair of prompts in another form: ``accuracy`` as in `balanced`, over templates that training
    never saw, and ``cosine`` of the edit direction with that of the attribute's own prompt.

    Where the form says that the attribute is absent, both are the directions of the absence.
    """
    rows: dict[str, Any] = {}
    for attribute in ATTRIBUTES:
        prompts = zero_shot_prompts(attribute)
        rows[attribute] = {}
        for pair in form_prompts(attribute):
            texts = encoder.embed_texts(pair, templates=HELD_OUT_TEMPLATES)
            which = 0 if pair[0] != prompts[0] else 1
            wanted = text_directions(encoder, [pair[which], prompts[which]], neutral=neutral)
            ours, its = F.normalize(relevance.relevance(wanted), dim=1)
            cosine = ours @ its
            accuracy = balanced(embedded, texts, margins[attribute])
            rows[attribute][" / ".join(pair)] = {"accuracy": accuracy, "cosine": round(float(cosine), 4)}
    return rows
