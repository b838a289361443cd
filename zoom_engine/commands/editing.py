"""All that it takes to edit a generator's pictures along texts, without a target."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from zoom_engine.audit.manifest import PAPER_BOUND
from zoom_engine.common.files.cache import default_cache
from zoom_engine.common.machine import find_device
from zoom_engine.common.progress import ProgressFactory, silent
from zoom_engine.diagnose.domain import find_domain
from zoom_engine.directions import (
    PROMPTED,
    CalibratedRange,
    EditDirections,
    Sampling,
    calibrate_range,
    default_method,
    find_directions,
    score_directions,
    text_scores,
)
from zoom_engine.directions.calibration import natural_ranges
from zoom_engine.directions.unedited import SAMPLES
from zoom_engine.generators import EditableGenerator, check_generator_options, load_generator, of_one_class
from zoom_engine.runtime import Synthesizer, choose_synthesizer, compiled_text_encoder
from zoom_engine.settings.attributes import NEUTRAL
from zoom_engine.text import TextEncoder, text_encoder_for

AT_ONCE = 32  # pictures


@dataclass(frozen=True)
class Editing:
    """A generator and its text encoder, with what finds edit directions of its attributes.

    Edit directions are found with `method` and `further` options of `find_directions`.
    """

    generator: EditableGenerator
    text_encoder: TextEncoder
    synthesizer: Synthesizer
    attributes: tuple[str, ...]
    neutral: str
    method: str
    truncation: float
    cache: Path
    progress: ProgressFactory
    further: Mapping[str, Any]

    @classmethod
    def of(
        cls,
        generator: str | Path | Any,
        attributes: Sequence[str] | None = None,
        *,
        generator_class: int | None = None,
        generator_options: Mapping[str, object] | None = None,
        neutral: str | None = None,
        text_encoder: str | Path | Any | None = None,
        directions: str | None = None,
        truncation: float = 1.0,
        backend: str = "auto",
        precision: str = "auto",
        device: str = "cpu",
        download: bool = False,
        cache: Path | None = None,
        progress: ProgressFactory = silent,
        **further: object,
    ) -> Editing:
        """Load both onto `device`; attributes and the neutral prompt are by default the domain's.

        Raises:
            ZoomError: one of its subclasses; a ConfigError where the device is not available here.
        """
        domain, torch_device = find_domain(generator), find_device(device)
        cache = cache or default_cache()
        options: dict[str, Any] = {"device": device, "cache": cache, "download": download}
        options |= check_generator_options(generator_options, generator)
        network = of_one_class(load_generator(generator, **options), generator_class).to(torch_device)
        return cls(
            network,
            text_encoder_for(generator, text_encoder, download=download).to(torch_device),
            choose_synthesizer(network, backend=backend, precision=precision, device=device, cache=cache),
            tuple(attributes if attributes is not None else domain.attributes if domain else ()),
            neutral or (domain.neutral if domain else NEUTRAL),
            directions or default_method(network),
            truncation,
            cache,
            progress,
            further,
        )

    @property
    def has_threshold(self) -> bool:
        """Tell whether directions leave out channels below a threshold λ, as those of a generator's own do not."""
        return self.method != PROMPTED

    def find(self, **options: object) -> EditDirections:
        """Find one direction per attribute, with further `options` of `find_directions`."""
        return find_directions(
            self.generator,
            self.measuring_encoder,
            self.attributes,
            neutral=self.neutral,
            method=self.method,
            truncation=self.truncation,
            synthesizer=self.synthesizer,
            cache=self.cache,
            progress=self.progress,
            **{**self.further, **options},
        )

    @cached_property
    def measuring_encoder(self) -> TextEncoder:
        """Return the text encoder that an audit measures with, so that both find the same in the cache."""
        if self.synthesizer.precision == "fp32":
            return self.text_encoder
        encoder, precision = self.text_encoder, self.synthesizer.precision
        return compiled_text_encoder(encoder, self.synthesizer, precision=precision, cache=self.cache)[0]

    @cached_property
    def directions(self) -> EditDirections:
        """Find the directions that an audit uses."""
        return self.find()

    @cached_property
    def calibrated(self) -> CalibratedRange:
        """Measure how far an audit edits."""
        sampling = Sampling(SAMPLES, synthesizer=self.synthesizer, cache=self.cache, progress=self.progress)
        return calibrate_range(
            self.generator, self.measuring_encoder, self.directions, bound=PAPER_BOUND, sampling=sampling
        )

    @property
    def natural_ranges(self) -> Tensor:
        """Return `[N]`: each attribute's distance in text score from unedited images without it to those with it."""
        return natural_ranges(self.calibrated.goals)

    @torch.no_grad()
    def styles(self, seeds: Sequence[int]) -> Tensor:
        """Return the style vectors `[I, S]` of unedited images."""
        cutoff: Any = self.further.get("truncation_cutoff")
        return self.generator.sample(seeds, truncation=self.truncation, truncation_cutoff=cutoff)

    @torch.no_grad()
    def drawn(self, styles: Tensor, weights: Tensor, matrix: Tensor | None = None) -> Tensor:
        """Draw images `[B, 3, R, R]` in [-1, 1] of styles `[B, S]`, edited by `[B, N]` along `matrix [N, S]`.

        They are on the device of the styles.
        """
        along = (self.directions.matrix if matrix is None else matrix).to(styles.device)
        parts = zip(torch.split(styles, AT_ONCE), torch.split(weights.to(styles.device), AT_ONCE), strict=True)
        return torch.cat([self.synthesizer.render(style, edit, along) for style, edit in parts])

    def scores(self, images: Tensor) -> Tensor:
        """Compute text scores `[B, N]` (CPU) of images, in natural ranges of each attribute."""
        along = score_directions(self.text_encoder, self.directions)
        return text_scores(self.text_encoder, along, torch.split(images, AT_ONCE)) / self.natural_ranges
