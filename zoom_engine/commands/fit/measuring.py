"""`fitness`: photographs and generated pictures in, a `Fitness` and its page out."""

from __future__ import annotations

import dataclasses
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional as F

from zoom_engine.audit.folder import INVERSIONS
from zoom_engine.commands.fit.answers import compare_answers
from zoom_engine.commands.fit.fitness import AttributeFitness, Fitness
from zoom_engine.commands.fit.outlines import outlines
from zoom_engine.commands.fit.page import Nearest, write_fit_page
from zoom_engine.commands.fit.pilot import Pilot, run_pilot
from zoom_engine.commands.fit.verdicts import (
    Inverted,
    Judgement,
    judge_answers,
    judge_attribute,
    judge_coverage,
    judge_inversion,
    judge_reading,
    worst,
)
from zoom_engine.commands.fit.words import read_attributes, with_attributes
from zoom_engine.common.errors import AuditError, ConfigError, PhotographError, system_errors
from zoom_engine.common.files import atomic
from zoom_engine.common.files.png import to_pixels
from zoom_engine.common.machine import describe_environment
from zoom_engine.common.notices import Notify, null_notifier
from zoom_engine.common.plurals import number_of
from zoom_engine.common.progress import ProgressFactory, in_notebooks
from zoom_engine.common.threads import working
from zoom_engine.diagnose.models import Models, load_models
from zoom_engine.diagnose.own_photographs import compared_photographs, crops_of
from zoom_engine.directions.relevance import check_finite
from zoom_engine.photographs import Crop, check_invertible
from zoom_engine.photographs.crops import MOST_PHOTOGRAPHS
from zoom_engine.photographs.judging import LARGEST
from zoom_engine.settings.audit_settings import SEEDS_PER_RUN, AuditSettings, options_of
from zoom_engine.settings.command_line import UnsayableError, arguments_of
from zoom_engine.settings.fit_settings import FitSettings
from zoom_engine.settings.target_names import without_password
from zoom_engine.statistics.coverage import LEAST_PHOTOGRAPHS, coverage
from zoom_engine.statistics.intervals import wilson
from zoom_engine.text import NO_WORDS, AttributeEncoder
from zoom_engine.text.picture_features import PictureFeatures

PAGE, FIGURES = "fit.html", "fit.json"
THUMBNAIL = 128  # pixels of a side
SHOWN = 8
Thumbnails = NDArray[np.uint8]


@dataclass(frozen=True)
class Looked:
    """Pictures as text encoder and target see them.

    Attributes:
        embeddings: float32 `[N, D]`, what attributes are told apart by.
        seen: float32 `[N, d]`, what pictures are compared in: the text encoder's unit vectors, or `PictureFeatures`.
        outlines: float32 `[N, 512]`, see `outlines`.
        outputs: `[N, …]`, the target's.
        thumbnails: uint8 `[N, side, side, 3]`.
    """

    embeddings: Tensor
    seen: Tensor
    outlines: Tensor
    outputs: Tensor
    thumbnails: Thumbnails


@working()
def fitness(
    photos: str | Path,
    *,
    out: str | Path | None = None,
    progress: ProgressFactory = in_notebooks,
    notify: Notify = null_notifier,
    **options: Any,
) -> Fitness:
    """Tell whether a generator may be audited for a model that is used on such photographs.

    Args:
        photos: a folder of photographs, `LEAST_PHOTOGRAPHS` or more; of more than 500 a sample of them is read.
        out: a folder for `fit.html`, `fit.json` and the codes of photographs; None writes nothing.
        progress: how long work is shown.
        notify: takes lines on what was assumed, as soon as they are known.
        **options: fields of `FitSettings`, and of `AuditSettings`: `generator` and `target` must be given.

    Raises:
        ZoomError: one of its subclasses, with one line that says what is wrong and what to do.
    """
    chosen = options_of(FitSettings)
    run = FitSettings(**{name: value for name, value in options.items() if name in chosen})
    settings = AuditSettings(**{name: value for name, value in options.items() if name not in chosen})
    _check(settings)
    folder = None if out is None else Path(out)
    if folder is not None:
        with system_errors(AuditError, f"cannot write {folder}", advice=": fix that, or choose another folder"):
            folder.mkdir(parents=True, exist_ok=True)
    models = load_models(settings, progress=progress, notify=notify)
    crops = crops_of(models, Path(photos), sample=MOST_PHOTOGRAPHS)
    result, nearest = examine(models, crops, run, inversions=None if folder is None else folder / INVERSIONS)
    try:
        seed = [] if run.seed == FitSettings.seed else ["--seed", str(run.seed)]
        audit = (*arguments_of(settings, leave_out=["attributes"]), *seed)
        if any(one.given is None for one in result.attributes):
            raise UnsayableError("attributes")
        result = dataclasses.replace(result, audit=audit)
    except UnsayableError as option:
        result = dataclasses.replace(result, unsaid=str(option))
    if folder is not None:
        with system_errors(AuditError, f"cannot write {folder / FIGURES}"):
            atomic.write_json(folder / FIGURES, result.to_json())
        write_fit_page(folder / PAGE, result, nearest)
    return result


def examine(
    models: Models, crops: Sequence[Crop], run: FitSettings, *, inversions: Path | None = None
) -> tuple[Fitness, list[Nearest]]:
    """Measure and judge what `fitness` tells, on models that are loaded and photographs that were read.

    Raises:
        PhotographError: too few photographs could be read.
    """
    # Those that come first stand for all of them in places, and names often tell kinds or days apart.
    readable = sorted((crop for crop in crops if crop.pixels is not None), key=lambda crop: crop.sha256 or "")
    if len(readable) < LEAST_PHOTOGRAPHS:
        unread = [f"{crop.file} {crop.refused}" for crop in crops if crop.pixels is None]
        others = f"; of the others {unread[0]}" if unread else ""
        raise PhotographError(
            f"{number_of(len(readable), 'photograph')} can be read, and coverage takes {LEAST_PHOTOGRAPHS} or more:"
            f" give a folder of more{others}"
        )
    population = models.generator.population
    count = max(run.generated, (len(readable) + 1) // 2)
    if population is not None and population < count:
        if 2 * population < LEAST_PHOTOGRAPHS:
            fewest = LEAST_PHOTOGRAPHS // 2
            raise ConfigError(f"the generator has {population} codes, and coverage takes {fewest} or more")
        count, readable = population, readable[: 2 * population]
    photographs = _look_at_photographs(models, readable)
    generated = _look_at_generated(models, count, run.seed)
    covering, by_outlines = (
        coverage(one.double().numpy(), other.double().numpy(), seed=run.seed)
        for one, other in (
            (photographs.seen, generated.seen),
            (photographs.outlines, generated.outlines),
        )
    )
    answers = compare_answers(models.target, photographs.outputs, generated.outputs, seed=run.seed)
    read, by_attribute = read_attributes(models, photographs.embeddings, generated.embeddings)
    inverted = _invert(models, readable, run, inversions)
    parts: dict[str, Judgement] = {
        "coverage": judge_coverage(covering, by_outlines),
        "answers": judge_answers(answers.distance, answers.worded),
        "inversion": judge_inversion(inverted),
        "words": judge_reading(read),
    }
    verdict = worst(judgement.verdict for judgement in parts.values())
    pilot = _pilot(models, [index for index, one in enumerate(by_attribute) if not one.refused], run, generated.outputs)
    attributes = []
    given = models.settings.attributes or models.attributes
    for attribute, as_given, one in zip(models.attributes, given, by_attribute, strict=True):
        told = without_password(as_given) if isinstance(as_given, str) else None
        as_text = attribute.text if attribute.source is None else told
        power = () if pilot is None else pilot.attributes.get(attribute.text, ())
        attributes.append(AttributeFitness(attribute, as_text, one, power, judge_attribute(one, power, verdict)))
    result = Fitness(
        generator=_named(models),
        target=models.target.name,
        text_encoder=models.text_encoder.name,
        photographs=len(readable),
        unread=tuple((crop.file, crop.refused or "") for crop in crops if crop.pixels is None),
        generated=count,
        coverage=covering,
        outlines=by_outlines,
        inverted=inverted,
        answers=answers,
        read=read,
        pilot=pilot,
        parts=parts,
        attributes=tuple(attributes),
        notices=tuple(models.notices.lines),
        environment=describe_environment(),
    )
    return result, _nearest(readable, photographs, generated)


def _check(settings: AuditSettings) -> None:
    """Refuse what no fit can be told of."""
    if settings.generator is None:
        raise ConfigError("fit asks whether a generator is one of such pictures: give one")
    for name in ("photos", "by", "paraphrases"):
        if getattr(settings, name):
            raise ConfigError(f"fit takes no {name} of an audit: leave it out")
    if settings.mode != "single":
        raise ConfigError("fit looks at each attribute alone: leave mode out")


def _named(models: Models) -> str:
    generator = models.settings.generator
    return str(generator) if isinstance(generator, str | Path) else type(generator).__name__


@torch.no_grad()
def _look_at(models: Models, images: Tensor) -> Looked:
    """Return what is seen of images `[B, 3, R, R]`."""
    small = F.interpolate(images.float(), size=min(THUMBNAIL, images.shape[-1]), mode="area")
    encoder = models.text_encoder
    embeddings = check_finite(encoder.embed_images(images).float().cpu())
    seen = embeddings
    if isinstance(encoder, AttributeEncoder):  # its other coordinates are scores, in units of their own
        seen = embeddings[:, : encoder.seen] if encoder.seen else PictureFeatures()(images).cpu()
    return Looked(embeddings, seen, outlines(images).cpu(), models.target(images).cpu(), to_pixels(small.cpu()))


def _joined(parts: Sequence[Looked]) -> Looked:
    return Looked(
        torch.cat([part.embeddings for part in parts]),
        torch.cat([part.seen for part in parts]),
        torch.cat([part.outlines for part in parts]),
        torch.cat([part.outputs for part in parts]),
        np.concatenate([part.thumbnails for part in parts]),
    )


def _look_at_photographs(models: Models, crops: Sequence[Crop]) -> Looked:
    size, parts = models.batch_size, []
    with models.progress(len(crops), "Looking at photographs", unit="photograph") as bar:
        for start in range(0, len(crops), size):
            images = torch.cat([crop.image for crop in crops[start : start + size]])
            parts.append(_look_at(models, images.to(models.generator.device)))
            bar.update(len(images))
    return _joined(parts)


@torch.no_grad()
def _look_at_generated(models: Models, count: int, seed: int) -> Looked:
    """Look at the first generated images that an audit of this seed has."""
    first, size, parts = seed * SEEDS_PER_RUN, models.batch_size, []
    codes = models.styles(range(first, first + count))
    with models.progress(count, "Looking at generated images", unit="image") as bar:
        for start in range(0, count, size):
            images = models.synthesizer.render(codes[start : start + size])
            parts.append(_look_at(models, images))
            bar.update(len(images))
    return _joined(parts)


def _invert(models: Models, crops: Sequence[Crop], run: FitSettings, inversions: Path | None) -> Inverted:
    """Look for a sample of photographs in the generator, where it can be inverted."""
    if not run.inverted:
        return Inverted(0, 0, None, None, LARGEST, note="no photograph was looked for in the generator, as was asked")
    try:
        check_invertible(models.generator)
        if models.text_encoder.name == NO_WORDS:
            raise ConfigError("inversions are held to photographs by a text encoder, and there is none")
    except ConfigError as error:
        return Inverted(0, 0, None, None, LARGEST, note=f"no photograph was looked for in the generator: {error}")
    sample = crops[: run.inverted]
    audited = compared_photographs(models, sample, seed=run.seed, inversions=inversions)
    errors = [max(one.seen, one.pixels or 0.0) for one in audited.photographs if one.seen is not None]
    refusals = Counter(one.refused.partition(":")[0] for one in audited.refused if one.refused)
    accepted = len(audited.seeds)
    return Inverted(
        len(sample),
        accepted,
        wilson(accepted, len(sample)),
        float(np.median(errors)) if errors else None,
        LARGEST,
        tuple(refusals.most_common()),
    )


def _pilot(models: Models, chosen: list[int], run: FitSettings, outputs: Tensor) -> Pilot | None:
    """Audit the attributes that an audit takes on a few images; `outputs` are the target's on generated ones."""
    if not run.pilot or not chosen:
        return None
    wanted = with_attributes(models, chosen) if len(chosen) < len(models.attributes) else models
    population = models.generator.population
    images = run.pilot if population is None else min(run.pilot, population)
    return run_pilot(wanted, images=images, seed=run.seed, outputs=outputs)


def _nearest(crops: Sequence[Crop], photographs: Looked, generated: Looked) -> list[Nearest]:
    """Return photographs beside the nearest generated picture: the furthest ones, then those around the median."""
    distances = torch.cdist(photographs.seen, generated.seen)
    nearest, which = distances.min(dim=1)
    order = nearest.argsort(descending=True).tolist()
    half = SHOWN // 2
    middle = max(half, len(order) // 2 - half // 2)
    shown = [(row, "among the furthest") for row in order[:half]]
    shown += [(row, "about the median") for row in order[middle : middle + half]]
    return [
        Nearest(
            crops[row].file,
            where,
            float(nearest[row]),
            photographs.thumbnails[row],
            generated.thumbnails[int(which[row])],
        )
        for row, where in shown
    ]
