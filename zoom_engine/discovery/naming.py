"""A name for a direction: the text encoder proposes words, the target decides.

How much of a word an edit adds is read from its text score ⟨E(x), Δt⟩, from one end of the direction to the other, in
units of the word's natural range (`directions.calibration.split_in_two`): 1 is the distance from unedited pictures that
lack it to those that have it. Random baseline directions move scores too. So a word is proposed only where its score is
above theirs, and at least `LEAST_SCORE`. But an edit may show more than what moves the target (a beard that comes with
short hair). Therefore each proposed word has a direction of its own, by regression of its score on natural space, and
the word *fits* where its own edits move the target at least half as far on the same images.

Words that pictures answer alike, or in the opposite way, count as one, and so do words whose directions nearly
coincide: the first in the vocabulary stands for them. Words that say what the labels say name nothing, because along
these the ground truth changes.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

from zoom_engine.directions.calibration import natural_ranges, split_in_two
from zoom_engine.directions.regression import DEFAULT_RIDGE
from zoom_engine.discovery.trial import Trial

PROPOSED = 5
LEAST_SCORE = 0.4
ACCOUNTS_FOR = 0.5  # of the cluster's change
ALIKE, SAME_DIRECTION = 0.85, 0.7  # |correlation| of scores, |cosine| of directions, of words that are one
_OF_LABELS = 0.5  # share of a word's squared slope along the labels'


@dataclass(frozen=True, eq=False)
class Words:
    """V words and what was measured of them.

    Attributes:
        prompts: the words.
        along: float `[V, D]`, their text directions.
        ranges: float `[V]`, natural ranges of their scores.
        directions: float `[V, K]`, unit vectors of natural space.
    """

    prompts: tuple[str, ...]
    along: Tensor
    ranges: Tensor
    directions: Tensor

    def scores(self, embeddings: Tensor) -> Tensor:
        """Compute how far the text scores move between the two ends of M directions, on average over images.

        Takes `embeddings [I, M, 2, D]` and returns `[M, V]`, in natural ranges.
        """
        return (embeddings[:, :, 1] - embeddings[:, :, 0]).mean(dim=0) @ self.along.T / self.ranges


@dataclass(frozen=True)
class Proposal:
    """A word that may name a direction: its `number` among the words, and its signed score."""

    number: int
    score: float


def moving_words(words: Words, trial: Trial, *, max_words: int, smallest: float) -> list[int]:
    """Return the words whose own edits move the output most, the strongest first.

    Each moves it by the smallest effect at least, and further than every random baseline direction. Edits of a weaker
    word may show a stronger one too (taller people wear a hat): where they do so by `LEAST_SCORE`, the weaker one is
    left out.

    Args:
        words: the V words.
        trial: of their directions, followed by random baseline directions.
        max_words: how many to return at most.
        smallest: the smallest effect that matters, in [0, 1].
    """
    change, count = trial.change.mean(dim=0), len(words.prompts)
    least = max(smallest, float(change[count:].max()))
    scores = words.scores(trial.embeddings).abs()
    chosen: list[int] = []
    for number in change[:count].argsort(descending=True).tolist():
        if change[number] > least and not (scores[number, chosen] >= LEAST_SCORE).any():
            chosen.append(number)
    return chosen[:max_words]


class Choice(NamedTuple):
    """The words for a direction, each None where there is none.

    Attributes:
        fits: the word that fits.
        nearest: the same, or the first proposed one.
        second: the next one.
    """

    fits: Proposal | None
    nearest: Proposal | None
    second: Proposal | None


def choose(proposed: Sequence[Proposal], by_word: Mapping[int, float], change: float) -> Choice:
    """Choose the first proposed word whose own edits account for what a direction does.

    `by_word` holds the mean change of the output by the edits of each word, `change` that by the direction.
    """
    fits = next((one for one in proposed if by_word[one.number] >= ACCOUNTS_FOR * change), None)
    nearest = fits or next(iter(proposed), None)
    return Choice(fits, nearest, next((one for one in proposed if one is not nearest), None))


def distinct_words(
    prompts: Sequence[str], along: Tensor, embeddings: Tensor, coordinates: Tensor, label_axes: Tensor
) -> Words:
    """Measure words, and keep those that say something of their own.

    Args:
        prompts: the V words.
        along: float `[V, D]`, their text directions.
        embeddings: float `[n, D]`, of unedited pictures.
        coordinates: float `[n, K]`, of the same pictures in natural space.
        label_axes: float `[J, K]`, the labels' directions, orthonormal.

    Returns:
        The words that remain; words that say the same as an earlier one, or what the labels say, are left out.
    """
    scores = embeddings @ along.T
    ranges = natural_ranges(split_in_two(scores).means)
    slopes = slopes_of(along, embeddings, coordinates)
    free = slopes - (slopes @ label_axes.T) @ label_axes
    usable = free.square().sum(dim=1) > (1 - _OF_LABELS) * slopes.square().sum(dim=1)
    likeness = torch.corrcoef(scores.T).abs().reshape(len(prompts), -1)
    directions = F.normalize(free, dim=1)
    same = (likeness >= ALIKE) | ((directions @ directions.T).abs() >= SAME_DIRECTION)
    chosen: list[int] = []
    for number in range(len(prompts)):
        if usable[number] and not same[number, chosen].any():
            chosen.append(number)
    return Words(tuple(prompts[number] for number in chosen), along[chosen], ranges[chosen], directions[chosen])


def slopes_of(along: Tensor, embeddings: Tensor, coordinates: Tensor) -> Tensor:
    """Compute the ridge regression `[V, K]` of text scores along `along [V, D]` on the places of unedited pictures."""
    centred, scores = coordinates - coordinates.mean(dim=0), embeddings @ along.T
    covariance = centred.T @ centred / len(coordinates)
    ridge = DEFAULT_RIDGE * covariance.trace() / len(covariance) * torch.eye(len(covariance))
    solved: Tensor = torch.linalg.solve(
        covariance + ridge, centred.T @ (scores - scores.mean(dim=0)) / len(coordinates)
    )
    return solved.T


def proposals(scores: Tensor, by_chance: Tensor) -> list[list[Proposal]]:
    """Return for each direction the words with the largest |scores|, the largest first.

    `scores` is `[M, V]`; `by_chance [J, V]` are the scores of random baseline directions, which a word must exceed.
    """
    floor = by_chance.abs().amax(dim=0).clamp(min=LEAST_SCORE)
    proposed = []
    for row in scores:
        order = row.abs().argsort(descending=True)[:PROPOSED].tolist()
        proposed.append([Proposal(number, float(row[number])) for number in order if row[number].abs() > floor[number]])
    return proposed
