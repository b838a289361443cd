"""Geometry of the report's charts: numbers in, coordinates out. The templates draw them as SVG."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from zoom_engine.audit.summary import BaselineLevel
from zoom_engine.report.curves import ResponseCurve
from zoom_engine.statistics.table import signed
from zoom_engine.targets import ResponseAxis

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Bar:
    """One bar of the histogram; positions are in per cent of the axis.

    Attributes:
        length: of the bar.
        low: lower end of the interval; None without one.
        high: upper end of the interval; None without one.
        baseline: how far the strongest random baseline direction reaches; None without any.
    """

    length: float
    low: float | None
    high: float | None
    baseline: float | None = None


@dataclass(frozen=True)
class Axis:
    """A horizontal axis from 0 to `end`, with labelled ticks as (position in per cent, text)."""

    end: float
    ticks: tuple[tuple[float, str], ...]


LEAST_SHOWN = 1e-12  # no chart shows less
FULL = Axis(1.0, tuple((100 * fraction, f"{fraction:g}") for fraction in (0.0, 0.2, 0.4, 0.6, 0.8, 1.0)))
"""The axis of every histogram of sensitivities, [0, 1], so that bars of two pages can be compared by eye."""


def axis_for(values: Sequence[float]) -> Axis:
    """Return the shortest axis from 0 with round ticks (1, 2, 2.5 or 5 times a power of ten) that holds `values`."""
    largest = max([value for value in values if math.isfinite(value)], default=0.0)
    largest = largest if largest > LEAST_SHOWN else 1.0
    raw = largest / 4
    power = 10.0 ** math.floor(math.log10(raw))
    step = next(factor * power for factor in (1, 2, 2.5, 5, 10) if factor * power >= raw * (1 - 1e-9))
    count = math.ceil(largest / step - 1e-9)
    return Axis(step * count, tuple((100 * i / count, f"{step * i:g}") for i in range(count + 1)))


def bar_for(
    axis: Axis, value: float | None, interval: Sequence[float] | None, baseline: BaselineLevel | None = None
) -> Bar:
    """Return the bar of one value on `axis`, with its interval, and how far random baseline directions reach."""
    low, high = (None, None) if interval is None else (100 * end / axis.end for end in interval)
    return Bar(
        100 * (value or 0.0) / axis.end, low, high, None if baseline is None else 100 * baseline.strongest / axis.end
    )


@dataclass(frozen=True)
class CurvePlot:
    """A response curve in the coordinates of a `width` x `height` drawing (y down), as SVG path data."""

    width: int
    height: int
    left: int
    right: int
    top: int
    bottom: int
    line: str
    band: str
    zero: float
    range: tuple[float, float] | None
    weights: tuple[tuple[float, str], ...]
    outputs: tuple[tuple[float, str], ...]
    boundary: float | None
    points: tuple[tuple[float, float], ...]


def ends_for(
    response: ResponseAxis, curves: Sequence[ResponseCurve], points: Sequence[tuple[float, float]] = ()
) -> tuple[float, float]:
    """Return the lowest and highest output of a chart of `curves` and `points` (edit weight, output).

    Those of `response` are moved by a round number where outputs lie beyond, as a number may beyond its range.
    """
    drawn = [float(o) for curve in curves for values in (curve.mean, curve.low, curve.high) for o in values]
    drawn += [output for _, output in points]
    if response.ends is None:
        return 0.0, axis_for([*drawn, response.boundary or 0.0]).end
    low, high = response.ends
    beyond = low - min([low, *drawn]), max([high, *drawn]) - high
    below, above = (axis_for([far]).end if far > (high - low) / 1000 else 0.0 for far in beyond)
    return low - below, high + above


def curve_plot(
    curve: ResponseCurve,
    *,
    calibrated: Sequence[float] | None,
    boundary: float | None,
    axis: tuple[float, float],
    bound: float,
    points: Sequence[tuple[float, float]] = (),
) -> CurvePlot:
    """Lay out `curve` over edit weights within ±`bound` and outputs within `axis`.

    Args:
        curve: the response curve.
        calibrated: the range to shade; None for none.
        boundary: the output at which a prediction flips; None without such a level.
        axis: lowest and highest output.
        bound: largest |edit weight|.
        points: single (edit weight, output) pairs to lay out beside the curve.
    """
    width, height, left, right, top, bottom = 280, 168, 30, 8, 8, 24
    bound = max(bound, float(np.abs(curve.weights).max()), *(abs(weight) for weight, _ in points))
    lowest, highest = axis

    def x(weight: float) -> float:
        return round(left + (width - left - right) * (weight + bound) / (2 * bound), 1)

    def y(output: float) -> float:
        return round(
            top + (height - top - bottom) * (1 - min(max((output - lowest) / (highest - lowest), 0.0), 1.0)), 1
        )

    def path(weights: Array, outputs: Array) -> str:
        return "L".join(f"{x(w)} {y(o)}" for w, o in zip(weights, outputs, strict=True))

    upper, lower = path(curve.weights, curve.high), path(curve.weights[::-1], curve.low[::-1])
    shade = None if calibrated is None else (x(max(calibrated[0], -bound)), x(min(calibrated[1], bound)))
    return CurvePlot(
        width,
        height,
        left,
        right,
        top,
        bottom,
        line=f"M{path(curve.weights, curve.mean)}",
        band=f"M{upper}L{lower}Z",
        zero=x(0.0),
        range=shade,
        weights=tuple((x(w), signed(w)) for w in (-bound, -bound / 2, 0.0, bound / 2, bound)),
        outputs=tuple((y(o), f"{o:g}") for o in (lowest, (lowest + highest) / 2, highest)),
        boundary=None if boundary is None else y(boundary),
        points=tuple((x(weight), y(output)) for weight, output in points),
    )


@dataclass(frozen=True)
class TrendPoint:
    """A value of a trend, in the coordinates of its drawing; `index` counts the audits."""

    index: int
    x: float
    y: float
    low: float | None
    high: float | None


@dataclass(frozen=True)
class TrendPlot:
    """Values over a row of audits, in the coordinates of a `width` x `height` drawing (y down).

    Attributes:
        width: of the drawing.
        height: of the drawing.
        left: edge of the plot.
        right: edge of the plot.
        bottom: edge of the plot.
        line: SVG path through the points; a gap where an audit has no value.
        points: the values.
        limit: where the limit lies; None without one.
        values: ticks of the values, as (y, text).
        labels: ticks of the audits, as (x, its lines).
    """

    width: int
    height: int
    left: int
    right: int
    bottom: int
    line: str
    points: tuple[TrendPoint, ...]
    limit: float | None
    values: tuple[tuple[float, str], ...]
    labels: tuple[tuple[float, tuple[str, ...]], ...]


MOST_LABELS = 4  # of audits under a plot


def trend_plot(
    values: Sequence[tuple[float, Sequence[float] | None] | None],
    labels: Sequence[str],
    *,
    axis: Axis,
    limit: float | None = None,
) -> TrendPlot:
    """Lay out values with their intervals, one for each audit or None, over equally spaced audits.

    Args:
        values: (value, interval) of each audit.
        labels: what each audit is called, in lines.
        axis: from 0 on, of the values.
        limit: to be drawn across the plot.
    """
    width, height, left, edge, top, foot = 320, 180, 34, 22, 10, 26 + 12 * any("\n" in label for label in labels)
    right, bottom, count = width - edge, height - foot, len(values)

    def x(index: int) -> float:
        return round((left + right) / 2 if count == 1 else left + 8 + (right - left - 16) * index / (count - 1), 1)

    def y(value: float) -> float:
        return round(top + (bottom - top) * (1 - min(max(value / axis.end, 0.0), 1.0)), 1)

    points = tuple(
        TrendPoint(index, x(index), y(one[0]), *((None, None) if one[1] is None else map(y, one[1])))
        for index, one in enumerate(values)
        if one is not None
    )
    line = "".join(
        f"{'L' if place and points[place - 1].index == point.index - 1 else 'M'}{point.x} {point.y}"
        for place, point in enumerate(points)
    )
    step = math.ceil(max(count - 1, 1) / (MOST_LABELS - 1))
    named = [index for index in range(count) if (count - 1 - index) % step == 0]
    return TrendPlot(
        width,
        height,
        left,
        right,
        bottom,
        line,
        points,
        None if limit is None else y(limit),
        tuple((y(position * axis.end / 100), text) for position, text in axis.ticks),
        tuple((x(index), tuple(labels[index].split("\n"))) for index in named),
    )
