"""Tests of attributes that are no words, in place of those that compare a text with random texts.

1. **Do the examples have anything in common?** The pictures that have an attribute must lie further from those without
   it than groups do that are drawn from both at random, see `zoom_engine.text.examples`. Random pictures pass with
   probability `level`², as a random text does that must pass two tests.
2. **Do the generator's codes decide the score?** The score of unedited pictures is regressed on their latents and
   predicted on pictures that were left out, by turns (four folds; ridge regression, with as much prior variance of the
   signal as of the noise). The correlation of what is predicted with the score must exceed what it is for shuffled
   scores, on 256 pictures or else on 1,024, each at half of `level`. So a scorer is refused that gives all pictures one
   number, or noise, and examples of something that this generator never draws.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor

from zoom_engine.common.errors import DirectionError
from zoom_engine.directions.relevance import Sampling
from zoom_engine.directions.unedited import SAMPLES, unedited_embeddings
from zoom_engine.directions.wording import exceeds
from zoom_engine.generators import EditableGenerator
from zoom_engine.text import AttributeEncoder, TextEncoder

SHUFFLED = 199
COUNTS = (SAMPLES, 4 * SAMPLES)
"""Of so many pictures codes may predict the score: where a few leave it open, more decide, each at half the level."""
_FOLDS = 4
_SAME_SCORE = 1e-6  # of a score's size: less is rounding


@dataclasses.dataclass(frozen=True)
class ScoreTest:
    """How surely an attribute is one: its `strength`, and what is reached by chance (`noise_floor`)."""

    strength: float
    noise_floor: float


def check_scores(
    generator: EditableGenerator,
    text_encoder: TextEncoder,
    attributes: Sequence[str],
    *,
    sampling: Sampling,
    level: float,
) -> dict[str, ScoreTest]:
    """Return the test results of those `attributes` that are no words, by name.

    For examples it is how far they lie apart, for a scorer how well codes predict it.

    Args:
        generator: draws unedited pictures.
        text_encoder: knows the attributes.
        attributes: names.
        sampling: says which pictures.
        level: the probability that a shuffled score passes; at 1 nothing is refused.

    Raises:
        DirectionError: in one line, which attribute fails which test, and what to do.
    """
    names = [name for name in attributes if isinstance(text_encoder, AttributeEncoder) and text_encoder.knows(name)]
    if not names or not isinstance(text_encoder, AttributeEncoder):
        return {}
    results = check_pictures(text_encoder, names, level=level)
    for name in names:
        along = text_encoder.direction_of(name)
        assert along is not None
        tested = _by_codes(generator, text_encoder, along.double(), name, sampling=sampling, level=level)
        results.setdefault(name, tested)
    return results


def _by_codes(
    generator: EditableGenerator,
    text_encoder: AttributeEncoder,
    along: Tensor,
    name: str,
    *,
    sampling: Sampling,
    level: float,
) -> ScoreTest:
    """Return how well codes predict the score along `along [D]` (float64) of an attribute, see `check_scores`."""
    for count in COUNTS:
        unedited = dataclasses.replace(sampling, samples=count, texts=None)
        pictures = unedited_embeddings(generator, text_encoder, unedited, doing="Scoring unedited images")
        scores = pictures.double() @ along
        if not float(scores.std()) > _SAME_SCORE * (1 + float(scores.abs().mean())):
            raise DirectionError(
                f"'{name}' has the same score on all of the generator's pictures ({float(scores.mean()):.3g}): there is"
                " nothing to edit; give another model, or another of its outputs"
            )
        latents = torch.cat([latents.cpu() for latents, _ in unedited.draw(generator)])
        correlation, shuffled = predicted(scores, latents)
        floor = exceeds(shuffled, max(level / len(COUNTS), 1 / (SHUFFLED + 1)))
        if level == 1 or correlation > floor:
            return ScoreTest(correlation, max(floor, 0.0))
    raise DirectionError(
        f"the generator's codes say nothing of '{name}': on pictures left out they predict its score by a correlation"
        f" of {correlation:.2f}, shuffled scores by up to {floor:.2f} (level {level:.0%}); the generator does not draw"
        " it, or what scores it cannot read these pictures"
    )


def check_pictures(text_encoder: AttributeEncoder, attributes: Sequence[str], *, level: float) -> dict[str, ScoreTest]:
    """Return how far pictures lie apart, of those attributes that are given by examples or by their own edits.

    Raises:
        DirectionError: in one line, which of them have nothing in common, and what to do.
    """
    results = {}
    for name in attributes:
        if name not in text_encoder.examples and name not in text_encoder.edits:
            continue
        separated = text_encoder.separation_of(name)
        floor = exceeds(separated.by_chance, max(level**2, 1 / (len(separated.by_chance) + 1)))
        if level != 1 and not separated.apart > floor:
            apart = (
                f"they lie apart by {separated.apart:.3g}, pictures drawn at random by up to {floor:.3g} (level"
                f" {level**2:.2g})"
            )
            if (pictures := text_encoder.examples.get(name)) is None:
                raise DirectionError(
                    f"edits along '{name}' change nothing that pictures show beside what these differ in anyway:"
                    f" {apart}; leave it out, or give what scores it ('{name}=scorer:FILE')"
                )
            others = "the generator's own" if pictures.without is None else "those without it"
            raise DirectionError(
                f"the {len(pictures.having)} examples of '{name}' have nothing in common that sets them apart from"
                f" {others}: {apart}; give more, or pictures that show it plainly"
            )
        results[name] = ScoreTest(separated.apart, max(floor, 0.0))
    return results


def predicted(scores: Tensor, latents: Tensor) -> tuple[float, Tensor]:
    """Compute the correlation of scores with what latents predict on pictures left out, and that of shuffled scores.

    Args:
        scores: `[K]`.
        latents: `[K, W]`.

    Returns:
        The correlation, and `[SHUFFLED]`.
    """
    count, random = len(scores), torch.Generator().manual_seed(0)
    shuffled = [scores[torch.randperm(count, generator=random)] for _ in range(SHUFFLED)]
    wanted = torch.stack([scores.double(), *shuffled], dim=1)
    rows = latents.double() - latents.double().mean(dim=0)
    spread = rows.std(dim=0)
    rows = rows[:, spread > 1e-6 * spread.max()] / spread[spread > 1e-6 * spread.max()]
    alike = rows @ rows.T / rows.shape[1]
    guessed = torch.empty_like(wanted)
    for fold in range(_FOLDS):
        left_out = torch.arange(count) % _FOLDS == fold
        known, mean = ~left_out, wanted[~left_out].mean(dim=0)
        fitted = torch.linalg.solve(
            alike[known][:, known] + torch.eye(int(known.sum()), dtype=alike.dtype), wanted[known] - mean
        )
        guessed[left_out] = alike[left_out][:, known] @ fitted
    centred = [F.normalize(part - part.mean(dim=0), dim=0) for part in (guessed, wanted)]
    correlations = (centred[0] * centred[1]).sum(dim=0)
    return float(correlations[0]), correlations[1:]
