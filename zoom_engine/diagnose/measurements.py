"""`Measurements`: what all images of an audit have in common, measured once, as one value."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from torch import Tensor

from zoom_engine.audit.folder import DIRECTIONS, MANIFEST, MEASURED, read_manifest
from zoom_engine.audit.manifest import PAPER_BOUND
from zoom_engine.common.errors import DirectionError
from zoom_engine.common.plurals import number_of
from zoom_engine.diagnose.attribute_sources import unlike_examples
from zoom_engine.diagnose.models import Models
from zoom_engine.directions import (
    BASELINE_PICTURES,
    DEFAULT_LEVEL,
    DEFAULT_THRESHOLD,
    PROMPTED,
    BaselineDirections,
    CalibratedRange,
    EditDirections,
    LabelReader,
    NaturalRegion,
    ScoreScale,
    TextGroups,
    baseline_directions,
    calibrate_range,
    find_directions,
    natural_region,
    paraphrase_directions,
    score_scale,
    text_groups,
)
from zoom_engine.directions.score_tests import check_pictures
from zoom_engine.directions.unedited import SAMPLES
from zoom_engine.photographs import Audited
from zoom_engine.settings.attributes import Attribute
from zoom_engine.settings.audit_settings import SEEDS_PER_RUN, RunSettings
from zoom_engine.text import AttributeEncoder


@dataclass(frozen=True, kw_only=True)
class Measurements:
    """The measurements that all images of an audit have in common: whoever searches one of them does it with these.

    `seeds` are the images', `codes [I, S]` those of photographs (None: seeds say them). `region` belongs to multi mode,
    `calibrated` to the calibrated range, `scale` to it in single mode, `groups` and `phrased` to the settings' `by` and
    `paraphrases`; None where they are not needed. `baseline` is None until `with_baselines`: edits along attributes do
    not wait for it.
    """

    seeds: Sequence[int]
    codes: Tensor | None
    directions: EditDirections
    calibrated: CalibratedRange | None
    baseline: BaselineDirections | None
    scale: ScoreScale | None
    groups: TextGroups | None
    phrased: Tensor | None
    region: NaturalRegion | None


def measure(
    models: Models,
    run: RunSettings,
    photographs: Audited | None = None,
    directions: EditDirections | None = None,
) -> Measurements:
    """Find what all images of a run have in common but the baseline directions, or load it from the cache.

    `directions` are those that an audit was begun with.
    """
    settings = models.settings
    multi = settings.mode == "multi"
    directions = edit_directions(models) if directions is None else directions
    calibrated = calibrated_range(models, directions) if settings.edit_range == "calibrated" else None
    first = run.seed * SEEDS_PER_RUN
    measurements = Measurements(
        seeds=range(first, first + run.most) if photographs is None else photographs.seeds,
        codes=None if photographs is None else photographs.codes,
        directions=directions,
        calibrated=calibrated,
        baseline=None,
        scale=None if calibrated is None or multi else _score_scale(models, directions, calibrated, models.labels),
        groups=_text_groups(models) if settings.by else None,
        phrased=_paraphrase_directions(models, directions) if settings.paraphrases else None,
        region=natural_region(models.generator, directions, cache=models.cache) if multi else None,
    )
    models.give_back_memory()
    return measurements


def directions_of(out: str | Path) -> EditDirections | None:
    """Return the edit directions that the audit in a folder was begun with; None where it does not have them.

    They are those of its manifest. Others are not used: whoever resumes the audit measures its directions anew.
    """
    path = Path(out) / MEASURED / DIRECTIONS
    if not path.is_file() or not (Path(out) / MANIFEST).is_file():
        return None
    try:
        directions = EditDirections.load(path)
    except DirectionError:
        return None
    written = read_manifest(out).config.content.get("directions")
    same = isinstance(written, dict) and written.get("content_hash") == directions.content_hash
    return directions if same else None


def measurements_for(other: Models, models: Models, measurements: Measurements) -> Measurements:
    """Return what was `measurements` with `models`, for `other` of another target."""
    for network, how in models.networks.items():  # the other ones have looked at nothing themselves
        other.networks.setdefault(network, how)
    if measurements.calibrated is not None and other.labels != models.labels and measurements.scale is not None:
        scale = _score_scale(models, measurements.directions, measurements.calibrated, other.labels)
        measurements = replace(measurements, scale=scale)
    return measurements


def with_baselines(audits: Sequence[Models], measurements: Sequence[Measurements]) -> list[Measurements]:
    """Return the measurements of several targets with baseline directions, which hang on each one's labels."""
    first, drawn = audits[0], dict[tuple[str, ...], BaselineDirections]()
    completed = []
    for models, of_target in zip(audits, measurements, strict=True):
        directions, calibrated = of_target.directions, of_target.calibrated
        labels = models.labels if calibrated is not None else first.labels
        if labels not in drawn:
            drawn[labels] = _baseline_directions(first, directions, calibrated, labels)
        _notify_of_baseline(models, drawn[labels])
        completed.append(replace(of_target, baseline=drawn[labels]))
    first.give_back_memory()
    return completed


def edit_directions(models: Models) -> EditDirections:
    """Return one direction per attribute, found or taken from the cache."""
    directions = _edit_directions(models)
    for notice in unlike_examples(models.text_encoder):
        models.notices.add(notice)
    models.give_back_memory()
    return directions


def _edit_directions(models: Models) -> EditDirections:
    settings = models.settings
    if isinstance(settings.directions, EditDirections):
        settings.directions.check_fits(models.generator)
        if isinstance(encoder := models.text_encoder, AttributeEncoder):
            level = DEFAULT_LEVEL if settings.level is None else settings.level
            check_pictures(encoder, settings.directions.attributes, level=level)
        return settings.directions
    if settings.directions != PROMPTED:
        models.sampling(1).statistics(models.generator)  # first of all: while they are measured they take much memory
    return _find(
        models,
        [attribute.text for attribute in models.attributes],
        method=settings.directions,
        threshold=DEFAULT_THRESHOLD if settings.threshold is None else settings.threshold,
        level=DEFAULT_LEVEL if settings.level is None else settings.level,
        templates=models.templates,
        samples=settings.samples,
        keep=[Attribute.parse(text).text for text in settings.keep or ()],
    )


def calibrated_range(models: Models, directions: EditDirections) -> CalibratedRange:
    """Return how far each attribute may be edited before it leaves its natural range."""
    return calibrate_range(
        models.generator,
        models.measuring_encoder,
        directions,
        bound=PAPER_BOUND,
        sampling=models.sampling(SAMPLES),
    )


def _find(models: Models, texts: Sequence[str], **how: Any) -> EditDirections:
    """Find edit directions on the audit's generator, by options of `find_directions`."""
    return find_directions(
        models.generator,
        models.measuring_encoder,
        texts,
        neutral=models.neutral,
        truncation=models.settings.truncation,
        truncation_cutoff=models.settings.truncation_cutoff,
        synthesizer=models.measuring_synthesizer,
        batch_size=models.batch_size,
        cache=models.cache,
        progress=models.progress,
        **how,
    )


def _alike(
    models: Models, texts: Sequence[str], directions: EditDirections, templates: Sequence[str]
) -> EditDirections:
    """Find those of other texts as `directions` were found; none is refused."""
    return _find(
        models,
        texts,
        method=directions.method,
        threshold=directions.threshold,
        level=1.0,
        templates=templates,
        **directions.found_by,
    )


def _baseline_directions(
    models: Models,
    directions: EditDirections,
    calibrated: CalibratedRange | None,
    labels: Sequence[str],
) -> BaselineDirections:
    """Draw the random baseline directions that attributes are compared with.

    They keep the `labels`. After them come the directions of control prompts.
    """
    reader = None
    if (told := models.labels_of(labels)) is not None:
        known = {"labels": list(labels), "text_encoder": models.text_encoder.content_hash}
        reader = LabelReader(told.of, {**known, **models.measuring_synthesizer.describe()})
    return baseline_directions(
        models.generator,
        directions,
        calibrated,
        count=models.random_directions,
        bound=PAPER_BOUND,
        seed=0,  # of every audit: one of other images does not match them anew
        sampling=models.sampling(BASELINE_PICTURES),
        labels=reader,
        texts=_alike(models, models.control_prompts, directions, models.templates).matrix
        if models.control_prompts
        else None,
    )


def _notify_of_baseline(models: Models, baseline: BaselineDirections) -> None:
    """Warn where random baseline directions change the ground truth, and where nobody can tell."""
    if not models.random_directions or not baseline.one_sided:
        return
    if not models.labels:
        models.notices.add(
            "labels are off: random edits that change the ground truth count as the model's reaction, which"
            " hides smaller effects; give a prompt of each class with --label"
        )
    elif baseline.changing:
        models.notices.add(
            f"{baseline.changing} of {number_of(models.random_directions, 'random direction')} change the label on more"
            f" than one picture in ten, and of {models.random_directions + baseline.redrawn} that were drawn no others"
            " keep it: fewer effects can be distinguished from random edits; give label prompts that these edits leave"
            " alone (--label)"
        )


def _score_scale(
    models: Models, directions: EditDirections, calibrated: CalibratedRange, labels: Sequence[str]
) -> ScoreScale:
    """Return the units of what an edit does to the text scores of the other attributes and of the labels."""
    return score_scale(
        models.generator,
        models.measuring_encoder,
        directions,
        calibrated,
        labels,
        sampling=models.sampling(SAMPLES),
    )


def _text_groups(models: Models) -> TextGroups:
    """Return how images are told apart that have or lack what the settings' `by` says."""
    return text_groups(
        models.generator,
        models.measuring_encoder,
        models.settings.told_apart_by([attribute.text for attribute in models.attributes]),
        neutral=models.neutral,
        templates=models.templates,
        sampling=models.sampling(SAMPLES),
    )


def _paraphrase_directions(models: Models, directions: EditDirections) -> Tensor:
    """Find the attributes' directions in each paraphrase as `directions` were found, see `paraphrase_directions`."""

    def find(texts: list[str], template: str) -> EditDirections:
        return _alike(models, texts, directions, [template])

    return paraphrase_directions(directions.attributes, models.templates, models.settings.paraphrases or 0, find)
