"""Audits side by side: a card for each, with the same attributes in the same order, to be compared line by line."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from zoom_engine.audit.summary import Sensitivity
from zoom_engine.report.charts import FULL, Axis, Bar, bar_for
from zoom_engine.report.pictures import LEAD_BUDGET, LINE_BUDGET
from zoom_engine.report.source import Source
from zoom_engine.report.strips import Strip
from zoom_engine.settings.attributes import Attribute
from zoom_engine.statistics.counts import Counts

MOST_LINES = 24


@dataclass(frozen=True)
class Line:
    """One attribute on a card; `figures` and `counts` are None where the audit does not have it."""

    name: str
    attribute: Attribute
    figures: Sensitivity | None
    bar: Bar
    counts: Counts | None
    strip: Strip | None


@dataclass(frozen=True)
class Card:
    """One audit; `lead` is the picture of the attribute that its headline names first."""

    source: Source
    axis: Axis
    lead: Strip | None
    lines: tuple[Line, ...]
    more_lines: int


def cards(sources: Sequence[Source]) -> list[Card]:
    """Return a card per audit, with the attributes of all; the one that moves any of the targets most comes first."""
    order = _common_order(sources)
    audit_cards = []
    for source in sources:
        lead = source.load(source.proof, LEAD_BUDGET, ends=True) if source.proof else None
        lines = tuple(_lines(source, sources, order[:MOST_LINES]))
        audit_cards.append(Card(source, FULL, lead, lines, max(0, len(order) - MOST_LINES)))
    return audit_cards


def _common_order(sources: Sequence[Source]) -> list[Attribute]:
    most: dict[Attribute, float] = {}
    for source in sources:
        for row in source.summary.sensitivity:
            most[row.attribute] = max(most.get(row.attribute, 0.0), row.value or 0.0)
    return sorted(most, key=lambda attribute: -most[attribute])


def _lines(source: Source, sources: Sequence[Source], order: Sequence[Attribute]) -> Iterator[Line]:
    rows = {row.attribute: row for row in source.summary.sensitivity}
    for attribute in order:
        name = next(one.names[attribute] for one in sources if attribute in one.names)
        row = rows.get(attribute)
        value, interval = (row.value, row.interval) if row else (None, None)
        single = row is not None and row.mode == "single"
        strip = source.first_strip(attribute) if single else None
        yield Line(
            name,
            attribute,
            row,
            bar_for(FULL, value, interval, source.summary.baseline),
            source.counts.get(attribute),
            None if strip is None else source.load(strip, LINE_BUDGET, ends=True),
        )
