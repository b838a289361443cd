"""``Diagnoser``: prompts and a target model in, a finished audit out. The pipeline in reading order, nothing else."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from zoom_engine.attributes import parse_attributes
from zoom_engine.audit_folder import MANIFEST, AuditFolder, check_folder, read_manifest
from zoom_engine.cache_folder import default_cache
from zoom_engine.diagnosis import Diagnosis
from zoom_engine.directions import CalibratedRange, EditDirections, calibrate_range, find_directions, image_bounds
from zoom_engine.domains import find_domain
from zoom_engine.errors import AuditError, ConfigError
from zoom_engine.gallery import build_gallery
from zoom_engine.generators import StyleGAN2, load_generator, of_one_class
from zoom_engine.notices import Notify, untold
from zoom_engine.progress import ProgressFactory, silent
from zoom_engine.records import Record
from zoom_engine.report import write_report
from zoom_engine.runtime import choose_synthesizer, compiled_target, compiled_text_encoder, describe_environment
from zoom_engine.search import Evaluator, LossWeights, SearchResult, Unit, choose_search, find_search, run_units
from zoom_engine.targets import BlackBox, Target, check_target_options, input_notices, load_target
from zoom_engine.text import TextEncoder, find_templates, text_encoder_for

PAPER_BOUND = 30.0
RANGES = ("calibrated", "paper")
SEEDS_PER_RUN = 100_000


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
        directions: "regression", "sampled", "gradient", or ready ``EditDirections`` of these attributes.
        threshold: λ in [0, 1), of the largest relevance.
        edit_range: "calibrated" (as far as the attribute varies among unedited images) or "paper" (±30).
        loss_weights: α, β, γ of L_target, L_struct and L_attr, for gradient searches.
        truncation, truncation_cutoff: ψ and the number of layers that it acts on (None: all).
        batch_size: images per forward pass. Results do not depend on it beyond rounding.
        device: a torch device; precision: "auto", "fp32" or "bf16" (auto: bf16 where the processor computes in it,
            but fp32 for searches by gradient).
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
        threshold: float = 0.1,
        edit_range: str = "calibrated",
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
        if edit_range not in RANGES:
            raise ConfigError(f"unknown range '{edit_range}'; choose one of {', '.join(RANGES)}")
        if batch_size < 1:
            raise ConfigError(f"batch size must be at least 1, got {batch_size}")
        if search is not None or mode != "multi":
            find_search(search or "scan", mode=mode, **dict(search_options or {}))  # refused before anything is loaded
        about = {"download": download, **check_target_options(target_options)}
        self.templates = find_templates(templates)
        domain = find_domain(generator) if isinstance(generator, str) else None
        self.neutral = neutral or (domain.neutral if domain else "a face")
        self.mode = mode
        self.edit_range = edit_range
        self.threshold = threshold
        self.truncation, self.truncation_cutoff = truncation, truncation_cutoff
        self.loss_weights = loss_weights or LossWeights()
        self.batch_size = batch_size
        self.progress = progress
        self.cache = default_cache() if cache is None else Path(cache)
        self.generator_class = generator_class
        self.generator = of_one_class(load_generator(generator), generator_class).to(_device(device))
        self.text_encoder = text_encoder_for(generator, text_encoder, download=download).to(device)
        self.target: Target = load_target(target, **about).to(device)
        self.target.check(self.generator.resolution)
        self.notices: list[str] = []
        for notice in input_notices(self.target, resolution=self.generator.resolution):
            notify(notice)
            self.notices.append(notice)
        self.search, self.search_reason = choose_search(search, mode=mode, target=self.target, options=search_options)
        self.labels = tuple(self.target.labels if labels is None else labels)
        if attributes is None:
            attributes = [a for a in (domain.attributes if domain else ()) if a not in self.target.labels]
        self.attributes = tuple(a.text for a in parse_attributes(attributes, neutral=self.neutral))
        self.text_encoder.check_words([self.neutral, *self.attributes, *self.labels])
        self.synthesizer = choose_synthesizer(
            self.generator,
            backend=backend,
            precision=precision,
            device=device,
            cache=self.cache,
            for_gradients=self.search.needs_gradient,
        )
        self.target, target_runs = compiled_target(self.target, self.synthesizer)
        self.text_encoder, encoder_runs = compiled_text_encoder(self.text_encoder, self.synthesizer)
        self._judges = {"target": target_runs, "text_encoder": encoder_runs}
        self._directions = directions

    def run(self, *, images: int = 200, seed: int = 0, out: str | Path | None = None) -> Diagnosis:
        """Audit the target on ``images`` generated images.

        ``seed`` names the images: number i is the generator's seed ``seed · 100000 + i``. ``out`` is the audit
        folder, made or resumed (equal settings only); None keeps the result in memory, without pictures.
        Interrupted at any moment, the same call goes on where it was.
        """
        if not 1 <= images <= SEEDS_PER_RUN:
            raise ConfigError(f"images must be in 1..{SEEDS_PER_RUN}, got {images}")
        if not 0 <= seed < 2**32 // SEEDS_PER_RUN:
            raise ConfigError(f"seed must be in 0..{2**32 // SEEDS_PER_RUN - 1}, got {seed}")
        if out is not None:
            check_folder(out)
            self._check_same_synthesis(Path(out))
        directions = self.edit_directions()
        calibrated = self.calibrated_range(directions)
        seeds = [seed * SEEDS_PER_RUN + i for i in range(images)]
        styles = self.styles(seeds)
        evaluator = self.evaluator(directions)
        manifest = self.manifest(directions, calibrated, images=images, seed=seed)
        wanted = [(image, which) for image in range(images) for which in self._places()]
        if out is None:
            records: list[Record] = []
            units = self.units(styles, directions, calibrated, wanted)
            self._search(units, evaluator, styles, seeds, records.extend, finished=0)
            return Diagnosis(manifest, tuple(records))
        with AuditFolder.open(out, manifest) as audit:
            done = audit.done()
            left = [(image, which) for image, which in wanted if (image, self._attribute(which)) not in done]
            if left:
                units = self.units(styles, directions, calibrated, left)
                self._search(units, evaluator, styles, seeds, audit.append, finished=len(wanted) - len(left))
            diagnosis = Diagnosis.load(out)
            if left or not audit.finished:
                build_gallery(audit, diagnosis, evaluator=evaluator, styles=styles)
                audit.finish(diagnosis.summary())
        write_report(Path(out))
        return diagnosis

    def edit_directions(self) -> EditDirections:
        """One direction per attribute, found or taken from the cache."""
        if isinstance(self._directions, EditDirections):
            self._directions.check_fits(self.generator)
            self._directions.check_origin()
            if self._directions.attributes != self.attributes:
                raise ConfigError("the edit directions are of other attributes than the audit; give the same list")
            return self._directions
        return find_directions(
            self.generator,
            self.text_encoder,
            self.attributes,
            neutral=self.neutral,
            method=self._directions,  # type: ignore[arg-type]
            threshold=self.threshold,
            templates=self.templates,
            truncation=self.truncation,
            truncation_cutoff=self.truncation_cutoff,
            synthesizer=self.synthesizer,
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
            synthesizer=self.synthesizer,
            batch_size=self.batch_size,
            cache=self.cache,
            progress=self.progress,
        )

    @torch.no_grad()
    def styles(self, seeds: Sequence[int]) -> Tensor:
        """The unedited style vectors ``[I, S]`` of the seeds."""
        z = self.generator.latents(seeds)
        w = self.generator.mapping(z, truncation=self.truncation, truncation_cutoff=self.truncation_cutoff)
        return self.generator.styles(w)

    def evaluator(self, directions: EditDirections) -> Evaluator:
        """What judges images and edit weights in this audit."""
        return Evaluator(
            self.synthesizer,
            directions.matrix.to(self.generator.device),
            self.target,
            text_encoder=self.text_encoder,
            label_prompts=self.labels,
            loss_weights=self.loss_weights,
        )

    def units(
        self,
        styles: Tensor,
        directions: EditDirections,
        calibrated: CalibratedRange,
        wanted: Sequence[tuple[int, int | None]],
    ) -> list[Unit]:
        """The units of ``wanted``, in its order: (image, attribute) in single mode, (image, None) in multi mode.

        In a calibrated single mode images are drawn, to see how far each may be edited.
        """
        count = len(self.attributes)
        paper = np.array([-PAPER_BOUND, PAPER_BOUND])
        natural = self.edit_range == "calibrated"
        if self.mode == "multi":
            bounds = calibrated.bounds.double().numpy() if natural else np.tile(paper, (count, 1))
            return [Unit(image, None, bounds) for image, _ in wanted]
        places = [(image, which) for image, which in wanted if which is not None]
        if not natural:
            return [Unit(image, which, _only(paper, which, count)) for image, which in places]
        limits = image_bounds(
            self.text_encoder,
            directions,
            calibrated,
            self.synthesizer,
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

    def manifest(
        self, directions: EditDirections, calibrated: CalibratedRange, *, images: int, seed: int
    ) -> dict[str, Any]:
        """All that determines the records (``config``), and where they were made (``environment``)."""
        return {
            "config": {
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
                "text_encoder": {
                    "name": self.text_encoder.name,
                    "content_hash": self.text_encoder.content_hash,
                },
                "truncation": self.truncation,
                "truncation_cutoff": self.truncation_cutoff,
                "edit_range": self.edit_range,
                "bound": PAPER_BOUND,
                "calibrated_range": calibrated.bounds.tolist(),
                "directions": {
                    "method": directions.method,
                    "threshold": directions.threshold,
                    "templates": directions.provenance["templates"],
                    "channels": list(directions.channels),
                    "strength": list(directions.strength),
                    "noise_floor": list(directions.noise_floor),
                },
                "synthesis": self.synthesizer.describe(),
            },
            "environment": {
                **describe_environment(),
                "synthesis": self.synthesizer.explain(),
                "judges": self._judges,
                "notices": self.notices,
            },
        }

    def _check_same_synthesis(self, out: Path) -> None:
        """Pictures of two runtimes do not mix in one audit: said before hours are spent, and what to give instead."""
        if not (out / MANIFEST).is_file():
            return
        there, here = read_manifest(out)["config"].get("synthesis", {}), self.synthesizer.describe()
        if there != here:
            raise AuditError(
                f"{out} was begun with --backend {there.get('backend')} --precision {there.get('precision')}, this run"
                f" would go on with {here['backend']} in {here['precision']}: give the same, or another folder"
            )

    def _places(self) -> Sequence[int | None]:
        """What is searched on each image: every attribute alone, or all together."""
        return [None] if self.mode == "multi" else range(len(self.attributes))

    def _attribute(self, which: int | None) -> str | None:
        return None if which is None else self.attributes[which]

    def _search(
        self,
        units: list[Unit],
        evaluator: Evaluator,
        styles: Tensor,
        seeds: Sequence[int],
        keep: Any,
        *,
        finished: int,
    ) -> None:
        """Search the units; finished ones go to ``keep`` as records, a batch at a time."""

        def on_result(results: list[tuple[Unit, SearchResult]]) -> None:
            keep([_record(unit, found, seeds[unit.image], self._attribute(unit.attribute)) for unit, found in results])

        run_units(
            units,
            search=self.search,
            evaluator=evaluator,
            styles=styles,
            on_result=on_result,
            batch_size=self.batch_size,
            progress=self.progress,
            finished=finished,
        )


def _device(name: str) -> torch.device:
    try:
        device = torch.device(name)
    except RuntimeError as error:
        raise ConfigError(f"unknown device '{name}'; use cpu, cuda or cuda:0") from error
    if device.type == "cuda" and not torch.cuda.is_available():
        raise ConfigError(f"device '{name}' is not available here; use cpu")
    return device


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
        "label_kept": result.label_kept,
        "ssim": None if result.ssim is None else round(result.ssim, 6),
        "flip_weight": None if result.flip_weight is None else round(result.flip_weight, 6),
        "steps": result.steps,
        "evaluations": result.evaluations,
        "stop": result.stop,
        "trajectory": result.trajectory,
    }
    if result.paper is not None:
        record["paper"] = result.paper
    return record
