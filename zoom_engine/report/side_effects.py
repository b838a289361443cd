"""Side effects: what each edit does to the other attributes, as a table of shaded cells and in words."""

from __future__ import annotations

from collections.abc import Mapping

from zoom_engine.audit.summary import Summary
from zoom_engine.report.heat_map import Cell, HeatMap
from zoom_engine.settings.attributes import Attribute
from zoom_engine.statistics.effects import LARGE_SIDE_EFFECT
from zoom_engine.statistics.table import signed

_MEANING = "how far the {} of the column moves when the attribute of the row is added, in its natural range"


def side_effect_table(summary: Summary, names: Mapping[Attribute, str], score: str) -> HeatMap | None:
    """Return attribute × attribute and label, rows in the order of the bars; None where it was not measured.

    `score` is what the score of an attribute is called.
    """
    matrix = summary.side_effects
    if not matrix:
        return None
    short = {attribute.text: name for attribute, name in names.items()}
    order = [row.attribute.text for row in summary.sensitivity if row.attribute.text in matrix]
    others = [text for text in next(iter(matrix.values())) if text not in order]
    columns = [*order, *others]

    def cell(row: str, column: str) -> Cell:
        value = matrix[row][column]
        return Cell(signed(value, 2), 0.0 if row == column else min(1.0, abs(value)))

    rows = tuple((short[row], tuple(cell(row, column) for column in columns)) for row in order)
    return HeatMap(tuple(short.get(column, column) for column in columns), rows, 0, _MEANING.format(score), "1")


def side_effects_of(summary: Summary, attribute: Attribute, names: Mapping[Attribute, str]) -> list[str]:
    """Return the attributes and labels on which an attribute has a side effect, the strongest first."""
    short = {attribute.text: name for attribute, name in names.items()}
    row = (summary.side_effects or {}).get(attribute.text, {})
    far = sorted(((abs(value), text) for text, value in row.items() if text != attribute.text), reverse=True)
    return [short.get(text, text) for value, text in far if value >= LARGE_SIDE_EFFECT]
