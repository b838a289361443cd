"""A history as a web page: a small chart for each attribute, on one axis, and a table of all figures below."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from rich.cells import set_cell_size

from zoom_engine.audit.gate_file import Outcome
from zoom_engine.audit.summary import Sensitivity
from zoom_engine.common.plurals import few_of
from zoom_engine.common.terminal import fit
from zoom_engine.gates.history import Course, Group, History
from zoom_engine.gates.page import report_link
from zoom_engine.report.charts import Axis, TrendPlot, axis_for, trend_plot
from zoom_engine.report.environment import template
from zoom_engine.report.writer import write_page

_LABEL_WIDTH = 10


@dataclass(frozen=True)
class Mention:
    """An audit: what it is called, its page one's facts, and the link to its report, "" where there is none."""

    label: str
    facts: tuple[tuple[str, str], ...]
    report: str


@dataclass(frozen=True)
class Chart:
    """An attribute's chart, and its figure and outcome in each audit."""

    course: Course
    plot: TrendPlot
    cells: tuple[tuple[Sensitivity | None, Outcome | None], ...]


@dataclass(frozen=True)
class Section:
    """A group of audits; `number` tells it from the page's other groups."""

    number: int
    group: Group
    audits: tuple[Mention, ...]
    charts: tuple[Chart, ...]

    @property
    def models(self) -> str:
        """Return the names of the audited models, "" where none has a name."""
        names = [name for name in dict.fromkeys(audit.about.model for audit in self.group.audits) if name]
        return few_of(names, 3) if names else ""


def write_history(path: Path, history: History) -> Path:
    """Write the page, which links to the reports beside it, and return its path.

    Raises:
        AuditError: the file cannot be written.
    """
    sections = tuple(_sections(history, path.parent))
    return write_page(path, template("history.html.j2").render(sections=sections, left_out=history.left_out))


def _sections(history: History, folder: Path) -> Iterator[Section]:
    for number, group in enumerate(history.groups):
        audits = tuple(
            Mention(name, audit.about.lines, report_link(audit, folder))
            for name, audit in zip(group.unique_labels, group.audits, strict=True)
        )
        axis = _axis(group)
        charts = tuple(_chart(group, course, axis) for course in group.courses)
        yield Section(number, group, audits, charts)


def _axis(group: Group) -> Axis:
    """Return the one axis of all charts of a group: it holds every interval and every limit."""
    ends = [
        row.interval[1] if row.interval else row.value or 0.0
        for course in group.courses
        for row in course.figures
        if row is not None
    ]
    return axis_for([*ends, *(course.limit for course in group.courses if course.limit is not None)])


def _shortened(names: Sequence[str]) -> list[str]:
    """Return names as short as an axis wants them: without ends, or middles, or numbered: no two are alike."""
    ends = [fit(name, _LABEL_WIDTH) for name in names]
    middles = [
        name if name == end else f"{set_cell_size(name, 4)}…{set_cell_size(name[::-1], 5)[::-1]}"
        for name, end in zip(names, ends, strict=True)
    ]
    numbered = [fit(f"{names.index(name) + 1}: {name}", _LABEL_WIDTH) for name in names]
    return next((short for short in (ends, middles) if len({*short}) == len({*names})), numbered)


def _chart(group: Group, course: Course, axis: Axis) -> Chart:
    values = [None if row is None or row.value is None else (row.value, row.interval) for row in course.figures]
    labels = [
        f"{short}\n{whole.removeprefix(name).strip()}".rstrip()
        for short, name, whole in zip(_shortened(group.labels), group.labels, group.unique_labels, strict=True)
    ]
    plot = trend_plot(values, labels, axis=axis, limit=course.limit)
    return Chart(course, plot, tuple(zip(course.figures, course.outcomes, strict=True)))
