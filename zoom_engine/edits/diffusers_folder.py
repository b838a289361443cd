"""A pipeline of diffusers as an editor, "diffusers:FOLDER": one that follows instructions, or paints over noise.

The folder is what `save_pretrained` wrote, with its weights as safetensors. Nothing is fetched, and no code of it runs.
An attribute is the prompt. Which of the pipeline's numbers is the strength follows from what it takes: `strength` (the
share of noise that a picture is painted anew from) or else `guidance_scale` (how closely it follows the prompt).

Tested with small pipelines of random weights; it has not been run on real ones.
"""

from __future__ import annotations

import dataclasses
import inspect
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
from PIL import Image

from zoom_engine.common.errors import ConfigError, EditorError, imported, one_line
from zoom_engine.common.files.pipeline_folder import PREFIX, folder_hash, load_pipeline, pipeline_class
from zoom_engine.common.machine import find_device
from zoom_engine.edits.editor import Picture
from zoom_engine.edits.strengths import Strengths, check_strengths
from zoom_engine.settings.audit_settings import checked_options

BY_NOISE, BY_GUIDANCE = "strength", "guidance_scale"
STRENGTHS = {BY_NOISE: (0.2, 0.4, 0.6, 0.8), BY_GUIDANCE: (2.0, 4.0, 7.5, 12.0)}
UNITS = {BY_NOISE: "of the noise", BY_GUIDANCE: "guidance"}
SIDE = 8
"""Autoencoders make one latent of so many pixels a side."""


@checked_options("editor option")
@dataclasses.dataclass(frozen=True, kw_only=True)
class PipelineOptions:
    """Options of a pipeline.

    Attributes:
        strengths: of `by`; for noise above 0 and at most 1, for guidance above 1. By default four of them.
        by: the pipeline's number that is the strength: "strength" or "guidance_scale"; by default the first that it
            takes.
        steps: of denoising; by default the pipeline's own.
        side: the longer side, in pixels, that pictures are edited at; by default their own. They are brought back to
            their size.
        guidance_scale: where the strength is another one; by default the pipeline's own.
        image_guidance_scale: how closely a pipeline that follows instructions stays with the picture; by default its
            own.
        precision: of the pipeline's numbers.

    Raises:
        ConfigError: a value out of range.
    """

    strengths: Strengths | None = None
    by: str | None = None
    steps: int | None = None
    side: int | None = None
    guidance_scale: float | None = None
    image_guidance_scale: float | None = None
    precision: Literal["float32", "bfloat16", "float16"] = "float32"

    def __post_init__(self) -> None:
        """Refuse values out of range."""
        if self.by not in (None, *STRENGTHS):
            raise ConfigError(f"editor option 'by' must be {' or '.join(STRENGTHS)}, got {self.by!r}")
        for name, least in (("steps", 1), ("side", SIDE)):
            value = getattr(self, name)
            if value is not None and value < least:
                raise ConfigError(f"editor option '{name}' must be at least {least}, got {value}")


class DiffusersEditor:
    """An editor that runs a pipeline, see `load_diffusers_editor`."""

    name = "diffusers"
    attributes = ()

    def __init__(self, pipeline: Any, options: PipelineOptions, content_hash: str) -> None:
        """Decide which number of the pipeline is the strength.

        Raises:
            ConfigError: options that the pipeline does not take, or strengths out of range.
            EditorError: the pipeline edits no pictures.
        """
        self._pipeline, self._options, self._content_hash = pipeline, options, content_hash
        taken = inspect.signature(pipeline.__call__).parameters
        kind = type(pipeline).__name__
        if not {"prompt", "image", "generator"} <= set(taken) or not set(STRENGTHS) & set(taken):
            raise EditorError(f"{kind} does not edit pictures: give a folder of an img2img or an instruction pipeline")
        self._by = options.by or next(name for name in STRENGTHS if name in taken)
        self._also = {
            name: value
            for name, value in (
                ("num_inference_steps", options.steps),
                ("guidance_scale", options.guidance_scale),
                ("image_guidance_scale", options.image_guidance_scale),
            )
            if value is not None
        }
        for name in (self._by, *self._also):
            if name not in taken:
                raise ConfigError(f"{kind} has no {name}: leave the editor option out")
        if self._by in self._also:
            raise ConfigError(f"{self._by} is the strength: give strengths in its place")
        given = STRENGTHS[self._by] if options.strengths is None else options.strengths
        self._strengths = check_strengths(given, "editor option 'strengths'")
        low, high = (0, 1) if self._by == BY_NOISE else (1, np.inf)
        if not self._strengths or not all(low < strength <= high for strength in self._strengths):
            raise ConfigError(
                f"editor option 'strengths' must be above {low}{' and at most 1' if high == 1 else ''} for {self._by},"
                f" got {list(self._strengths)}"
            )

    def strengths(self, attribute: str) -> tuple[float, ...]:
        """Return the strengths, the same for each attribute."""
        return self._strengths

    def unit(self, attribute: str) -> str:
        """Return which number of the pipeline the strength is, in words."""
        return UNITS[self._by]

    def edit(
        self, pictures: Sequence[Picture], attribute: str, strength: float, seeds: Sequence[int]
    ) -> Sequence[Picture]:
        """Return the pipeline's pictures, see `Editor`, drawn one by one: a batch would not be as each alone."""
        return [self._edited(picture, attribute, strength, seed) for picture, seed in zip(pictures, seeds, strict=True)]

    def describe(self) -> dict[str, Any]:
        """Return the pipeline's class, the hash of its files and the options, see `Editor`."""
        options = {**dataclasses.asdict(self._options), "strengths": list(self._strengths), "by": self._by}
        kind = type(self._pipeline).__name__
        return {"editor": self.name, "pipeline": kind, "sha256": self._content_hash, "options": options}

    def _edited(self, picture: Picture, attribute: str, strength: float, seed: int) -> Picture:
        height, width = picture.shape[:2]
        factor = 1.0 if self._options.side is None else self._options.side / max(height, width)
        shown = Image.fromarray(picture).resize(
            (_in_latents(width * factor), _in_latents(height * factor)), Image.Resampling.BICUBIC
        )
        result = self._pipeline(
            prompt=attribute,
            image=shown,
            # Of the CPU, so that a seed is the same number on each machine.
            generator=torch.Generator("cpu").manual_seed(seed),
            output_type="np",
            **{self._by: strength},
            **self._also,
        )
        if any(getattr(result, "nsfw_content_detected", None) or ()):
            raise EditorError(
                f"the pipeline's safety checker blackened a picture for {one_line(attribute, 60)!r} at {strength:g}:"
                " leave the attribute or the photograph out"
            )
        values = np.asarray(result.images[0], dtype=np.float64)
        if not np.isfinite(values).all():
            raise EditorError(f"the pipeline draws no finite numbers for {one_line(attribute, 60)!r} at {strength:g}")
        drawn = Image.fromarray(np.rint(values * 255).clip(0, 255).astype(np.uint8))
        return np.asarray(drawn.resize((width, height), Image.Resampling.BICUBIC))


def load_diffusers_editor(spec: str, options: Mapping[str, Any], *, device: str) -> DiffusersEditor:
    """Return an editor that runs the pipeline of a folder.

    Args:
        spec: "diffusers:FOLDER".
        options: those of `PipelineOptions`.
        device: where it runs.

    Raises:
        ConfigError: an option that there is not, or that the pipeline does not take.
        EditorError: diffusers is missing, or the folder has no pipeline that can be used.
    """
    chosen = PipelineOptions(**options)
    place, folder = find_device(device), Path(spec.removeprefix(PREFIX))
    pipeline_type = pipeline_class(folder, EditorError)
    if "image" not in inspect.signature(pipeline_type.__call__).parameters:  # made for texts alone
        diffusers = imported("diffusers", EditorError, "pipelines cannot be run", install="zoom-engine[diffusers]")
        pipeline_type = diffusers.AutoPipelineForImage2Image
    dtype = getattr(torch, chosen.precision)
    pipeline = load_pipeline(pipeline_type, folder, place=place, dtype=dtype, refusal=EditorError)
    return DiffusersEditor(pipeline, chosen, folder_hash(folder))


def _in_latents(pixels: float) -> int:
    return max(SIDE, round(pixels / SIDE) * SIDE)
