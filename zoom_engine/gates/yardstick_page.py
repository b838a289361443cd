"""A yardstick as a web page: each sensitive attribute beside the edits that move the model as far, in pictures too."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from zoom_engine.audit.gallery_file import GALLERY
from zoom_engine.gates.page import Example, example_of, report_link, side
from zoom_engine.gates.yardstick import MOST_TOLD, Equal, Measured, Yardstick
from zoom_engine.report import sentences
from zoom_engine.report.environment import template
from zoom_engine.report.pictures import LEAD_BUDGET, load_picture
from zoom_engine.report.source import Source
from zoom_engine.report.strips import Frame
from zoom_engine.report.writer import write_page
from zoom_engine.statistics.diagnosis import Diagnosis


@dataclass(frozen=True)
class Line:
    """A sensitive attribute, with examples of it and of what moves the output as far."""

    row: Measured
    examples: tuple[Example, ...]


def write_yardstick(path: Path, yardstick: Yardstick) -> Path:
    """Write the page, which has its pictures in it and links to the reports beside it, and return its path.

    Raises:
        AuditError: a picture cannot be read, or the file cannot be written.
    """
    audits = (yardstick.audit, yardstick.by)
    reports = [report_link(audit, path.parent) for audit in audits]
    sides = [side(*one) for one in zip(("of", "by"), yardstick.titles, audits, reports, strict=True)]
    lines = tuple(_lines(yardstick, reports))
    return write_page(path, template("yardstick.html.j2").render(yardstick=yardstick, sides=sides, lines=lines))


def _lines(yardstick: Yardstick, reports: Sequence[str]) -> list[Line]:
    source, by = (_with_pictures(audit) for audit in (yardstick.audit, yardstick.by))
    lines = []
    for row in yardstick.rows:
        examples = [None if source is None else example_of(source, row.attribute, None, reports[0])]
        examples += [None if by is None else _as_far(by, one) for one in row.equals[:MOST_TOLD]]
        lines.append(Line(row, tuple(one for one in examples if one is not None)))
    return lines


def _with_pictures(audit: Diagnosis) -> Source | None:
    """Return an audit with its pictures; None where its folder has none."""
    if audit.path is None or not (audit.path / GALLERY).is_file():
        return None
    return Source(audit.path, audit)


def _as_far(by: Source, equal: Equal) -> Example | None:
    """Return an image before and after the yardstick's edit, at the strength nearest to the equal one.

    None where the audit has no picture of the edit to that side of 0.
    """
    for strip in by.strips:
        frames = [frame for frame in strip.frames if frame.weight and frame.weight * equal.at > 0]
        if strip.attribute is None or strip.attribute.text != equal.edit or not frames:
            continue
        nearest = min(frames, key=lambda frame: abs((frame.weight or 0.0) - equal.at))
        edit = by.edit_of(strip.attribute)
        what = f"{equal.edit} {sentences.strength(nearest.weight or 0.0, edit)}"
        shown = [
            Frame(
                load_picture(by.audit, frame.file, side=LEAD_BUDGET.strip_side, quality=LEAD_BUDGET.quality),
                frame.caption,
                None,
                f"{alt}. {by.view.caption_label}: {frame.caption}",
            )
            for frame, alt in ((strip.frames[0], "Original picture"), (nearest, f"The same picture edited, {what}"))
        ]
        seen = next((record.image for record in by.diagnosis.of(strip.attribute) if record.seed == strip.seed), None)
        named = sentences.image_in_words(by.config, seen, strip.seed)
        return Example(shown[0], shown[1], f"{what}: {strip.frames[0].caption} → {nearest.caption}", named)
    return None
