"""How attributes are told apart on photographs and generated pictures, by words or in their place, and who has them."""

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


def read_attributes(models: Models, photographs: Tensor, generated: Tensor) -> tuple[Read | None, list[ReadAttribute]]:
    """Tell the audit's attributes apart on as many pictures of both kinds.

    Args:
        models: of the audit.
        photographs: float32 `[N, D]`, embeddings.
        generated: float32 `[M, D]`, embeddings.

    Returns:
        How the text encoder reads both, None where no attribute is given by words; and each attribute.
    """
    count = min(len(photographs), len(generated))
    kinds = (generated[:count], photographs[:count])
    names = [attribute.text for attribute in models.attributes]
    along = text_directions(models.text_encoder, names, neutral=models.neutral, templates=models.templates)
    scores = [pictures.float() @ along.T for pictures in kinds]
    splits = split_in_two(torch.cat(scores)).splits
    has = [(of_kind > splits).double().mean(dim=0).tolist() for of_kind in scores]
    read, of_words = _read_words(models, kinds)
    told = []
    for column, (name, (directions, refused)) in enumerate(zip(names, _directions(models), strict=True)):
        shares = (has[0][column], has[1][column])
        if name in of_words:
            told.append(dataclasses.replace(of_words[name], has=shares, refused=refused))
            continue
        strength, floor = (None, 0.0) if directions is None else (directions.strength[0], directions.noise_floor[0])
        told.append(ReadAttribute(strength, None, (floor, 0.0), shares, refused))
    return read, told


def _read_words(models: Models, kinds: tuple[Tensor, Tensor]) -> tuple[Read | None, dict[str, ReadAttribute]]:
    """Read those attributes that are words on generated pictures and photographs, `[K, D]` each; `has` is left open."""
    prompts = [attribute.text for attribute in models.attributes if attribute.source is None]
    if not prompts:
        return None, {}
    texts = phrase(models.text_encoder, prompts, neutral=models.neutral, templates=models.templates, cache=models.cache)
    level = DEFAULT_LEVEL if models.settings.level in (None, 1) else models.settings.level
    known = [recognised(pictures, texts.random) for pictures in kinds]
    agreements = [agreement(pictures, texts.wanted).tolist() for pictures in kinds]
    generated, photographs = (exceeds(agreement(pictures, texts.random), level or DEFAULT_LEVEL) for pictures in kinds)
    return Read(known[1], known[0], len(kinds[0])), {
        prompt: ReadAttribute(drawn, photographed, (generated, photographs), (0.0, 0.0))
        for prompt, drawn, photographed in zip(prompts, *agreements, strict=True)
    }


def _directions(models: Models) -> list[tuple[EditDirections | None, str]]:
    """Return for each attribute its edit direction, or None and why an audit refuses it."""
    results: list[tuple[EditDirections | None, str]] = []
    for index in range(len(models.attributes)):
        try:
            results.append((edit_directions(with_attributes(models, [index])), ""))
        except DirectionError as error:
            results.append((None, str(error)))
    return results


def with_attributes(models: Models, chosen: list[int]) -> Models:
    """Return the same models for some of the attributes."""
    attributes, directions = tuple(models.attributes[index] for index in chosen), models.settings.directions
    given = models.settings.attributes or models.attributes
    if isinstance(directions, EditDirections):
        directions = directions.of([attribute.text for attribute in attributes])
    settings = dataclasses.replace(
        models.settings, attributes=[given[index] for index in chosen], directions=directions
    )
    _ = models.measuring_encoder  # compiled once
    return dataclasses.replace(models, settings=settings, attributes=attributes, like=models)
