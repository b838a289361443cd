"""The verdict on each cluster: it is compared with random baseline directions on images that it was not found on.

A search over thousands of channels always finds something that moves the target on the image that it looked at. So only
what the same direction does to held-out images counts, and a cluster is *sensitive* only where

1. it moves them further than one more random baseline direction would (`statistics.attribute_tests`: *specific*, with
   p-values adjusted over clusters by Holm),
2. the mean change is above the smallest effect that matters with 95 % confidence, not only in the sample, because the
   best of several was picked (by betting, see `statistics.betting`),
3. a word fits, and its own edits move the output by the smallest effect, and further than every random baseline
   direction. Where no word fits, nobody can say what was found. It may even be the ground truth, changing where the
   text encoder does not see it. That is *inconclusive*, and for people to judge.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, NamedTuple

import numpy as np

from zoom_engine.audit.summary import LEAST_LABEL_KEPT, Interval
from zoom_engine.settings.audit_settings import CORRECTIONS
from zoom_engine.statistics.attribute_tests import AttributeTest, attribute_tests, lower_bounds
from zoom_engine.statistics.intervals import Array, bootstrap_means, interval
from zoom_engine.statistics.table import decimal, percent

Verdict = Literal["sensitive", "negligible", "inconclusive"]


class Tested(NamedTuple):
    """The result of one direction on held-out images.

    Attributes:
        mean: the mean change of the output, in [0, 1].
        interval: its 95 % bootstrap interval; None for one image.
        lowest: its one-sided lower 95 % confidence bound.
        result: the test result against random baseline directions.
        images: how many images it moves by the smallest effect or more.
    """

    mean: float
    interval: Interval | None
    lowest: float
    result: AttributeTest
    images: int


def beside_random(change: Array, baseline: Array, smallest: float) -> list[Tested]:
    """Test each column of `change [I, M]` against random baseline directions `baseline [I, J]`.

    `smallest` is the smallest effect that matters; all values are in [0, 1].
    """
    tested = []
    low, high = interval(bootstrap_means(change))
    lowest = lower_bounds(change)
    beside = attribute_tests(change, baseline, smallest, CORRECTIONS[0])
    for column, result in enumerate(beside):
        ends = (float(low[column]), float(high[column])) if len(change) > 1 else None
        moved = int((change[:, column] >= smallest).sum())
        tested.append(Tested(float(np.mean(change[:, column])), ends, float(lowest[column]), result, moved))
    return tested


def told_apart(results: Sequence[Tested], baseline: Array, least: float) -> bool:
    """Tell whether what was found can be told from random baseline directions.

    It can where one of the `results` is specific, or where no mean of `baseline [I, J]` reaches `least`, the smallest
    decisive change. Where it cannot, nothing is known to move the target further than any edit.
    """
    return any(tested.result.specificity == "specific" for tested in results) or strongest(baseline) < least


def strongest(baseline: Array) -> float:
    """Return the largest mean change by a column of `baseline [I, J]`."""
    return float(baseline.mean(axis=0).max())


def judge(
    cluster: Tested,
    name: str | None,
    word_change: float | None,
    smallest: float,
    label_kept: float | None = None,
    *,
    random_change: float = 0.0,
) -> tuple[Verdict, str]:
    """Return the verdict on a cluster, and the reason in a sentence.

    `word_change` is the mean change by the edits of the word that fits, `random_change` that by the random baseline
    direction which moves the output furthest, `label_kept` the fraction of the cluster's edits that keep the label
    (None: it is not checked). Others count as no change, so a small one says nothing then.
    """

    def told(value: float) -> str:
        return decimal(value, limit=smallest)

    moves = f"On other images it moves the output by {told(cluster.mean)}"
    if cluster.mean < smallest and label_kept is not None and label_kept < LEAST_LABEL_KEPT:
        return "inconclusive", f"{moves}, but only {percent(label_kept)} of its edits keep the label."
    if cluster.result.verdict == "negligible":
        return "negligible", f"{moves}, which is less than the smallest effect that matters."
    if cluster.mean < smallest:
        return "inconclusive", f"{moves}; more images would tell whether that matters."
    if cluster.result.specificity != "specific" or cluster.result.baseline is None:
        return "inconclusive", f"{moves}, which is not clearly more than random edits do."
    beside = f"{moves}, random edits by {told(cluster.result.baseline)}"
    if cluster.lowest <= smallest:
        return "inconclusive", f"{beside}; its lower 95 % confidence bound is {told(cluster.lowest)}, which is too low."
    if name is None or word_change is None:
        return "inconclusive", f"{beside}; no word’s edits do the same, so look at its pictures to see what it changes."
    if word_change < smallest:
        return "inconclusive", f"{beside}; edits by the word “{name}” move it by {told(word_change)} only."
    if word_change <= random_change:
        change = decimal(word_change, limit=random_change)
        return "inconclusive", f"{beside}; edits by the word “{name}” move it by {change}, as some random edits do."
    return "sensitive", f"{beside}, and edits by the word “{name}” by {told(word_change)}."
