"""The course of an audit: which attributes are settled after how many images, and what is still to be measured.

An attribute is *sensitive* where betting (`betting`) rejects that its mean effect is the smallest effect that matters
or less, and *negligible* where it rejects that the mean effect is that or more. These are two one-sided tests
(Schuirmann 1987): for any true effect only one of them can err. Each kind of verdict is tested over all attributes by
closed testing, so that any verdict of that kind is false in at most 5 % of audits, however many analyses there are. A
settled attribute stops and keeps its verdict.

Everything follows from records and config alone. So an audit that is resumed, or shared by several processes, takes the
same course.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from zoom_engine.audit.manifest import Config
from zoom_engine.audit.records import Record
from zoom_engine.audit.summary import Ended, Verdict
from zoom_engine.settings.interim_analyses import ERRING, confidence
from zoom_engine.statistics.betting import closed, log_wealth_above, log_wealth_below, mean_intervals, needed
from zoom_engine.statistics.effects import by_image, effects, is_judged_at_end, judged
from zoom_engine.statistics.intervals import Array


class SizeTests(NamedTuple):
    """How large the effects of attributes are, after the analyses that their images have reached.

    Attributes:
        verdicts: of each attribute.
        stopped: the number of images at which each attribute stopped; None where it did not.
        next_analysis: the number of images at the first analysis that lacks images; None where none does.
    """

    verdicts: tuple[Verdict, ...]
    stopped: tuple[int | None, ...]
    next_analysis: int | None


def size_tests(
    change: Array,
    smallest: float,
    analyses: Sequence[int],
    *,
    images: Sequence[int] | None = None,
    recorded: NDArray[np.bool_] | None = None,
    width: float | None = None,
) -> SizeTests:
    """Test the sizes of effects at one analysis after the other, as far as there are images.

    Args:
        change: float64 `[I, A]` in [0, 1], changes by attributes; NaN where one was not tried.
        smallest: the smallest effect that matters, in [0, 1].
        analyses: the number of images at each analysis, rising.
        images: the numbers `[I]` of the images, counted from 0; by default the first I.
        recorded: bool `[I, A]`, whether a trial has a record; by default all have one.
        width: the width of its interval at which an attribute stops; None where it stops when it is settled.
    """
    count = change.shape[1]
    numbers = np.arange(len(change)) if images is None else np.asarray(images)
    recorded = np.ones(change.shape, dtype=np.bool_) if recorded is None else recorded
    verdicts: list[Verdict] = ["inconclusive"] * count
    stopped: list[int | None] = [None] * count
    above, below = np.zeros(count), np.zeros(count)
    for analysis in analyses:
        active = [a for a in range(count) if stopped[a] is None]
        if not active:
            break
        rows = numbers < analysis
        if (recorded[rows][:, active].sum(axis=0) < analysis).any():
            return SizeTests(tuple(verdicts), tuple(stopped), analysis)
        above[active] = log_wealth_above(change[rows][:, active], smallest)
        below[active] = log_wealth_below(change[rows][:, active], smallest)
        is_sensitive, is_negligible = _rejected(above, change), _rejected(below, change)
        for a in active:
            verdicts[a] = "sensitive" if is_sensitive[a] else "negligible" if is_negligible[a] else "inconclusive"
        stopping = [verdicts[a] != "inconclusive" for a in active]
        if width is not None:
            low, high = mean_intervals(change[rows][:, active], level=confidence(1, count))
            stopping = list(high - low <= width)
        for a, stops in zip(active, stopping, strict=True):
            stopped[a] = analysis if stops else None
    return SizeTests(tuple(verdicts), tuple(stopped), None)


def _rejected(logs: Array, change: Array) -> NDArray[np.bool_]:
    """Tell which hypotheses are rejected together; a column of `change` without a value is none of them."""
    rejected, tried = np.zeros(len(logs), dtype=np.bool_), np.isfinite(change).any(axis=0)
    rejected[tried] = closed(logs[tried]) >= needed(ERRING)
    return rejected


class Course(NamedTuple):
    """Where an audit of single attributes stands.

    Attributes:
        sizes: how large effects are, as far as the audit has come.
        goals: the number of images on which each attribute is to be tried by the analysis that comes next, or was by
            the last one.
        baseline_images: the number of images that are moved along random baseline directions; 0 where nothing asks for
            that, None before it is known.
        missing: the number of measurements without a record, as far as they are known.
        ended: why the audit ended; None where it has not, or where its number of images was given.
    """

    sizes: SizeTests
    goals: tuple[int, ...]
    baseline_images: int | None
    missing: int
    ended: Ended | None


def course(config: Config, records: Sequence[Record]) -> Course:
    """Return where the audit with these `records` stands.

    Random baseline directions say whether an effect is due to its attribute. So they are tried once an attribute is
    sensitive, or where no edit moved the output at all, which must not pass for negligible effects.

    Args:
        config: of an audit of single attributes by a generator.
        records: all of its records, those of random baseline directions among them.
    """
    along = [record for record in records if record.baseline is None]
    column = {attribute.text: index for index, attribute in enumerate(config.attributes)}
    numbers = sorted({record.image for record in along})
    of_attributes = effects(config, along)
    changes = judged(of_attributes, at_end=is_judged_at_end(of_attributes))
    change = by_image(along, [column[record.attribute or ""] for record in along], len(column), changes)
    tried = np.isfinite(change)
    analyses = config.analyses(len(numbers))
    width = None if config.interim_analyses is None else config.interim_analyses.width
    sizes = size_tests(change, config.smallest_effect, analyses, images=numbers, recorded=tried, width=width)
    goals = tuple(stopped or sizes.next_analysis or analyses[-1] for stopped in sizes.stopped)
    order = np.asarray(numbers, dtype=np.int64)
    missing = sum(goal - int(tried[order < goal, a].sum()) for a, goal in enumerate(goals))
    if missing:
        return Course(sizes, goals, None, missing, None)
    needs_baseline = "sensitive" in sizes.verdicts or not any(record.change for record in along)
    baseline_images = config.baseline_images(max(goals)) if needs_baseline else 0
    done = sum(record.baseline is not None and record.image < baseline_images for record in records)
    ended: Ended | None = None
    if config.interim_analyses is not None:
        ended = "most images" if None in sizes.stopped else "settled"
    return Course(sizes, goals, baseline_images, config.baseline_trials(baseline_images) - done, ended)
