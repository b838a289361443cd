"""The smallest edit of one image that flips the target, point by point, for those who want to see its way."""

from __future__ import annotations

from collections.abc import Generator

import numpy as np
import torch
from torch import Tensor

from zoom_engine.audit.manifest import PAPER_BOUND
from zoom_engine.diagnose.models import Models
from zoom_engine.directions import CalibratedRange, EditDirections, NaturalRegion
from zoom_engine.search import SearchResult, Trial, choose_search
from zoom_engine.search.evaluated import evaluated_points, origins
from zoom_engine.search.trials import EvaluatedPoint

Way = Generator[EvaluatedPoint, None, SearchResult]


def smallest_edit(
    models: Models,
    code: Tensor,
    directions: EditDirections,
    calibrated: CalibratedRange | None,
    region: NaturalRegion,
) -> Way:
    """Search one image for the smallest edit of all attributes together that flips the target.

    It is the search that an audit of several attributes together runs by default, in the same range. Whoever closes the
    generator ends it.

    Args:
        models: the target's.
        code: `[1, S]`, of the image.
        directions: N edit directions.
        calibrated: their range; None is the paper's.
        region: what the generator draws, along these directions.

    Yields:
        Each evaluated point, as soon as it is evaluated.

    Returns:
        The result.

    Raises:
        TargetError: the target fails.
        ConfigError: the search needs a package that is not installed.
    """
    search, _ = choose_search(None, mode="multi", target=models.target, generator=models.generator)
    evaluator = models.evaluator(directions)
    paper = np.tile([-PAPER_BOUND, PAPER_BOUND], (len(directions.matrix), 1))
    bounds = paper if calibrated is None else calibrated.bounds.double().numpy()
    trial = Trial(0, None, bounds, natural=region.around(code[0]), stay_natural=calibrated is not None)
    originals = evaluator.originals(code)
    (origin,) = origins(evaluator, originals)
    state = search.start(trial, origin)
    while (result := state.result()) is None:
        points, gradients = state.ask(), None
        weights = torch.from_numpy(points).float().to(code.device)
        codes, alike = code.expand(len(points), -1), originals.rows(torch.zeros(len(points), dtype=torch.long))
        if search.needs_gradient:
            evaluation, gradients = evaluator.value_and_slopes(codes, weights, alike)
        else:
            with torch.no_grad():
                pictures = evaluator.render(codes, weights)
                evaluation = evaluator.evaluate(pictures, alike, ssim="flipped", loss=search.needs_loss)
        evaluated = evaluated_points(evaluation, points, gradients)
        state.tell(evaluated)
        yield from evaluated
    return result
