"""The units in which text scores of attributes and labels are compared, to tell side effects of edits.

An attribute's unit is its natural range, from the mean score of the unedited images that lack it to that of those that
have it (`calibration`). A label's unit is found in the same way, along what its prompt says beyond the mean of all
labels.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from zoom_engine.directions.calibration import CalibratedRange, natural_ranges, split_in_two
from zoom_engine.directions.edit_directions import EditDirections
from zoom_engine.directions.relevance import Sampling
from zoom_engine.directions.unedited import unedited_embeddings
from zoom_engine.generators import EditableGenerator
from zoom_engine.text import TextEncoder


@dataclass(frozen=True)
class ScoreScale:
    """The units of N attributes and L labels, CPU tensors, float32.

    Attributes:
        labels: `[L, D]`, the text directions of the labels.
        units: `[N + L]`, one natural range of each attribute's score, then of each label's.
    """

    labels: Tensor
    units: Tensor

    def measure(self, moved: Tensor) -> list[tuple[float, ...]]:
        """Return changes of scores `[U, N + L]` in natural ranges, to four decimals."""
        return [tuple(round(value, 4) for value in row) for row in (moved / self.units).tolist()]


def score_scale(
    generator: EditableGenerator,
    text_encoder: TextEncoder,
    directions: EditDirections,
    calibrated: CalibratedRange,
    labels: Sequence[str],
    *,
    sampling: Sampling,
) -> ScoreScale:
    """Measure the scale of an audit.

    Args:
        generator: of the directions.
        text_encoder: scores the images.
        directions: N edit directions.
        calibrated: their calibrated range.
        labels: L prompts.
        sampling: the unedited images, as the range was calibrated with: from its cache they are used again.
    """
    ranges = [natural_ranges(calibrated.goals)]
    along = torch.zeros(0, text_encoder.dim)
    if labels:
        texts = text_encoder.embed_texts(labels).cpu()
        along = F.normalize(texts - texts.mean(dim=0), dim=1)
        sampling = sampling.truncated_as(directions.provenance)
        unedited = unedited_embeddings(generator, text_encoder, sampling, doing="Scoring unedited images")
        ranges.append(natural_ranges(split_in_two(unedited @ along.T).means))
    return ScoreScale(along, torch.cat(ranges))


def joined_scales(scales: Sequence[ScoreScale], attributes: int) -> tuple[ScoreScale | None, list[list[int]]]:
    """Join scales of the same N attributes into one that measures the labels of all.

    Returns it with, for each scale, which of the N + L columns are its own. None where there is no scale.
    """
    distinct = {id(scale): scale for scale in scales}
    if not distinct:
        return None, []
    columns, end = {}, attributes
    for key, scale in distinct.items():
        columns[key] = range(end, end + len(scale.labels))
        end += len(scale.labels)
    units_of_labels = [scale.units[attributes:] for scale in distinct.values()]
    joined = ScoreScale(
        torch.cat([scale.labels for scale in distinct.values()]),
        torch.cat([scales[0].units[:attributes], *units_of_labels]),
    )
    return joined, [[*range(attributes), *columns[id(scale)]] for scale in scales]
