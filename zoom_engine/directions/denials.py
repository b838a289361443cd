"""Prompts that deny something, compared with the same prompts without the denial.

Encoders of texts and pictures read what a text names more surely than its denial (Alhamoud 2025, *Vision-Language
Models Do Not Understand Negation*): "a face that is not smiling" may lie on the side of smiling faces. Words only
select candidates; what is reported is measured, by the cosine of Δt of both. A denial that is read lies on the other
side.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import torch

from zoom_engine.common.errors import DirectionError, TextEncoderError
from zoom_engine.directions.relevance import text_directions
from zoom_engine.settings.attributes import Attribute
from zoom_engine.text import TextEncoder
from zoom_engine.text.templates import GENERAL

LARGEST = 0.2  # by what edits do to what is denied, see docs/explanation/method.md

_WITHOUT_DENIAL = tuple(
    (re.compile(rf"\b{denying}\b", re.IGNORECASE), plain)
    for denying, plain in (
        (r"(?:without|lacking|that lacks|who lacks)(?: any)?", "with"),
        (r"(is|are|was|does|do|has|have)n['’]t", r"\1"),
        (r"(?:does|do) not have(?: any)?", "has"),
        (r"(?:not|never|no|neither|nor)(?: any)?", ""),
        (r"non-(?=\w)", ""),
    )
)


@dataclass(frozen=True)
class MisreadDenial:
    """A `prompt` whose direction leads towards the `affirmed` prompt that it denies, at this `cosine`."""

    prompt: str
    affirmed: str
    cosine: float

    def __str__(self) -> str:
        """Say which prompt is misread, and what to type instead."""
        return (
            f"'{self.prompt}' leads towards what it denies: to the text encoder it lies on the side of"
            f" '{self.affirmed}' (cosine {self.cosine:.2f}); type that instead, as an edit both adds and removes it"
        )


def affirmed(prompt: str) -> str | None:
    """Return the prompt without its denial: "a face with eyeglasses" for "a face without eyeglasses".

    None where it denies nothing that English says by a word of its own.
    """
    plain = prompt
    for denying, instead in _WITHOUT_DENIAL:
        plain = denying.sub(instead, plain)
    plain = " ".join(plain.split())
    return None if plain in ("", " ".join(prompt.split())) else plain


def misread_denials(
    text_encoder: TextEncoder, attributes: Sequence[Attribute], *, neutral: str, templates: Sequence[str] = GENERAL
) -> Iterator[MisreadDenial]:
    """Yield the paraphrases of `attributes` that deny something and lead towards it.

    A denial that the encoder cannot read, or tell from the `neutral` prompt, is left out.
    """
    for attribute in attributes:
        for paraphrase in attribute.paraphrases:
            plain = affirmed(paraphrase)
            if plain is None:
                continue
            try:
                denial, positive = text_directions(
                    text_encoder, [paraphrase, plain], neutral=neutral, templates=templates
                )
            except (DirectionError, TextEncoderError):
                continue
            cosine = float(torch.dot(denial, positive))
            if cosine > LARGEST:
                yield MisreadDenial(paraphrase, plain, cosine)
