"""Null directions: what edits of the same kind do that no text defined, or one that names nothing visible.

A sensitivity is the largest change that an edit of an image finds, and some change there always is. How much of a bar
is that, is told by directions with as many channels as the attributes' have, weights drawn from a normal distribution,
scaled by each channel's σ and of unit length like theirs. No text scores them, so how far they go is matched: until
pictures change by as much as the attributes' edits to their calibrated bounds change them, by the root mean square over
pixels, on average over a few unedited pictures. (As long as the attributes' in σ, they change pictures by less: what a
text moves, channels move together.) On each image they go one way only, as an attribute's edit does.

Beside them stand directions of prompts that name nothing that a picture shows (`NOTHING`), found as the attributes' are
and followed as far as pictures change by as much: what the wording of a prompt alone comes to. Each image is moved
along one of them, by turns.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path
from statistics import median

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from zoom_engine.directions.cache import DirectionCache
from zoom_engine.directions.calibration import CalibratedRange
from zoom_engine.directions.edit_directions import EditDirections
from zoom_engine.directions.relevance import Sampling
from zoom_engine.generators import EditableGenerator
from zoom_engine.text import TextEncoder
from zoom_engine.text.vocabulary import read_vocabulary, readable

NOTHING = Path(__file__).with_name("nothing_visible.txt")
NOTHING_PROMPTS = 4
NULL_PICTURES = 8
_LOOKS = 2
_FAR = 4.0  # times the attributes' own length in σ, or a part of it: the length is sought no further
_LEAST = 1e-6  # of a change: less is rounding


@dataclass(frozen=True)
class NullDirections:
    """``matrix [J, S]`` (float32, CPU), row j being one direction, the random ones first; ``lengths [J]`` is how far
    each is followed, in edit weight, to either side or, ``one_sided``, to the one that an image's seed draws."""

    matrix: Tensor
    lengths: tuple[float, ...]
    one_sided: bool

    def bounds(self, seed: int, direction: int) -> NDArray[np.float64]:
        """Lowest and highest edit weight ``[J, 2]`` where one direction moves the image of that seed; 0 for others."""
        bounds = np.zeros((len(self.matrix), 2))
        bounds[direction] = -self.lengths[direction], self.lengths[direction]
        if self.one_sided:
            bounds[direction, np.random.default_rng([seed, direction]).integers(2)] = 0.0
        return bounds


def null_directions(
    generator: EditableGenerator,
    directions: EditDirections,
    calibrated: CalibratedRange | None,
    *,
    count: int,
    bound: float,
    seed: int,
    sampling: Sampling,
    texts: Tensor | None = None,
) -> NullDirections:
    """``count`` random directions beside ``directions``, drawn from ``seed``, and after them those of ``texts [K, S]``.

    Followed until pictures change by as much as within ``calibrated``, or to ±``bound`` without it. ``sampling`` has
    the styles' statistics, and the unedited pictures that this is seen on; the length is kept in its cache.
    """
    std = sampling.statistics(generator).std
    free = torch.nonzero((std > 0) & ~generator.space.fixed_mask()).flatten()
    channels = min(round(median(directions.channels)), len(free))
    random = torch.Generator().manual_seed(seed)
    matrix = torch.zeros(count, len(std))
    for row in matrix:
        chosen = free[torch.randperm(len(free), generator=random)[:channels]]
        weights = torch.randn(channels, generator=random)
        row[chosen] = std[chosen] * weights / weights.norm()
    texts = matrix[:0] if texts is None else texts
    lengths = [bound] * (count + len(texts))
    if calibrated is not None and count:
        lengths = _Matching(generator, directions.matrix, calibrated, matrix, texts, sampling).lengths()
    rounded = tuple(round(length, 2) for length in lengths)
    return NullDirections(torch.cat([matrix, texts]), rounded, calibrated is not None)


def nothing_visible(text_encoder: TextEncoder, neutral: str) -> tuple[str, ...]:
    """Prompts that name nothing that a picture shows, as far as the encoder can read them: `NOTHING_PROMPTS` at most,
    or none."""
    return tuple(readable(read_vocabulary(NOTHING, neutral), text_encoder, neutral)[:NOTHING_PROMPTS])


@dataclass(frozen=True)
class _Matching:
    """Rows that are to change pictures as much as ``attributes`` do at their bounds."""

    generator: EditableGenerator
    attributes: Tensor
    calibrated: CalibratedRange
    random: Tensor
    texts: Tensor
    sampling: Sampling

    def lengths(self) -> list[float]:
        """The edit weights at which they do: one for all of ``random``, then one for each of ``texts``; kept."""
        sampling, rows = self.sampling, (self.attributes, self.random, self.texts)
        depends_on = {
            "generator": self.generator.content_hash,
            "truncation": [sampling.truncation, sampling.truncation_cutoff, sampling.samples, sampling.seed],
            "rows": [hashlib.sha256(each.contiguous().numpy().tobytes()).hexdigest() for each in rows],
            "bounds": self.calibrated.bounds.tolist(),
        }
        kept = DirectionCache(sampling.cache).kept("null", depends_on, lambda: {"lengths": self._measured()})
        return [float(length) for length in kept["lengths"]]

    @torch.no_grad()
    def _measured(self) -> Tensor:
        """The same, measured, float64."""
        codes, renderer = self.sampling.codes(self.generator), self.sampling.renderer_of(self.generator)

        def changes(rows: Tensor, weights: Tensor) -> Tensor:
            """Of each row the mean over pictures of the change by weights ``[rows, 2]``, the first and the second by
            turns."""
            found = torch.zeros(len(rows), dtype=torch.float64)
            for part in torch.split(torch.arange(len(codes)), self.sampling.batch_size):
                unedited = renderer.render(codes[part])
                for row, pair in enumerate(weights):
                    alone = torch.zeros(len(part), len(rows))
                    alone[:, row] = pair[part % 2]
                    moved = renderer.render(codes[part], alone, rows) - unedited
                    found[row] += moved.square().mean(dim=(1, 2, 3)).sqrt().double().sum()
            return found / len(codes)

        start = float(self.calibrated.bounds.abs().mean())
        work = len(self.attributes) + _LOOKS * (len(self.random) + len(self.texts))
        with self.sampling.progress(work, "Matching random edits", unit="edit") as bar:
            goal = float(changes(self.attributes, self.calibrated.bounds).mean())
            bar.update(len(self.attributes))
            lengths = []
            for rows, together in ((self.random, True), (self.texts, False)):
                length = torch.full((len(rows),), start, dtype=torch.float64)
                for _ in range(_LOOKS if len(rows) else 0):  # the change grows nearly in proportion
                    found = changes(rows, torch.stack([-length, length], dim=1).float())
                    found = found.mean().expand_as(found) if together else found
                    length = (length * goal / found.clamp(min=_LEAST)).clamp(start / _FAR, start * _FAR)
                    bar.update(len(rows))
                lengths.append(length)
        return torch.cat(lengths)
