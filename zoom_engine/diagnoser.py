"""``Diagnoser``: prompts and a target model in, a finished audit out. The pipeline in reading order, nothing else."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Mapping, Sequence, Set
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from zoom_engine.attributes import NEUTRAL, parse_attributes
from zoom_engine.audit_folder import MANIFEST, AuditFolder, check_config, check_folder, read_manifest
from zoom_engine.cache_folder import check_cache, default_cache
from zoom_engine.diagnosis import PAPER_BOUND, Diagnosis
from zoom_engine.directions import (
    DEFAULT_THRESHOLD,
    CalibratedRange,
    EditDirections,
    calibrate_range,
    check_method,
    find_directions,
    image_bounds,
    natural_region,
    text_directions,
)
from zoom_engine.domains import find_domain
from zoom_engine.errors import AuditError
from zoom_engine.gallery import build_gallery
from zoom_engine.generators import SeedStyles, StyleGAN2, StyleRows, load_generator, of_one_class
from zoom_engine.notices import Notify, untold
from zoom_engine.progress import ProgressFactory, part_of, silent
from zoom_engine.records import DECISIVE_CHANGE, Record
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
from zoom_engine.search import Evaluator, LossWeights, SearchResult, Unit, check_search, choose_search, run_units
from zoom_engine.settings import SEEDS_PER_RUN, check_images, check_settings
from zoom_engine.targets import BlackBox, Target, check_target, check_target_options, input_notices, load_target
from zoom_engine.text import TextEncoder, find_templates, text_encoder_for

UNITS_AT_ONCE = 512  # are bounded, then searched: memory does not grow with the images, and first records come soon


class Diagnoser:
    """What a target model is sensitive to, by zero-shot model diagnosis (ZOOM, Luo 2023).

    Args:
        generator: a domain's name ("avatars"), the path of a checkpoint, or a ``StyleGAN2``.
        generator_class: of a class-conditional generator the class to draw, counted from 0.
        target: the model under audit, by all that ``load_target`` takes: "domain:name", a model's path, an
            ``nn.Module``, a function, a ``Target``.
        target_options: passed to ``load_target``, such as ``{"classes": ["cat", "dog"]}``.
        attributes: prompts, each becomes one edit direction; several wordings of one are separated by "|".
            Defaults to the domain's, without those that name the target's own classes.
        neutral: the prompt that is subtracted from each attribute's. Defaults to the domain's.
        labels: prompts of the target's classes for the label check and L_attr; None takes the target's own,
            an empty list turns both off.
        text_encoder: open_clip "name:tag", a folder, or a ``TextEncoder``; defaults to the domain's, else ViT-B/32.
        templates: sentences that each attribute is put into, its embedding the average: a set's name ("none",
            "general", "faces", "imagenet", "imagenet-short") or a list such as ``["a photo of {}"]``.
        mode: "single" (one attribute at a time) or "multi" (all together).
        search: "scan" (single, forward only), "sgd" or "pgd" (they follow gradients) or "cmaes" (multi, forward only).
            None takes scan in single mode; in multi mode sgd where the target gives gradients, else cmaes.
        search_options: of the search, such as ``{"steps": 50}``.
        directions: "regression", "sampled", "gradient", or ready ``EditDirections``, found with these settings.
        threshold: λ in [0, 1), of the largest relevance; None is 0.1, or that of ready directions.
        edit_range: "calibrated" (as far as the attribute varies among unedited images; several attributes together
            also no further than unedited images lie from their mean) or "paper" (±30).
        decisive_change: how far, in [0, 1], the output must move for a flip to be called decisive; pictures and
            headlines take decisive flips.
        loss_weights: α, β, γ of L_target, L_struct and L_attr, for gradient searches.
        truncation, truncation_cutoff: ψ and the number of layers that it acts on (None: all).
        batch_size: images per forward pass. Results do not depend on it beyond rounding.
        device: a torch device; precision: "auto", "fp32" or "bf16" (auto: bf16 where the processor computes in it,
            but fp32 where a search follows gradients; what it starts from is measured as for any other).
        backend: what runs forward passes: "auto" (the fastest that is there), "torch", "native", "onnxruntime",
            "onnxruntime-tensorrt", "openvino" or "tensorrt". Gradients are the native operators' or torch's.
        cache: folder for relevance matrices and compiled models; None uses the user's cache folder.
        download: fetch published weights of target and text encoder that are not on this machine.
        progress: how long work shows itself, see ``zoom_engine.progress``.
        notify: takes each of ``notices``, lines on what was assumed, as soon as it is known; the manifest holds them.

    Raises:
        ZoomError: one of its subclasses, with one line that says what is wrong and what to do.
    """

    def __init__(
        self,
        *,
        generator: str | Path | StyleGAN2,
        generator_class: int | None = None,
        target: str | Path | torch.nn.Module | BlackBox,
        target_options: Mapping[str, Any] | None = None,
        attributes: Sequence[str] | None = None,
        neutral: str | None = None,
        labels: Sequence[str] | None = None,
        text_encoder: str | Path | TextEncoder | None = None,
        templates: str | Sequence[str] = "general",
        mode: str = "single",
        search: str | None = None,
        search_options: Mapping[str, Any] | None = None,
        directions: str | EditDirections = "regression",
        threshold: float | None = None,
        edit_range: str = "calibrated",
        decisive_change: float = DECISIVE_CHANGE,
        loss_weights: LossWeights | None = None,
        truncation: float = 1.0,
        truncation_cutoff: int | None = None,
        batch_size: int = 32,
        device: str = "cpu",
        backend: str = "auto",
        precision: str = "auto",
        cache: str | Path | None = None,
        download: bool = False,
        progress: ProgressFactory = silent,
        notify: Notify = untold,
    ) -> None:
        domain = find_domain(generator) if isinstance(generator, str) else None
        self.neutral = neutral or (domain.neutral if domain else NEUTRAL)
        check_settings(
            generator=generator,
            attributes=attributes,
            neutral=self.neutral,
            labels=labels,
            edit_range=edit_range,
            threshold=threshold,
            truncation=truncation,
            truncation_cutoff=truncation_cutoff,
            batch_size=batch_size,
            decisive_change=decisive_change,
        )
        check_search(search, mode=mode, options=search_options)
        self.templates = find_templates(templates)
        place = find_device(device)
        check_backend(backend, precision, device)
        self.cache = default_cache() if cache is None else Path(cache)
        check_cache(self.cache)
        check_target(target)
        about = {"download": download, **check_target_options(target_options)}
        self.mode = mode
        self.edit_range = edit_range
        self.decisive_change = decisive_change
        self.threshold = threshold
        self.truncation, self.truncation_cutoff = truncation, truncation_cutoff
        self.loss_weights = loss_weights or LossWeights()
        self.batch_size = batch_size
        self.progress = progress
        self.generator_class = generator_class
        self._generator_given = "a StyleGAN2" if isinstance(generator, StyleGAN2) else str(generator)
        self._directions = directions
        self._check_directions(attributes)
        with progress(4, "Loading", unit="model") as bar:  # what can be refused by words alone comes first
            self.text_encoder = text_encoder_for(generator, text_encoder, download=download).to(device)
            self._check_texts(attributes or (), labels or ())
            bar.update(note="text encoder")
            self.target: Target = load_target(target, **about).to(device)
            self.search, self.search_reason = choose_search(
                search, mode=mode, target=self.target, options=search_options
            )
            self.labels = tuple(self.target.labels if labels is None else labels)
            if attributes is None:
                attributes = [a for a in (domain.attributes if domain else ()) if a not in self.target.labels]
            self.attributes = tuple(a.text for a in parse_attributes(attributes, neutral=self.neutral))
            self.text_encoder.check_words([*self.attributes, *self.labels])
            bar.update(note="target")
            self.generator = of_one_class(load_generator(generator), generator_class).to(place)
            self.target.check(self.generator.resolution)
            self._check_directions(self.attributes, of_models=True)
            bar.update(note="generator")
            self._choose_runtimes(backend, precision, device)
            bar.update(note="runtime")
        self.notices: list[str] = []
        for notice in input_notices(self.target, resolution=self.generator.resolution):
            notify(notice)
            self.notices.append(notice)

    def _choose_runtimes(self, backend: str, precision: str, device: str) -> None:
        """What draws, and what judges: measurements need no gradients, whatever the search follows."""

        def chosen(*, for_gradients: bool) -> Synthesizer:
            return choose_synthesizer(
                self.generator,
                backend=backend,
                precision=precision,
                device=device,
                cache=self.cache,
                for_gradients=for_gradients,
            )

        self.forward = self.synthesizer = chosen(for_gradients=False)
        if self.search.needs_gradient and precision == "auto":
            self.synthesizer = chosen(for_gradients=True)
        self.target, target_runs = compiled_target(self.target, self.synthesizer)
        self.text_encoder, encoder_runs = compiled_text_encoder(self.text_encoder, self.synthesizer)
        self._judges = {"target": target_runs, "text_encoder": encoder_runs}

    def run(self, *, images: int = 200, seed: int = 0, out: str | Path | None = None) -> Diagnosis:
        """Audit the target on ``images`` generated images.

        ``seed`` names the images: number i is the generator's seed ``seed · 100000 + i``. ``out`` is the audit
        folder, made or resumed (equal settings only); None keeps the result in memory, without pictures.
        Interrupted at any moment, the same call goes on where it was.
        """
        check_images(images, seed)
        if out is not None:
            check_folder(out)
            self._check_same_audit(Path(out), images, seed)
        directions = self.edit_directions()
        calibrated = self.calibrated_range(directions) if self.edit_range == "calibrated" else None
        seeds = range(seed * SEEDS_PER_RUN, seed * SEEDS_PER_RUN + images)
        styles = self.styles(seeds)
        evaluator = self.evaluator(directions)
        manifest = self.manifest(directions, calibrated, images=images, seed=seed)
        if out is None:
            records: list[Record] = []
            self._search(seeds, styles, directions, calibrated, evaluator, done=set(), keep=records.extend)
            return Diagnosis(manifest, tuple(records))
        with AuditFolder.open(out, manifest) as audit:
            done = audit.done()
            self._search(seeds, styles, directions, calibrated, evaluator, done=done, keep=audit.append)
            diagnosis = Diagnosis.load(out)
            if len(audit.done()) > len(done) or not audit.finished:
                build_gallery(audit, diagnosis, evaluator=evaluator, styles=styles)
                audit.finish(diagnosis.summary())
        write_report(Path(out))
        return diagnosis

    def edit_directions(self) -> EditDirections:
        """One direction per attribute, found or taken from the cache."""
        if isinstance(self._directions, EditDirections):
            self._directions.check_fits(self.generator)
            return self._directions
        return find_directions(
            self.generator,
            self.text_encoder,
            self.attributes,
            neutral=self.neutral,
            method=self._directions,  # type: ignore[arg-type]
            threshold=DEFAULT_THRESHOLD if self.threshold is None else self.threshold,
            templates=self.templates,
            truncation=self.truncation,
            truncation_cutoff=self.truncation_cutoff,
            synthesizer=self.forward,
            batch_size=self.batch_size,
            cache=self.cache,
            progress=self.progress,
        )

    def calibrated_range(self, directions: EditDirections) -> CalibratedRange:
        """How far each attribute may be edited before it leaves its natural range."""
        return calibrate_range(
            self.generator,
            self.text_encoder,
            directions,
            bound=PAPER_BOUND,
            synthesizer=self.forward,
            batch_size=self.batch_size,
            cache=self.cache,
            progress=self.progress,
        )

    def styles(self, seeds: Sequence[int]) -> SeedStyles:
        """The unedited style vectors ``[I, S]`` of the seeds, mapped when rows of them are asked for."""
        return SeedStyles(self.generator, seeds, truncation=self.truncation, truncation_cutoff=self.truncation_cutoff)

    def evaluator(self, directions: EditDirections) -> Evaluator:
        """What judges images and edit weights in this audit."""
        return Evaluator(
            self.synthesizer,
            directions.matrix.to(self.generator.device),
            self.target,
            text_encoder=self.text_encoder,
            label_prompts=self.labels,
            loss_weights=self.loss_weights,
            decisive_change=self.decisive_change,
        )

    def units(
        self,
        styles: StyleRows,
        directions: EditDirections,
        calibrated: CalibratedRange | None,
        wanted: Sequence[tuple[int, int | None]],
    ) -> list[Unit]:
        """The units of ``wanted``, in its order: (image, attribute) in single mode, (image, None) in multi mode.

        Within ``calibrated`` (None: the paper's range) images are drawn in single mode, to see how far each may go.
        """
        count = len(self.attributes)
        paper = np.array([-PAPER_BOUND, PAPER_BOUND])
        if self.mode == "multi":
            bounds = np.tile(paper, (count, 1)) if calibrated is None else calibrated.bounds.double().numpy()
            region = natural_region(self.generator, directions, cache=self.cache)
            return [
                Unit(image, None, bounds, natural=region.around(styles[image]), stay_natural=calibrated is not None)
                for image, _ in wanted
            ]
        places = [(image, which) for image, which in wanted if which is not None]
        if calibrated is None:
            return [Unit(image, which, _only(paper, which, count)) for image, which in places]
        limits = image_bounds(
            self.text_encoder,
            directions,
            calibrated,
            self.forward,
            styles,
            places,
            batch_size=self.batch_size,
            progress=self.progress,
        )
        return [
            Unit(
                image,
                which,
                _only(own, which, count),
                None if self.search.needs_gradient else _only(paper, which, count),
            )
            for (image, which), own in zip(places, limits.double().numpy(), strict=True)
        ]

    def settings(self, *, images: int, seed: int) -> dict[str, Any]:
        """What determines the records and is known before anything is measured."""
        return {
            "target": self.target.name,
            "target_details": self.target.describe(),
            "attributes": list(self.attributes),
            "neutral": self.neutral,
            "labels": list(self.labels),
            "mode": self.mode,
            "search": self.search.name,
            "search_options": self.search.to_dict(),
            "search_reason": self.search_reason,
            "loss_weights": dataclasses.asdict(self.loss_weights),
            "images": images,
            "seed": seed,
            "generator": self.generator.content_hash,
            **({} if self.generator_class is None else {"generator_class": self.generator_class}),
            "resolution": self.generator.resolution,
            "text_encoder": {"name": self.text_encoder.name, "content_hash": self.text_encoder.content_hash},
            "truncation": self.truncation,
            "truncation_cutoff": self.truncation_cutoff,
            "edit_range": self.edit_range,
            "decisive_change": self.decisive_change,
            "bound": PAPER_BOUND,
            "synthesis": {**self.synthesizer.describe(), "measurements": self.forward.describe()},
        }

    def manifest(
        self, directions: EditDirections, calibrated: CalibratedRange | None, *, images: int, seed: int
    ) -> dict[str, Any]:
        """All that determines the records (``config``), and where they were made (``environment``)."""
        synthesis = {**self.synthesizer.explain(), "measurements": self.forward.explain()}
        return {
            "config": {
                **self.settings(images=images, seed=seed),
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
            "environment": {
                **describe_environment(),
                "generator": self._generator_given,
                "synthesis": synthesis,
                "judges": self._judges,
                "notices": self.notices,
            },
        }

    def _check_directions(self, attributes: Sequence[str] | None, *, of_models: bool = False) -> None:
        """Ready directions must be those that this audit would find; ``of_models`` is where its models are loaded."""
        if not isinstance(self._directions, EditDirections):
            check_method(self._directions)
            return
        self._directions.check_origin()
        wanted: dict[str, Any] = {
            "neutral": self.neutral,
            "templates": self.templates,
            "truncation": self.truncation,
            "truncation_cutoff": self.truncation_cutoff,
        }
        if attributes is not None:
            wanted["attributes"] = tuple(a.text for a in parse_attributes(attributes, neutral=self.neutral))
        if self.threshold is not None:
            wanted["threshold"] = self.threshold
        if of_models:
            wanted |= {"generator": self.generator.content_hash, "text_encoder": self.text_encoder.content_hash}
        self._directions.check_settings(wanted)

    def _check_texts(self, attributes: Sequence[str], labels: Sequence[str]) -> None:
        """Refuse what the text encoder cannot read, and attributes that it cannot tell from the neutral prompt."""
        self.text_encoder.check_words([self.neutral, *attributes, *labels])
        if attributes:
            text_directions(self.text_encoder, attributes, neutral=self.neutral, templates=self.templates)
        if labels:
            self.text_encoder.embed_texts(labels)

    def _check_same_audit(self, out: Path, images: int, seed: int) -> None:
        """Refuse to go on with another audit before hours are spent; of another runtime, with what to give instead."""
        if not (out / MANIFEST).is_file():
            return
        there, here = read_manifest(out)["config"].get("synthesis", {}), self.synthesizer.describe()
        if any(there.get(key) != value for key, value in here.items()):
            raise AuditError(
                f"{out} was begun with --backend {there.get('backend')} --precision {there.get('precision')}, this run"
                f" would go on with {here['backend']} in {here['precision']}: give the same, or another folder"
            )
        check_config(out, self.settings(images=images, seed=seed))

    def _places(self) -> Sequence[int | None]:
        """What is searched on each image: every attribute alone, or all together."""
        return [None] if self.mode == "multi" else range(len(self.attributes))

    def _attribute(self, which: int | None) -> str | None:
        return None if which is None else self.attributes[which]

    def _search(
        self,
        seeds: Sequence[int],
        styles: SeedStyles,
        directions: EditDirections,
        calibrated: CalibratedRange | None,
        evaluator: Evaluator,
        *,
        done: Set[tuple[int, str | None]],
        keep: Callable[[list[Record]], None],
    ) -> None:
        """Search the units that are not done, some images at a time; ``keep`` gets finished ones after each batch."""

        def on_result(results: list[tuple[Unit, SearchResult]]) -> None:
            keep([_record(unit, found, seeds[unit.image], self._attribute(unit.attribute)) for unit, found in results])

        places = self._places()
        at_once = math.ceil(UNITS_AT_ONCE / len(places))
        with self.progress(len(seeds) * len(places), "Searching", unit="unit", initial=len(done)) as bar:
            for first in range(0, len(seeds), at_once):
                images = range(first, min(first + at_once, len(seeds)))
                pairs = [(image, which) for image in images for which in places]
                wanted = [(image, which) for image, which in pairs if (image, self._attribute(which)) not in done]
                if wanted:
                    run_units(
                        self.units(styles, directions, calibrated, wanted),
                        search=self.search,
                        evaluator=evaluator,
                        styles=styles,
                        on_result=on_result,
                        batch_size=self.batch_size,
                        progress=part_of(bar),
                    )


def _only(bounds: NDArray[np.float64], index: int, count: int) -> NDArray[np.float64]:
    """``[count, 2]``: the ``bounds [2]`` of one attribute, no range for the others."""
    alone = np.zeros((count, 2))
    alone[index] = bounds
    return alone


def _record(unit: Unit, result: SearchResult, seed: int, attribute: str | None) -> Record:
    record: Record = {
        "image": unit.image,
        "seed": seed,
        "attribute": attribute,
        "edit_weights": [round(float(w), 6) for w in result.edit_weights],
        "original_output": [round(v, 6) for v in result.original_output],
        "output": [round(v, 6) for v in result.output],
        "change": round(result.change, 6),
        "flipped": result.flipped,
        "decisive": result.decisive,
        "label_kept": result.label_kept,
        "ssim": None if result.ssim is None else round(result.ssim, 6),
        "flip_weight": None if result.flip_weight is None else round(result.flip_weight, 6),
        "steps": result.steps,
        "evaluations": result.evaluations,
        "stop": result.stop,
        "trajectory": result.trajectory,
    }
    if result.natural is not None:
        record["natural"] = result.natural
    if result.paper is not None:
        record["paper"] = result.paper
    return record
