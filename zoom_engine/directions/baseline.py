"""Random baseline directions, and directions of control prompts: what edits of equal visible size do without a meaning.

A sensitivity is the largest change that an edit of an image finds, and there always is some change. How much of it any
edit makes is told by directions in those parts of the code in which the attributes' have entries, with as many channels
as theirs, weights drawn from a normal distribution, scaled by each channel's σ and of unit length like theirs. Beside
differences of prompts (`directions.prompted`) they are random mixtures of how codes differ in these parts, or the
generator's own. No text scores them, so how far they go is matched: until pictures change by as much as the attributes'
edits to their calibrated bounds change them, by the root mean square over pixels, on average over a few unedited
pictures. (As long as the attributes' in σ, they would change pictures by less: the channels that a text moves act
together.) On each image they go one way only, as an attribute's edit does.

About one in four changes the ground truth itself, and a sound model rightly follows. Where there are labels, such
directions are drawn again. Without labels nothing tells them: to regress the target's own answers is no help, since
what random directions do to them is not linear in the code, and a bias on what nobody typed must still show in them.

Control prompts name nothing that a picture shows (`CONTROL_PROMPTS`). Their directions are found as the attributes'
are, and followed until pictures change by as much: they show what the wording of a prompt alone does. Each image is
moved along one of them, in rotation.
"""

from __future__ import annotations

import dataclasses
import hashlib
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from zoom_engine.common.contracts import theirs
from zoom_engine.common.errors import DirectionError
from zoom_engine.directions.cache import DirectionCache
from zoom_engine.directions.calibration import CalibratedRange
from zoom_engine.directions.edit_directions import EditDirections
from zoom_engine.directions.prompted import PROMPTED
from zoom_engine.directions.relevance import Sampling
from zoom_engine.generators import EditableGenerator, RandomlyDirected
from zoom_engine.text import TextEncoder
from zoom_engine.text.vocabulary import read_vocabulary, readable

CONTROL_PROMPTS = Path(__file__).with_name("control_prompts.txt")
MOST_CONTROL_PROMPTS = 4
BASELINE_PICTURES = 8
MOST_DRAWS = 2
"""So many times the wanted number of random directions is drawn at most, where labels are not kept."""
_LABELS_LOST = 0.1  # of the pictures: a direction that loses more changes the ground truth
_PICTURES_BY_STAGE = (32, 64)  # pictures of random directions, or one of each, to measure their length first and last
_ATTRIBUTE_PICTURES = 32  # or one of each attribute
_FIRST_HALF = BASELINE_PICTURES // 2  # of the pictures: a label that is lost there needs no others
_FAR = 4.0  # times the attributes' own length in σ, or a part of it: the length is sought no further
_FAR_ALONG_PROMPTS = 32.0  # there, where no σ makes lengths alike
_MIXED, _FEWEST_MIXED = 256, 4.0
_LEAST = 1e-6  # of a change: less is rounding


@dataclass(frozen=True)
class BaselineDirections:
    """J baseline directions, the random ones first, then those of control prompts.

    Attributes:
        matrix: float32 `[J, S]`, CPU, one direction per row.
        lengths: how far each is followed, in edit weight.
        one_sided: each image is moved to the one side that its seed draws, not to both.
        drawn: the numbers of the random ones among all that the seed draws.
        redrawn: how many were left out, because they change labels.
        changing: how many of those that remain change labels too, because too few directions do not.
    """

    matrix: Tensor
    lengths: tuple[float, ...]
    one_sided: bool
    drawn: tuple[int, ...] = ()
    redrawn: int = 0
    changing: int = 0

    def bounds(self, seed: int, direction: int) -> NDArray[np.float64]:
        """Return the lowest and highest edit weight `[J, 2]` for one direction and image; 0 for the others.

        `seed` is the image's.
        """
        bounds = np.zeros((len(self.matrix), 2))
        bounds[direction] = -self.lengths[direction], self.lengths[direction]
        if self.one_sided:
            bounds[direction, np.random.default_rng([seed, direction]).integers(2)] = 0.0
        return bounds


@dataclass(frozen=True)
class LabelReader:
    """A reader of the ground truth of pictures.

    Attributes:
        read: makes labels `[B]` of pictures `[B, 3, R, R]`.
        depends_on: what else the labels depend on, for cache keys (JSON).
    """

    read: Callable[[Tensor], Tensor]
    depends_on: Mapping[str, Any]


def baseline_directions(
    generator: EditableGenerator,
    directions: EditDirections,
    calibrated: CalibratedRange | None,
    *,
    count: int,
    bound: float,
    seed: int,
    sampling: Sampling,
    texts: Tensor | None = None,
    labels: LabelReader | None = None,
) -> BaselineDirections:
    """Draw random baseline directions, and match their lengths and those of control prompts to the attributes' edits.

    Args:
        generator: of the directions.
        directions: the attributes' edit directions.
        calibrated: their range: pictures change by as much as within it. None: all directions go to ±`bound`.
        count: number of random directions.
        bound: the edit weight without a calibrated range.
        seed: of the random directions.
        sampling: has the statistics of the styles and the unedited pictures that this is measured on; results are
            stored in its cache.
        texts: float `[K, S]`, directions of control prompts.
        labels: where given, random directions that change the ground truth within `calibrated` are drawn again.
    """
    most = count * (1 if labels is None or calibrated is None else MOST_DRAWS)
    draws, far = _random_directions(generator, directions, sampling, most, torch.Generator().manual_seed(seed))
    texts = draws[:0] if texts is None else texts
    if calibrated is None or not count:
        lengths = (bound,) * (count + len(texts))
        return BaselineDirections(
            torch.cat([draws[:count], texts]), lengths, calibrated is not None, tuple(range(count))
        )
    matched = _Matching(generator, directions.matrix, calibrated, draws, count, texts, sampling, labels, far).matched()
    drawn = matched["drawn"].tolist()
    return BaselineDirections(
        torch.cat([draws[drawn], texts]),
        tuple(round(length, 2) for length in matched["lengths"].tolist()),
        one_sided=True,
        drawn=tuple(drawn),
        redrawn=int(matched["redrawn"]),
        changing=int(matched["changing"]),
    )


def _random_directions(
    generator: EditableGenerator, directions: EditDirections, sampling: Sampling, count: int, random: torch.Generator
) -> tuple[Tensor, float]:
    """Draw random directions `[count, S]` where the attributes' have entries, and say how far they may be followed."""
    std, matrix = sampling.statistics(generator).std, directions.matrix
    movable = torch.zeros(len(std), dtype=torch.bool)
    for layer in generator.space.layers:
        movable[layer.start : layer.stop] = bool(matrix[:, layer.start : layer.stop].any())
    movable &= ~generator.space.fixed_mask()
    free = torch.nonzero((std > 0) & movable).flatten()
    if directions.method != PROMPTED and len(free):
        channels = min(round(median(directions.channels)), len(free))
        draws = torch.zeros(count, len(std))
        for row in draws:
            chosen = free[torch.randperm(len(free), generator=random)[:channels]]
            weights = torch.randn(channels, generator=random)
            row[chosen] = std[chosen] * weights / weights.norm()
        return draws, _FAR
    if directions.method == PROMPTED and isinstance(generator, RandomlyDirected):
        with theirs(DirectionError, "the generator's random_directions fail"):
            draws = generator.random_directions(count, random).detach().float().cpu()
    else:
        draws = _mixtures(generator, sampling, movable, count, random)
    lengths = draws.norm(dim=1, keepdim=True)
    if tuple(draws.shape) != (count, len(std)) or not bool((lengths.isfinite() & (lengths > 0)).all()):
        raise DirectionError(f"the generator's random_directions must be finite and not 0, {[count, len(std)]}")
    return draws / lengths * matrix.norm(dim=1).median(), _FAR_ALONG_PROMPTS


def _mixtures(
    generator: EditableGenerator, sampling: Sampling, movable: Tensor, count: int, random: torch.Generator
) -> Tensor:
    """Mix by random weights how `_MIXED` codes differ in the `movable` entries of a code, `[count, S]`.

    Where they hardly differ, or along few directions alone (there are few prompts), the entries themselves are random.
    """
    codes = dataclasses.replace(sampling, samples=_MIXED).codes(generator).cpu()
    differ = (codes - codes.mean(dim=0)) * movable
    shares = torch.linalg.eigvalsh((differ @ differ.T).double()).clamp(min=0)
    directions = float(shares.sum().square() / shares.square().sum().clamp(min=1e-30))  # as many as if all were equal
    if directions >= _FEWEST_MIXED and float(differ.abs().max()) > _LEAST:
        return torch.randn(count, _MIXED, generator=random) @ differ
    return torch.randn(count, len(movable), generator=random) * movable


def control_prompts(text_encoder: TextEncoder, neutral: str) -> tuple[str, ...]:
    """Return the control prompts that the encoder can read: `MOST_CONTROL_PROMPTS` at most, or none."""
    return tuple(readable(read_vocabulary(CONTROL_PROMPTS, neutral), text_encoder, neutral)[:MOST_CONTROL_PROMPTS])


class MatchingPictures(NamedTuple):
    """The pictures that matching takes, at least and at most.

    Attributes:
        matched: to measure how far all directions go.
        checked: to find random directions that keep the labels of one audit, with their changes; 0 without labels.
    """

    matched: int
    checked: tuple[int, int]


def matching_pictures(attributes: int, count: int, texts: int, *, labels: bool) -> MatchingPictures:
    """Return the pictures of matching `count` random directions and `texts` directions of control prompts."""
    last = 0 if labels else count * _of_each(_PICTURES_BY_STAGE[1], count)
    random = count * _of_each(_PICTURES_BY_STAGE[0], count) + last
    matched = BASELINE_PICTURES + attributes * _of_each(_ATTRIBUTE_PICTURES, attributes) + random
    matched += texts * (_FIRST_HALF + BASELINE_PICTURES)
    checked = BASELINE_PICTURES * count * labels
    return MatchingPictures(matched, (checked, checked + (MOST_DRAWS - 1) * checked))


def _of_each(pictures: int, count: int) -> int:
    """Return how many pictures each of `count` directions gets of so many.

    What is measured is common to them; where there are many, few pictures of each are enough.
    """
    return min(BASELINE_PICTURES, math.ceil(pictures / max(count, 1)))


@dataclass(frozen=True)
class _Matching:
    """Directions that are to change pictures as much as the `attributes` do at their bounds.

    They are `count` of the `draws`, which keep the `labels` where there are some, and `texts`.
    """

    generator: EditableGenerator
    attributes: Tensor
    calibrated: CalibratedRange
    draws: Tensor
    count: int
    texts: Tensor
    sampling: Sampling
    labels: LabelReader | None
    far: float

    def matched(self) -> dict[str, Tensor]:
        """Return what was measured, from the cache where it is stored.

        `drawn` are the numbers of the draws; `lengths` the edit weights at which they change pictures as much, one for
        all of them, then one for each of `texts`; `redrawn` and `changing` are those of `BaselineDirections`.
        """
        sampling, rows = self.sampling, (self.attributes, self.draws, self.texts)
        depends_on = {
            "generator": self.generator.content_hash,
            "drawn_by": sampling.drawn_by(),
            "truncation": [sampling.truncation, sampling.truncation_cutoff, sampling.samples, sampling.seed],
            "rows": [hashlib.sha256(matrix.contiguous().numpy().tobytes()).hexdigest() for matrix in rows],
            "count": self.count,
            "bounds": self.calibrated.bounds.tolist(),
            "looks": [*_PICTURES_BY_STAGE, _ATTRIBUTE_PICTURES, _FIRST_HALF],
            "labels": None if self.labels is None else {**self.labels.depends_on, "lost": _LABELS_LOST},
        }
        return DirectionCache(sampling.cache).cached("baseline", depends_on, self._match)

    @torch.no_grad()
    def _match(self) -> dict[str, Tensor]:
        """Measure what `matched` returns; lengths are float64."""
        codes, renderer = self.sampling.codes(self.generator), self.sampling.renderer_of(self.generator)
        parts = torch.split(torch.arange(len(codes)), self.sampling.batch_size)
        unedited = torch.cat([renderer.render(codes[part]) for part in parts])
        labels = None if self.labels is None else self.labels.read(unedited)
        all_pictures = torch.arange(len(codes))
        planned = matching_pictures(len(self.attributes), self.count, len(self.texts), labels=labels is not None)
        left = planned.matched + planned.checked[1] - len(codes)

        def seen(
            rows: Tensor, weights: Tensor, pictures: Tensor, before_edit: Tensor | None = None
        ) -> tuple[Tensor, Tensor]:
            """Edit `pictures [R, P]` along the `rows [R, S]`, each with its two `weights [R, 2]` in turn.

            Returns how far the pictures change, and which lose the label that they had `before_edit`, where that is
            given, both `[R, P]`.
            """
            nonlocal left
            picture, row = pictures.flatten(), torch.arange(len(rows)).repeat_interleave(pictures.shape[1])
            changed, lost = [], [torch.zeros(0, dtype=torch.bool)]
            for part in torch.split(torch.arange(len(row)), self.sampling.batch_size):
                alone = torch.zeros(len(part), len(rows))
                alone[torch.arange(len(part)), row[part]] = weights[row[part], picture[part] % 2]
                drawn, before = renderer.render(codes[picture[part]], alone, rows), picture[part]
                changed.append((drawn - unedited[before]).square().mean(dim=(1, 2, 3)).sqrt().double().cpu())
                if self.labels is not None and before_edit is not None:
                    lost.append((self.labels.read(drawn) != before_edit[before]).cpu())
                bar.update(len(part))
                left -= len(part)
            return torch.cat(changed).view(pictures.shape), torch.cat(lost).view(-1, pictures.shape[1])

        def turns(count: int, of_all: int, stage: int = 0) -> Tensor:
            """Return pictures `[count, P]` of so many directions, others for each."""
            per_direction = min(_of_each(of_all, count), len(codes))
            return (per_direction * torch.arange(count)[:, None] + torch.arange(per_direction) + stage) % len(codes)

        def corrected(length: Tensor, change: Tensor) -> Tensor:
            """Correct a length by what it changes: that grows nearly in proportion."""
            return (length * goal / change.clamp(min=_LEAST)).clamp(start / self.far, start * self.far)

        def checked(rows: Tensor, length: Tensor) -> tuple[Tensor, Tensor]:
            """Compute for each row the fraction of the pictures that lose their label, and their mean change."""
            both = _both_ways(length.expand(len(rows)))
            few = all_pictures[:_FIRST_HALF].expand(len(rows), -1)
            change, lost = (results.double() for results in seen(rows, both, few, labels))
            keeps = lost.sum(1) == 0
            fraction, mean = lost.mean(1), change.mean(1)
            if bool(keeps.any()) and len(all_pictures) > _FIRST_HALF:
                more = all_pictures[_FIRST_HALF:].expand(int(keeps.sum()), -1)
                further, lost_then = (results.double() for results in seen(rows[keeps], both[keeps], more, labels))
                fraction[keeps] = lost_then.sum(1) / len(all_pictures)
                mean[keeps] = torch.cat([change[keeps], further], dim=1).mean(1)
            return fraction, mean

        start = float(self.calibrated.bounds.abs().mean())
        with self.sampling.progress(left, "Matching random edits", unit="image") as bar:
            bounds, random = self.calibrated.bounds, self.draws[: self.count]
            goal = float(seen(self.attributes, bounds, turns(len(bounds), _ATTRIBUTE_PICTURES))[0].mean())
            length = torch.full((1,), start, dtype=torch.float64)
            both = _both_ways(length.expand(len(random)))
            length = corrected(length, seen(random, both, turns(len(random), _PICTURES_BY_STAGE[0]))[0].mean())
            drawn, lost = torch.arange(self.count), torch.zeros(self.count, dtype=torch.float64)
            if labels is None:
                both = _both_ways(length.expand(len(random)))
                change = seen(random, both, turns(len(random), _PICTURES_BY_STAGE[1], 1))[0].mean()
            else:
                lost, changes = checked(random, length)
                while (lacking := self.count - int((lost <= _LABELS_LOST).sum())) and len(lost) < len(self.draws):
                    results = checked(self.draws[len(lost) : len(lost) + lacking], length)
                    lost, changes = (torch.cat(pair) for pair in zip((lost, changes), results, strict=True))
                drawn = lost.clamp(min=_LABELS_LOST).argsort(stable=True)[: self.count].sort().values
                change = changes[drawn].mean()
            length = corrected(length, change)
            of_texts = torch.full((len(self.texts),), start, dtype=torch.float64)
            for pictures in (all_pictures[:_FIRST_HALF], all_pictures) if len(self.texts) else ():
                change = seen(self.texts, _both_ways(of_texts), pictures.expand(len(of_texts), -1))[0].mean(1)
                of_texts = corrected(of_texts, change)
            bar.update(left)  # pictures that are not needed
        return {
            "drawn": drawn,
            "lengths": torch.cat([length.expand(self.count), of_texts]),
            "redrawn": torch.tensor(len(lost) - self.count),
            "changing": (lost[drawn] > _LABELS_LOST).sum(),
        }


def _both_ways(lengths: Tensor) -> Tensor:
    """Return weights `[rows, 2]`, to either side."""
    return torch.stack([-lengths, lengths], dim=1).float()
