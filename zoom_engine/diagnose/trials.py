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
    NaturalRegion,
    ScoreScale,
    image_bounds,
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
    scale: ScoreScale | None = None,
    region: NaturalRegion | None = None,
) -> list[Trial]:
    """Return the trials of `wanted`, in its order: (image, attribute) in single mode, (image, None) in multi mode.

    Within `calibrated` (None: the paper's range) images are drawn in single mode, to see how far each may go;
    with `scale` the trials hold what that does to text scores. Multi mode takes a `region`, or finds one.
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
    pairs = [(image, which) for image, which in wanted if which is not None]
    if calibrated is None:
        return [Trial(image, which, _only(paper, which, count)) for image, which in pairs]
    limits, moved = image_bounds(
        models.text_encoder,
        directions,
        calibrated,
        models.synthesizer,
        styles,
        pairs,
        beside=None if scale is None else scale.labels,
        batch_size=models.settings.batch_size,
        progress=models.progress,
    )
    scores = [None] * len(pairs) if scale is None else scale.measure(moved)
    return [
        Trial(
            image,
            which,
            _only(bounds_of_trial, which, count),
            None if models.search.needs_gradient else _only(paper, which, count),
            scores=scores_of_trial,
        )
        for (image, which), bounds_of_trial, scores_of_trial in zip(pairs, limits.double().numpy(), scores, strict=True)
    ]


def _only(bounds: NDArray[np.float64], index: int, count: int) -> NDArray[np.float64]:
    """Return `[count, 2]`: the `bounds [2]` of one attribute, no range for the others."""
    alone = np.zeros((count, 2))
    alone[index] = bounds
    return alone
