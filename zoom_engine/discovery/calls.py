"""The verdict on each cluster: it is compared with random baseline directions on images that it was not found on.

A search over thousands of channels always finds something that moves the target on the image that it looked at. So only
what the same direction does to held-out images counts, and a cluster is *sensitive* only where

1. it moves them further than one more random baseline direction would (`statistics.attribute_tests`: *specific*, with
   p-values adjusted over clusters by Holm),
2. the mean change is above the smallest effect that matters with 95 % confidence, not only in the sample, because the
   best of several was picked (Gaffke's bound, as for *negligible*),
3. a word fits, and its own edits move the output by the smallest effect. Where no word fits, nobody can say what was
   found. It may even be the ground truth, changing where the text encoder does not see it. That is *inconclusive*, and
   for people to judge.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, NamedTuple

import numpy as np

from zoom_engine.audit.summary import Interval
from zoom_engine.settings.audit_settings import CORRECTIONS
from zoom_engine.statistics.attribute_tests import AttributeTest, attribute_tests, lower_bounds
from zoom_engine.statistics.intervals import Array, bootstrap_means, interval

Called = Literal["called", "below", "undecided"]


class Tested(NamedTuple):
    """The result of one direction on held-out images.

    Attributes:
        mean: the mean change of the output, in [0, 1].
        interval: its 95 % bootstrap interval; None for one image.
        lowest: its one-sided lower 95 % confidence bound.
        test_result: the test result against random baseline directions.
        images: how many images it moves by the smallest effect or more.
    """

    mean: float
    interval: Interval | None
    lowest: float
    test_result: AttributeTest
    images: int


def beside_random(change: Array, baseline: Array, smallest: float) -> list[Tested]:
    """Test each column of `change [I, M]` against random baseline directions `baseline [I, J]`.

    `smallest` is the smallest effect that matters; all values are in [0, 1].
    """
    found = []
    low, high = interval(bootstrap_means(change))
    lowest = lower_bounds(change)
    beside = attribute_tests(change, baseline, smallest, CORRECTIONS[0])
    for column, test_result in enumerate(beside):
        ends = (float(low[column]), float(high[column])) if len(change) > 1 else None
        moved = int((change[:, column] >= smallest).sum())
        found.append(Tested(float(np.mean(change[:, column])), ends, float(lowest[column]), test_result, moved))
    return found


def told_apart(results: Sequence[Tested], baseline: Array, least: float) -> bool:
    """Tell whether what was found can be told from random baseline directions.

    It can where one of the `results` is specific, or where no mean of `baseline [I, J]` reaches `least`, the smallest
    decisive change. Otherwise the target reacts to any edit.
    """
    return any(result.test_result.specificity == "specific" for result in results) or strongest(baseline) < least


def strongest(baseline: Array) -> float:
    """Return the largest mean change by a column of `baseline [I, J]`."""
    return float(baseline.mean(axis=0).max())


def call(cluster: Tested, name: str | None, word_change: float | None, smallest: float) -> tuple[Called, str]:
    """Return the verdict on a cluster, and the reason in a sentence.

    `word_change` is the mean change by the edits of the word that fits.
    """
    mean = f"{cluster.mean:.2f}"
    if cluster.test_result.verdict == "negligible":
        return "below", f"On other images it moves the output by {mean}: less than matters."
    if cluster.mean < smallest:
        return "undecided", f"On other images it moves the output by {mean}: too little to call, too few to rule out."
    if cluster.test_result.specificity != "specific" or cluster.test_result.baseline is None:
        return "undecided", f"On other images it moves the output by {mean}, not surely more than random edits do."
    beside = f"On other images it moves the output by {mean}, random edits by {cluster.test_result.baseline:.2f}"
    if cluster.lowest <= smallest:
        return "undecided", f"{beside}; but with 95 % confidence all that is sure is {cluster.lowest:.2f}."
    if name is None or word_change is None:
        return "undecided", f"{beside}; but no word’s own edits do the same, so what it changes is for eyes to judge."
    if word_change < smallest:
        return "undecided", f"{beside}; but “{name}” by itself only by {word_change:.2f}."
    return "called", f"{beside}, and “{name}” by itself by {word_change:.2f}."
