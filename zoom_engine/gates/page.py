"""A comparison as a web page: rows paired by attribute, one axis for all audits, one for all differences."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from zoom_engine.audit.summary import Sensitivity
from zoom_engine.common.plurals import agreeing, number_of
from zoom_engine.gates.compare import Comparison, Difference, Row
from zoom_engine.gates.text import letters
from zoom_engine.report.charts import FULL, Axis, Bar, axis_for, bar_for
from zoom_engine.report.environment import template
from zoom_engine.report.writer import write_page


@dataclass(frozen=True)
class Line:
    """One audit's bar of an attribute, and its difference from the first audit.

    Positions are those of `Bar`; those of the difference have 0 in the middle.
    """

    letter: str
    title: str
    figures: Sensitivity | None
    bar: Bar
    difference: Difference | None
    at: float | None
    low: float | None
    high: float | None


@dataclass(frozen=True)
class ComparisonPage:
    """What the template shows.

    Attributes:
        headline: the comparison in words.
        audits: (letter, title, its images in words, notes) of each audit.
        rows: each attribute with a line per audit.
        axis: of the sensitivities.
        differences: the axis of the differences.
    """

    headline: str
    audits: tuple[tuple[str, str, str, tuple[str, ...]], ...]
    rows: tuple[tuple[Row, tuple[Line, ...]], ...]
    axis: Axis
    differences: Axis


def write_comparison(path: Path, comparison: Comparison) -> Path:
    """Write the page, which needs no other file, and return its path.

    Raises:
        AuditError: the file cannot be written.
    """
    return write_page(path, template("compare.html.j2").render(page=comparison_page(comparison)))


def comparison_page(comparison: Comparison) -> ComparisonPage:
    """Return what the page shows of a comparison."""
    differences = [one for row in comparison.rows for one in row.differences if one is not None]
    ends = axis_for([abs(end) for one in differences for end in one.interval])
    names = letters(comparison)
    told = ((), *comparison.notes)
    shared = (0, *(pair.pairs for pair in comparison.pairs))
    audits = tuple(
        (letter, title, _images(audit.summary().images, pairs), notes)
        for letter, title, audit, pairs, notes in zip(
            names, comparison.titles, comparison.audits, shared, told, strict=True
        )
    )
    centred = tuple((50 * (1 + sign), f"{sign * ends.end:+g}" if sign else "0") for sign in (-1, 0, 1))
    rows = tuple((row, tuple(_lines(comparison, row, ends.end))) for row in comparison.rows)
    return ComparisonPage(headline(comparison), audits, rows, FULL, Axis(ends.end, centred))


def headline(comparison: Comparison) -> str:
    """Say what the comparison shows, in a sentence for each audit after the first."""
    sentences = []
    short = len(comparison.titles) == 2 and comparison.titles == tuple(a.config.target for a in comparison.audits)
    first, *others = comparison.titles if short else letters(comparison)
    for index, other in enumerate(others):
        differences = [(row.name, row.differences[index]) for row in comparison.rows]
        shown = [(name, one) for name, one in differences if one is not None and one.shift in ("more", "less")]
        if not shown:
            sentences.append(f"No attribute is shown to move {other} more or less than {first}.")
            continue
        name, most = max(shown, key=lambda pair: abs(pair[1].mean))
        low, high = (abs(end) for end in sorted(most.interval, key=abs))
        rest = len(shown) - 1
        more = f"; {rest} more {agreeing(rest, 'differs', 'differ')}" if rest else ""
        by = f"by {abs(most.mean):.2f} [{low:.2f}, {high:.2f}]"
        sentences.append(f"“{name}” moves {other} {most.shift} than {first}, {by}{more}.")
    return " ".join(sentences)


def _images(count: int, pairs: int) -> str:
    images = number_of(count, "image")
    return f"the same {images}" if pairs == count else images


def _lines(comparison: Comparison, row: Row, end: float) -> list[Line]:
    lines = []
    for letter, title, audit, figures, difference in zip(
        letters(comparison),
        comparison.titles,
        comparison.audits,
        row.figures,
        (None, *row.differences),
        strict=True,
    ):
        value, interval = (None, None) if figures is None else (figures.value, figures.interval)
        at = low = high = None
        if difference is not None:
            at, low, high = (50 * (1 + x / end) for x in (difference.mean, *difference.interval))
        bar = bar_for(FULL, value, interval, audit.summary().baseline)
        lines.append(Line(letter, title, figures, bar, difference, at, low, high))
    return lines
