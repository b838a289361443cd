"""``Diagnoser``: prompts and a target model in, a finished audit out. Here are its models, chosen and loaded, and what
is measured with them; `audit_run` is what a run does with that.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path
from typing import Any, Literal, Unpack, overload

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from zoom_engine.audit.manifest import PAPER_BOUND, Config, Manifest
from zoom_engine.common import registry
from zoom_engine.common.errors import ConfigError
from zoom_engine.common.files.cache import check_cache, default_cache
from zoom_engine.common.machine import describe_environment, find_device
from zoom_engine.common.notices import Notify, untold
from zoom_engine.common.plurals import agreeing, number_of
from zoom_engine.common.progress import ProgressFactory, in_notebooks
from zoom_engine.common.threads import working
from zoom_engine.common.typed import named_options
from zoom_engine.diagnose.audit_options import AuditChanges, AuditOptions
from zoom_engine.diagnose.cluster import check_cluster
from zoom_engine.diagnose.domain import KnownFace, find_domain
from zoom_engine.diagnose.run import diagnosed
from zoom_engine.diagnose.shard import Measured
from zoom_engine.directions import (
    DEFAULT_LEVEL,
    DEFAULT_THRESHOLD,
    NULL_PICTURES,
    CalibratedRange,
    EditDirections,
    LabelReader,
    MisreadDenial,
    NaturalRegion,
    NullDirections,
    Sampling,
    ScoreScale,
    TextGroups,
    calibrate_range,
    check_method,
    find_directions,
    image_bounds,
    misread_denials,
    natural_region,
    nothing_visible,
    null_directions,
    phrased_directions,
    phrasings,
    score_scale,
    text_directions,
    text_groups,
)
from zoom_engine.directions.unedited import SAMPLES
from zoom_engine.evaluation.evaluator import Evaluator
from zoom_engine.evaluation.labels import ZeroShotLabels
from zoom_engine.generators import (
    SeedStyles,
    StyleRows,
    check_generator_options,
    load_generator,
    of_one_class,
)
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
from zoom_engine.runtime import Synthesizer, check_backend, choose_synthesizer, compiled_target, compiled_text_encoder
from zoom_engine.search import (
    End,
    Search,
    SearchResult,
    Unit,
    check_search_options,
    choose_search,
    describe_search,
    searched,
)
from zoom_engine.settings.attributes import NEUTRAL, Attribute, parse_attributes
from zoom_engine.settings.audit_settings import METHODS, SEEDS_PER_RUN, AuditSettings, RunSettings, with_audit_options
from zoom_engine.settings.target_names import several_targets
from zoom_engine.statistics.diagnosis import Diagnosis
from zoom_engine.targets import Target, check_target, check_target_options, input_notices, load_target
from zoom_engine.text import TextEncoder, find_templates, text_encoder_for


@with_audit_options
class Diagnoser:
    """What a target model is sensitive to, by zero-shot model diagnosis (ZOOM, Luo 2023).

    Args:
        settings: what is audited and how; its fields can be given each by its name too, beside it or in its place, see
            ``AuditSettings``.
        progress: how long work shows itself, see ``zoom_engine.common.progress``; by default in notebooks alone.
        notify: takes each of ``notices``, lines on what was assumed, as soon as it is known; the manifest holds them.
        like: one of the same settings but the target; its generator and its text encoder are this one's too.

    Raises:
        ZoomError: one of its subclasses, with one line that says what is wrong and what to do.
    """

    @overload
    def __init__(
        self,
        settings: AuditSettings,
        *,
        progress: ProgressFactory = in_notebooks,
        notify: Notify = untold,
        like: Diagnoser | None = None,
        **options: Unpack[AuditChanges],
    ) -> None: ...

    @overload
    def __init__(
        self,
        settings: None = None,
        *,
        progress: ProgressFactory = in_notebooks,
        notify: Notify = untold,
        like: Diagnoser | None = None,
        **options: Unpack[AuditOptions],
    ) -> None: ...

    @working()
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
        domain = find_domain(settings.generator)
        self.neutral = settings.neutral or (domain.neutral if domain else NEUTRAL)
        if settings.attributes is not None:
            parse_attributes(settings.attributes, neutral=self.neutral)
        check_search_options(settings.search, mode=settings.mode, options=settings.search_options)
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
            self._check_texts(settings.labels or (), settings.attributes, settings.by, settings.keep)
            bar.update(note="text encoder")
            self.target: Target = load_target(given, **about).to(settings.device)
            self.labels = tuple(self.target.labels if settings.labels is None else settings.labels)
            attributes = settings.attributes
            if attributes is None:
                attributes = [a for a in (domain.attributes if domain else ()) if a not in self.target.labels]
            self.attributes = parse_attributes(attributes, neutral=self.neutral)
            if settings.wordings:
                phrasings([attribute.text for attribute in self.attributes], self.templates, settings.wordings)
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
            self.null_search = self._null_search()
            self.null = settings.null_directions(at_end=self.null_search is not self.search)
            self.nothing = self._nothing_visible()
            answers = {
                "target": self.target.check(self.generator.resolution),
                "generator": getattr(self.generator.content_hash, "answers", None),
            }
            self.answers = {name: known for name, known in answers.items() if known is not None}
            self._check_directions(self.attributes, of_models=True)
            bar.update(note="generator")
            self._choose_runtimes(like)
            bar.update(note="runtime")
        self.notify = notify
        self.notices: list[str] = []
        for notice in input_notices(self.target, resolution=self.generator.resolution):
            self._tell(notice)
        if note := getattr(self.generator, "note", ""):
            self._tell(f"generator: {note}")
        self.misread = self._misread_denials()
        for misread in self.misread:
            self._tell(str(misread))

    def __repr__(self) -> str:
        generator = self.settings.generator
        drawn = repr(str(generator)) if isinstance(generator, str | Path) else f"a {type(generator).__name__}"
        how = f"{number_of(len(self.attributes), 'attribute')}, {self.settings.mode} mode, search {self.search.name}"
        return f"Diagnoser(target={self.target.name!r}, generator={drawn}, {how})"

    def _choose_runtimes(self, like: Diagnoser | None) -> None:
        """What draws pictures, and what looks at them; where bf16 draws, it also steers a gradient search."""
        self._like = like
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
        """The text encoder in the synthesis's precision, for means over many pictures, and for labels that it leaves no
        doubt about. It is compiled when it is first needed."""
        precision = self.synthesizer.precision
        if precision == "fp32":
            return self.text_encoder
        if self._like is not None:
            encoder = self._like.measuring_encoder
            self._networks["measurements"] = self._like._networks["measurements"]
            return encoder
        encoder, self._networks["measurements"] = compiled_text_encoder(
            self.text_encoder, self.synthesizer, precision=precision
        )
        return encoder

    @named_options
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
        images whether it may end, by ``width`` and ``most_images`` of `RunSettings`; `settings.looks` says how that is
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
        null = self.null_directions(directions, calibrated, seed=run.seed)
        self.tell_of_null(null)
        return Measured(
            seeds=range(first, first + run.most) if photographs is None else photographs.seeds,
            codes=None if photographs is None else photographs.codes,
            directions=directions,
            calibrated=calibrated,
            null=null,
            scale=None if calibrated is None or multi else self.score_scale(directions, calibrated),
            groups=self.text_groups() if settings.by else None,
            phrased=self.phrased_directions(directions) if settings.wordings else None,
            region=natural_region(self.generator, directions, cache=self.cache) if multi else None,
        )

    def measured_for(self, other: Diagnoser, measured: Measured, run: RunSettings) -> Measured:
        """What this one ``measured``, for ``other``, of another target."""
        other._networks = {**self._networks, **other._networks}  # which has looked at nothing itself
        if measured.calibrated is not None and other.labels != self.labels:
            found = measured.directions, measured.calibrated
            null = self.null_directions(*found, seed=run.seed, labels=other.labels)
            scale = None if measured.scale is None else self.score_scale(*found, other.labels)
            measured = replace(measured, scale=scale, null=null)
        other.tell_of_null(measured.null)
        return measured

    def tell_of_null(self, null: NullDirections) -> None:
        """Say which random directions change the ground truth, and where nobody can tell."""
        if not self.null or not null.one_sided:
            return
        if not self.labels:
            self._tell(
                "labels are off: random edits that change the ground truth count as the model's reaction, and less can"
                " be told from them; give a prompt of each class with --label"
            )
        elif null.redrawn or null.changing:
            left = f", and {number_of(null.changing, 'direction')} that does so too took their place"
            self._tell(
                f"{null.redrawn} of {number_of(self.null + null.redrawn, 'random direction')} change the label on more"
                f" than one picture in ten and were drawn again{left if null.changing else ''}"
            )

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

    def _null_search(self) -> Search:
        """What looks along null directions: where one end of a range is all that counts, that end."""
        one_way = self.settings.mode == "single" and self.settings.edit_range == "calibrated"
        return End() if one_way and getattr(self.search, "reaches_ends", False) else self.search

    def _nothing_visible(self) -> tuple[str, ...]:
        """Prompts that name nothing visible, which stand beside random directions where edits have a calibrated range
        and directions are found here."""
        if not (self.null and self.settings.edit_range == "calibrated" and self._found_by_text):
            return ()
        typed = {attribute.text for attribute in self.attributes}
        prompts = nothing_visible(self.text_encoder, self.neutral)
        return tuple(prompt for prompt in prompts if prompt not in typed)

    @property
    def _found_by_text(self) -> bool:
        """Whether edit directions are found from the attributes' texts, here or before."""
        ready = self.settings.directions
        return not isinstance(ready, EditDirections) or ready.method in METHODS

    def _misread_denials(self) -> tuple[MisreadDenial, ...]:
        """Of the attributes those that lead towards what they deny."""
        if not self._found_by_text:
            return ()
        found = misread_denials(self.text_encoder, self.attributes, neutral=self.neutral, templates=self.templates)
        return tuple(found)

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
        self,
        directions: EditDirections,
        calibrated: CalibratedRange | None,
        *,
        seed: int = RunSettings.seed,
        labels: Sequence[str] | None = None,
    ) -> NullDirections:
        """The random directions that attributes are held against, others for each ``seed`` of an audit, and after them
        those of prompts that name nothing visible. The random ones keep the ``labels``, by default the audit's."""
        labels = self.labels if labels is None else labels
        reader = None
        if (told := self._labels_of(labels)) is not None:
            known = {"labels": list(labels), "text_encoder": self.text_encoder.content_hash}
            reader = LabelReader(told.of, {**known, **self.synthesizer.describe()})
        return null_directions(
            self.generator,
            directions,
            calibrated,
            count=self.null,
            bound=PAPER_BOUND,
            seed=seed,
            sampling=self.sampling(NULL_PICTURES),
            labels=reader,
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
        domain: object = find_domain(settings.generator)
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

    @cached_property
    def zero_shot_labels(self) -> ZeroShotLabels | None:
        """What tells the audit's ``labels`` apart; None without any."""
        return self._labels_of(self.labels)

    def _labels_of(self, prompts: Sequence[str]) -> ZeroShotLabels | None:
        return ZeroShotLabels(self.text_encoder, prompts, quick_encoder=self.measuring_encoder) if prompts else None

    def evaluator(self, directions: EditDirections | NullDirections | Tensor) -> Evaluator:
        """What evaluates edit weights in this audit, of directions or of a matrix ``[N, S]``."""
        matrix = directions if isinstance(directions, Tensor) else directions.matrix
        return Evaluator(
            self.synthesizer,
            matrix.to(self.generator.device),
            self.target,
            labels=self.zero_shot_labels,
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
        the evaluators, ``on_result`` gets finished units, as `searched` hands them over."""
        compiled = [compiled_target(target, self.synthesizer)[0] for target in targets]
        evaluators = [
            Evaluator(self.synthesizer, directions.matrix, target, labels=self._labels_of(target.labels))
            for target in compiled
        ]
        wanted = [(image, which) for image in range(len(styles)) for which in range(len(self.attributes))]
        for results in searched(
            self.units(styles, directions, calibrated, wanted),
            search=self.search,
            evaluators=evaluators,
            styles=styles,
            batch_size=self.settings.batch_size,
            progress=self.progress,
        ):
            on_result(results)
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
        beside = {
            "null_per_image": self.settings.null_per_image(
                len(self.attributes), at_end=self.null_search is not self.search
            ),
            "null_search": describe_search(self.null_search),
        }
        return {
            **self.settings.deciding(),
            **run.deciding(),
            "null": self.null,
            **(beside if self.null else {}),
            **({"nothing": {"prompts": list(self.nothing), "every": self.nothing_every}} if self.nothing else {}),
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
        return {**self.config(run), "answers": self.answers, "networks": networks}

    def of_photographs(self, crops: Sequence[Crop], seed: int) -> dict[str, Any]:
        """What an audit around photographs depends on beside `config`, and is known before they are inverted."""
        files = {crop.file: crop.sha256 for crop in crops}
        return {"photographs": {"files": files, "inversion": self.inverter(seed=seed).identity}}

    def manifest(
        self,
        measured: Measured,
        run: RunSettings,
        crops: Sequence[Crop] | None = None,
        found: Audited | None = None,
    ) -> Manifest:
        """All that determines the records, and where they were made."""
        directions, calibrated, null = measured.directions, measured.calibrated, measured.null
        given = self.settings.generator
        return Manifest.of(
            {
                **self.config(run),
                "answers": self.answers,
                **({} if crops is None else self.of_photographs(crops, run.seed)),
                **({} if found is None else {"audited": found.files}),
                **({"null_drawn": list(null.drawn), "null_changing": null.changing} if self.null else {}),
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
                **({"brought_by": brought} if (brought := self._brought()) else {}),
                "generator": str(given) if isinstance(given, str | Path) else f"a {type(given).__name__}",
                "synthesis": self.synthesizer.explain(),
                "networks": self._networks,
                "notices": self.notices,
                **({"misread": [misread.prompt for misread in self.misread]} if self.misread else {}),
            },
            purpose=self.settings.purpose,
            begun=datetime.now(UTC).isoformat(timespec="seconds"),
        )

    def _brought(self) -> dict[str, str]:
        """The packages that brought what the audit is made of: who reads it needs them too."""
        given = (self.settings.generator, self.settings.target)
        generator, target = (spec if isinstance(spec, str) else "" for spec in given)
        family, colon, _ = generator.partition(":")
        return registry.brought(
            [
                (registry.DOMAINS, generator),
                *([(registry.GENERATORS, family)] if colon else []),
                (registry.DOMAINS, target.partition(":")[0]),
                (registry.TASKS, self.target.task.name),
                (registry.SEARCHES, self.search.name),
            ]
        )

    def _check_directions(self, attributes: Sequence[str | Attribute] | None, *, of_models: bool = False) -> None:
        """Ready directions must be those that this audit would find; ``of_models`` is where its models are loaded."""
        settings, ready = self.settings, self.settings.directions
        if isinstance(ready, str):
            check_method(ready)
            return
        if not isinstance(ready, EditDirections):
            raise ConfigError(
                f"directions must be {', '.join(METHODS)} or EditDirections, not a {type(ready).__name__}: take"
                " them from find_directions or EditDirections.load"
            )
        if settings.wordings and ready.method not in METHODS:
            raise ConfigError(
                f"wordings take directions in other phrasings, and ready ones by the method '{ready.method}' are not"
                " found from texts: leave wordings out, or let directions be found here"
            )
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

    def _check_texts(self, labels: Sequence[str], *attributes: Sequence[str] | None) -> None:
        """Refuse what the text encoder cannot read, and attributes that it cannot tell from the neutral prompt."""
        self.text_encoder.check_words([self.neutral, *labels])
        for texts in filter(None, attributes):
            text_directions(self.text_encoder, texts, neutral=self.neutral, templates=self.templates)
        if labels:
            self.text_encoder.embed_texts(labels)

    def _tell(self, notice: str) -> None:
        """Tell it now, and in the manifest."""
        self.notify(notice)
        if notice not in self.notices:  # of another run of this object
            self.notices.append(notice)

    def known(self, run: RunSettings) -> Config:
        """`config`, as those read it who have the manifest."""
        return Manifest.of(self.config(run)).config

    @property
    def nothing_every(self) -> int:
        """Of how many images one is moved along a prompt that names nothing visible."""
        return self.settings.nothing_every(len(self.attributes))

    @property
    def places(self) -> Sequence[str | None]:
        """What is searched on each image: every attribute alone, or all together."""
        return [None] if self.settings.mode == "multi" else [attribute.text for attribute in self.attributes]


def _only(bounds: NDArray[np.float64], index: int, count: int) -> NDArray[np.float64]:
    """``[count, 2]``: the ``bounds [2]`` of one attribute, no range for the others."""
    alone = np.zeros((count, 2))
    alone[index] = bounds
    return alone


def _some(texts: Sequence[str], most: int = 5) -> str:
    """The first of them, and how many more there are."""
    more = f" and {len(texts) - most} more" if len(texts) > most else ""
    return "; ".join(texts[:most]) + more
