"""The test result of an attribute: how large its effect is, and whether the effect is due to this attribute.

*How large?* An attribute is *sensitive*, *negligible* or *inconclusive* by two one-sided tests of its mean effect over
images, adjusted over all attributes (`course`). Its interval agrees with the verdict: it lies above the smallest effect
that matters, below it, or on both sides. By itself the interval is that of Bonferroni over all attributes
(`betting.mean_intervals`); where the tests of all attributes together settle one whose interval still reaches beyond
the smallest effect, it ends there. So the intervals of all attributes miss a mean in at most 5 % of audits, besides
those with a false verdict.

*Is it this attribute's?* Any edit moves a target somewhat. So an attribute is compared with the population of random
edits of equal visible size, with the direction as the sampling unit (`random_edits`):

- *specific*: it is unlikely that one more random baseline direction moves the output as far: the p-value, adjusted over
  attributes, is below 5 %,
- *unspecific*: one in `COMMON` of them would, and some of those that were tried did: the target reacts to any change,
- *unknown*: with so many directions neither can be said; with fewer than `LEAST` of them no attribute is called
  specific.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from zoom_engine.audit.summary import BaselineLevel, Specificity, Verdict
from zoom_engine.settings.interim_analyses import ERRING, confidence
from zoom_engine.statistics.betting import mean_intervals
from zoom_engine.statistics.course import SizeTests, size_tests
from zoom_engine.statistics.intervals import Array, column_means
from zoom_engine.statistics.random_edits import RandomEdits, variation

LEVEL = ERRING
COMMON, LEAST = 10, 8


class AttributeTest(NamedTuple):
    """The test result of one attribute.

    Attributes:
        verdict: how large the effect is.
        specificity: whether the effect is due to this attribute; None without random baseline directions.
        interval: of the mean effect, simultaneous for all attributes; None below two images.
        baseline: mean change by random baseline directions.
        as_far: how many of them move the output at least as far as the attribute.
        p_value: probability that one more of them moves the output as far.
        p_adjusted: the p-value adjusted over attributes.

    The last four are None where there is nothing to compare with.
    """

    verdict: Verdict
    specificity: Specificity | None
    interval: tuple[float, float] | None
    baseline: float | None
    as_far: int | None
    p_value: float | None
    p_adjusted: float | None


def attribute_tests(
    change: Array,
    baseline: Array,
    smallest: float,
    correction: str,
    *,
    sizes: SizeTests | None = None,
    finished: bool = True,
) -> list[AttributeTest]:
    """Compute the test result of each attribute.

    Args:
        change: float64 `[I, A]` in [0, 1], changes by attributes; NaN where one was not tried.
        baseline: float64 `[I, J]` in [0, 1], changes by random baseline directions; NaN where one was not tried.
        smallest: the smallest effect that matters, in [0, 1].
        correction: of the p-values, one of `settings.CORRECTIONS`.
        sizes: how large the effects are, by the analyses of the audit; by default tested once on all images.
        finished: False before the audit ends: all is inconclusive and unknown then.
    """
    count = change.shape[1]
    sizes = size_tests(change, smallest, (len(change),)) if sizes is None else sizes
    low, high = mean_intervals(change, level=confidence(1, count))
    images = np.isfinite(change).sum(axis=0)
    edits = RandomEdits(baseline) if np.isfinite(baseline).any() else None
    p_values, compared = np.full(count, np.nan), _on_covered(change, baseline)
    means = column_means(compared)
    if edits is not None:
        p_values = edits.p_values(means, np.isfinite(compared).sum(axis=0), variation(compared))
    adjusted = adjust(p_values, correction)
    tests = []
    for a in range(count):
        verdict: Verdict = sizes.verdicts[a] if finished and images[a] > 1 else "inconclusive"
        ends = agreeing((float(low[a]), float(high[a])), verdict, smallest) if images[a] > 1 else None
        specificity: Specificity | None = None
        level = as_far = None
        if edits is not None and images[a]:
            level = float(edits.means.mean())
            as_far = int((edits.means >= means[a]).sum())
            enough = len(edits.means) >= LEAST
            specificity = _specificity(p_values[a], adjusted[a] if enough else 1.0, as_far) if finished else "unknown"
        p, p_adjusted = (None if np.isnan(value) else float(value) for value in (p_values[a], adjusted[a]))
        tests.append(AttributeTest(verdict, specificity, ends, level, as_far, p, p_adjusted))
    return tests


def agreeing(interval: tuple[float, float], verdict: Verdict, smallest: float) -> tuple[float, float]:
    """Return the interval as far as the verdict leaves it: it may end at the `smallest` effect that matters."""
    low, high = interval
    return (
        max(low, smallest) if verdict == "sensitive" else low,
        min(high, smallest) if verdict == "negligible" else high,
    )


def _specificity(p_value: float, adjusted: float, as_far: int) -> Specificity:
    if adjusted < LEVEL:
        return "specific"
    return "unspecific" if as_far and p_value * COMMON >= 1 else "unknown"


def _on_covered(change: Array, baseline: Array) -> Array:
    """Return `change` on the images that some random baseline direction was tried on, where an attribute has one.

    On other images a mean may be larger because these images are easily moved.
    """
    has_baseline = np.isfinite(baseline).any(axis=1, keepdims=True)
    covered = np.where(has_baseline, change, np.nan)
    return np.where(np.isfinite(covered).any(axis=0), covered, change)


def adjust(p_values: Array, correction: str) -> Array:
    """Adjust the p-values `[A]` over all that are not NaN, by Holm (1979) or Benjamini and Hochberg (1995)."""
    adjusted = np.full(len(p_values), np.nan)
    order = np.argsort(p_values)[: int(np.isfinite(p_values).sum())]
    rising, count = p_values[order], len(order)
    if correction == "holm":
        steps = np.maximum.accumulate(rising * (count - np.arange(count)))
    else:
        steps = np.minimum.accumulate((rising * count / (1 + np.arange(count)))[::-1])[::-1]
    adjusted[order] = steps.clip(max=1.0)
    return adjusted


def lower_bounds(change: Array) -> Array:
    """Compute the one-sided 95 % lower confidence bound of the mean of each column of `change [I, A]`, in [0, 1].

    It is the lower end of a 90 % interval, and 0 for a column without a value.
    """
    lowest, _ = mean_intervals(change, level=1 - 2 * LEVEL)
    return np.where(np.isnan(lowest), 0.0, lowest)


def baseline_level(
    baseline: Array, smallest: float, correction: str, *, attributes: int, images: int
) -> BaselineLevel | None:
    """Summarise the changes by random baseline directions.

    Args:
        baseline: float64 `[I, J]` in [0, 1], NaN where a direction was not tried.
        smallest: the smallest effect that matters, in [0, 1].
        correction: of the p-values, one of `settings.CORRECTIONS`.
        attributes: number of attributes whose p-values are adjusted.
        images: number of images that an attribute's mean is over.

    Returns:
        The level; None where no direction was tried.
    """
    if not np.isfinite(baseline).any():
        return None
    edits = RandomEdits(baseline)
    low, high = mean_intervals(edits.means[:, None], level=confidence(1))
    return BaselineLevel(
        directions=len(edits.means),
        mean_change=float(edits.means.mean()),
        ci95=(float(low[0]), float(high[0])) if len(edits.means) > 1 else None,
        strongest=float(edits.means.max()),
        specific_from=edits.reach(LEVEL / attributes, images) if len(edits.means) >= LEAST else 1.0,
        smallest_effect=smallest,
        correction=correction,
    )
