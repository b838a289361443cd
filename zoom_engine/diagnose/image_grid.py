"""The pictures of all trials: what the report shows as a grid for each attribute.

They are drawn from the records when the search is finished, in full batches: one picture for each trial and one for
each image. The search looked at six or more of each trial, and stored none.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from PIL import Image
from torch import Tensor

from zoom_engine.audit.folder import AuditFolder
from zoom_engine.audit.gallery_file import PictureEntry
from zoom_engine.audit.records import Record
from zoom_engine.common.files.png import Pixels, to_pixels
from zoom_engine.common.files.webp import webp_bytes
from zoom_engine.evaluation.evaluator import Evaluator
from zoom_engine.evaluation.side_by_side import side_by_side
from zoom_engine.generators import StyleRows
from zoom_engine.report.image_grid import strongest_first
from zoom_engine.settings.attributes import Attribute, slug
from zoom_engine.statistics.diagnosis import Diagnosis
from zoom_engine.targets import TaskView

MOST_PICTURES = 2000
"""The most trials that are drawn: decisive flips, then other flips, then the largest changes."""
LARGEST_SIDE = 512
"""The longer side of a picture in pixels: one file is the thumbnail and what opens at full size."""
QUALITY = 90
"""Of WebP: four times as strong, the difference of two pictures still shows the edit and not the compression."""


def write_pictures(
    audit: AuditFolder, diagnosis: Diagnosis, evaluator: Evaluator, styles: StyleRows, *, batch_size: int
) -> tuple[PictureEntry, ...]:
    """Write the picture of each trial at the edit weights of its record, and of each image unedited.

    `batch_size` pictures are drawn at a time. The target is asked again only where its output is drawn into pictures.
    """
    chosen = strongest_first(diagnosis, [record for record in diagnosis.records if record.was_edited])[:MOST_PICTURES]
    by_image: dict[int, list[Record | None]] = {}
    for trial in chosen:
        by_image.setdefault(trial.image, [None]).append(trial)
    drawn = [(image, record) for image, records in sorted(by_image.items()) for record in records]
    pictures = _Pictures(evaluator)
    entries = []
    for first in range(0, len(drawn), batch_size):
        part = drawn[first : first + batch_size]
        files = side_by_side(_file, pictures.of(part, styles))
        for (image, record), picture in zip(part, files, strict=True):
            original = f"images/image-{image}.webp"
            if record is None:
                audit.write(original, picture)
                continue
            file = f"images/image-{image}-{slug(record.attribute or 'all')}.webp"
            audit.write(file, picture)
            attribute = None if record.attribute is None else Attribute.parse(record.attribute)
            entries.append(PictureEntry(image=image, attribute=attribute, file=file, original=original))
    return tuple(entries)


def _file(pixels: Pixels) -> bytes:
    return webp_bytes(Image.fromarray(pixels), side=LARGEST_SIDE, quality=QUALITY)


class _Pictures:
    """Draws batches of trials in which each image's unedited picture, None, comes before its edits."""

    def __init__(self, evaluator: Evaluator) -> None:
        self._evaluator, self._view = evaluator, evaluator.target.task.view
        self._plain = type(self._view).overlay is TaskView.overlay
        self._original: Tensor | None = None

    @torch.no_grad()
    def of(self, part: Sequence[tuple[int, Record | None]], styles: StyleRows) -> Sequence[Pixels]:
        """Return the pictures of a batch, with the target's output where the task draws it."""
        weights = torch.zeros(len(part), len(self._evaluator.directions))
        for row, (_, record) in enumerate(part):
            if record is not None:
                weights[row] = torch.tensor(record.edit_weights)
        codes = styles[torch.tensor([image for image, _ in part])]
        images = self._evaluator.render(codes, weights.to(codes.device))
        pixels = list(to_pixels(images))
        if self._plain:
            return pixels
        outputs = self._evaluator.target(images)
        for row, (_, record) in enumerate(part):
            original = outputs[row] if record is None or self._original is None else self._original
            self._original = original
            pixels[row] = self._view.overlay(pixels[row], outputs[row], original)
        return pixels
