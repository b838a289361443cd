"""A contact sheet of edits: one row per image and attribute, one column per edit weight."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from zoom_engine.commands.editing import Editing
from zoom_engine.common.errors import ConfigError, system_errors
from zoom_engine.common.files import atomic
from zoom_engine.common.files.png import png_bytes, to_pixels
from zoom_engine.common.progress import ProgressFactory, silent
from zoom_engine.diagnose.gallery import sheet_weights
from zoom_engine.settings.attributes import sources_of
from zoom_engine.settings.audit_settings import is_file_of_directions
from zoom_engine.statistics.table import signed

MOST_PICTURES = 2000
MOST_COLUMNS = 7  # of a calibrated sheet


@dataclass(frozen=True)
class SheetRange:
    """The columns of one attribute.

    Attributes:
        attribute: its text.
        weights: edit weights.
        calibrated: the calibrated range (lowest, highest); None where it was not asked for.
    """

    attribute: str
    weights: tuple[float, ...]
    calibrated: tuple[float, float] | None

    def labels(self) -> list[str]:
        """Return the weights as text, in brackets outside the calibrated range."""
        low, high = self.calibrated or (-np.inf, np.inf)
        return [signed(weight) if low <= weight <= high else f"({signed(weight)})" for weight in self.weights]


def write_edit_sheet(
    out: Path,
    *,
    generator: str,
    attributes: Sequence[str],
    directions: str | None = None,
    weights: Sequence[float] | None = None,
    seeds: Sequence[int] = tuple(range(8)),
    truncation: float = 1.0,
    generator_class: int | None = None,
    generator_options: Mapping[str, object] | None = None,
    neutral: str | None = None,
    text_encoder: str | None = None,
    download: bool = False,
    progress: ProgressFactory = silent,
) -> list[SheetRange]:
    """Write a picture of edits: for every attribute its weights, and below them the rows of all seeds.

    Args:
        out: the file (PNG).
        generator: draws the images.
        attributes: prompts.
        directions: the method that finds edit directions of words; by default an audit's.
        weights: edit weights of the columns. None shows each attribute over its calibrated range, as an audit edits it,
            and beside it at the paper's ±30. That takes a few hundred pictures for each attribute, once: the range is
            stored in the cache.
        seeds: which images.
        truncation: ψ of the images; 1 is none.
        generator_class: of the images, where the generator draws classes.
        generator_options: how the generator is read.
        neutral: the prompt that edits go away from; by default the domain's.
        text_encoder: reads the prompts; by default the domain's, or an audit's.
        download: fetch published weights that are not on this machine.
        progress: how work shows itself.

    Returns:
        The columns of each attribute.
    """
    if not all(map(math.isfinite, [truncation, *(weights or ())])):
        raise ConfigError("weights and truncation must be finite numbers")
    count = len(attributes) * len(seeds) * (MOST_COLUMNS if weights is None else len(weights))
    if not 1 <= count <= MOST_PICTURES:
        raise ConfigError(f"the sheet would hold {count} pictures; choose 1 to {MOST_PICTURES}")
    _check_words(attributes, directions)
    editing = Editing.of(
        generator,
        attributes,
        directions=directions,
        truncation=truncation,
        generator_class=generator_class,
        generator_options=generator_options,
        neutral=neutral,
        text_encoder=text_encoder,
        download=download,
        progress=progress,
    )
    edits, renderer, side = editing.directions, editing.synthesizer, editing.generator.resolution
    if weights is None:
        limits = [(float(low), float(high)) for low, high in editing.calibrated.bounds]
        ranges = [
            SheetRange(attribute, tuple(sheet_weights(*limit)), limit)
            for attribute, limit in zip(attributes, limits, strict=True)
        ]
    else:
        ranges = [SheetRange(attribute, tuple(weights), None) for attribute in attributes]
    parts: list[NDArray[np.uint8]] = []
    with torch.no_grad():
        styles = editing.styles(seeds)
        for shown, direction in zip(ranges, edits.matrix, strict=True):
            parts.append(_header(shown.labels(), side))
            for style in styles:
                weights_of = torch.tensor(shown.weights)[:, None]
                images = renderer.render(style.expand(len(weights_of), -1), weights_of, direction[None])
                parts.append(np.concatenate(list(to_pixels(images)), axis=1))
    width = max(part.shape[1] for part in parts)
    sheet = [np.pad(part, ((0, 0), (0, width - part.shape[1]), (0, 0)), constant_values=255) for part in parts]
    with system_errors(ConfigError, f"cannot write {out}"):
        atomic.write_bytes(out, png_bytes(np.concatenate(sheet)))
    return ranges


def _check_words(attributes: Sequence[str], directions: str | None) -> None:
    """Refuse edits that no words give, by a ConfigError: as words they would be another edit."""
    given = [f"'{name}' is given by {source}" for name, source in sources_of(attributes).items()]
    if directions is not None and is_file_of_directions(directions) and Path(directions).is_file():
        given.append("directions are a method here, not a file")
    if given:
        raise ConfigError(
            f"an edit sheet finds edit directions from words, and {given[0]}: look at it on sliders (zoom-engine"
            " explore)"
        )


def _header(labels: Sequence[str], side: int) -> NDArray[np.uint8]:
    """Draw one label above each column of pictures, `side` wide, black on white: uint8 `[H, len(labels)·side, 3]`."""
    height = max(16, side // 8)
    picture = Image.new("RGB", (side * len(labels), height), "white")
    draw = ImageDraw.Draw(picture)
    font = ImageFont.load_default(size=0.7 * height)
    for column, label in enumerate(labels):
        draw.text((side * (column + 0.5), height / 2), label.replace("−", "-"), "black", font, anchor="mm")
    return np.asarray(picture)
