"""The trials that are left to search of an audit, and their bounds."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence, Set
from itertools import pairwise

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


def shards(
    config: Config, attributes: Sequence[str | None], images: int, ends: Iterable[int], done: Set[Done]
) -> Iterator[Shard]:
    """Yield what is not done, of the images up to the first of `ends`, then of those up to the next, and so on."""
    every_so = config.control_prompt_every
    for first, end in pairwise([0, *ends, images]):
        trials: Shard = [(image, attribute) for image in range(first, end) for attribute in attributes]
        trials += [(image, j) for image in range(first, end) for j in config.random_directions_of(image)]
        trials += [
            (image, config.random_directions + image // every_so % len(config.control_prompts))
            for image in range(first, end)
            if config.control_prompts and image % every_so == 0
        ]
        if shard := [trial for trial in trials if trial not in done]:
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
