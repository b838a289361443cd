"""One style for all figures: fit for print, and readable in black and white. matplotlib is imported late."""

from __future__ import annotations

import io
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar

import numpy as np
from numpy.typing import NDArray

from zoom_engine.common.errors import ConfigError, imported
from zoom_engine.experiments.estimates import error_bars

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

T = TypeVar("T")

WIDTH = 6.9  # inches: a printed page within its margins
DOTS = 180  # an inch, of PNG
GAP = 4  # pixels between pictures
INK, MUTED, LINE = "#15181b", "#565d63", "#c9cdc8"


class Style(NamedTuple):
    """How a series is told from others: by lightness, hatch, marker and dashes, not by hue alone."""

    color: str
    hatch: str
    marker: str
    dashes: Any


STYLES = (
    Style("#1b3f7a", "", "o", "-"),
    Style("#e6a13c", "////", "s", "--"),
    Style("#5aa7a0", "....", "^", "-."),
    Style("#b8c4d6", "xxxx", "D", ":"),
    Style("#7d3c58", "\\\\\\\\", "v", (0, (5, 1, 1, 1))),
)
STYLE: dict[Any, Any] = {
    "font.size": 8,
    "axes.titlesize": 8.5,
    "axes.titleweight": "bold",
    "axes.titlelocation": "left",
    "axes.labelsize": 8,
    "axes.edgecolor": MUTED,
    "axes.labelcolor": INK,
    "axes.linewidth": 0.6,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.axisbelow": True,
    "grid.color": LINE,
    "grid.linewidth": 0.4,
    "text.color": INK,
    "xtick.color": MUTED,
    "ytick.color": MUTED,
    "xtick.labelsize": 7,
    "ytick.labelsize": 7,
    "xtick.major.width": 0.6,
    "ytick.major.width": 0.6,
    "legend.fontsize": 7,
    "legend.frameon": False,
    "lines.linewidth": 1.3,
    "lines.markersize": 4,
    "hatch.linewidth": 0.5,
    "text.parse_math": False,  # what users wrote is no formula between two "$"
    "figure.facecolor": "white",
    "savefig.dpi": DOTS,
    "svg.hashsalt": "zoom-engine",  # equal data, equal file
}


def check_plots() -> None:
    """Refuse a run whose figures could not be drawn.

    Raises:
        ConfigError: matplotlib is missing.
    """
    imported("matplotlib", ConfigError, "figures cannot be drawn", install="zoom-engine[plots]")


@contextmanager
def styled() -> Iterator[None]:
    """Apply the style to figures that are made and saved within."""
    import matplotlib

    with matplotlib.rc_context(STYLE):
        yield


def figure(height: float, *, width: float = WIDTH) -> Figure:
    """Return an empty figure of this size in inches, without a window or a global state."""
    from matplotlib.figure import Figure

    return Figure(figsize=(width, height), layout="constrained")


def pages(items: Sequence[T], most: int) -> Iterator[Sequence[T]]:
    """Yield the items, at most `most` at a time, as many as a figure has room for."""
    for start in range(0, len(items), most):
        yield items[start : start + most]


def axes_of(drawn: Figure, count: int, columns: int, *, sharex: bool = False, sharey: bool = False) -> list[Axes]:
    """Return `count` axes, in rows of `columns` each."""
    rows = -(-count // columns)
    grid = list(drawn.subplots(rows, columns, squeeze=False, sharex=sharex, sharey=sharey).flat)
    for left in grid[count:]:
        left.remove()
    return grid[:count]


def grouped_bars(
    axes: Axes, series: Mapping[str, Sequence[Sequence[float] | None]], *, upright: bool = False, caps: float = 0.0
) -> dict[str, list[float]]:
    """Draw bars of several series side by side, around 0, 1, …, with their intervals.

    The intervals end in `caps` (points). Returns the positions of the bars of each series.
    """
    thick = 0.84 / len(series)
    positions: dict[str, list[float]] = {}
    draw, along = (axes.bar, "yerr") if upright else (axes.barh, "xerr")
    for number, (style, (name, values)) in enumerate(zip(STYLES, series.items(), strict=False)):
        positions[name] = [place - 0.42 + (number + 0.5) * thick for place in range(len(values))]
        means, ends = error_bars(values)
        shown: dict[str, Any] = {"color": style.color, "hatch": style.hatch, "edgecolor": INK, "linewidth": 0.4}
        shown |= {along: ends, "ecolor": INK, "capsize": caps, "error_kw": {"elinewidth": 0.7}}
        draw(positions[name], means, thick, label=name, **shown)
    return positions


def legend_of_all(drawn: Figure) -> None:
    """Draw one legend above all axes, in which each label stands once."""
    named = {
        name: handle for axes in drawn.axes for handle, name in zip(*axes.get_legend_handles_labels(), strict=True)
    }
    drawn.legend(named.values(), named.keys(), loc="outside upper right", ncols=len(named))


def saved(drawn: Figure, kind: str) -> bytes:
    """Return the file of a figure, "svg" or "png"; the same for the same data."""
    buffer = io.BytesIO()
    drawn.savefig(buffer, format=kind, metadata={"Date": None} if kind == "svg" else {"Software": None})
    return buffer.getvalue()


def bare(axes: Axes) -> None:
    """Remove ticks and frame, for pictures."""
    axes.set_xticks([])
    axes.set_yticks([])
    for spine in axes.spines.values():
        spine.set_visible(False)


def tiled(rows: Sequence[Sequence[NDArray[np.uint8]]], *, gap: int = GAP) -> NDArray[np.uint8]:
    """Join pictures uint8 `[H, W, 3]` of one size, white between them; `place` says where each lies."""
    height, width = rows[0][0].shape[:2]
    columns = max(map(len, rows))
    whole = np.full((len(rows) * (height + gap) - gap, columns * (width + gap) - gap, 3), 255, dtype=np.uint8)
    for i, row in enumerate(rows):
        for j, picture in enumerate(row):
            top, left = i * (height + gap), j * (width + gap)
            whole[top : top + height, left : left + width] = picture
    return whole


def show_tiles(axes: Axes, rows: Sequence[Sequence[NDArray[np.uint8]]], *, gap: int = GAP) -> tuple[int, int]:
    """Draw `tiled`, and return the distance from one picture to the next, down and across, in the axes' units."""
    axes.imshow(tiled(rows, gap=gap), interpolation="antialiased")
    bare(axes)
    height, width = rows[0][0].shape[:2]
    return height + gap, width + gap


def caption_tile(axes: Axes, row: int, column: int, step: tuple[int, int], text: str, *, points: float) -> None:
    """Write into the top-right corner of a picture of `show_tiles`, as Fig. 1 has the prediction.

    `points` is the size of the letters.
    """
    axes.text(
        (column + 1) * step[1] - 0.07 * step[1],
        row * step[0] + 0.05 * step[0],
        text,
        fontsize=points,
        color="white",
        ha="right",
        va="top",
        bbox={"boxstyle": "square,pad=0.15", "facecolor": INK, "edgecolor": "none", "alpha": 0.85},
    )


def framed(axes: Axes, row: int, column: int, step: tuple[int, int], *, gap: int = GAP) -> None:
    """Draw a frame around a picture of `show_tiles`, in the gap between it and its neighbours."""
    from matplotlib.patches import Rectangle

    axes.add_patch(
        Rectangle(
            (column * step[1] - gap / 2, row * step[0] - gap / 2),
            step[1],
            step[0],
            fill=False,
            edgecolor=INK,
            linewidth=1.6,
            clip_on=False,
        )
    )
