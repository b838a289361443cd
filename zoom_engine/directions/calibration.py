"""The range of an edit: until the attribute itself has changed as it does among unedited images, no further.

Beyond its natural range an edit draws pictures that no sample resembles (black skin for "pale skin" removed), and every
target moves. The measure is the attribute's own text score t(x) = ⟨E(x), Δt⟩:

- The unedited images are split in two by their scores, where the two sides differ most (Otsu 1979: least
  variance within them). For what a face has or lacks, such as glasses, the split falls between those with and those
  without; for what all faces have to some degree, near the middle. The sides' means are L, of those that lack it, and
  H, of those that have it. Halves would count a fifth of the avatars without glasses among those with; the outer tenths
  lie where no edit of one attribute alone reaches.
- The upper bound of the edit weight is the smallest weight at which images of the lower side, edited, reach H on
  average. The lower bound is the weight at which images of the upper side reach L.
- Where the mean score never gets there within ±`bound`, the bound is where it stops moving: where the next stretch
  gains, per unit of weight, less than a fifth of what was gained so far. Beyond it the edit no longer adds or removes
  the attribute, it only blurs. `reached` tells the two cases apart.
- How far one image goes within this range, and which way, is decided by `image_bounds`.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any, NamedTuple, TypeVar

import torch
import torch.nn.functional as F
from torch import Tensor

from zoom_engine.common.errors import DirectionError
from zoom_engine.common.progress import Progress
from zoom_engine.directions.cache import DirectionCache
from zoom_engine.directions.edit_directions import EditDirections
from zoom_engine.directions.relevance import Sampling, check_finite, inverse_std, text_directions
from zoom_engine.directions.unedited import unedited_embeddings
from zoom_engine.generators import EditableGenerator
from zoom_engine.text import TextEncoder

_NEAREST, _FURTHEST = 1 / 12, 1 / 2  # of the bound: where the first weight is tried
_SCOUTS = 8
_QUARTERS = 4  # of a side: the images that are edited come from all of them
_REFINEMENTS = 2  # at most, by all images of the side
_KNOWN = 1 / 8  # of a bound: a refinement that moves it by less was the last
_STANDSTILL = 0.2  # of the mean gain so far
_SMALLEST_SAMPLE = 16
_SMALLEST_SIDE = 0.1  # of the samples: a few outliers are no side

Score = TypeVar("Score", float, Tensor)


@dataclass(frozen=True)
class CalibratedRange:
    """Natural limits of N edit directions, CPU tensors, float32.

    Attributes:
        bounds: `[N, 2]`, the lowest and highest edit weight, lo < 0 < hi, within the paper's ±`bound`.
        splits: `[N]`, the text score between unedited images that lack the attribute and those that have it.
        goals: `[N, 2]`, mean scores L and H of the two sides.
        reached: bool `[N, 2]`, whether the edit reached L and H.
        bound: the largest |edit weight| that was tried.
    """

    bounds: Tensor
    splits: Tensor
    goals: Tensor
    reached: Tensor
    bound: float


def calibrate_range(
    generator: EditableGenerator,
    text_encoder: TextEncoder,
    directions: EditDirections,
    *,
    sampling: Sampling,
    side_images: int = 8,
    bound: float = 30.0,
) -> CalibratedRange:
    """Measure the calibrated range of every direction.

    Prompts, templates and truncation are those of `directions`. The unedited images are those that directions are
    measured on, where both have the same seed and cache.

    Args:
        generator: of the directions.
        text_encoder: scores the images.
        directions: N edit directions.
        sampling: the unedited images, whatever its truncation.
        side_images: of each side at most so many images are edited: eight to find out how far it takes to pass the
            goal, all to find where; about 20 syntheses a side, 56 at most.
        bound: the largest |edit weight| that is tried.

    Raises:
        DirectionError: the directions belong to another generator, or the numbers are too small.
    """
    directions.check_fits(generator)
    directions.check_origin()
    if sampling.samples < _SMALLEST_SAMPLE or side_images < 1 or not bound > 0:
        raise DirectionError(
            f"a calibrated range needs bound > 0, side_images of at least 1 and {_SMALLEST_SAMPLE} samples,"
            f" not {bound:g}, {side_images} and {sampling.samples}"
        )
    drawn = directions.provenance
    sampling = sampling.truncated_as(drawn)
    depends_on = {
        **sampling.identity(generator, text_encoder),
        "directions": directions.content_hash,
        "prompts": [*directions.attributes, directions.neutral, *drawn["templates"]],
        "sides": [_SMALLEST_SIDE, side_images, _SCOUTS, _QUARTERS, _KNOWN, _NEAREST, _FURTHEST],
        "standstill": _STANDSTILL,
        "bound": bound,
    }

    def measure() -> dict[str, Tensor]:
        unedited = unedited_embeddings(generator, text_encoder, sampling, doing="Scoring unedited images")
        wanted = score_directions(text_encoder, directions)
        bench = _Bench(generator, text_encoder, sampling, directions.matrix, wanted)
        return _calibrate(bench, unedited @ wanted.T, side_images, bound)

    return CalibratedRange(**DirectionCache(sampling.cache).cached("range", depends_on, measure), bound=bound)


def score_directions(text_encoder: TextEncoder, directions: EditDirections) -> Tensor:
    """Return the text directions Δt `[N, D]` that text scores are measured along: those of the edit directions."""
    return text_directions(
        text_encoder,
        directions.attributes,
        neutral=directions.neutral,
        templates=directions.provenance["templates"],
    )


@torch.no_grad()
def text_scores(text_encoder: TextEncoder, along: Tensor, images: Iterable[Tensor]) -> Tensor:
    """Compute text scores ⟨E(x), Δt⟩ `[I, N]` (CPU, float32), Δt being `along [N, D]`.

    The images come in batches `[b, 3, R, R]` in [-1, 1].
    """
    wanted = along.double().T  # in float32 the last digit of a product depends on what else is in the batch
    return torch.cat([check_finite(text_encoder.embed_images(part).cpu()).double() @ wanted for part in images]).float()


def standstill_gain(gained: Score, weight: float, stretch: float) -> Score:
    """Return what the score must gain over the next `stretch` of edit weight to count as still moving.

    It is a fifth, per unit of weight, of what was `gained` so far, up to `weight`.
    """
    return _STANDSTILL * gained / weight * stretch


class Sides(NamedTuple):
    """Two sides of each of N columns of I scores.

    Attributes:
        order: int64 `[I, N]`, the rows by rising score.
        below: int64 `[N]`, how many of them lie below the split.
        splits: `[N]`, the scores between both sides.
        means: `[N, 2]`, of the lower and the upper side.
    """

    order: Tensor
    below: Tensor
    splits: Tensor
    means: Tensor


def split_in_two(scores: Tensor) -> Sides:
    """Split each column of `scores [I, N]` where the variance within its two sides is least (Otsu 1979).

    There k·(I − k)·(mean above − mean below)² is greatest. Neither side holds less than a tenth of the rows.
    """
    ordered, order = scores.double().sort(dim=0)
    count = len(ordered)
    least = math.ceil(_SMALLEST_SIDE * count)
    k = torch.arange(least, count - least + 1)
    sums = ordered.cumsum(dim=0)
    low = sums[k - 1] / k[:, None]
    high = (sums[-1] - sums[k - 1]) / (count - k)[:, None]
    best = ((k * (count - k))[:, None] * (high - low).square()).argmax(dim=0, keepdim=True)
    below = k[best[0]]
    splits = (ordered.gather(0, below[None]) + ordered.gather(0, below[None] - 1))[0] / 2
    means = torch.cat([low.gather(0, best), high.gather(0, best)]).T.contiguous()
    return Sides(order, below, splits.to(scores), means.to(scores))


def natural_ranges(means: Tensor) -> Tensor:
    """Return how far apart the `means [N, 2]` of both sides of scores lie, `[N]`; no less than rounding."""
    return (means[:, 1] - means[:, 0]).clamp(min=1e-6)


@dataclass(frozen=True)
class _Bench:
    """Text scores of edited images."""

    generator: EditableGenerator
    text_encoder: TextEncoder
    sampling: Sampling
    matrix: Tensor
    wanted: Tensor

    @torch.no_grad()
    def embed(self, styles: Tensor, edit_weights: Tensor, bar: Progress[Any]) -> Tensor:
        parts = []
        for rows in torch.split(torch.arange(len(styles)), self.sampling.batch_size):
            images = self.sampling.renderer_of(self.generator).render(styles[rows], edit_weights[rows], self.matrix)
            parts.append(check_finite(self.text_encoder.embed_images(images).cpu()))
            bar.update(len(rows))
        return torch.cat(parts)

    def mean_scores(self, ascents: Sequence[_Ascent], bar: Progress[Any]) -> list[float]:
        """Compute the mean score of each ascent's images at the weight that it asks for, all in full batches."""
        styles = [a.styles[a.looking] for a in ascents]
        alone = [
            a.ask() * F.one_hot(torch.full((len(s),), a.attribute), len(self.matrix))
            for a, s in zip(ascents, styles, strict=True)
        ]
        embedded = torch.split(self.embed(torch.cat(styles), torch.cat(alone), bar), [len(part) for part in alone])
        return [float((e @ self.wanted[a.attribute]).mean()) for e, a in zip(embedded, ascents, strict=True)]


@dataclass
class _Ascent:
    """A search for the smallest weight (of one sign) at which `sign`·score passes `sign`·`goal`.

    A few images try the `first` weight, twice as much, and so on, until the goal is passed; what they gain stands for
    all. Then all images take a regula-falsi step inside the bracket, and another if the first moved the bound by much.
    """

    attribute: int
    sign: int
    styles: Tensor
    unedited: Tensor  # the score of each
    goal: float
    bound: float
    first: float
    below: tuple[float, float] = (0.0, 0.0)  # |weight| and score, the goal not passed
    above: tuple[float, float] | None = None
    path: list[tuple[float, float]] = field(default_factory=list)  # so far, in case the goal is never passed
    refined: int = 0
    known: bool = False

    def __post_init__(self) -> None:
        self.below = (0.0, float(self.unedited.mean()))
        self.path.append(self.below)

    @property
    def done(self) -> bool:
        if self.above is None:
            return self.path[-1][0] >= self.bound
        return self.known or self.refined == _REFINEMENTS

    @property
    def looking(self) -> Tensor:
        """Return the rows of the images that are edited next: the first few, or all."""
        count = len(self.styles)
        return torch.arange(count if self.above else min(count, _SCOUTS))

    @property
    def most_images(self) -> int:
        """Return how many images are edited at most."""
        climbs = 1 + math.ceil(math.log2(self.bound / self.first))
        return climbs * min(len(self.styles), _SCOUTS) + _REFINEMENTS * len(self.styles)

    def ask(self) -> float:
        """Return the signed weight to try next."""
        if self.above is not None:
            return self.sign * self._crossing()
        return self.sign * min(self.first * 2.0 ** (len(self.path) - 1), self.bound)

    def tell(self, score: float) -> None:
        weight, refining = abs(self.ask()), self.above is not None
        if refining:
            self.refined += 1
        else:
            score += float(self.unedited.mean() - self.unedited[self.looking].mean())
            self.path.append((weight, score))
        if self.sign * score >= self.sign * self.goal:
            self.above = (weight, score)
        else:
            self.below = (weight, score)
        self.known = refining and abs(self._crossing() - weight) <= _KNOWN * weight

    def result(self) -> tuple[float, bool]:
        """Return the signed weight, and whether the goal was passed."""
        if self.above is not None:
            return self.sign * self._crossing(), True
        return self.sign * self._standstill(), False

    def _standstill(self) -> float:
        """Return the first of the weights tried beyond which the score barely moves on."""
        start = self.path[0][1]
        for (weight, score), (further, then) in pairwise(self.path[1:]):
            if self.sign * (then - score) < standstill_gain(self.sign * (score - start), weight, further - weight):
                return weight
        return self.path[-1][0]

    def _crossing(self) -> float:
        """Return the weight at which the straight line through the bracket meets the goal."""
        (low, at_low), (high, at_high) = self.below, self.above or self.below
        rise = at_high - at_low
        return high if rise == 0 else low + (high - low) * min(max((self.goal - at_low) / rise, 0.0), 1.0)


def representatives(side: Tensor, most: int) -> Tensor:
    """Choose at most `most` rows of a `side`, which holds rows by rising score.

    From each quarter those sampled first are taken, the quarters in rotation, so that the first few rows represent the
    whole side too.
    """
    # Where rounding moves one score past another, at most one row is replaced. If every so many rows by rank were
    # taken, all later ones would be others then, and with them the bounds.
    of_each = math.ceil(most / _QUARTERS)
    quarters = [quarter.sort().values[:of_each] for quarter in torch.tensor_split(side, _QUARTERS)]
    return torch.cat([quarter[turn : turn + 1] for turn in range(of_each) for quarter in quarters])[:most]


def _expected_weights(codes: Tensor, per_std: Tensor, matrix: Tensor, scores: Tensor, sides: Sides) -> Tensor:
    """Estimate the edit weights `[N]` that lead from one side to the other, by what unedited images say.

    An edit by one unit moves the code's place along the direction, in standard deviations, by one. So the regression of
    the score on this place says how much of it there must be.

    Args:
        codes: `[I, S]` of the unedited images.
        per_std: `[S]`, 1/σ of the codes.
        matrix: `[N, S]`, the edit directions.
        scores: `[I, N]`.
        sides: of the scores.
    """
    rows = matrix * per_std
    positions = ((codes - codes.mean(dim=0)) * per_std) @ rows.T / rows.norm(dim=1).clamp(min=1e-30)
    spread = positions.var(dim=0, correction=0).clamp(min=1e-30)
    slopes = ((scores - scores.mean(dim=0)) * positions).mean(dim=0) / spread
    expected: Tensor = natural_ranges(sides.means) / (slopes * rows.norm(dim=1)).clamp(min=1e-30)
    return expected


def _calibrate(bench: _Bench, scores: Tensor, side_images: int, bound: float) -> dict[str, Tensor]:
    """Calibrate by `scores [I, N]`, those of the sampling's unedited images."""
    all_styles = bench.sampling.codes(bench.generator)
    sides = split_in_two(scores)
    per_std = inverse_std(bench.sampling.statistics(bench.generator).std, bench.generator.space.fixed_mask())
    first = _expected_weights(all_styles.cpu(), per_std.float(), bench.matrix, scores, sides).clamp(
        bound * _NEAREST, bound * _FURTHEST
    )
    ascents = []
    for attribute in range(len(bench.wanted)):
        below, order = int(sides.below[attribute]), sides.order[:, attribute]
        for sign, start, goal in ((-1, order[below:], 0), (1, order[:below], 1)):
            chosen = representatives(start, side_images)
            ascents.append(
                _Ascent(
                    attribute,
                    sign,
                    all_styles[chosen],
                    scores[chosen, attribute],
                    goal=float(sides.means[attribute, goal]),
                    bound=bound,
                    first=float(first[attribute]),
                )
            )
    left = [ascent.most_images for ascent in ascents]
    with bench.sampling.progress(sum(left), "Calibrating the range", unit="image") as bar:
        while active := [place for place, ascent in enumerate(ascents) if not ascent.done]:
            for place in active:
                left[place] -= len(ascents[place].looking)
            scored = bench.mean_scores([ascents[place] for place in active], bar)
            for place, score in zip(active, scored, strict=True):
                ascents[place].tell(score)
                if ascents[place].done:
                    bar.update(left[place])  # pictures that are not needed
    results = [ascent.result() for ascent in ascents]
    return {
        "bounds": torch.tensor([weight for weight, _ in results]).view(-1, 2),
        "reached": torch.tensor([reached for _, reached in results]).view(-1, 2),
        "splits": sides.splits,
        "goals": sides.means,
    }
