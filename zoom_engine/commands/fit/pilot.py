"""A small audit, to learn how changes are spread over images: by that the power of a larger one is predicted."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from scipy.stats import gamma
from torch import Tensor

from zoom_engine.audit.summary import Interval, Power
from zoom_engine.commands.fit.verdicts import IMAGES, MULTIPLES, Foretold
from zoom_engine.diagnose.models import Models
from zoom_engine.diagnose.run import diagnosed
from zoom_engine.settings.audit_settings import SMALLEST_EFFECT, RunSettings
from zoom_engine.statistics.diagnosis import Diagnosis
from zoom_engine.statistics.effects import effects, is_judged_at_end, judged
from zoom_engine.statistics.intervals import Array, column_means
from zoom_engine.statistics.power import (
    CURVE_UNSURE,
    FEW_UNSURE,
    FLIPS,
    Curve,
    Spread,
    power_of,
    scaled_curve,
    spread_of_attribute,
    spread_of_few,
    times,
)
from zoom_engine.targets import BinaryTask, MultiClassTask, MultiLabelTask, RegressionTask, Task

AUDITS = 400
"""How many larger audits are simulated: so the share that finds an effect is known to 5 points."""
SHAPE = 4.0
"""Of the gamma distribution of shifts over images, chosen on the classifiers of `CURVE_SCALE`."""
SHIFTS = (0.003, 100.0, 80)
"""The least shift, the largest, and how many; of a number in units of its range."""
MOST_TIMES, MOST_NUMBERS = 32, 1 << 20
"""How often each image is shifted at most, and how many numbers that are at a time."""
LEAST_STEP = 1e-6


@dataclass(frozen=True)
class Pilot:
    """The power that larger audits would have.

    Attributes:
        images: of the pilot.
        smallest: the smallest effect that matters.
        audit: the power of an audit with each of `verdicts.IMAGES`, by the spread of all changes.
        attributes: by prompt the same, by the spread of that attribute.
    """

    images: int
    smallest: float
    audit: tuple[Foretold, ...]
    attributes: dict[str, tuple[Foretold, ...]]

    @property
    def covers(self) -> str:
        """Return for which effects power is known, as a sentence."""
        low, high = self.audit[-1].known
        if high == 0:
            return "Nothing moved in the pilot, so power is not known."
        return f"It is known for effects from {low:.2g} to {high:.2g}, whose spread over images was measured."


def run_pilot(models: Models, *, images: int, seed: int, outputs: Tensor) -> Pilot:
    """Audit a few images as the settings say, in memory, and predict the power of audits of `verdicts.IMAGES`.

    Args:
        models: of the audit.
        images: how many.
        seed: names the images.
        outputs: the target's on unedited images, see `spread_of_outputs`.
    """
    (diagnosis,) = diagnosed([models], RunSettings(images=images, seed=seed), [None])
    return predict(diagnosis, IMAGES, curve=spread_of_outputs(models.target.task, outputs), seed=seed)


def predict(diagnosis: Diagnosis, counts: Sequence[int], *, curve: Curve | None = None, seed: int = 0) -> Pilot:
    """Predict the power of audits of so many images from one of a few, a `diagnosis` of single mode.

    `curve` is what `spread_of_outputs` says of the target.
    """
    config = diagnosis.config
    change, baseline = changes_of(diagnosis)
    smallest = config.smallest_effect
    sizes = sorted({min(round(multiple * (smallest or SMALLEST_EFFECT), 6), 1.0) for multiple in MULTIPLES})
    changes = np.concatenate([change, baseline], axis=1)
    pooled, unsure = spread_of_pilot(changes, smallest, curve)
    count, known = len(config.attributes), known_effects(changes, curve)

    def powers(spread: Spread) -> tuple[Foretold, ...]:
        return tuple(
            foretold(spread, unsure, images, count, smallest, sizes, known=known, seed=seed) for images in counts
        )

    return Pilot(
        len(change),
        smallest,
        powers(pooled),
        {
            attribute.text: powers(spread_of_attribute(change[:, column], pooled, smallest))
            for column, attribute in enumerate(config.attributes)
        },
    )


def spread_of_pilot(changes: Array, smallest: float, curve: Curve | None) -> tuple[Spread, Interval]:
    """Return how effects would be spread by the changes `[I, J]` of a pilot, and how many times φ may be of that."""
    if curve is None:
        return spread_of_few(changes, smallest), FEW_UNSURE
    return scaled_curve(curve, changes), CURVE_UNSURE


def known_effects(changes: Array, curve: Curve | None) -> Interval:
    """Return the smallest and the largest effect whose spread over images was measured.

    They are the ends of the curve; without one, the smallest and the largest mean of the changes `[I, J]` of a pilot.
    """
    if curve is not None:
        return float(curve.effects[0]), float(curve.effects[-1])
    means = column_means(changes[:, np.isfinite(changes).sum(axis=0) > 1])
    means = means[means > 0]
    return (float(means.min()), float(means.max())) if len(means) else (0.0, 0.0)


def foretold(
    spread: Spread,
    unsure: Interval,
    images: int,
    attributes: int,
    smallest: float,
    sizes: Sequence[float],
    *,
    known: Interval = (0.0, 1.0),
    seed: int = 0,
) -> Foretold:
    """Predict the power of an audit of so many images for effects of these sizes.

    Args:
        spread: how an effect varies over images.
        unsure: how many times φ may be of what `spread` says.
        images: of the audit.
        attributes: how many are judged at once.
        smallest: the smallest effect that matters.
        sizes: of effects, rising.
        known: from which to which effect `spread` was measured. Beyond, it would be made up.
        seed: of the simulated audits.
    """
    low, high = known
    inside = [size for size in sizes if low <= size <= high]

    def power(spread: Spread, of: Sequence[float]) -> Power:
        return power_of(spread, images, attributes, smallest, sizes=of, seed=seed, audits=AUDITS)

    expected, most, least = (
        power(spread if factor == 1 else times(spread, factor), inside) for factor in (1.0, *unsure)
    )
    shares: dict[str, float | None] = {f"{size:g}": expected.sensitive.get(f"{size:g}") for size in sizes}
    ranges = {
        size: None if share is None else (min(least.sensitive[size], share), max(most.sensitive[size], share))
        for size, share in shares.items()
    }
    detectable = expected.detectable
    at_least = None if sizes[-1] in inside else power(FLIPS, sizes[-1:]).sensitive[f"{sizes[-1]:g}"]
    is_known = detectable is not None and low <= detectable <= high
    return Foretold(shares, ranges, detectable if is_known else None, (low, high), at_least)


def spread_of_outputs(task: Task, outputs: Tensor) -> Curve | None:
    """Return how effects of each size would be spread over images by what the target says of unedited ones.

    An effect is taken for a shift of the outputs (logits, or a number), each way of an image's own size: gamma
    distributed, of shape `SHAPE`. Where a target is sure a shift moves few images much, and elsewhere all a little.

    Args:
        task: of the target.
        outputs: float `[N, C]`, on unedited images.

    Returns:
        The curve; None for a task whose outputs are no logits and no numbers.
    """
    if not isinstance(task, BinaryTask | MultiClassTask | MultiLabelTask | RegressionTask):
        return None
    count, width = outputs.shape
    repeats = max(1, min(MOST_TIMES, MOST_NUMBERS // (count * width)))
    rows, random = outputs.double().repeat(repeats, 1), torch.Generator().manual_seed(0)
    ways = torch.randn(len(rows), width, generator=random, dtype=torch.float64)
    quantiles = (torch.randperm(len(rows), generator=random).double() + 0.5) / len(rows)
    sizes = torch.from_numpy(gamma.ppf(quantiles.numpy(), SHAPE) / SHAPE)[:, None]
    unit = task.width if isinstance(task, RegressionTask) else 1.0
    shift = unit * sizes * ways / ways.norm(dim=1, keepdim=True)
    effects: list[float] = []
    phi: list[float] = []
    for size in math.sqrt(width) * np.geomspace(*SHIFTS):
        changes = task.change(rows + size * shift, rows).double().numpy()
        mean = float(changes.mean())
        if effects and mean <= effects[-1] + LEAST_STEP:
            continue
        effects.append(mean)
        phi.append(float(changes.var()) / max(mean * (1 - mean), LEAST_STEP))
    return Curve(np.array(effects), np.array(phi))


def changes_of(diagnosis: Diagnosis) -> tuple[Array, Array]:
    """Return the judged changes `[I, A]` by attributes and `[I, J]` by random baseline directions; NaN: not tried."""
    config = diagnosis.config
    records = diagnosis.records
    baseline = [record for record in diagnosis.baseline if (record.baseline or 0) < config.random_directions]
    kinds = [effects(config, list(group)) for group in (records, baseline)]
    at_end = is_judged_at_end(*kinds)
    images = {image: row for row, image in enumerate(sorted({record.image for record in records}))}
    matrices = []
    for group, width in zip(kinds, (len(config.attributes), config.random_directions), strict=True):
        matrix = np.full((len(images), width), np.nan)
        for effect, value in zip(group, judged(group, at_end=at_end), strict=True):
            matrix[images[effect.image], effect.column] = value
        matrices.append(matrix)
    return matrices[0], matrices[1]
