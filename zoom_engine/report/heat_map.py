"""A table of shaded cells, attribute × label, class or point: which part of the output an attribute moves."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from zoom_engine.audit.records import Record
from zoom_engine.settings.attributes import Attribute
from zoom_engine.statistics.diagnosis import Diagnosis
from zoom_engine.statistics.table import decimal
from zoom_engine.targets import TaskView

MOST_COLUMNS = 12


@dataclass(frozen=True)
class Cell:
    """A mean over images, as text and as a fraction of the largest one."""

    text: str
    shade: float


@dataclass(frozen=True)
class HeatMap:
    """A table of shaded cells.

    Attributes:
        columns: titles of the columns.
        rows: (attribute, its cells), a cell for each column.
        left_out: how many parts move less than any of the columns and are not shown.
        meaning: what a number says.
        largest: the number with the darkest shade.
    """

    columns: tuple[str, ...]
    rows: tuple[tuple[str, tuple[Cell, ...]], ...]
    left_out: int
    meaning: str
    largest: str


def heat_map(diagnosis: Diagnosis, view: TaskView, names: Mapping[Attribute, str]) -> HeatMap | None:
    """Compute for each part of the output and each attribute the mean over images of the largest change.

    A sensitivity is the same for the whole output. `names` are the attributes' own, in the order of the rows. None
    where outputs have no parts, in multi mode, where no attribute moves alone, and before the first edited picture.
    """
    if diagnosis.mode == "multi" or not diagnosis.records:
        return None
    unedited = diagnosis.records[0].original_output
    parts = view.parts(unedited, unedited)
    records_of = {a: records for a in names if (records := diagnosis.edited(a))}
    if not records_of or len(parts.names) < 2:
        return None
    means = np.array(
        [np.mean([_largest(r, diagnosis, view) for r in records], axis=0) for records in records_of.values()]
    )
    order = np.argsort(-means.max(axis=0), kind="stable")
    shown = sorted(order[:MOST_COLUMNS].tolist())
    top = float(means.max())
    rows = [
        (names[attribute], tuple(Cell(decimal(row[i]), float(row[i] / top) if top > 0 else 0.0) for i in shown))
        for attribute, row in zip(records_of, means, strict=True)
    ]
    columns = tuple(parts.names[i] for i in shown)
    return HeatMap(columns, tuple(rows), len(parts.names) - len(shown), parts.label, decimal(top))


def _largest(record: Record, diagnosis: Diagnosis, view: TaskView) -> Sequence[float]:
    """Return the largest change of each part among the points that count."""
    original = record.original_output
    changes = [view.parts(output, original).changes for output in (original, record.output)]
    column = next(i for i, attribute in enumerate(diagnosis.attributes) if attribute.text == record.attribute)
    changes += [view.parts(point.output, original).changes for point in record.counted(column)]
    largest: list[float] = np.max(changes, axis=0).tolist()
    return largest
