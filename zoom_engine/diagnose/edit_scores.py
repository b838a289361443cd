"""Whether edits from elsewhere were made, as a text encoder sees it: how far they move the score of their attribute.

The units are those of audits with a generator: an attribute's natural range, from the mean score of the unedited images
that lack it to that of those that have it (`directions.calibration`).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from zoom_engine.common.errors import ConfigError
from zoom_engine.common.files.png import to_images
from zoom_engine.common.machine import find_device
from zoom_engine.common.progress import ProgressFactory
from zoom_engine.directions import text_directions
from zoom_engine.directions.calibration import natural_ranges, split_in_two, text_scores
from zoom_engine.directions.score_scale import ScoreScale
from zoom_engine.edits.pictures import EditedPictures, Wanted
from zoom_engine.settings.audit_settings import AuditSettings
from zoom_engine.text import TextEncoder, find_templates, load_text_encoder

LEAST_IMAGES = 16
"""The fewest unedited images that say how far an attribute varies."""
MOST_IMAGES = 256
"""The most that are asked, drawn from all: the first by name may be of one kind or of one day."""


@dataclass(frozen=True, eq=False)
class EditScores:
    """Text scores of N attributes, and the natural ranges of the unedited images in which their changes are told.

    Attributes:
        encoder: sees the pictures.
        along: float `[N, D]`, the attributes' text directions.
        scale: the natural ranges.
        unedited: float `[N]`, the scores of the unedited images from which the ranges are, by number: they need not be
            looked at again.
        templates: what the attributes were put into.
    """

    encoder: TextEncoder
    along: Tensor
    scale: ScoreScale
    unedited: Mapping[int, Tensor]
    templates: tuple[str, ...]

    def of(self, pictures: Tensor) -> Tensor:
        """Return the scores `[B, N]` of pictures `[B, 3, H, W]` in [-1, 1], on the CPU."""
        return text_scores(self.encoder, self.along, [pictures])

    def changes(self, before: Tensor, after: Tensor) -> list[tuple[float, ...]]:
        """Return the changes of scores `[B, N]` in natural ranges, as `Record.scores` has them."""
        return self.scale.measure(after - before)

    def describe(self) -> dict[str, Any]:
        """Return what determines the scores beside the pictures and the prompts, as the manifest has it."""
        encoder = {"name": self.encoder.name, "content_hash": self.encoder.content_hash}
        return {"text_encoder": encoder, "templates": list(self.templates)}


def edit_scores(settings: AuditSettings, pictures: EditedPictures, progress: ProgressFactory) -> EditScores | None:
    """Load the text encoder of the settings and measure how far the unedited images vary; None without an encoder.

    Raises:
        ConfigError: there are too few images.
        TextEncoderError: the encoder cannot be loaded, or does not know a word.
        DirectionError: it cannot tell an attribute from the neutral prompt.
    """
    if settings.text_encoder is None or settings.neutral is None:  # the settings have both or neither
        return None
    if (count := len(pictures.names)) < LEAST_IMAGES:
        raise ConfigError(
            f"a text encoder tells whether edits were made by {LEAST_IMAGES} images or more, not {count}: give"
            " more, or leave the text encoder out"
        )
    drawn = torch.randperm(count, generator=torch.Generator().manual_seed(0))[:MOST_IMAGES]
    images: list[int] = drawn.sort().values.tolist()
    encoder = load_text_encoder(settings.text_encoder, download=settings.download).to(settings.device)
    templates = find_templates(settings.templates)
    along = text_directions(encoder, pictures.attributes, neutral=settings.neutral, templates=templates)
    device = find_device(settings.device)

    def unedited() -> Iterator[Tensor]:
        with progress(len(images), "Scoring unedited images", unit="picture") as bar:
            for image in images:
                picture = np.stack(pictures.read([Wanted(image, pictures.attributes[0], 0.0)]))
                yield to_images(picture).to(device)
                bar.update()

    with torch.no_grad():
        scores = text_scores(encoder, along, unedited())
    scale = ScoreScale(along[:0], natural_ranges(split_in_two(scores).means))
    return EditScores(encoder, along, scale, unedited=dict(zip(images, scores, strict=True)), templates=templates)
