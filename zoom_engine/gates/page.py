"""A comparison as a web page: rows paired by attribute, one axis for all audits, one for all differences."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from zoom_engine.audit.gallery_file import GALLERY, PictureEntry, StripEntry
from zoom_engine.audit.records import Record
from zoom_engine.audit.summary import Sensitivity
from zoom_engine.common.plurals import agreeing, listed, number_of
from zoom_engine.gates.compare import Comparison, Difference, Row, inconclusive_in_words
from zoom_engine.gates.text import letters, signed_figures
from zoom_engine.report import sentences
from zoom_engine.report.charts import FULL, Axis, Bar, axis_for, bar_for
from zoom_engine.report.environment import template
from zoom_engine.report.image_grid import thumbnail_of
from zoom_engine.report.pictures import LEAD_BUDGET, load_picture
from zoom_engine.report.source import Source
from zoom_engine.report.strips import Frame
from zoom_engine.report.writer import REPORT, link_to, write_page
from zoom_engine.settings.attributes import Attribute
from zoom_engine.statistics.diagnosis import Diagnosis
from zoom_engine.statistics.table import signed

MOST_PICTURED = 8
"""Attributes whose pictures the page shows, those that differ most."""


@dataclass(frozen=True)
class Side:
    """An audit of the page: its letter, title, images in words, notes, its edits and what its page one says.

    `report` leads to its report from the page; "" where there is none.
    """

    letter: str
    title: str
    images: str
    notes: tuple[str, ...]
    edits: str
    facts: tuple[tuple[str, str], ...]
    report: str


@dataclass(frozen=True)
class Line:
    """One audit's bar of an attribute, and its difference from the first audit.

    Positions are those of `Bar`; those of the difference have 0 in the middle. `figures_of_difference` are its mean and
    the ends of its interval. `images` is the number of images of the attribute, where the audit chose it; "" elsewhere.
    """

    letter: str
    title: str
    figures: Sensitivity | None
    bar: Bar
    difference: Difference | None
    at: float | None
    low: float | None
    high: float | None
    figures_of_difference: tuple[str, ...]
    images: str


@dataclass(frozen=True)
class Example:
    """An image before and after an edit, with what came of it and which image it is.

    `record` leads to its record in the audit's report; "" where that has none.
    """

    before: Frame
    after: Frame
    outcome: str
    source: str
    record: str = ""

    @property
    def pair(self) -> tuple[Frame, Frame]:
        """Return both pictures, as the template of a pair asks for them."""
        return self.before, self.after


@dataclass(frozen=True)
class Pictures:
    """An example of what an attribute that differs does to each model.

    Attributes:
        name: of the attribute.
        shift: each further letter with what the difference says, such as ("B", "more").
        examples: by letter; None where the audit's folder has no picture of it.
        same: whether all are of the same image.
    """

    name: str
    shift: tuple[tuple[str, str], ...]
    examples: tuple[tuple[str, Example | None], ...]
    same: bool


@dataclass(frozen=True)
class ComparisonPage:
    """What the template shows.

    Attributes:
        headline: the comparison in words.
        sides: the audits.
        rows: each attribute with a line per audit.
        axis: of the sensitivities.
        differences: the axis of the differences.
        pictures: of the attributes that differ most.
        more: how many further attributes differ.
        matters: the smallest difference that matters, with each audit's letter where they have several.
    """

    headline: str
    sides: tuple[Side, ...]
    rows: tuple[tuple[Row, tuple[Line, ...]], ...]
    axis: Axis
    differences: Axis
    pictures: tuple[Pictures, ...]
    more: int
    matters: str


def write_comparison(path: Path, comparison: Comparison) -> Path:
    """Write the page, which has its pictures in it and links to the reports beside it, and return its path.

    Raises:
        AuditError: a picture cannot be read, or the file cannot be written.
    """
    return write_page(path, template("compare.html.j2").render(page=comparison_page(comparison, path.parent)))


def comparison_page(comparison: Comparison, folder: Path) -> ComparisonPage:
    """Return what the page shows of a comparison, where it lies in `folder`."""
    differences = [one for row in comparison.rows for one in row.differences if one is not None]
    ends = axis_for([abs(end) for one in differences for end in one.interval])
    told = ((), *comparison.notes)
    shared = (0, *(pair.pairs for pair in comparison.pairs))
    named = zip(letters(comparison), comparison.titles, comparison.audits, shared, told, strict=True)
    sides = tuple(
        side(letter, title, audit, report_link(audit, folder), pairs=pairs, notes=notes)
        for letter, title, audit, pairs, notes in named
    )
    centred = tuple((50 * (1 + sign), signed(sign * ends.end, 6)) for sign in (-1, 0, 1))
    rows = tuple((row, tuple(_lines(comparison, row, ends.end))) for row in comparison.rows)
    differing = sorted((row for row in comparison.rows if shifted(row)), key=_largest, reverse=True)
    return ComparisonPage(
        headline(comparison),
        sides,
        rows,
        FULL,
        Axis(ends.end, centred),
        tuple(_pictures(comparison, differing[:MOST_PICTURED], folder)),
        max(0, len(differing) - MOST_PICTURED),
        _matters(comparison),
    )


def _matters(comparison: Comparison) -> str:
    """Return the smallest difference that matters, such as "0.05", or "0.05 (B) or 0.1 (C)" where it is not one."""
    by_size: dict[str, list[str]] = {}
    for letter, pair in zip(letters(comparison)[1:], comparison.pairs, strict=True):
        by_size.setdefault(f"{pair.matters:g}", []).append(letter)
    if len(by_size) == 1:
        return next(iter(by_size))
    return listed([f"{size} ({', '.join(others)})" for size, others in by_size.items()], "or")


def side(
    letter: str, title: str, audit: Diagnosis, report: str, *, pairs: int = 0, notes: tuple[str, ...] = ()
) -> Side:
    """Return an audit as pages name it, with the link to its `report`; `pairs` of its images are compared, if not 0."""
    images = _images(audit.summary().images, pairs)
    return Side(letter, title, images, notes, sentences.edits_in_short(audit.config), audit.about.lines, report)


def headline(comparison: Comparison) -> str:
    """Say what the comparison shows, in a sentence for each audit after the first."""
    sentences = []
    targets = tuple(audit.config.target for audit in comparison.audits)
    short = len({*targets}) == 2 and comparison.titles == targets
    first, *others = comparison.titles if short else letters(comparison)
    for index, (other, pair) in enumerate(zip(others, comparison.pairs, strict=True)):
        differences = [(row.name, row.differences[index]) for row in comparison.rows]
        shown = [(name, one) for name, one in differences if one is not None and one.is_shown]
        if not shown:
            by = f"by more than {pair.matters:g}{inconclusive_in_words(pair.differences.values())}"
            sentences.append(f"No attribute is shown to move {other} more or less than {first} {by}.")
            continue
        name, most = max(shown, key=lambda item: abs(item[1].mean))
        count = len(shown) - 1
        more = f"; {count} more {agreeing(count, 'differs', 'differ')} by more than {pair.matters:g}" if count else ""
        sentences.append(f"“{name}” moves {other} {most.shift} than {first}, by {most.size(pair.matters)}{more}.")
    return " ".join(sentences)


def report_link(audit: Diagnosis, folder: Path) -> str:
    """Return the link from a page in `folder` to an audit's report; "" where there is none."""
    report = None if audit.path is None else audit.path / REPORT
    if report is None or not report.is_file():
        return ""
    return link_to(report.resolve(), folder.resolve())


def shifted(row: Row) -> list[Difference]:
    """Return the differences of an attribute that are shown to matter."""
    return [one for one in row.differences if one is not None and one.is_shown]


def _largest(row: Row) -> float:
    return max(abs(one.mean) for one in shifted(row))


def _pictures(comparison: Comparison, rows: Sequence[Row], folder: Path) -> list[Pictures]:
    """Return examples of these attributes; audits without pictures are not read again for them."""
    names = letters(comparison)
    sources = {
        letter: Source(audit.path, audit)
        for letter, audit in zip(names, comparison.audits, strict=True)
        if rows and audit.path is not None and (audit.path / GALLERY).is_file()
    }
    pictures = []
    reports = {letter: report_link(sources[letter].diagnosis, folder) for letter in sources}
    for row in rows:
        values = {
            letter: figures.value or 0.0
            for letter, figures in zip(names, row.figures, strict=True)
            if figures is not None and letter in sources
        }
        furthest = [sources[letter] for letter in sorted(values, key=lambda letter: -values[letter])]
        seeds = [strip.seed for source in furthest for strip in source.strips if strip.attribute == row.attribute]
        shared = [seed for seed in seeds if all(_shows(one, row.attribute, seed) for one in furthest)]
        # Where nothing flips a strip goes to the end of the range, a picture alone to where the output moves furthest.
        alike = (seed for seed in shared if all(_strip(one, row.attribute, seed) for one in furthest))
        common = next(alike, next(iter(shared), None))
        examples = tuple(
            (letter, example_of(sources[letter], row.attribute, common, reports[letter]) if letter in sources else None)
            for letter in names
        )
        if any(example for _, example in examples):
            shift = tuple(
                (letter, one.shift) for letter, one in zip(names[1:], row.differences, strict=True) if one is not None
            )
            pictures.append(Pictures(row.name, shift, examples, common is not None))
    return pictures


def _shows(source: Source, attribute: Attribute, seed: int) -> bool:
    """Tell whether an audit has pictures of the attribute on the image of that seed."""
    return _strip(source, attribute, seed) is not None or _entry(source, attribute, seed) is not None


def _strip(source: Source, attribute: Attribute, seed: int | None) -> StripEntry | None:
    """Return the strip of the attribute on the image of that seed; for None the one that stands for the attribute."""
    strips = (strip for strip in source.strips if strip.attribute == attribute)
    return next((strip for strip in strips if seed in (None, strip.seed)), None)


def _entry(source: Source, attribute: Attribute, seed: int) -> tuple[Record, PictureEntry] | None:
    """Return the record of the attribute on the image of that seed with its picture; None where there is none."""
    record = next((record for record in source.diagnosis.of(attribute) if record.seed == seed), None)
    if record is None:
        return None
    entries = (entry for entry in source.pictures if (entry.image, entry.attribute) == (record.image, attribute))
    return next(((record, entry) for entry in entries if (source.audit / entry.file).is_file()), None)


def example_of(source: Source, attribute: Attribute, seed: int | None, report: str) -> Example | None:
    """Return the pictures of the attribute on the image of that seed, else those that stand for it in the audit."""
    if (strip := _strip(source, attribute, seed)) is not None:
        loaded = source.load(strip, LEAD_BUDGET, ends=True)
        shown = _entry(source, attribute, strip.seed) if report else None
        link = f"{report}#{thumbnail_of(source, shown[0], attribute).anchor}" if shown else ""
        return Example(*loaded.pair, loaded.note.outcome, loaded.source, link)
    if seed is None or (shown := _entry(source, attribute, seed)) is None:
        return None
    record, entry = shown
    thumbnail = thumbnail_of(source, record, attribute)
    before, _, after = thumbnail.caption.partition("→")
    frames = [
        Frame(
            load_picture(source.audit, file, side=LEAD_BUDGET.strip_side, quality=LEAD_BUDGET.quality),
            caption.strip(),
            None,
            alt,
        )
        for file, caption, alt in (
            (entry.original, before, f"Original picture. {source.view.caption_label}: {before.strip()}"),
            (entry.file, after, thumbnail.alt),
        )
    ]
    lines = dict(thumbnail.lines)
    outcome = f"{thumbnail.caption}, {thumbnail.flip or 'no flip'}"
    edit = source.edit_of(attribute)
    where = sentences.strength_name(edit)
    if not thumbnail.flip and where in lines and (edit is None or len(edit.strengths) > 1):
        outcome += f"; the output moves furthest at {where.lower()} {lines[where]}"
    link = f"{report}#{thumbnail.anchor}" if report else ""
    return Example(frames[0], frames[1], outcome, f"Image {lines['Image']}", link)


def _images(count: int, pairs: int) -> str:
    images = number_of(count, "image")
    return f"the same {images}" if pairs == count else images


def _lines(comparison: Comparison, row: Row, end: float) -> list[Line]:
    lines = []
    for letter, title, audit, figures, difference, matters in zip(
        letters(comparison),
        comparison.titles,
        comparison.audits,
        row.figures,
        (None, *row.differences),
        (0.0, *(pair.matters for pair in comparison.pairs)),
        strict=True,
    ):
        value, interval = (None, None) if figures is None else (figures.value, figures.interval)
        at = low = high = None
        signs: tuple[str, ...] = ()
        if difference is not None:
            signs = signed_figures(difference, matters, 2)
            at, low, high = (50 * (1 + x / end) for x in (difference.mean, *difference.interval))
        bar = bar_for(FULL, value, interval, audit.summary().baseline)
        chosen = figures is not None and audit.config.interim_analyses is not None
        images = number_of(figures.images, "image") if figures is not None and chosen else ""
        lines.append(Line(letter, title, figures, bar, difference, at, low, high, signs, images))
    return lines
