"""``Diagnoser``: prompts and a target model in, a finished audit out. The pipeline in reading order, nothing else."""

from __future__ import annotations

import inspect
import math
from collections.abc import Callable, Sequence, Set
from dataclasses import replace
from functools import cached_property, partial
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from zoom_engine.attributes import NEUTRAL, Attribute, parse_attributes
from zoom_engine.audit.diagnosis import Diagnosis
from zoom_engine.audit.folder import MANIFEST, AuditFolder, check_config, check_folder, read_manifest
from zoom_engine.audit.manifest import PAPER_BOUND, Manifest
from zoom_engine.audit.records import Record
from zoom_engine.audit.records import Unit as Done
from zoom_engine.audit.settings import SEEDS_PER_RUN, AuditSettings, RunSettings, signature_with
from zoom_engine.directions import (
    DEFAULT_LEVEL,
    DEFAULT_THRESHOLD,
    NULL_PICTURES,
    CalibratedRange,
    EditDirections,
    NullDirections,
    Sampling,
    ScoreScale,
    TextGroups,
    calibrate_range,
    check_method,
    find_directions,
    image_bounds,
    natural_region,
    null_directions,
    phrased_directions,
    score_scale,
    text_directions,
    text_groups,
)
from zoom_engine.domains import find_domain
from zoom_engine.errors import AuditError, ConfigError
from zoom_engine.evaluator import Evaluator
from zoom_engine.files.cache import check_cache, default_cache
from zoom_engine.gallery import build_gallery
from zoom_engine.generators import (
    SeedStyles,
    StyleRows,
    check_generator_options,
    load_generator,
    of_one_class,
)
from zoom_engine.notices import Notify, untold
from zoom_engine.progress import ProgressFactory, part_of, silent
from zoom_engine.report import write_report
from zoom_engine.runtime import (
    check_backend,
    choose_synthesizer,
    compiled_target,
    compiled_text_encoder,
    describe_environment,
    find_device,
)
from zoom_engine.search import SearchResult, Unit, check_search, choose_search, describe_search, run_shared, run_units
from zoom_engine.targets import Target, check_target, check_target_options, input_notices, load_target
from zoom_engine.text import TextEncoder, find_templates, text_encoder_for

FIRST_UNITS = 64  # are bounded, then searched: first records come soon
UNITS_AT_ONCE = 512  # after them: memory does not grow with the images


class Diagnoser:
    """What a target model is sensitive to, by zero-shot model diagnosis (ZOOM, Luo 2023).

    Args:
        settings: what is audited and how; or its fields, each by its name, see ``AuditSettings``.
        progress: how long work shows itself, see ``zoom_engine.progress``.
        notify: takes each of ``notices``, lines on what was assumed, as soon as it is known; the manifest holds them.

    Raises:
        ZoomError: one of its subclasses, with one line that says what is wrong and what to do.
    """

    def __init__(
        self,
        settings: AuditSettings | None = None,
        *,
        progress: ProgressFactory = silent,
        notify: Notify = untold,
        **options: Any,
    ) -> None:
        self.settings = settings = replace(settings, **options) if settings else AuditSettings(**options)
        domain = find_domain(settings.generator) if isinstance(settings.generator, str) else None
        self.neutral = settings.neutral or (domain.neutral if domain else NEUTRAL)
        if settings.attributes is not None:
            parse_attributes(settings.attributes, neutral=self.neutral)
        check_search(settings.search, mode=settings.mode, options=settings.search_options)
        self.templates = find_templates(settings.templates)
        place = find_device(settings.device)
        check_backend(settings.backend, settings.precision, settings.device)
        self.cache = default_cache() if settings.cache is None else Path(settings.cache)
        check_cache(self.cache)
        check_target(settings.target)
        generator_options = check_generator_options(settings.generator_options)
        about = {"download": settings.download, **check_target_options(settings.target_options)}
        self.progress = progress
        self._check_directions(settings.attributes)
        with progress(4, "Loading", unit="model") as bar:  # what can be refused by words alone comes first
            encoder = text_encoder_for(settings.generator, settings.text_encoder, download=settings.download)
            self.text_encoder = encoder.to(settings.device)
            self._check_texts(settings.attributes or (), settings.labels or ())
            self._check_texts(settings.by or (), ())
            self._check_texts(settings.keep or (), ())
            bar.update(note="text encoder")
            self.target: Target = load_target(settings.target, **about).to(settings.device)
            self.labels = tuple(self.target.labels if settings.labels is None else settings.labels)
            attributes = settings.attributes
            if attributes is None:
                attributes = [a for a in (domain.attributes if domain else ()) if a not in self.target.labels]
            self.attributes = parse_attributes(attributes, neutral=self.neutral)
            self.null = settings.null_directions(len(self.attributes))
            self.text_encoder.check_words([*map(str, self.attributes), *self.labels])
            bar.update(note="target")
            loaded = load_generator(settings.generator, **generator_options)
            self.generator = of_one_class(loaded, settings.generator_class).to(place)
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
            self._choose_runtimes()
            bar.update(note="runtime")
        self._notify = notify
        self.notices: list[str] = []
        for notice in input_notices(self.target, resolution=self.generator.resolution):
            notify(notice)
            self.notices.append(notice)

    def _choose_runtimes(self) -> None:
        """What draws pictures, and what looks at them; where bf16 draws, it also steers a gradient search."""
        settings = self.settings
        self.synthesizer = choose_synthesizer(
            self.generator,
            backend=settings.backend,
            precision=settings.precision,
            device=settings.device,
            cache=self.cache,
        )
        lower = self.search.needs_gradient and self.synthesizer.precision == "bf16"
        self.target, target_runs = compiled_target(self.target, self.synthesizer, lower=lower)
        self.text_encoder, encoder_runs = compiled_text_encoder(self.text_encoder, self.synthesizer, lower=lower)
        self._networks = {"target": target_runs, "text_encoder": encoder_runs}

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
        self, *, images: int = RunSettings.images, seed: int = RunSettings.seed, out: str | Path | None = None
    ) -> Diagnosis:
        """Audit the target on ``images`` generated images.

        ``seed`` names the images: number i is the generator's seed ``seed · 100000 + i``. ``out`` is the audit
        folder, made or resumed (equal settings only); None keeps the result in memory, without pictures.
        Interrupted at any moment, the same call goes on where it was.
        """
        run = RunSettings(images=images, seed=seed, out=out)
        if out is not None:
            check_folder(out)
            self._check_same_audit(Path(out), run)
        population = self.generator.population
        if population is not None and images > population:
            raise ConfigError(f"there are {population} codes to sample, not {images}: give as many images at most")
        directions = self.edit_directions()
        calibrated = self.calibrated_range(directions) if self.settings.edit_range == "calibrated" else None
        seeds = range(seed * SEEDS_PER_RUN, seed * SEEDS_PER_RUN + images)
        styles = self.styles(seeds)
        evaluator = self.evaluator(directions)
        null = self.null_directions(directions, calibrated, seed=seed)
        scale = (
            None if calibrated is None or self.settings.mode == "multi" else self.score_scale(directions, calibrated)
        )
        groups = self.text_groups() if self.settings.by else None
        phrased = self.phrased_directions(directions) if self.settings.wordings else None
        manifest = self.manifest(directions, calibrated, run)
        search = partial(self._search, seeds, styles, directions, calibrated, scale, null, groups, phrased, evaluator)
        if out is None:
            records: list[Record] = []
            search(done=set(), keep=records.extend)
            return Diagnosis(manifest, tuple(records))
        with AuditFolder.open(out, manifest) as audit:
            done = audit.done()
            search(done=done, keep=audit.append)
            if remark := self.target.remark:
                self._notify(remark)
            diagnosis = Diagnosis.load(out)
            if len(audit.done()) > len(done) or not audit.finished:
                build_gallery(audit, diagnosis, evaluator=evaluator, styles=styles)
                audit.finish(diagnosis.summary())
        write_report(Path(out))
        return diagnosis

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
        """The random directions that attributes are held against, others for each ``seed`` of an audit."""
        settings = self.settings
        drawn = settings.truncation, settings.truncation_cutoff, self.synthesizer
        return null_directions(
            self.generator,
            directions,
            calibrated,
            count=self.null,
            bound=PAPER_BOUND,
            seed=seed,
            sampling=Sampling(NULL_PICTURES, 0, *drawn).kept(self.cache, self.progress),
            batch_size=settings.batch_size,
        )

    def score_scale(self, directions: EditDirections, calibrated: CalibratedRange) -> ScoreScale:
        """In which units it is told what an edit does to the text scores of the other attributes and of the labels."""
        return score_scale(
            self.generator,
            self.measuring_encoder,
            directions,
            calibrated,
            self.labels,
            synthesizer=self.synthesizer,
            batch_size=self.settings.batch_size,
            cache=self.cache,
            progress=self.progress,
        )

    def text_groups(self) -> TextGroups:
        """How images are told apart that have or lack what the settings' `by` says."""
        settings = self.settings
        return text_groups(
            self.generator,
            self.measuring_encoder,
            [Attribute.parse(text).text for text in settings.by or ()],
            neutral=self.neutral,
            templates=self.templates,
            sampling=Sampling(512, 0, settings.truncation, settings.truncation_cutoff, self.synthesizer),
            batch_size=settings.batch_size,
            cache=self.cache,
            progress=self.progress,
        )

    def phrased_directions(self, directions: EditDirections) -> Tensor:
        """The attributes' directions in each phrasing, see `phrased_directions`, found as ``directions`` were."""

        def find(texts: list[str], template: str) -> EditDirections:
            return self._find(
                texts,
                method=directions.method,
                threshold=directions.threshold,
                level=1.0,
                templates=[template],
                keep=directions.provenance.get("keep", ()),
            )

        return phrased_directions(directions.attributes, self.templates, self.settings.wordings or 0, find)

    def styles(self, seeds: Sequence[int]) -> SeedStyles:
        """The unedited style vectors ``[I, S]`` of the seeds, mapped when rows of them are asked for."""
        truncation, cutoff = self.settings.truncation, self.settings.truncation_cutoff
        return SeedStyles(self.generator, seeds, truncation=truncation, truncation_cutoff=cutoff)

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
    ) -> list[Unit]:
        """The units of ``wanted``, in its order: (image, attribute) in single mode, (image, None) in multi mode.

        Within ``calibrated`` (None: the paper's range) images are drawn in single mode, to see how far each may go;
        with ``scale`` the units hold what that does to text scores.
        """
        count = len(self.attributes)
        paper = np.array([-PAPER_BOUND, PAPER_BOUND])
        if self.settings.mode == "multi":
            bounds = np.tile(paper, (count, 1)) if calibrated is None else calibrated.bounds.double().numpy()
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
        held = self.settings.null_images(len(self.attributes), run.images)
        return {
            **self.settings.deciding(),
            **run.deciding(),
            "null": self.null,
            **({"null_images": held} if held < run.images else {}),
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

    def manifest(self, directions: EditDirections, calibrated: CalibratedRange | None, run: RunSettings) -> Manifest:
        """All that determines the records, and where they were made."""
        given = self.settings.generator
        return Manifest.of(
            {
                **self.config(run),
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

    def _check_same_audit(self, out: Path, run: RunSettings) -> None:
        """Refuse to go on with another audit before hours are spent; of another runtime, with what to give instead."""
        if not (out / MANIFEST).is_file():
            return
        there, here = read_manifest(out).config, self.synthesizer
        if (there.backend, there.precision) != (here.backend, here.precision):
            raise AuditError(
                f"{out} was begun with --backend {there.backend} --precision {there.precision}, this run"
                f" would go on with {here.backend} in {here.precision}: give the same, or another folder"
            )
        check_config(out, self.config(run))

    def _phrased_changes(
        self, evaluator: Evaluator, styles: SeedStyles, units: Sequence[Unit]
    ) -> list[tuple[float, ...]]:
        """Of each unit the change at its bound along the direction of each phrasing, to six decimals."""
        count, phrasings = len(self.attributes), self.settings.wordings or 0
        edits = torch.zeros(len(units) * phrasings, count * phrasings)
        for place, unit in enumerate(units):
            bound = float(unit.bounds.sum())  # one end of one attribute is not 0
            for k in range(phrasings):
                edits[place * phrasings + k, k * count + (unit.attribute or 0)] = bound
        image = torch.tensor([unit.image for unit in units]).repeat_interleave(phrasings)
        parts = torch.split(torch.arange(len(edits)), self.settings.batch_size)
        device = self.generator.device
        changes = [evaluator.changes(styles[image[part]].to(device), edits[part].to(device)) for part in parts]
        rounded = [round(value, 6) for value in torch.cat(changes).tolist()]
        return [tuple(rounded[start : start + phrasings]) for start in range(0, len(rounded), phrasings)]

    def _places(self) -> Sequence[int | None]:
        """What is searched on each image: every attribute alone, or all together."""
        return [None] if self.settings.mode == "multi" else range(len(self.attributes))

    def _search(
        self,
        seeds: Sequence[int],
        styles: SeedStyles,
        directions: EditDirections,
        calibrated: CalibratedRange | None,
        scale: ScoreScale | None,
        null: NullDirections,
        groups: TextGroups | None,
        phrased: Tensor | None,
        evaluator: Evaluator,
        *,
        done: Set[Done],
        keep: Callable[[list[Record]], None],
    ) -> None:
        """Search the units that are not done, some images at a time; ``keep`` gets finished ones after each batch."""

        def run(units: list[Unit], evaluator: Evaluator, name: Callable[[int | None], str | int | None]) -> None:
            def on_result(results: list[tuple[Unit, SearchResult]]) -> None:
                keep(
                    [
                        _record(
                            unit,
                            found,
                            seeds[unit.image],
                            name(unit.attribute),
                            groups=belongs.get(unit.image),
                            wordings=phrased_changes.get((unit.image, name(unit.attribute))),
                        )
                        for unit, found in results
                    ]
                )

            run_units(
                units,
                search=self.search,
                evaluator=evaluator,
                styles=styles,
                on_result=on_result,
                batch_size=self.settings.batch_size,
                progress=part_of(bar),
            )

        def of_attribute(which: int | None) -> str | None:
            return None if which is None else self.attributes[which].text

        belongs: dict[int, tuple[bool, ...]] = {}
        phrased_changes: dict[Done, tuple[float, ...]] = {}
        in_phrasings = None if phrased is None else self.evaluator(phrased)
        places = self._places()
        beside = self.evaluator(null) if self.null else evaluator
        held = self.settings.null_images(len(self.attributes), len(seeds))
        every = len(seeds) * len(places) + held * self.null
        with self.progress(every, "Searching", unit="unit", initial=len(done)) as bar:
            ends = [0, *range(math.ceil(FIRST_UNITS / len(places)), len(seeds), math.ceil(UNITS_AT_ONCE / len(places)))]
            for first, end in pairwise([*ends, len(seeds)]):
                images = range(first, end)
                pairs = [(image, which) for image in images for which in places]
                wanted = [(image, which) for image, which in pairs if (image, of_attribute(which)) not in done]
                if groups is not None:
                    shown = sorted({image for image, _ in wanted})
                    size = self.settings.batch_size
                    belongs = groups.of(self.text_encoder, self.synthesizer, styles, shown, batch_size=size)
                if wanted:
                    units = self.units(styles, directions, calibrated, wanted, scale)
                    if in_phrasings is not None:
                        changes = self._phrased_changes(in_phrasings, styles, units)
                        phrased_changes = {
                            (unit.image, of_attribute(unit.attribute)): each
                            for unit, each in zip(units, changes, strict=True)
                        }
                    run(units, evaluator, of_attribute)
                beside_null = [image for image in images if image < held]
                random = [(image, j) for image in beside_null for j in range(self.null) if (image, j) not in done]
                if random:
                    units = [Unit(image, j, null.bounds(seeds[image], j)) for image, j in random]
                    run(units, beside, lambda which: which)


# What help and editors show: the settings' own fields.
_OWN = [p for p in inspect.signature(Diagnoser.__init__).parameters.values() if p.name in ("progress", "notify")]
Diagnoser.__init__.__signature__ = signature_with(*_OWN)  # type: ignore[attr-defined]


def _only(bounds: NDArray[np.float64], index: int, count: int) -> NDArray[np.float64]:
    """``[count, 2]``: the ``bounds [2]`` of one attribute, no range for the others."""
    alone = np.zeros((count, 2))
    alone[index] = bounds
    return alone


def _rounded(bounds: NDArray[np.float64]) -> tuple[float, float]:
    return round(float(bounds[0]), 6), round(float(bounds[1]), 6)


def _record(
    unit: Unit,
    result: SearchResult,
    seed: int,
    name: str | int | None,
    *,
    groups: tuple[bool, ...] | None = None,
    wordings: tuple[float, ...] | None = None,
) -> Record:
    """The record of a unit; ``name`` is an attribute's text, a random direction's number, or None."""
    return Record(
        image=unit.image,
        seed=seed,
        attribute=name if isinstance(name, str) else None,
        null=name if isinstance(name, int) else None,
        edit_weights=tuple(round(float(w), 6) for w in result.edit_weights),
        original_output=tuple(round(v, 6) for v in result.original_output),
        output=tuple(round(v, 6) for v in result.output),
        change=round(result.change, 6),
        flipped=result.flipped,
        decisive=result.decisive,
        label_kept=result.label_kept,
        ssim=None if result.ssim is None else round(result.ssim, 6),
        flip_weight=None if result.flip_weight is None else round(result.flip_weight, 6),
        steps=result.steps,
        evaluations=result.evaluations,
        stop=result.stop,
        trajectory=result.trajectory,
        natural=result.natural,
        scores=unit.scores,
        groups=groups,
        wordings=wordings,
        bounds=None if unit.attribute is None else _rounded(unit.bounds[unit.attribute]),
        paper=result.paper,
    )
