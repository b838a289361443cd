"""Edits of known strength as a yardstick: at which strength each moves a model as far as an attribute does.

"0.39" says little; "as far as JPEG at 70 points of quality lost" can be looked at. Two audits of one model have other
sources of edits: the one is measured, the other (of corruptions, or of any editor with several strengths) has a mean
change of the output at each strength. Where the attribute's mean is first reached, between two strengths by a straight
line, lies the equal strength. It is told where the strongest edit is shown to move the output further, by the
permutation test of `compare`. From there the strengths are tested one after the other, inwards as long as each moves it
further and from 0 outwards as long as each moves it less: in such a sequence the first that fails ends it, and no test
takes from the next (fixed-sequence testing, Maurer, Hothorn and Lehmacher 1995). The error of 5 % is shared out evenly
over the attributes, the edits to each side of 0, both directions, and the numbers of images that the audits could have
ended at (Bonferroni).
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from zoom_engine.audit.manifest import Edit
from zoom_engine.audit.records import Record
from zoom_engine.audit.summary import Sensitivity
from zoom_engine.common.errors import AuditError
from zoom_engine.common.plurals import agreeing, listed, number_of, with_minus
from zoom_engine.gates.comparable import check_whole, title
from zoom_engine.gates.compare import draws_for, judged_by_seed, permuted
from zoom_engine.settings.attributes import Attribute, short_names
from zoom_engine.statistics.attribute_tests import LEVEL
from zoom_engine.statistics.diagnosis import Diagnosis
from zoom_engine.statistics.intervals import Array, column_means

FIRST_CHOICE = "corruptions"
"""The editor that is the yardstick where both audits could be."""
MOST_TOLD = 3
"""Edits that a headline names."""
_SIX_DIGITS = 1e-6
"""How far a strength in a record, which is rounded, may be from that in the manifest."""


@dataclass(frozen=True)
class Furthest:
    """The edit of the yardstick that moves the output furthest: name, unit and strength of it, and the mean change."""

    edit: str
    unit: str
    at: float
    change: float

    @property
    def amount(self) -> str:
        """Format the strength with its unit."""
        return _amount(self.at, self.unit)


@dataclass(frozen=True)
class Equal:
    """An edit of the yardstick that moves the output as far as an attribute.

    Attributes:
        edit: its name.
        unit: of its strengths.
        at: the strength at which its mean change is the attribute's.
        low: the largest strength up to which it is shown to move the output less; 0 without one.
        high: the smallest strength from which on it is shown to move the output further.
    """

    edit: str
    unit: str
    at: float
    low: float
    high: float

    @property
    def amount(self) -> str:
        """Format the equal strength with its unit: "68 points of quality lost"."""
        return _amount(self.at, self.unit)

    @property
    def between(self) -> str:
        """Format the strengths between which it lies: "50 to 80"."""
        return f"{_number(self.low)} to {_number(self.high)}"


@dataclass(frozen=True)
class Measured:
    """A sensitive attribute, and what moves the output as far."""

    attribute: Attribute
    name: str
    figures: Sensitivity
    equals: tuple[Equal, ...]


@dataclass(frozen=True)
class Yardstick:
    """A measure of an audit.

    Attributes:
        audit: the one that is measured.
        by: the audit of which the edits measure it.
        rows: the sensitive attributes.
        furthest: what moves the output furthest of the edits.
    """

    audit: Diagnosis
    by: Diagnosis
    rows: tuple[Measured, ...]
    furthest: Furthest

    @property
    def titles(self) -> tuple[str, str]:
        """Return the names of the measured audit and of the yardstick."""
        return title(self.audit), title(self.by)

    @property
    def edits(self) -> str:
        """Return what the yardstick's edits are called together."""
        return self.by.config.edits.kind if self.by.config.edits is not None else ""

    @property
    def left_out(self) -> int:
        """Return how many attributes are not sensitive, and so have nothing to be measured."""
        return len(self.audit.attributes) - len(self.rows)

    @property
    def headline(self) -> str:
        """Say what the most sensitive attribute comes to."""
        target = self.audit.config.target or "the model"
        if not self.rows:
            return f"No attribute is shown to move {target}: there is nothing to measure by {self.edits}."
        row = next((row for row in self.rows if row.equals), None)
        if row is None:
            name = f"“{self.rows[0].name}”" if len(self.rows) == 1 else f"any of {len(self.rows)} sensitive attributes"
            most = (
                f"the furthest, {self.furthest.edit} at {self.furthest.amount}, moves it by {self.furthest.change:.2f}"
            )
            return f"No strength of {self.edits} is shown to move {target} further than {name}; {most}."
        told = listed([f"{one.edit} at {one.amount}" for one in row.equals[:MOST_TOLD]], "or")
        return f"“{row.name}” moves {target} as far as {told}."

    @property
    def notes(self) -> tuple[str, ...]:
        """Return what must be known beside the figures, a sentence each."""
        counts = [number_of(one.summary().images, "image") for one in (self.audit, self.by)]
        notes = [
            f"Each mean is over its own audit’s images: {counts[0]}, and {counts[1]} of the yardstick. Where these"
            " differ, so may what an edit does to them."
        ]
        if self.left_out:
            are = agreeing(self.left_out, "is", "are")
            notes.append(
                f"{number_of(self.left_out, 'attribute')} {are} not sensitive and {are} left out: what is not shown to"
                " move the output has no equal."
            )
        return tuple(notes)

    def to_json(self) -> dict[str, Any]:
        """Return all of it as strict JSON."""
        return {
            "measured": self.titles[0],
            "by": self.titles[1],
            "headline": self.headline,
            "notes": list(self.notes),
            "furthest": asdict(self.furthest),
            "attributes": [
                {
                    "attribute": row.attribute.text,
                    "name": row.name,
                    "effect": row.figures.value,
                    "interval": row.figures.interval,
                    "as_far_as": [asdict(one) for one in row.equals],
                }
                for row in self.rows
            ],
        }


def yardstick(audits: Sequence[Diagnosis]) -> Yardstick | None:
    """Measure one audit by the other; None for audits that are compared attribute by attribute, see `compare`.

    That is where they are two, of other sources of edits, and the edits of one have several strengths.

    Raises:
        AuditError: one of them is not finished, edits all attributes together, or they are of other models.
    """
    if len(audits) != 2 or _kind(audits[0]) == _kind(audits[1]):
        return None
    graded = [one for one in audits if _is_graded(one)]
    if not graded:
        return None
    by = next((one for one in graded if _kind(one) == FIRST_CHOICE), graded[-1])
    (audit,) = (one for one in audits if one is not by)
    for one in audits:
        check_whole(one)
    if audit.config.target_hash != by.config.target_hash or audit.config.task != by.config.task:
        raise AuditError(
            f"{title(audit)} cannot be measured by {title(by)}: they are audits of other models, and edits of"
            " another source say nothing of them: audit one model by both"
        )
    curves = list(_curves(by))
    if not any(math.isfinite(mean) for curve in curves for mean in curve.means):
        raise AuditError(
            f"{title(by)} cannot measure anything: none of its records has a picture that was edited at some strength"
        )
    sensitive = [row for row in audit.sensitivity if row.verdict == "sensitive"]
    analyses = math.prod(one.config.planned_analyses for one in audits)
    level = LEVEL / (2 * len(curves) * max(1, len(sensitive)) * analyses)
    names = short_names(audit.attributes, audit.config.neutral)
    rows = tuple(
        Measured(
            row.attribute,
            names[row.attribute],
            row,
            tuple(_equals(np.array([*judged_by_seed(audit, [row.attribute]).values()]), curves, level=level)),
        )
        for row in sensitive
    )
    return Yardstick(audit, by, rows, _furthest(curves))


@dataclass(frozen=True)
class _Curve:
    """The changes `[I, K]` at the K strengths of one edit to one side of 0, by rising size, and their means `[K]`."""

    edit: Edit
    strengths: Sequence[float]
    changes: Array
    means: Sequence[float]


def _kind(audit: Diagnosis) -> str | None:
    return None if audit.config.edits is None else audit.config.edits.kind


def _is_graded(audit: Diagnosis) -> bool:
    """Tell whether an edit of the audit has several strengths to one side of 0."""
    edits = audit.config.edits
    return edits is not None and any(len(side) > 1 for edit in edits.attributes for side in _sides(edit))


def _sides(edit: Edit) -> Iterator[list[float]]:
    """Yield the strengths above 0 and those below, by rising size, as far as there are any."""
    for side in ([s for s in edit.strengths if s > 0], [s for s in reversed(edit.strengths) if s < 0]):
        if side:
            yield side


def _curves(by: Diagnosis) -> Iterator[_Curve]:
    edits = () if by.config.edits is None else by.config.edits.attributes
    for column, (attribute, edit) in enumerate(zip(by.attributes, edits, strict=True)):
        made = by.edited(attribute)
        for side in _sides(edit) if made else ():
            changes = _changes(made, column, side)
            yield _Curve(edit, side, changes, column_means(changes).tolist())


def _changes(records: Sequence[Record], column: int, strengths: Sequence[float]) -> Array:
    """Return the changes `[I, K]` of the records at the strengths; NaN where an image has no picture at one.

    As in an audit of these edits, one that changes the ground truth counts as far as the label is kept.
    """
    rows = []
    for record in records:
        row, change = [], 0.0
        for one in strengths:
            point = next((p for p in record.trajectory if abs(p.weights[column] - one) < _SIX_DIGITS), None)
            if point is not None and point.label_kept is not False:
                change = point.change
            row.append(math.nan if point is None else change)
        rows.append(row)
    return np.array(rows, dtype=np.float64).reshape(len(rows), len(strengths))


def _equals(changes: Array, curves: Sequence[_Curve], *, level: float) -> Iterator[Equal]:
    """Yield the edits that are shown to move the output as far at some strength as an attribute does.

    `changes [J, 1]` are those by the attribute; a test shows something where its p-value is below `level`.
    """
    columns = [column[np.isfinite(column)] for curve in curves for column in curve.changes.T]
    ends = np.cumsum([len(curve.strengths) for curve in curves])[:-1]
    draws = draws_for(level)
    tests = (np.split(_p_values(changes, columns, draws=draws, further=further), ends) for further in (True, False))
    for curve, p_further, p_less in zip(curves, *tests, strict=True):
        at, indices = _reached(curve, float(changes.mean())), range(len(curve.strengths))
        further, less = _first_shown(p_further < level, reversed(indices)), _first_shown(p_less < level, indices)
        if at is None or not further:
            continue
        low = curve.strengths[less[-1]] if less else 0.0
        yield Equal(curve.edit.name, curve.edit.unit, at, low, curve.strengths[further[-1]])


def _first_shown(shown: NDArray[np.bool_], indices: Iterable[int]) -> list[int]:
    """Return the indices, in their order, before the first at which nothing is shown."""
    return list(itertools.takewhile(shown.__getitem__, indices))


def _p_values(changes: Array, columns: Sequence[Array], *, draws: int, further: bool) -> Array:
    """Compute for each of the `columns [I]` the p-value of its mean against that of `changes [J, 1]`.

    It is small where the column's mean is larger (`further`), or smaller; 1 where a column is empty. Columns of one
    length are permuted together.
    """
    p_values, lengths = np.ones(len(columns)), np.array([len(column) for column in columns])
    for length in np.unique(lengths[lengths > 0]):
        alike: list[int] = np.flatnonzero(lengths == length).tolist()
        at_strength = np.stack([columns[index] for index in alike], axis=1)
        pair = (at_strength, np.repeat(changes, len(alike), axis=1))
        p_values[alike] = permuted(*(pair if further else pair[::-1]), draws=draws)
    return p_values


def _reached(curve: _Curve, mean: float) -> float | None:
    """Return the strength at which the mean change is first `mean`; None where it stays below."""
    before, start = 0.0, 0.0
    for strength, change in zip(curve.strengths, curve.means, strict=True):
        if change >= mean:
            return start + (strength - start) * (mean - before) / (change - before) if change > before else strength
        if math.isfinite(change):
            before, start = change, strength
    return None


def _furthest(curves: Sequence[_Curve]) -> Furthest:
    """Return the edit and strength of the largest mean change."""
    change, at, edit = max(
        (
            (change, strength, curve.edit)
            for curve in curves
            for strength, change in zip(curve.strengths, curve.means, strict=True)
            if math.isfinite(change)
        ),
        key=lambda one: one[0],
    )
    return Furthest(edit.name, edit.unit, at, change)


def _amount(value: float, unit: str) -> str:
    return f"{_number(value)}{'' if unit in ('', '°') else ' '}{unit}"


def _number(value: float) -> str:
    """Format a strength with two digits, or all that stand before the point."""
    return with_minus(f"{value:.2g}" if abs(value) < 99.5 else f"{value:.0f}")
