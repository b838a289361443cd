"""The photographs of an audit around them: cut, found in the generator, and held to what they show."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import torch
from torch import Tensor

from zoom_engine.audit.folder import INVERSIONS, inside, read_manifest
from zoom_engine.audit.photographs_file import Photograph, load_photographs
from zoom_engine.common.plurals import agreeing, number_of
from zoom_engine.diagnose.domain import face_points_of, find_domain
from zoom_engine.diagnose.models import Models
from zoom_engine.evaluation.evaluator import Evaluator
from zoom_engine.photographs import (
    Audited,
    Crop,
    Inverter,
    Yardstick,
    compared,
    crop_of_square,
    judged,
    read_crops,
)
from zoom_engine.settings.audit_settings import RunSettings
from zoom_engine.text import AttributeEncoder, TextEncoder


def crops_of(models: Models, folder: Path | None = None, *, sample: int | None = None) -> list[Crop]:
    """Read the settings' photographs, or those of a folder, as squares of the generator's size; see `read_crops`."""
    settings = models.settings
    folder = Path(settings.photos or "") if folder is None else folder
    canonical = face_points_of(find_domain(settings.generator))
    side = models.generator.resolution
    crops = read_crops(folder, side=side, canonical=canonical, progress=models.progress, sample=sample)
    middle = [crop.file for crop in crops if crop.cut == "middle"]
    if middle:
        models.notices.add(f"without landmarks, cut to the square in their middle: {_some(middle)}")
    return crops


def inverter(models: Models, *, seed: int = RunSettings.seed, made_by: object = None) -> Inverter:
    """Return what finds photographs in the generator, drawn as in this audit, or knows codes that another `made_by`."""
    encoder, drawn = _reader(models), models.synthesizer
    return Inverter(models.generator, encoder, drawn, seed=seed, made_by=made_by or drawn.describe())


def _reader(models: Models) -> TextEncoder:
    """Return the text encoder itself, whose embeddings have length 1."""
    encoder = models.text_encoder
    return encoder.reader or encoder if isinstance(encoder, AttributeEncoder) else encoder


def audited_photographs(
    models: Models, crops: Sequence[Crop], *, seed: int = RunSettings.seed, inversions: Path | None = None
) -> Audited:
    """Find the photographs' codes, and which of them the generator can draw so that the target sees them alike.

    In the folder `inversions` codes are written as they are found, and taken from there.

    Raises:
        PhotographError: none is left.
    """
    codes, evaluator, yardstick = _inverted(models, crops, seed, inversions)
    audited = judged(crops, codes, evaluator=evaluator, yardstick=yardstick)
    if audited.refused:
        told = [f"{photograph.file} {photograph.refused}" for photograph in audited.refused]
        of = f"{len(told)} of {number_of(len(crops), 'photograph')}"
        models.notices.add(f"{of} {agreeing(len(told), 'is', 'are')} left out: {_some(told)}")
    return audited


def compared_photographs(
    models: Models, crops: Sequence[Crop], *, seed: int = RunSettings.seed, inversions: Path | None = None
) -> Audited:
    """Find photographs' codes as `audited_photographs` does, and say what becomes of each; all may be refused."""
    codes, evaluator, yardstick = _inverted(models, crops, seed, inversions)
    return compared(crops, codes, evaluator=evaluator, yardstick=yardstick)


def _inverted(
    models: Models, crops: Sequence[Crop], seed: int, inversions: Path | None
) -> tuple[Tensor, Evaluator, Yardstick]:
    """Return the codes of readable photographs, and what compares their pictures."""
    readable = [crop for crop in crops if crop.pixels is not None]
    codes = torch.empty(0, models.generator.space.size)
    if readable:
        size = min(models.batch_size, 8)
        codes = inverter(models, seed=seed).codes(readable, cache=inversions, batch_size=size, progress=models.progress)
    yardstick = Yardstick.of(models.generator, _reader(models), models.synthesizer, seed=seed)
    return codes, models.evaluator(torch.zeros(1, models.generator.space.size)), yardstick


def photographs_of_audit(models: Models, audit: Path, *, seed: int) -> tuple[list[Photograph], Tensor]:
    """Return the photographs that an audit was made around, and their codes `[I, S]`.

    Codes are those in the audit's folder; what is missing there is found anew, and written there.

    Args:
        models: the audit's.
        audit: its folder.
        seed: as the audit's settings have it.

    Raises:
        AuditError: the list of photographs is damaged.
        PhotographError: a picture cannot be read.
    """
    photographs = [one for one in load_photographs(audit) if one.image is not None and one.picture is not None]
    squares = [crop_of_square(inside(audit, one.picture or ""), models.generator.resolution) for one in photographs]
    if not squares:
        return [], torch.empty(0, models.generator.space.size)
    theirs = inverter(models, seed=seed, made_by=read_manifest(audit).config.content.get("synthesis"))
    codes = theirs.stored(squares, cache=audit / INVERSIONS)  # whatever draws here
    rest = [index for index in range(len(squares)) if index not in codes]
    if rest:
        missing = [squares[index] for index in rest]
        inverted = inverter(models, seed=seed).codes(missing, cache=audit / INVERSIONS, progress=models.progress)
        codes |= zip(rest, inverted, strict=True)
    return photographs, torch.stack([codes[index] for index in range(len(squares))])


def _some(texts: Sequence[str], most: int = 5) -> str:
    """Join the first `most` of the texts, and say how many more there are."""
    more = f" and {len(texts) - most} more" if len(texts) > most else ""
    return "; ".join(texts[:most]) + more
