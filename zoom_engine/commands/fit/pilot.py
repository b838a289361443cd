"""A small audit, to learn how changes are spread over images: by that the power of a larger one is predicted."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from zoom_engine.audit.summary import Power
from zoom_engine.commands.fit.verdicts import IMAGES, MULTIPLES
from zoom_engine.diagnose.models import Models
from zoom_engine.diagnose.run import diagnosed
from zoom_engine.settings.audit_settings import SMALLEST_EFFECT, RunSettings
from zoom_engine.statistics.diagnosis import Diagnosis
from zoom_engine.statistics.effects import effects, is_judged_at_end, judged
from zoom_engine.statistics.intervals import Array
from zoom_engine.statistics.power import Spread, power_of, spread_of_attribute, spread_of_few


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
    audit: tuple[Power, ...]
    attributes: dict[str, tuple[Power, ...]]


def run_pilot(models: Models, *, images: int, seed: int) -> Pilot:
    """Audit a few images as the settings say, in memory, and predict the power of audits of `verdicts.IMAGES`."""
    (diagnosis,) = diagnosed([models], RunSettings(images=images, seed=seed), [None])
    return predict(diagnosis, IMAGES, seed=seed)


def predict(diagnosis: Diagnosis, counts: Sequence[int], *, seed: int = 0) -> Pilot:
    """Predict the power of audits of so many images from one of a few, a `diagnosis` of single mode."""
    config = diagnosis.config
    change, baseline = changes_of(diagnosis)
    smallest = config.smallest_effect
    sizes = [round(multiple * (smallest or SMALLEST_EFFECT), 6) for multiple in MULTIPLES]
    sizes = [size for size in sizes if size <= 1]
    pooled = spread_of_few(np.concatenate([change, baseline], axis=1), smallest)
    count = len(config.attributes)

    def powers(spread: Spread) -> tuple[Power, ...]:
        return tuple(power_of(spread, images, count, smallest, sizes=sizes, seed=seed) for images in counts)

    return Pilot(
        len(change),
        smallest,
        powers(pooled),
        {
            attribute.text: powers(spread_of_attribute(change[:, column], pooled, smallest))
            for column, attribute in enumerate(config.attributes)
        },
    )


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
