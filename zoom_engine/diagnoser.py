"""``Diagnoser``: prompts and a target model in, a finished audit out. The pipeline in reading order, nothing else."""

from __future__ import annotations

import contextlib
import inspect
import json
import math
import os
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence, Set
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from functools import cached_property
from itertools import pairwise
from pathlib import Path
from typing import Any, Literal, Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from zoom_engine.attributes import NEUTRAL, Attribute, parse_attributes
from zoom_engine.audit.diagnosis import Diagnosis
from zoom_engine.audit.folder import (
    INVERSIONS,
    MANIFEST,
    AuditFolder,
    check_config,
    check_folder,
    first_difference,
    read_manifest,
)
from zoom_engine.audit.manifest import PAPER_BOUND, Manifest
from zoom_engine.audit.model_settings import ServiceSettings
from zoom_engine.audit.photographs_file import PHOTOGRAPHS, photographs_json
from zoom_engine.audit.records import Record
from zoom_engine.audit.records import Unit as Done
from zoom_engine.audit.service_file import tries_in_words
from zoom_engine.audit.settings import AUTO, METHODS, SEEDS_PER_RUN, AuditSettings, RunSettings, signature_with
from zoom_engine.audit.target_names import several_targets
from zoom_engine.cluster import Batch, RayWorkers, Shard, Work, check_cluster, dispatched
from zoom_engine.directions import (
    DEFAULT_LEVEL,
    DEFAULT_THRESHOLD,
    NULL_PICTURES,
    CalibratedRange,
    EditDirections,
    NaturalRegion,
    NullDirections,
    Sampling,
    ScoreScale,
    TextGroups,
    calibrate_range,
    check_method,
    find_directions,
    image_bounds,
    natural_region,
    nothing_visible,
    null_directions,
    phrased_directions,
    score_scale,
    text_directions,
    text_groups,
)
from zoom_engine.directions.unedited import SAMPLES
from zoom_engine.domains import KnownFace, find_domain
from zoom_engine.errors import AuditError, ClusterError, ConfigError
from zoom_engine.evaluator import Evaluator
from zoom_engine.files.cache import check_cache, default_cache
from zoom_engine.gallery import build_gallery, write_photographs
from zoom_engine.generators import (
    SeedStyles,
    StyleRows,
    check_generator_options,
    load_generator,
    of_one_class,
)
from zoom_engine.notices import Notify, untold
from zoom_engine.photographs import (
    FFHQ,
    Audited,
    Crop,
    FacePoints,
    Inverter,
    Yardstick,
    check_invertible,
    judged,
    read_crops,
)
from zoom_engine.plurals import agreeing, number_of
from zoom_engine.progress import ProgressFactory, in_notebooks
from zoom_engine.report import write_report
from zoom_engine.runtime import (
    Synthesizer,
    check_backend,
    choose_synthesizer,
    compiled_target,
    compiled_text_encoder,
    describe_environment,
    find_device,
)
from zoom_engine.search import SearchResult, Unit, check_search, choose_search, describe_search, run_shared
from zoom_engine.shard_search import Measured, ShardSearch
from zoom_engine.targets import Target, asks_a_service, check_target, check_target_options, input_notices, load_target
from zoom_engine.text import TextEncoder, find_templates, text_encoder_for

FIRST_UNITS = 64  # are bounded, then searched: first records come soon
UNITS_AT_ONCE = 512  # after them: memory does not grow with the images
SHARDS_A_WORKER = 4  # or more, where there are images enough: at the end none waits long for the others


class Diagnoser:
    """What a target model is sensitive to, by zero-shot model diagnosis (ZOOM, Luo 2023).

    Args:
        settings: what is audited and how; or its fields, each by its name, see ``AuditSettings``.
        progress: how long work shows itself, see ``zoom_engine.progress``; by default in notebooks alone.
        notify: takes each of ``notices``, lines on what was assumed, as soon as it is known; the manifest holds them.
        like: one of the same settings but the target; its generator and its text encoder are this one's too.

    Raises:
        ZoomError: one of its subclasses, with one line that says what is wrong and what to do.
    """

    def __init__(
        self,
        settings: AuditSettings | None = None,
        *,
        progress: ProgressFactory = in_notebooks,
        notify: Notify = untold,
        like: Diagnoser | None = None,
        **options: Any,
    ) -> None:
        self.settings = settings = replace(settings, **options) if settings else AuditSettings(**options)
        given: Any = settings.target
        if several_targets(given):
            raise ConfigError("a Diagnoser audits one target: Diagnosers(target=[…], …) audits several")
        domain = find_domain(settings.generator) if isinstance(settings.generator, str) else None
        self.neutral = settings.neutral or (domain.neutral if domain else NEUTRAL)
        if settings.attributes is not None:
            parse_attributes(settings.attributes, neutral=self.neutral)
        check_search(settings.search, mode=settings.mode, options=settings.search_options)
        check_cluster(settings.cluster)
        self.templates = find_templates(settings.templates)
        place = find_device(settings.device)
        check_backend(settings.backend, settings.precision, settings.device)
        self.cache = default_cache() if settings.cache is None else Path(settings.cache)
        check_cache(self.cache)
        check_target(given)
        generator_options = check_generator_options(settings.generator_options)
        about = {"download": settings.download, **check_target_options(settings.target_options)}
        self.progress = progress
        self._check_directions(settings.attributes)
        with progress(4, "Loading", unit="model") as bar:  # what can be refused by words alone comes first
            if like is None:
                encoder = text_encoder_for(settings.generator, settings.text_encoder, download=settings.download)
                self.text_encoder = encoder.to(settings.device)
            else:
                self.text_encoder = like.text_encoder
            self._check_texts(settings.attributes or (), settings.labels or ())
            self._check_texts(settings.by or (), ())
            self._check_texts(settings.keep or (), ())
            bar.update(note="text encoder")
            self.target: Target = load_target(given, **about).to(settings.device)
            self.labels = tuple(self.target.labels if settings.labels is None else settings.labels)
            attributes = settings.attributes
            if attributes is None:
                attributes = [a for a in (domain.attributes if domain else ()) if a not in self.target.labels]
            self.attributes = parse_attributes(attributes, neutral=self.neutral)
            self.null = settings.null_directions(len(self.attributes))
            self.nothing = self._nothing_visible()
            self.text_encoder.check_words([*map(str, self.attributes), *self.labels])
            bar.update(note="target")
            if like is None:
                loaded = load_generator(settings.generator, **generator_options)
                self.generator = of_one_class(loaded, settings.generator_class).to(place)
            else:
                self.generator = like.generator
            if settings.photos is not None:
                check_invertible(self.generator)
            self.search, self.search_reason = choose_search(
                settings.search,
                mode=settings.mode,
                target=self.target,
                generator=self.generator,
                options=settings.search_options,
            )
            self.target.check(self.generator.resolution)
            self._check_directions(self.attributes, of_models=True)
            bar.update(note="generator")
            self._choose_runtimes(like)
            bar.update(note="runtime")
        self._notify = notify
        self.notices: list[str] = []
        for notice in input_notices(self.target, resolution=self.generator.resolution):
            self._tell(notice)

    def _choose_runtimes(self, like: Diagnoser | None) -> None:
        """What draws pictures, and what looks at them; where bf16 draws, it also steers a gradient search."""
        settings = self.settings
        self.synthesizer: Synthesizer = (
            choose_synthesizer(
                self.generator,
                backend=settings.backend,
                precision=settings.precision,
                device=settings.device,
                cache=self.cache,
            )
            if like is None
            else like.synthesizer
        )
        self._lower = self.search.needs_gradient and self.synthesizer.precision == "bf16"
        self.target, target_runs = compiled_target(self.target, self.synthesizer, lower=self._lower)
        if like is not None and like._lower == self._lower:
            encoder_runs = like._networks["text_encoder"]
        else:
            self.text_encoder, encoder_runs = compiled_text_encoder(
                self.text_encoder, self.synthesizer, lower=self._lower
            )
        self._networks: dict[str, str] = {"target": target_runs, "text_encoder": encoder_runs}

    @cached_property
    def measuring_encoder(self) -> TextEncoder:
        """The text encoder in the synthesis's precision, for means over many pictures: no label hangs on one of them.
        It is compiled when something is measured."""
        precision = self.synthesizer.precision
        if precision == "fp32":
            return self.text_encoder
        encoder, runs = compiled_text_encoder(self.text_encoder, self.synthesizer, precision=precision)
        self._networks["measurements"] = runs
        return encoder

    def run(
        self,
        *,
        images: int | Literal["auto"] = RunSettings.images,
        seed: int = RunSettings.seed,
        out: str | Path | None = None,
        width: float | None = RunSettings.width,
        most_images: int | None = RunSettings.most_images,
    ) -> Diagnosis:
        """Audit the target on ``images`` generated images.

        ``seed`` names the images: number i is the generator's seed ``seed · 100000 + i``. ``out`` is the audit
        folder, made or resumed (equal settings only); None keeps the result in memory, without pictures.
        Interrupted at any moment, the same call goes on where it was. With "auto" the audit looks after 24, 48, 96, …
        images whether it may end, by ``width`` and ``most_images`` of `RunSettings`; `audit.looks` says how that is
        paid for. Of an audit around photographs there are as many images as photographs that the generator can draw;
        `photographs` says more.
        """
        run = RunSettings(images=images, seed=seed, width=width, most_images=most_images)
        (diagnosis,) = diagnosed([self], run, [out])
        return diagnosis

    def measured(self, run: RunSettings, photographs: Audited | None = None) -> Measured:
        """Find what all images have in common, or take it from the cache."""
        settings = self.settings
        multi = settings.mode == "multi"
        directions = self.edit_directions()
        calibrated = self.calibrated_range(directions) if settings.edit_range == "calibrated" else None
        first = run.seed * SEEDS_PER_RUN
        return Measured(
            seeds=range(first, first + run.most) if photographs is None else photographs.seeds,
            codes=None if photographs is None else photographs.codes,
            directions=directions,
            calibrated=calibrated,
            null=self.null_directions(directions, calibrated, seed=run.seed),
            scale=None if calibrated is None or multi else self.score_scale(directions, calibrated),
            groups=self.text_groups() if settings.by else None,
            phrased=self.phrased_directions(directions) if settings.wordings else None,
            region=natural_region(self.generator, directions, cache=self.cache) if multi else None,
        )

    def measured_for(self, other: Diagnoser, measured: Measured) -> Measured:
        """What this one ``measured``, for ``other``, of another target."""
        other._networks = {**self._networks, **other._networks}  # which has looked at nothing itself
        if measured.scale is None or measured.calibrated is None or other.labels == self.labels:
            return measured
        return replace(measured, scale=self.score_scale(measured.directions, measured.calibrated, other.labels))

    def sampling(self, samples: int) -> Sampling:
        """So many unedited pictures, drawn and kept as in this audit."""
        settings = self.settings
        truncated = settings.truncation, settings.truncation_cutoff
        return Sampling(samples, 0, *truncated, self.synthesizer, settings.batch_size, self.cache, self.progress)

    def edit_directions(self) -> EditDirections:
        """One direction per attribute, found or taken from the cache."""
        settings = self.settings
        if isinstance(settings.directions, EditDirections):
            settings.directions.check_fits(self.generator)
            return settings.directions
        return self._find(
            [attribute.text for attribute in self.attributes],
            method=settings.directions,
            threshold=DEFAULT_THRESHOLD if settings.threshold is None else settings.threshold,
            level=DEFAULT_LEVEL if settings.level is None else settings.level,
            templates=self.templates,
            keep=[Attribute.parse(text).text for text in settings.keep or ()],
        )

    def _find(self, texts: Sequence[str], **how: Any) -> EditDirections:
        """Edit directions on this audit's generator, by options of `find_directions`."""
        return find_directions(
            self.generator,
            self.measuring_encoder,
            texts,
            neutral=self.neutral,
            truncation=self.settings.truncation,
            truncation_cutoff=self.settings.truncation_cutoff,
            synthesizer=self.synthesizer,
            batch_size=self.settings.batch_size,
            cache=self.cache,
            progress=self.progress,
            **how,
        )

    def _alike(self, texts: Sequence[str], directions: EditDirections, templates: Sequence[str]) -> EditDirections:
        """Those of other texts, found as ``directions`` were; none is refused."""
        return self._find(
            texts,
            method=directions.method,
            threshold=directions.threshold,
            level=1.0,
            templates=templates,
            keep=directions.provenance.get("keep", ()),
        )

    def _nothing_visible(self) -> tuple[str, ...]:
        """Prompts that name nothing visible, which stand beside random directions where edits have a calibrated range
        and directions are found here."""
        settings = self.settings
        found_here = not isinstance(settings.directions, EditDirections) or settings.directions.method in METHODS
        if not (self.null and settings.edit_range == "calibrated" and found_here):
            return ()
        typed = {attribute.text for attribute in self.attributes}
        prompts = nothing_visible(self.text_encoder, self.neutral)
        return tuple(prompt for prompt in prompts if prompt not in typed)

    def calibrated_range(self, directions: EditDirections) -> CalibratedRange:
        """How far each attribute may be edited before it leaves its natural range."""
        return calibrate_range(
            self.generator,
            self.measuring_encoder,
            directions,
            bound=PAPER_BOUND,
            synthesizer=self.synthesizer,
            batch_size=self.settings.batch_size,
            cache=self.cache,
            progress=self.progress,
        )

    def null_directions(
        self, directions: EditDirections, calibrated: CalibratedRange | None, *, seed: int = RunSettings.seed
    ) -> NullDirections:
        """The random directions that attributes are held against, others for each ``seed`` of an audit, and after them
        those of prompts that name nothing visible."""
        return null_directions(
            self.generator,
            directions,
            calibrated,
            count=self.null,
            bound=PAPER_BOUND,
            seed=seed,
            sampling=self.sampling(NULL_PICTURES),
            texts=self._alike(self.nothing, directions, self.templates).matrix if self.nothing else None,
        )

    def score_scale(
        self, directions: EditDirections, calibrated: CalibratedRange, labels: Sequence[str] | None = None
    ) -> ScoreScale:
        """In which units it is told what an edit does to the text scores of the other attributes and of the labels, by
        default the audit's."""
        return score_scale(
            self.generator,
            self.measuring_encoder,
            directions,
            calibrated,
            self.labels if labels is None else labels,
            synthesizer=self.synthesizer,
            batch_size=self.settings.batch_size,
            cache=self.cache,
            progress=self.progress,
        )

    def text_groups(self) -> TextGroups:
        """How images are told apart that have or lack what the settings' `by` says."""
        return text_groups(
            self.generator,
            self.measuring_encoder,
            [Attribute.parse(text).text for text in self.settings.by or ()],
            neutral=self.neutral,
            templates=self.templates,
            sampling=self.sampling(SAMPLES),
        )

    def phrased_directions(self, directions: EditDirections) -> Tensor:
        """The attributes' directions in each phrasing, see `phrased_directions`, found as ``directions`` were."""

        def find(texts: list[str], template: str) -> EditDirections:
            return self._alike(texts, directions, [template])

        return phrased_directions(directions.attributes, self.templates, self.settings.wordings or 0, find)

    def styles(self, seeds: Sequence[int]) -> SeedStyles:
        """The unedited style vectors ``[I, S]`` of the seeds, mapped when rows of them are asked for."""
        truncation, cutoff = self.settings.truncation, self.settings.truncation_cutoff
        return SeedStyles(self.generator, seeds, truncation=truncation, truncation_cutoff=cutoff)

    def crops(self) -> list[Crop]:
        """The settings' photographs as squares of the generator's size."""
        settings = self.settings
        domain: object = find_domain(settings.generator) if isinstance(settings.generator, str) else None
        canonical = FacePoints(*domain.face_points) if isinstance(domain, KnownFace) else FFHQ
        side = self.generator.resolution
        crops = read_crops(Path(settings.photos or ""), side=side, canonical=canonical, progress=self.progress)
        middle = [crop.file for crop in crops if crop.cut == "middle"]
        if middle:
            self._tell(f"without landmarks, cut to the square in their middle: {_some(middle)}")
        return crops

    def inverter(self, *, seed: int = RunSettings.seed) -> Inverter:
        """What finds photographs in the generator, drawn as in this audit."""
        encoder, drawn = self.text_encoder, self.synthesizer
        return Inverter(self.generator, encoder, drawn, seed=seed, made_by=drawn.describe())

    def photographs(self, crops: Sequence[Crop], *, seed: int = RunSettings.seed, kept: Path | None = None) -> Audited:
        """The photographs' codes, and which of them the generator can draw so that the target sees them alike.

        In the folder ``kept`` codes are written as they are found, and taken from there.

        Raises:
            PhotographError: none is left.
        """
        readable = [crop for crop in crops if crop.pixels is not None]
        codes = torch.empty(0, self.generator.space.size)
        if readable:
            size = min(self.settings.batch_size, 8)
            codes = self.inverter(seed=seed).codes(readable, kept=kept, batch_size=size, progress=self.progress)
        yardstick = Yardstick.of(self.generator, self.text_encoder, self.synthesizer, seed=seed)
        evaluator = self.evaluator(torch.zeros(1, self.generator.space.size))
        found = judged(crops, codes, evaluator=evaluator, yardstick=yardstick)
        if found.refused:
            told = [f"{photograph.file} {photograph.refused}" for photograph in found.refused]
            of = f"{len(told)} of {number_of(len(crops), 'photograph')}"
            self._tell(f"{of} {agreeing(len(told), 'is', 'are')} left out: {_some(told)}")
        return found

    def evaluator(self, directions: EditDirections | NullDirections | Tensor) -> Evaluator:
        """What evaluates edit weights in this audit, of directions or of a matrix ``[N, S]``."""
        matrix = directions if isinstance(directions, Tensor) else directions.matrix
        return Evaluator(
            self.synthesizer,
            matrix.to(self.generator.device),
            self.target,
            text_encoder=self.text_encoder,
            label_prompts=self.labels,
            loss_weights=self.settings.loss_weights,
            decisive_change=self.settings.decisive_change,
        )

    def search_targets(
        self,
        targets: Sequence[Target],
        styles: StyleRows,
        directions: EditDirections,
        calibrated: CalibratedRange,
        on_result: Callable[[list[tuple[int, Unit, SearchResult]]], None],
    ) -> list[Evaluator]:
        """Search every attribute on every image for several ``targets`` at once, each picture made once; of ``targets``
        the evaluators, ``on_result`` gets finished units as `run_shared` says."""
        compiled = [compiled_target(target, self.synthesizer)[0] for target in targets]
        evaluators = [
            Evaluator(
                self.synthesizer,
                directions.matrix,
                target,
                text_encoder=self.text_encoder,
                label_prompts=target.labels,
            )
            for target in compiled
        ]
        wanted = [(image, which) for image in range(len(styles)) for which in range(len(self.attributes))]
        run_shared(
            self.units(styles, directions, calibrated, wanted),
            search=self.search,
            evaluators=evaluators,
            styles=styles,
            on_result=on_result,
            batch_size=self.settings.batch_size,
            progress=self.progress,
        )
        return evaluators

    def units(
        self,
        styles: StyleRows,
        directions: EditDirections,
        calibrated: CalibratedRange | None,
        wanted: Sequence[tuple[int, int | None]],
        scale: ScoreScale | None = None,
        region: NaturalRegion | None = None,
    ) -> list[Unit]:
        """The units of ``wanted``, in its order: (image, attribute) in single mode, (image, None) in multi mode.

        Within ``calibrated`` (None: the paper's range) images are drawn in single mode, to see how far each may go;
        with ``scale`` the units hold what that does to text scores. Multi mode takes a ``region``, or finds one.
        """
        count = len(self.attributes)
        paper = np.array([-PAPER_BOUND, PAPER_BOUND])
        if self.settings.mode == "multi":
            bounds = np.tile(paper, (count, 1)) if calibrated is None else calibrated.bounds.double().numpy()
            if region is None:
                region = natural_region(self.generator, directions, cache=self.cache)
            return [
                Unit(image, None, bounds, natural=region.around(styles[image]), stay_natural=calibrated is not None)
                for image, _ in wanted
            ]
        places = [(image, which) for image, which in wanted if which is not None]
        if calibrated is None:
            return [Unit(image, which, _only(paper, which, count)) for image, which in places]
        limits, moved = image_bounds(
            self.text_encoder,
            directions,
            calibrated,
            self.synthesizer,
            styles,
            places,
            beside=None if scale is None else scale.labels,
            batch_size=self.settings.batch_size,
            progress=self.progress,
        )
        scores = [None] * len(places) if scale is None else scale.measure(moved)
        return [
            Unit(
                image,
                which,
                _only(own, which, count),
                None if self.search.needs_gradient else _only(paper, which, count),
                scores=there,
            )
            for (image, which), own, there in zip(places, limits.double().numpy(), scores, strict=True)
        ]

    def config(self, run: RunSettings) -> dict[str, Any]:
        """What determines the records and is known before anything is measured, as the manifest's file has it."""
        held = self.settings.null_images(len(self.attributes), run.most)
        return {
            **self.settings.deciding(),
            **run.deciding(),
            "null": self.null,
            **({"nothing": {"prompts": list(self.nothing), "every": self._nothing_every}} if self.nothing else {}),
            **({"null_images": held} if held < run.most else {}),
            "target": self.target.name,
            "target_details": self.target.describe(),
            "attributes": [attribute.text for attribute in self.attributes],
            "neutral": self.neutral,
            "labels": list(self.labels),
            "search": self.search.name,
            "search_options": describe_search(self.search),
            "search_reason": self.search_reason,
            "generator": self.generator.content_hash,
            "resolution": self.generator.resolution,
            "text_encoder": {"name": self.text_encoder.name, "content_hash": self.text_encoder.content_hash},
            "bound": PAPER_BOUND,
            "synthesis": self.synthesizer.describe(),
        }

    def chosen(self, run: RunSettings) -> dict[str, Any]:
        """`config`, and what looks at pictures: an audit's processes have it in common, or numbers end otherwise."""
        networks = {name: self._networks[name] for name in ("target", "text_encoder")}
        return {**self.config(run), "networks": networks}

    def _of_photographs(self, crops: Sequence[Crop], seed: int) -> dict[str, Any]:
        """What an audit around photographs depends on beside `config`, and is known before they are inverted."""
        files = {crop.file: crop.sha256 for crop in crops}
        return {"photographs": {"files": files, "inversion": self.inverter(seed=seed).identity}}

    def manifest(
        self,
        directions: EditDirections,
        calibrated: CalibratedRange | None,
        run: RunSettings,
        crops: Sequence[Crop] | None = None,
        found: Audited | None = None,
    ) -> Manifest:
        """All that determines the records, and where they were made."""
        given = self.settings.generator
        return Manifest.of(
            {
                **self.config(run),
                **({} if crops is None else self._of_photographs(crops, run.seed)),
                **({} if found is None else {"audited": found.files}),
                "calibrated_range": None if calibrated is None else calibrated.bounds.tolist(),
                "directions": {
                    "method": directions.method,
                    "threshold": directions.threshold,
                    "templates": directions.provenance["templates"],
                    "content_hash": directions.content_hash,
                    "channels": list(directions.channels),
                    "strength": list(directions.strength),
                    "noise_floor": list(directions.noise_floor),
                },
            },
            {
                **describe_environment(),
                "generator": str(given) if isinstance(given, str | Path) else f"a {type(given).__name__}",
                "synthesis": self.synthesizer.explain(),
                "networks": self._networks,
                "notices": self.notices,
            },
            purpose=self.settings.purpose,
            begun=datetime.now(UTC).isoformat(timespec="seconds"),
        )

    def _check_directions(self, attributes: Sequence[str | Attribute] | None, *, of_models: bool = False) -> None:
        """Ready directions must be those that this audit would find; ``of_models`` is where its models are loaded."""
        settings, ready = self.settings, self.settings.directions
        if not isinstance(ready, EditDirections):
            check_method(ready)
            return
        ready.check_origin()
        wanted: dict[str, Any] = {
            "neutral": self.neutral,
            "templates": self.templates,
            "truncation": settings.truncation,
            "truncation_cutoff": settings.truncation_cutoff,
        }
        if attributes is not None:
            wanted["attributes"] = tuple(a.text for a in parse_attributes(attributes, neutral=self.neutral))
        if settings.keep is not None:
            wanted["keep"] = tuple(Attribute.parse(text).text for text in settings.keep)
        if settings.threshold is not None:
            wanted["threshold"] = settings.threshold
        if settings.level is not None:
            wanted["level"] = settings.level
        if of_models:
            wanted |= {"generator": self.generator.content_hash, "text_encoder": self.text_encoder.content_hash}
        ready.check_settings(wanted)

    def _check_texts(self, attributes: Sequence[str], labels: Sequence[str]) -> None:
        """Refuse what the text encoder cannot read, and attributes that it cannot tell from the neutral prompt."""
        self.text_encoder.check_words([self.neutral, *attributes, *labels])
        if attributes:
            text_directions(self.text_encoder, attributes, neutral=self.neutral, templates=self.templates)
        if labels:
            self.text_encoder.embed_texts(labels)

    def _tell(self, notice: str) -> None:
        """Tell it now, and in the manifest."""
        self._notify(notice)
        if notice not in self.notices:  # of another run of this object
            self.notices.append(notice)

    def _check_same_audit(self, out: Path, run: RunSettings, crops: Sequence[Crop] | None) -> None:
        """Refuse to go on with another audit before hours are spent; of another runtime, with what to give instead."""
        if not (out / MANIFEST).is_file():
            return
        there, here = read_manifest(out).config, self.synthesizer
        if (there.backend, there.precision) != (here.backend, here.precision):
            raise AuditError(
                f"{out} was begun with --backend {there.backend} --precision {there.precision}, this run"
                f" would go on with {here.backend} in {here.precision}: give the same, or another folder"
            )
        known = self.config(run)
        if crops is not None:  # how many of them are audited is known when they are inverted
            known = {name: value for name, value in known.items() if name not in ("images", "null_images")}
            known |= self._of_photographs(crops, run.seed)
        check_config(out, known)

    @contextlib.contextmanager
    def _workers(self) -> Iterator[RayWorkers | None]:
        """Those of the settings' cluster; None where this process does all."""
        settings = self.settings
        if settings.cluster is None:
            yield None
            return
        gpu = self.generator.device.type == "cuda"
        with RayWorkers(
            settings.cluster, count=settings.workers, cores=settings.worker_cores, gpu=gpu, notify=self._notify
        ) as workers:
            if asks_a_service(settings.target):
                workers.count = min(workers.count, self._service().at_once)
            workers.check(self._settings_of_workers(workers.count))
            yield workers

    def _service(self) -> ServiceSettings:
        return ServiceSettings.of((self.settings.target_options or {}).get("service") or {})

    def _settings_of_workers(self, count: int) -> AuditSettings:
        """Those of one of so many workers; limits hold for all together."""
        settings = self.settings
        options = settings.target_options
        if asks_a_service(settings.target):
            options = {**(options or {}), "service": asdict(self._service().shared(count))}
        return replace(
            settings,
            target_options=options,
            preset=None,  # what it says is filled in
            device=self.generator.device.type,
            cluster=None,
        )

    def _job(self, run: RunSettings, measured: Measured, count: int) -> _Job:
        """What one of so many workers needs to know."""
        return _Job(
            settings=self._settings_of_workers(count),
            run=run,
            chosen=self.chosen(run),
            measured=measured,
            folder=Path.cwd(),
        )

    def _found(
        self,
        run: RunSettings,
        images: int,
        search: ShardSearch,
        workers: RayWorkers | None,
        hired: list[int],
        *,
        done: Sequence[Set[Done]],
    ) -> Iterator[tuple[int, Batch]]:
        """Search the units of the first ``images`` that are not ``done``, some images at a time: what was found after
        each batch of pictures, and for which target. ``hired`` are workers that have nothing to do, and are again
        afterwards."""
        places = len(self._places())
        held = self._held(run, images)
        if workers is None:
            ends = range(math.ceil(FIRST_UNITS / places), images, math.ceil(UNITS_AT_ONCE / places))
            for shard in self._shards(images, held, ends, set.intersection(*map(set, done))):
                lacking: dict[tuple[int, ...], Shard] = {}
                for unit in shard:
                    lacking.setdefault(tuple(i for i, known in enumerate(done) if unit not in known), []).append(unit)
                for targets, units in lacking.items():
                    yield from search.of(units, targets)
            return
        each = max(1, min(math.ceil(FIRST_UNITS / places), images // (SHARDS_A_WORKER * workers.count)))
        (known,) = done
        for batch in dispatched(self._shards(images, held, range(each, images, each), known), workers, free=hired):
            yield 0, batch

    def _held(self, run: RunSettings, images: int) -> int:
        """On how many of the first ``images`` random directions are searched."""
        return min(images, self.settings.null_images(len(self.attributes), run.most))

    def measurements(self, run: RunSettings, images: int) -> tuple[int, int]:
        """How many the first ``images`` take: of attributes, and of null directions; see `Config.measurements`."""
        nothing = len(range(0, images, self._nothing_every)) if self.nothing else 0
        return images * len(self._places()), self._held(run, images) * self.null + nothing

    @property
    def _nothing_every(self) -> int:
        return self.settings.nothing_every(len(self.attributes))

    def _places(self) -> Sequence[str | None]:
        """What is searched on each image: every attribute alone, or all together."""
        return [None] if self.settings.mode == "multi" else [attribute.text for attribute in self.attributes]

    def _shards(self, images: int, held: int, ends: Iterable[int], done: Set[Done]) -> Iterator[Shard]:
        """What is not done, of the images up to the first of ``ends``, then of those up to the next, and so on; random
        directions on the first ``held``."""
        places = self._places()
        for first, end in pairwise([0, *ends, images]):
            every: Shard = [(image, place) for image in range(first, end) for place in places]
            every += [(image, j) for image in range(first, min(end, held)) for j in range(self.null)]
            every += [
                (image, self.null + image // self._nothing_every % len(self.nothing))
                for image in range(first, end)
                if self.nothing and image % self._nothing_every == 0
            ]
            if shard := [unit for unit in every if unit not in done]:
                yield shard


# What help and editors show: the settings' own fields.
_OWN = [each for each in inspect.signature(Diagnoser.__init__).parameters.values() if each.kind is each.KEYWORD_ONLY]
Diagnoser.__init__.__signature__ = signature_with(*_OWN)  # type: ignore[attr-defined]


def _only(bounds: NDArray[np.float64], index: int, count: int) -> NDArray[np.float64]:
    """``[count, 2]``: the ``bounds [2]`` of one attribute, no range for the others."""
    alone = np.zeros((count, 2))
    alone[index] = bounds
    return alone


class Kept(Protocol):
    """Where the records of an audit go: `done` are those that are there already."""

    done: Set[Done]

    def keep(self, batch: Batch) -> None: ...

    def read(self) -> Diagnosis:
        """All that is there."""

    def finish(self, search: ShardSearch, target: int) -> Diagnosis: ...


class _InMemory:
    """Records that nobody writes down, without pictures."""

    def __init__(self, manifest: Manifest) -> None:
        self.done: Set[Done] = set()
        self._manifest, self._records, self._tries = manifest, list[Record](), Counter[str]()

    def keep(self, batch: Batch) -> None:
        self._records += batch.records
        self._tries.update(batch.tries)
        self._manifest = self._manifest.resumed({**self._manifest.environment, **batch.environment})

    def finish(self, search: ShardSearch, target: int) -> Diagnosis:
        return self.read()

    def read(self) -> Diagnosis:
        return Diagnosis(self._manifest, tuple(self._records), tries=dict(self._tries))


class _InFolder:
    """An audit folder that is open, and what this run adds to it."""

    def __init__(self, audit: AuditFolder, environment: Mapping[str, Any]) -> None:
        self.done: Set[Done] = audit.done()
        self.audit, self._environment = audit, environment

    def keep(self, batch: Batch) -> None:
        self.audit.note_environment({**self._environment, **batch.environment})
        self.audit.append(batch.records)
        self.audit.count(batch.tries)

    def read(self) -> Diagnosis:
        return Diagnosis.load(self.audit.path)

    def finish(self, search: ShardSearch, target: int) -> Diagnosis:
        diagnosis = self.read()
        if len(self.audit.done()) > len(self.done) or not self.audit.finished:
            build_gallery(self.audit, diagnosis, evaluator=search.evaluators[target], styles=search.styles)
            self.audit.count(search.tries(target))
            diagnosis = replace(diagnosis, tries=self.audit.tries)
            self.audit.finish(diagnosis.summary())
        return diagnosis


def diagnosed(
    diagnosers: Sequence[Diagnoser],
    run: RunSettings,
    outs: Sequence[str | Path | None],
    *,
    index: Path | None = None,
) -> list[Diagnosis]:
    """Audit the targets of ``diagnosers``, which have all else in common, into the folders ``outs``, see
    `Diagnoser.run`: what is measured is measured once, and a picture that several of them look at is made once. Reports
    link the ``index`` that will show them side by side.

    Several are audited by this process, and not around photographs: which of these are left out is up to the target.
    """
    first = diagnosers[0]
    if first.settings.photos is not None and run.images == AUTO:
        raise ConfigError("an audit around photographs takes all of them: leave out images")
    crops = None if first.settings.photos is None else first.crops()
    for diagnoser, out in zip(diagnosers, outs, strict=True):
        if out is not None:
            check_folder(out)
            diagnoser._check_same_audit(Path(out), run, crops)
    found = None
    if crops is not None:
        (out,) = outs
        found = first.photographs(crops, seed=run.seed, kept=None if out is None else Path(out) / INVERSIONS)
        run = replace(run, images=len(found.seeds))
    population = first.generator.population
    if found is None and population is not None and run.most > population:
        raise ConfigError(f"there are {population} codes to sample, not {run.most}: give as many images at most")
    with contextlib.ExitStack() as stack:
        workers = stack.enter_context(first._workers())
        measured = [first.measured(run, found)]
        for other in diagnosers[1:]:
            measured.append(first.measured_for(other, measured[0]))
        search = ShardSearch(diagnosers, measured)
        kept: list[Kept] = []
        for diagnoser, own, out in zip(diagnosers, measured, outs, strict=True):
            manifest = diagnoser.manifest(own.directions, own.calibrated, run, crops, found)
            if out is None:
                kept.append(_InMemory(manifest))
                continue
            audit = stack.enter_context(AuditFolder.open(out, manifest))
            kept.append(_InFolder(audit, manifest.environment))
            if crops is not None and found is not None:
                shown = write_photographs(audit, found, crops, search.evaluators[0])
                audit.write_json(PHOTOGRAPHS, photographs_json(shown))
        _search(diagnosers, run, search, workers, kept)
        diagnoses = [each.finish(search, target) for target, each in enumerate(kept)]
        for diagnoser, diagnosis in zip(diagnosers, diagnoses, strict=True):
            if diagnosis.tries:
                diagnoser._notify(f"service {diagnoser.target.name}: {tries_in_words(diagnosis.tries)}")
    for out in outs:
        if out is not None:
            write_report(Path(out), index=index)
    return diagnoses


def _search(
    diagnosers: Sequence[Diagnoser],
    run: RunSettings,
    search: ShardSearch,
    workers: RayWorkers | None,
    kept: Sequence[Kept],
) -> None:
    """Search what is not done, up to each look that no earlier run has passed, until one ends the audit."""
    first = diagnosers[0]
    if workers is not None:
        workers.prepare(first._job(run, search.measured[0], workers.count))
    done = [set(each.done) for each in kept]
    reached = 1 + max((image for known in done for image, _ in known), default=0)
    hired: list[int] = []
    for number, images in enumerate(run.looks, start=1):
        if images < reached:
            continue
        look = f", look {number} of {len(run.looks)}" if run.images == AUTO else ""
        every, initial = len(diagnosers) * sum(first.measurements(run, images)), sum(map(len, done))
        flips = searched = 0
        with first.progress(every, f"Searching{look}", unit="unit", initial=initial) as bar:
            try:
                for target, batch in first._found(run, images, search, workers, hired, done=done):
                    kept[target].keep(batch)
                    done[target].update(record.unit for record in batch.records)
                    flips += sum(record.flipped for record in batch.records if record.null is None)
                    searched += sum(record.null is None for record in batch.records)
                    bar.update(len(batch.records), note=f"flip rate {flips / max(searched, 1):.2f}")
            except BaseException:
                for target, each in enumerate(kept):  # what a service was asked in vain counts too
                    with contextlib.suppress(AuditError):
                        each.keep(Batch([], tries=search.tries(target)))
                raise
        if run.images != AUTO or not kept[0].read().goes_on:
            break
    if workers is not None:
        workers.close()


def _some(texts: Sequence[str], most: int = 5) -> str:
    """The first of them, and how many more there are."""
    more = f" and {len(texts) - most} more" if len(texts) > most else ""
    return "; ".join(texts[:most]) + more


@dataclass(frozen=True, kw_only=True)
class _Job:
    """What a worker needs to search images as the audit's own process would; relative paths lead on from ``folder``."""

    settings: AuditSettings
    run: RunSettings
    chosen: dict[str, Any]
    measured: Measured
    folder: Path

    def __call__(self) -> Work:
        """Load the models. Raises ClusterError where they are not those of the audit."""
        torch.set_num_threads(self.settings.worker_cores)
        with contextlib.suppress(OSError):  # the machine need not have it, where nothing is read by a relative path
            os.chdir(self.folder)
        diagnoser = Diagnoser(self.settings)
        there, here = (json.loads(json.dumps(each)) for each in (self.chosen, diagnoser.chosen(self.run)))
        if difference := first_difference(there, here):
            raise ClusterError(
                f"a worker would measure something else ({difference}): all machines need the same files and packages;"
                " --backend and --precision choose for all"
            )
        search, environment = ShardSearch([diagnoser], [self.measured]), describe_environment()

        def work(shard: Shard) -> Iterator[Batch]:
            yield Batch([], environment)
            yield from search(shard)

        return work
