"""Agreement of several raters on the order of the same items: Kendall's W with its interval."""

from __future__ import annotations

import numpy as np

from zoom_engine.audit.summary import Agreement
from zoom_engine.statistics.intervals import Array, bootstrap_means, column_means, parts


def kendalls_w(values: Array, *, resamples: int = 4000, level: float = 0.95, seed: int = 0) -> Agreement | None:
    """Compute how far K raters order N items alike, by the means over I images.

    W = 12 S / (K² (N³ − N) − K Σ T), where S is the sum of squared deviations of the items' rank sums and T = Σ (t³ −
    t) over the ties of each rater (Kendall 1939). W is 1 where all raters order the items alike; by chance alone it is
    1 / K on average.

    Args:
        values: float64 `[K, I, N]`, NaN where a trial is missing.
        resamples: number of bootstrap samples for the interval.
        level: confidence of the interval, in (0, 1).
        seed: seed of the bootstrap.

    Returns:
        W with the interval of the percentile bootstrap over images, the same images for all raters. None below two
            raters, two items or two images, and where a rater gives all items the same value.
    """
    raters, images, items = values.shape
    if raters < 2 or items < 2 or images < 2:
        return None
    means = np.stack([column_means(one) for one in values])
    if not np.isfinite(means).all():
        return None
    concordance = float(_concordance(means[None])[0])
    if not np.isfinite(concordance):
        return None
    resampled = np.stack([bootstrap_means(one, resamples=resamples, seed=seed) for one in values], axis=1)
    resampled = resampled[np.isfinite(resampled).all(axis=(1, 2))]
    resampled_concordances = np.empty(len(resampled))
    for part in parts(len(resampled), raters * items**2):  # of all pairs of items
        resampled_concordances[part] = _concordance(resampled[part])
    resampled_concordances = resampled_concordances[np.isfinite(resampled_concordances)]
    tail = 50 * (1 - level)
    low, high = (
        np.percentile(resampled_concordances, [tail, 100 - tail])
        if len(resampled_concordances)
        else (concordance, concordance)
    )
    return Agreement(concordance, min(float(low), concordance), max(float(high), concordance))


def mid_ranks(values: Array) -> Array:
    """Return the ranks along the last axis of `values [..., N]`, 1 for the smallest; ties share their mean rank."""
    below = (values[..., :, None] > values[..., None, :]).sum(axis=-1)
    equal = (values[..., :, None] == values[..., None, :]).sum(axis=-1)
    return np.asarray(below + (equal + 1) / 2, dtype=np.float64)


def _concordance(means: Array) -> Array:
    """Compute W `[R]` of `means [R, K, N]`; NaN where all items of a rater are equal."""
    _, raters, items = means.shape
    equal = (means[..., :, None] == means[..., None, :]).sum(axis=-1)
    sums = mid_ranks(means).sum(axis=1)
    squares = np.square(sums - sums.mean(axis=1, keepdims=True)).sum(axis=1)
    ties = (np.square(equal) - 1).sum(axis=(1, 2))  # an item in a tie of t counts t² − 1, the tie t³ − t
    largest = raters**2 * (items**3 - items) - raters * ties
    told_apart = (equal < items).all(axis=(1, 2))
    w: Array = np.divide(12 * squares, largest, out=np.full(len(means), np.nan), where=told_apart & (largest > 0))
    return w
