"""Audits' throughput as a picture: against the images searched together, the resolution, and the attributes."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from typing import Any
from xml.sax.saxutils import escape

import audit_suite

WIDTH, HEIGHT = 300, 200  # of one panel's axes
LEFT, TOP, GAP, BOTTOM = 56, 40, 64, 74
BAR, NAME, VALUE = 30, 76, 56  # a bar's height, and the room for its name and for its value
COLOURS = {"baseline": "#6b7280", "scan": "#0f766e", "sgd": "#c2410c", "pgd": "#7c3aed", "minimal": "#1d4ed8"}

Result = dict[str, Any]
Points = dict[str, list[tuple[float, float]]]  # by variant: (x, units per minute), by x


def chart(results: Sequence[Result]) -> str:
    """An SVG of up to three panels; what was not measured is left out.

    Axes are logarithmic. Where one place on an axis was measured alone there is nothing to follow along it: bars show
    that. Of images searched together it is what the panel beside it begins with, and no panel of its own.
    """
    panels = [
        ("Gradient steps a minute, 256²", "images searched together", points(results, by_batch)),
        ("Gradient steps a minute", "pixels a side", points(results, by_resolution)),
        ("Searched images a minute, 256²", "attributes together", points(results, by_attributes)),
    ]
    if is_alone(panels[0][2]):
        del panels[0]
    width = LEFT + len(panels) * WIDTH + (len(panels) - 1) * GAP + 16
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {TOP + HEIGHT + BOTTOM}" '
        'font-family="system-ui, sans-serif" font-size="12" fill="#1f2937">',
        '<rect width="100%" height="100%" fill="#ffffff"/>',
    ]
    for place, (title, axis, lines) in enumerate(panels):
        parts.append(f'<g transform="translate({LEFT + place * (WIDTH + GAP)} {TOP})">')
        parts += panel(title, axis, lines)
        parts.append("</g>")
    shown = [name for name in COLOURS if any(name in lines for _, _, lines in panels)]
    for place, name in enumerate(shown):
        x, y = LEFT + 90 * place, TOP + HEIGHT + BOTTOM - 14
        parts.append(f'<circle cx="{x + 5}" cy="{y - 4}" r="4" fill="{COLOURS[name]}"/>')
        parts.append(f'<text x="{x + 14}" y="{y}">{label_of(name)}</text>')
    return "\n".join([*parts, "</svg>", ""])


def by_batch(case: audit_suite.Case) -> int | None:
    return case.batch if (case.resolution, case.work) == (256, "step") else None


def by_resolution(case: audit_suite.Case) -> int | None:
    usual = case == audit_suite.case_of(f"{case.resolution}-step") if case.resolution else False
    return case.resolution if usual else None


def by_attributes(case: audit_suite.Case) -> int | None:
    return case.attributes if (case.resolution, case.work) == (256, "multi") else None


def points(results: Sequence[Result], place: Callable[[audit_suite.Case], int | None]) -> Points:
    """Units per minute of each variant's cases that have a ``place`` on the axis."""
    lines: Points = {}
    for row in results:
        if row["suite"] == audit_suite.SUITE and row["seconds"] is not None:
            x = place(audit_suite.case_of(row["case"]))
            if x is not None:
                lines.setdefault(row["variant"], []).append((x, 60 / row["seconds"]))
    return {name: sorted(line) for name, line in lines.items()}


def is_alone(lines: Points) -> bool:
    """All points are at one place of the axis."""
    return len({x for line in lines.values() for x, _ in line}) == 1


def panel(title: str, axis: str, lines: Points) -> Iterator[str]:
    """One panel, its upper left corner at 0, 0."""
    yield f'<text x="0" y="-16" font-size="13" font-weight="600">{escape(title)}</text>'
    if is_alone(lines):
        yield from bars(axis, lines)
        return
    yield f'<rect width="{WIDTH}" height="{HEIGHT}" fill="none" stroke="#d1d5db"/>'
    yield f'<text x="{WIDTH / 2:g}" y="{HEIGHT + 36}" text-anchor="middle">{escape(axis)}</text>'
    all_points = [point for line in lines.values() for point in line]
    if not all_points:
        yield f'<text x="{WIDTH / 2:g}" y="{HEIGHT / 2:g}" text-anchor="middle">not measured</text>'
        return
    ticks = sorted({x for x, _ in all_points})
    low, high = (math.log(x) for x in (ticks[0], ticks[-1]))
    bottom = math.floor(math.log10(min(y for _, y in all_points)))
    top = max(math.ceil(math.log10(max(y for _, y in all_points))), bottom + 1)

    def across(x: float) -> float:
        return 16 + (WIDTH - 32) * (math.log(x) - low) / (high - low)

    def up(y: float) -> float:
        return HEIGHT * (top - math.log10(y)) / (top - bottom)

    for x in ticks:
        yield f'<text x="{across(x):.1f}" y="{HEIGHT + 18}" text-anchor="middle">{x:g}</text>'
    for power in range(bottom, top + 1):
        y = up(10**power)
        yield f'<line x2="{WIDTH}" y1="{y:.1f}" y2="{y:.1f}" stroke="#e5e7eb"/>'
        yield f'<text x="-8" y="{y + 4:.1f}" text-anchor="end">{10**power:g}</text>'
    for name in COLOURS:
        line = [(across(x), up(y)) for x, y in lines.get(name, ())]
        colour = COLOURS[name]
        if len(line) > 1:
            path = " ".join(f"{x:.1f},{y:.1f}" for x, y in line)
            yield f'<polyline points="{path}" fill="none" stroke="{colour}" stroke-width="2"/>'
        for x, y in line:
            yield f'<circle cx="{x:.1f}" cy="{y:.1f}" r="3.5" fill="{colour}"/>'


def bars(axis: str, lines: Points) -> Iterator[str]:
    """A panel of what was measured at one place of the axis alone: a bar each, from 0, with its value."""
    values = {name: lines[name][0][1] for name in COLOURS if lines.get(name)}
    most = max(values.values())
    for place, (name, value) in enumerate(values.items()):
        y, length = 12 + place * (BAR + 20), (WIDTH - NAME - VALUE) * value / most
        yield f'<text x="{NAME - 10}" y="{y + BAR / 2 + 4:g}" text-anchor="end">{label_of(name)}</text>'
        yield f'<rect x="{NAME}" y="{y}" width="{length:.1f}" height="{BAR}" fill="{COLOURS[name]}"/>'
        yield f'<text x="{NAME + length + 8:.1f}" y="{y + BAR / 2 + 4:g}">{value:.3g}</text>'
    ((x, _), *_) = next(iter(lines.values()))
    yield f'<text x="{NAME}" y="{HEIGHT + 36}">{escape(axis)}: {x:g}</text>'


def label_of(variant: str) -> str:
    """What the chart calls it."""
    return "reference" if variant == audit_suite.BASELINE else escape(variant)
