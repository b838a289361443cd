"""The trials that are left to search of an audit, and their bounds."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator, Sequence
from operator import itemgetter

import numpy as np
from numpy.typing import NDArray

from zoom_engine.audit.manifest import PAPER_BOUND, Config
from zoom_engine.audit.records import TrialKey as Done
from zoom_engine.diagnose.cluster import Shard
from zoom_engine.diagnose.models import Models
from zoom_engine.directions import (
    CalibratedRange,
    EditDirections,
    ImageBounds,
    NaturalRegion,
    ScoreScale,
    natural_region,
)
from zoom_engine.generators import StyleRows
from zoom_engine.search import Trial
from zoom_engine.statistics.course import Course


def wanted(config: Config, progress: Course | None, images: int) -> list[Done]:
    """Return the trials that an audit takes next, image by image; none where it has ended.

    Args:
        config: of the audit.
        progress: where it stands; None in multi mode.
        images: the number of images in multi mode.
    """
    if progress is None:
        return [(image, None) for image in range(images)]
    if progress.baseline_images is None:
        goals = [(attribute.text, goal) for attribute, goal in zip(config.attributes, progress.goals, strict=True)]
        return [(image, text) for image in range(max(progress.goals)) for text, goal in goals if image < goal]
    interval, along = config.control_prompt_every, range(progress.baseline_images)
    trials: list[Done] = [(image, j) for image in along for j in config.random_directions_of(image)]
    if config.control_prompts:
        first, count = config.random_directions, len(config.control_prompts)
        trials += [(image, first + image // interval % count) for image in along[::interval]]
    return trials


def shards(trials: Iterable[Done], sizes: Iterable[int]) -> Iterator[Shard]:
    """Split trials into shards of whole images, each of so many trials or some more."""
    shard: Shard = []
    by_image = [[*group] for _, group in itertools.groupby(trials, key=itemgetter(0))]
    limits = iter(sizes)
    limit = next(limits)
    for of_image in by_image:
        shard += of_image
        if len(shard) >= limit:
            yield shard
            shard, limit = [], next(limits)
    if shard:
        yield shard


def trials(
    models: Models,
    styles: StyleRows,
    directions: EditDirections,
    calibrated: CalibratedRange | None,
    wanted: Sequence[tuple[int, int | None]],
    region: NaturalRegion | None = None,
) -> list[Trial]:
    """Return the trials of `wanted`, in its order: (image, attribute) in single mode, (image, None) in multi mode.

    In single mode their bounds are the paper's range; within `calibrated` the search narrows them, see `bounds_of`.
    Multi mode takes a `region`, or finds one.
    """
    count = len(models.attributes)
    paper = np.array([-PAPER_BOUND, PAPER_BOUND])
    if models.settings.mode == "multi":
        bounds = np.tile(paper, (count, 1)) if calibrated is None else calibrated.bounds.double().numpy()
        if region is None:
            region = natural_region(models.generator, directions, cache=models.cache)
        return [
            Trial(image, None, bounds, natural=region.around(styles[image]), stay_natural=calibrated is not None)
            for image, _ in wanted
        ]
    return [
        Trial(
            image,
            which,
            _only(paper, which, count),
            None if calibrated is None or models.search.needs_gradient else _only(paper, which, count),
        )
        for image, which in wanted
        if which is not None
    ]


def bounds_of(
    models: Models, directions: EditDirections, calibrated: CalibratedRange | None, scale: ScoreScale | None = None
) -> ImageBounds | None:
    """Return what narrows the bounds of trials to their images', None where all have the same.

    With `scale` trials then hold what an edit to its bound does to text scores.
    """
    if calibrated is None or models.settings.mode == "multi":
        return None
    return ImageBounds(models.text_encoder, directions, calibrated, scale)


def _only(bounds: NDArray[np.float64], index: int, count: int) -> NDArray[np.float64]:
    """Return `[count, 2]`: the `bounds [2]` of one attribute, no range for the others."""
    alone = np.zeros((count, 2))
    alone[index] = bounds
    return alone
