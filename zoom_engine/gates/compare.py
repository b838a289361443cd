"""Audits compared on the same images: which attributes move one model more, or less, than another.

Two audits with equal seeds look at the same images, so the difference of an image's two changes is what counts. Its
p-value is that of the permutation test within images (`swapped`): if the models were alike, either change could have
come from either. Where no image is in both audits, images are permuted between the audits instead. P-values are
two-sided and adjusted over the attributes by Holm's method. A difference counts where the same test shows that it is
larger than the smallest effect that matters. Where audits chose their number of images themselves, each number that
they could have ended at is an interim analysis, and spends its part of the error as in `settings.interim_analyses`.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Collection, Sequence
from dataclasses import asdict, dataclass
from functools import cached_property
from typing import Any, Literal

import numpy as np
from scipy.special import ndtri

from zoom_engine.audit.summary import Interval, Sensitivity
from zoom_engine.common.errors import AuditError
from zoom_engine.common.plurals import agreeing
from zoom_engine.gates.bounds import MOST_IMAGES, End, images_for_ends, images_for_test, mean_bounds
from zoom_engine.gates.comparable import check_comparable, notes, title
from zoom_engine.settings.attributes import Attribute, short_names
from zoom_engine.settings.interim_analyses import confidence
from zoom_engine.statistics.attribute_tests import LEVEL, adjust
from zoom_engine.statistics.diagnosis import Diagnosis
from zoom_engine.statistics.effects import effects, judged
from zoom_engine.statistics.intervals import Array, bootstrap_means, column_means, interval
from zoom_engine.statistics.table import with_interval

Shift = Literal["more", "less", "alike", "inconclusive"]
DRAWS = 20_000
_AT_ONCE = 4_000_000  # numbers of a block of draws
_ROUNDING = 1e-9


@dataclass(frozen=True)
class Difference:
    """How much further an attribute moves the output in an audit than in the first one.

    Attributes:
        mean: the difference of the mean changes, in [-1, 1].
        interval: its 95 % bootstrap interval; of one image, which has none, that of `bounds`.
        most: the upper end of an interval that allows for images that were not seen, see `bounds`.
        p_adjusted: its adjusted p-value; that of no difference at all.
        shift: "more" or "less" where a difference above the smallest effect that matters is shown, "alike" where one
            is ruled out.
    """

    mean: float
    interval: Interval
    most: float
    p_adjusted: float
    shift: Shift

    @property
    def is_shown(self) -> bool:
        """Tell whether a difference that matters is shown."""
        return self.shift in ("more", "less")

    def size(self, matters: float) -> str:
        """Format how large it is, whichever way, with its interval, which may reach below 0.

        Beside what `matters` see `table.decimal`.
        """
        low, high = self.interval
        return with_interval(abs(self.mean), (low, high) if self.mean >= 0 else (-high, -low), 2, limit=matters)


class Pair:
    """Two audits that may be compared: what `other` finds compared with `first`.

    `attributes` are those that both have edited, in the order of the first. Of edits from elsewhere an image need not
    have each: an attribute is compared on the images that have it in both, and left out where there is none.
    """

    def __init__(self, first: Diagnosis, other: Diagnosis) -> None:
        """Pair the audits by their images.

        Raises:
            AuditError: they may not be compared, see `check_comparable`.
        """
        check_comparable(first, other)
        self.first, self.other = first, other
        self.attributes = [attribute for attribute in first.attributes if attribute in other.attributes]
        before, after = (judged_by_seed(one, self.attributes) for one in (first, other))
        shared = sorted(before.keys() & after.keys())
        self.pairs = len(shared)
        """How many images are in both; 0 where each audit has images of its own."""
        ends = itertools.product(*map(_possible, (first, other)))
        self._analyses = len({min(pair) if shared else pair for pair in ends})
        width = len(self.attributes)
        rows = [np.array([d[s] for s in shared or sorted(d)]).reshape(-1, width) for d in (before, after)]
        if shared:
            rows = [np.where(np.isfinite(rows[0] + rows[1]), one, np.nan) for one in rows]
        known = np.all([np.isfinite(one).any(axis=0) for one in rows], axis=0)
        self.attributes = [attribute for attribute, one in zip(self.attributes, known, strict=True) if one]
        self._before, self._after = (one[:, known] for one in rows)

    @property
    def notes(self) -> tuple[str, ...]:
        """Return what differs besides the target, a sentence each."""
        return tuple(notes(self.first, self.other, pairs=self.pairs))

    @property
    def unseen(self) -> tuple[str, ...]:
        """Return why a difference is inconclusive though its interval is narrow, a sentence where one is so."""
        least, ends = self.matters, [d.interval for d in self.differences.values() if d.shift == "inconclusive"]
        if not any(-least < low and high < least for low, high in ends):
            return ()
        return (
            f"Inconclusive though the interval lies within ±{least:g}: it knows these {len(self._after)} images alone,"
            " which do not show that others differ by so little.",
        )

    def p_above(self, by: float) -> Array:
        """Compute the p-values `[A]` of the hypothesis that the mean change grew by `by` at most.

        They are not adjusted over attributes.
        """
        (p_values,) = self._p_above((self._before, self._after, by))
        return (self._analyses * p_values).clip(max=1.0)

    @property
    def matters(self) -> float:
        """Return the smallest difference that matters: the larger of the audits' smallest effects."""
        return max(one.config.smallest_effect for one in (self.first, self.other))

    @cached_property
    def differences(self) -> dict[Attribute, Difference]:
        """Return the difference of each of the attributes."""
        if not self.attributes:
            return {}
        (adjusted, p_that_matters), analyses = self._p_adjusted(0.0, self.matters), self._analyses
        means, count = column_means(self._after) - column_means(self._before), len(self.attributes)
        if self.pairs:
            resampled = bootstrap_means(self._after - self._before)
            differ = self._after - self._before
            _, most = mean_bounds(differ, low=-1.0, high=1.0)
            ends = mean_bounds(differ, low=-1.0, high=1.0, attributes=count)
        else:
            resampled = bootstrap_means(self._after) - bootstrap_means(self._before, seed=1)
            most, ends = self._apart(1)[1], self._apart(count)
        low, high = interval(resampled, level=confidence(analyses, count))
        alone = np.min([np.isfinite(side).sum(axis=0) for side in (self._before, self._after)], axis=0) < 2
        low, high = np.where(alone, ends[0], low), np.where(alone, ends[1], high)
        return {
            attribute: Difference(
                mean=float(means[i]),
                interval=(float(low[i]), float(high[i])),
                most=float(most[i]),
                p_adjusted=float(adjusted[i]),
                shift=_shift(
                    float(means[i]), float(p_that_matters[i]), (float(ends[0][i]), float(ends[1][i])), self.matters
                ),
            )
            for i, attribute in enumerate(self.attributes)
        }

    def images_for(self, attribute: Attribute, limit: float) -> tuple[int, int | None]:
        """Estimate how many images show on which side of `limit` a growth such as this attribute's lies.

        Returns (the images that were compared, or those of the smaller audit; the images that it takes of each audit,
        see `bounds`). To lie above a limit is tested. To lie below it two ends must: `Difference.most`, which is of the
        attribute alone, and that of the bootstrap interval, which is of all together and of the spread.
        """
        column = self.attributes.index(attribute)
        before, after = (one[np.isfinite(one[:, column]), column] for one in (self._before, self._after))
        spread = float((after - before).std() if self.pairs else math.hypot(after.std(), before.std()))
        mean, count, compared = float(after.mean() - before.mean()), len(self.attributes), min(len(before), len(after))
        if mean >= limit:
            level = LEVEL / (self._analyses * count)
            return compared, images_for_test(mean - limit, spread, level=level, paired=bool(self.pairs))
        if self.pairs:  # differences in [-1, 1]
            ends, distance = [End((1.0 + mean) / 2, spread / 2, upper=True)], (limit - mean) / 2
        else:
            ends = [End(float(after.mean()), float(after.std()), upper=True)]
            ends += [End(float(before.mean()), float(before.std()), upper=False)]
            distance = limit - mean
        needed = images_for_ends(ends, distance)
        if needed is not None:
            beyond = (1 - confidence(self._analyses, count)) / 2
            needed = max(needed, math.ceil((float(ndtri(beyond)) * spread / (limit - mean)) ** 2))
        return compared, needed if needed is not None and needed <= MOST_IMAGES else None

    def _p_adjusted(self, *limits: float) -> list[Array]:
        """Compute for each limit the adjusted p-values `[A]` of the hypothesis that means differ by that at most."""
        ways = ((self._before, self._after), (self._after, self._before))
        p_values = [self._analyses * one for one in self._p_above(*((*way, by) for by in limits for way in ways))]
        pairs = zip(p_values[::2], p_values[1::2], strict=True)
        return [adjust((2 * np.minimum(more, less)).clip(max=1.0), "holm") for more, less in pairs]

    def _apart(self, attributes: int) -> tuple[Array, Array]:
        """Compute the ends of the difference of means where each audit has images of its own."""
        (low, high), (least, most) = (
            mean_bounds(one, low=0.0, high=1.0, attributes=attributes) for one in (self._after, self._before)
        )
        return low - most, high - least

    def _p_above(self, *grown: tuple[Array, Array, float]) -> list[Array]:
        """Compute the p-values `[A]` of each hypothesis: before `[I, A]`, after `[J, A]`, grown by how much at most."""
        count, compared = len(self.attributes), swapped if self.pairs else permuted
        if not count:
            return [np.empty(0)] * len(grown)
        draws = draws_for(LEVEL / (2 * self._analyses * count))
        known, p_values = np.isfinite(np.concatenate([self._before, self._after])), np.empty((len(grown), count))
        for having in np.unique(known, axis=1).T:
            columns = (known == having[:, None]).all(axis=0)  # the attributes that the same images have
            sides = [
                [side[np.isfinite(side[:, columns]).any(axis=1)][:, columns] for side in (after - by, before)]
                for before, after, by in grown
            ]
            if self.pairs:  # the same draws do for all
                sides = [[np.concatenate(side, axis=1) for side in zip(*sides, strict=True)]]
            of_all = [compared(one, other, draws=draws) for one, other in sides]
            p_values[:, columns] = np.concatenate(of_all).reshape(len(grown), -1)
        return list(p_values)


@dataclass(frozen=True)
class Row:
    """An attribute in all audits.

    Attributes:
        attribute: the attribute.
        name: its short name.
        figures: its figures in each audit; None where an audit lacks it.
        differences: of each further audit from the first; None where one of both lacks it or edits of it.
    """

    attribute: Attribute
    name: str
    figures: tuple[Sensitivity | None, ...]
    differences: tuple[Difference | None, ...]


@dataclass(frozen=True)
class Comparison:
    """Two or more audits; the others are compared with the first."""

    audits: tuple[Diagnosis, ...]
    titles: tuple[str, ...]
    pairs: tuple[Pair, ...]
    rows: tuple[Row, ...]

    @property
    def notes(self) -> tuple[tuple[str, ...], ...]:
        """Return the notes of each audit after the first, see `Pair.notes` and `Pair.unseen`."""
        return tuple((*pair.notes, *pair.unseen) for pair in self.pairs)

    def to_json(self) -> dict[str, Any]:
        """Return all of it as strict JSON."""
        return {
            "audits": [
                {
                    "title": name,
                    "path": None if audit.path is None else str(audit.path),
                    "target": audit.config.target,
                    "images": audit.summary().images,
                    "shared_images": pairs,
                    "notes": list(told),
                }
                for name, audit, pairs, told in zip(
                    self.titles,
                    self.audits,
                    (None, *(pair.pairs for pair in self.pairs)),
                    ((), *self.notes),
                    strict=True,
                )
            ],
            "attributes": [
                {
                    "attribute": row.attribute.text,
                    "name": row.name,
                    "sensitivity": [None if one is None else one.to_json() for one in row.figures],
                    "difference": [None if one is None else asdict(one) for one in row.differences],
                }
                for row in self.rows
            ],
        }


def compare(audits: Sequence[Diagnosis]) -> Comparison:
    """Compare finished audits of single attributes with the first of them.

    Raises:
        AuditError: in one line, why two of them do not measure the same, or have nothing edited in common.
    """
    first, *others = audits
    pairs = tuple(Pair(first, other) for other in others)
    if (lacking := next((pair.other for pair in pairs if not pair.attributes), None)) is not None:
        raise AuditError(
            f"{title(first)} and {title(lacking)} cannot be compared: no attribute has edited pictures in both, of the"
            " same images where they share any: audit both with pictures in which the same edits were made"
        )
    figures = [{row.attribute: row for row in audit.sensitivity} for audit in audits]
    most: dict[Attribute, float] = {}
    for attribute, row in (item for rows in figures for item in rows.items()):
        most[attribute] = max(most.get(attribute, 0.0), row.value or 0.0)
    names = short_names([*most], first.config.neutral)
    rows = tuple(
        Row(
            attribute,
            names[attribute],
            tuple(rows.get(attribute) for rows in figures),
            tuple(pair.differences.get(attribute) for pair in pairs),
        )
        for attribute in sorted(most, key=lambda attribute: -most[attribute])
    )
    return Comparison(tuple(audits), _titles(audits), pairs, rows)


def inconclusive_in_words(differences: Collection[Difference]) -> str:
    """Return how many are inconclusive, to end a sentence, such as "; 2 of 4 are inconclusive"; "" where none is."""
    count = sum(difference.shift == "inconclusive" for difference in differences)
    return f"; {count} of {len(differences)} {agreeing(count, 'is', 'are')} inconclusive" if count else ""


def _titles(audits: Sequence[Diagnosis]) -> tuple[str, ...]:
    """Return the names of the targets, with their folders where two are the same."""
    targets = [audit.config.target or "the model" for audit in audits]
    alike = len(set(targets)) < len(targets)
    return tuple(title(audit) if alike else target for audit, target in zip(audits, targets, strict=True))


def _possible(audit: Diagnosis) -> Sequence[int]:
    """Return the numbers of images that a finished audit could have ended at."""
    return (audit.summary().images,) if audit.config.interim_analyses is None else audit.config.interim_analyses.planned


def _shift(mean: float, p_that_matters: float, ends: Interval, matters: float) -> Shift:
    """Return "more" or "less" where a difference that matters is shown, "alike" where it is ruled out."""
    if p_that_matters < LEVEL:
        return "more" if mean > 0 else "less"
    return "alike" if -matters < ends[0] and ends[1] < matters else "inconclusive"


def judged_by_seed(diagnosis: Diagnosis, attributes: Sequence[Attribute]) -> dict[int, list[float]]:
    """Return the judged change by each attribute, by the seed of the image; NaN where the image has no edit of it.

    What is judged is what the audit's sensitivities are of: the change at the end of the range, or the largest one.
    """
    at_end = diagnosis.summary().is_judged_at_end
    changes: dict[int, list[float]] = {}
    for column, attribute in enumerate(attributes):
        records = diagnosis.edited(attribute)
        for record, change in zip(records, judged(effects(diagnosis.config, records), at_end=at_end), strict=True):
            changes.setdefault(record.seed, [math.nan] * len(attributes))[column] = change
    return changes


def draws_for(level: float) -> int:
    """Return how many permutations a p-value takes that can lie below `level`: a corrected one may ask for more."""
    return max(DRAWS, math.ceil(2 / level))


def swapped(after: Array, before: Array, *, draws: int = DRAWS, seed: int = 0) -> Array:
    """Compute the p-values `[A]` of `after [I, A]` against `before [I, A]`, without NaN.

    Each is the probability that the sum is as large where either of an image's two values is picked at random. All 2^I
    picks are tried where they are no more than `draws`; otherwise so many are drawn, the same ones for each column, and
    the own pick counts as one of them.
    """
    images, count = len(after), draws
    if not images:
        return np.full(after.shape[1], np.nan)
    if is_enumerated := images * np.log(2) <= np.log(draws):
        count = 2**images
    random, block = np.random.default_rng(seed), max(1, _AT_ONCE // images)
    missing = _ROUNDING * (1 + np.abs(after.sum(axis=0)))
    above, powers = np.zeros(after.shape[1]), 2 ** np.arange(images) if is_enumerated else None
    for first in range(0, count, block):
        numbers = np.arange(first, min(first + block, count))
        picks = random.integers(0, 2, (len(numbers), images)) if powers is None else numbers[:, None] // powers % 2
        above += (picks.astype(np.float64) @ (before - after) >= -missing).sum(axis=0)
    p_values: Array = above / count if is_enumerated else (1 + above) / (1 + count)
    return p_values


def permuted(after: Array, before: Array, *, draws: int = DRAWS, seed: int = 0) -> Array:
    """Compute the p-values `[A]` of `after [I, A]` against `before [J, A]`.

    Each is the probability that I of all images, picked at random, have as large a sum.
    """
    pooled = np.concatenate([after, before])
    first = np.arange(len(pooled)) < len(after)
    reached = after.sum(axis=0) - 1e-9
    random, above, block = np.random.default_rng(seed), np.zeros(after.shape[1]), max(1, _AT_ONCE // max(pooled.shape))
    for start in range(0, draws, block):
        picks = random.permuted(np.tile(first, (min(block, draws - start), 1)), axis=1)
        above += (picks @ pooled >= reached).sum(axis=0)
    p_values: Array = (1 + above) / (1 + draws)
    return p_values
