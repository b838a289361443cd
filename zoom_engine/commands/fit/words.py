"""What a text encoder reads on photographs and on generated pictures: whether it reads attributes, and who has them."""

from __future__ import annotations

import dataclasses

import torch
from torch import Tensor

from zoom_engine.commands.fit.verdicts import Read, ReadAttribute
from zoom_engine.common.errors import DirectionError
from zoom_engine.diagnose.measurements import edit_directions
from zoom_engine.diagnose.models import Models
from zoom_engine.directions import EditDirections, text_directions
from zoom_engine.directions.answers import agreement, recognised
from zoom_engine.directions.calibration import split_in_two
from zoom_engine.directions.wording import DEFAULT_LEVEL, exceeds, phrase


def read_words(models: Models, photographs: Tensor, generated: Tensor) -> tuple[Read, list[ReadAttribute]]:
    """Read the audit's attributes on as many pictures of both kinds.

    Args:
        models: of the audit.
        photographs: float32 `[N, D]`, embeddings.
        generated: float32 `[M, D]`, embeddings.

    Returns:
        How both are read, and each attribute.
    """
    count = min(len(photographs), len(generated))
    kinds = (generated[:count], photographs[:count])
    prompts = [attribute.text for attribute in models.attributes]
    texts = phrase(models.text_encoder, prompts, neutral=models.neutral, templates=models.templates, cache=models.cache)
    level = DEFAULT_LEVEL if models.settings.level in (None, 1) else models.settings.level
    known = [recognised(pictures, texts.random) for pictures in kinds]
    agreements = [agreement(pictures, texts.wanted).tolist() for pictures in kinds]
    floors = [exceeds(agreement(pictures, texts.random), level or DEFAULT_LEVEL) for pictures in kinds]
    along = text_directions(models.text_encoder, prompts, neutral=models.neutral, templates=models.templates)
    scores = [pictures.float() @ along.T for pictures in kinds]
    splits = split_in_two(torch.cat(scores)).splits
    has = [(of_kind > splits).double().mean(dim=0).tolist() for of_kind in scores]
    refused = refusals(models)
    return Read(known[1], known[0], count), [
        ReadAttribute(
            agreements[0][column],
            agreements[1][column],
            (floors[0], floors[1]),
            (has[0][column], has[1][column]),
            refused[column],
        )
        for column in range(len(prompts))
    ]


def refusals(models: Models) -> list[str]:
    """Return for each attribute why an audit refuses it, "" where it does not.

    Directions that were given are taken as they are.
    """
    if isinstance(models.settings.directions, EditDirections):
        return [""] * len(models.attributes)
    reasons = []
    for index in range(len(models.attributes)):
        alone = with_attributes(models, [index])
        try:
            edit_directions(alone)
        except DirectionError as error:
            reasons.append(str(error))
        else:
            reasons.append("")
    return reasons


def with_attributes(models: Models, chosen: list[int]) -> Models:
    """Return the same models for some of the attributes."""
    attributes = tuple(models.attributes[index] for index in chosen)
    settings = dataclasses.replace(models.settings, attributes=[attribute.text for attribute in attributes])
    _ = models.measuring_encoder  # compiled once
    return dataclasses.replace(models, settings=settings, attributes=attributes, like=models)
