"""Each attribute's edit over several images, at the paper's edit weights (Luo 2023, supplement, Fig. 9 and 10)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from zoom_engine.common.files.png import to_pixels
from zoom_engine.experiments.experiment import Data, Experiment
from zoom_engine.experiments.folder import Folder
from zoom_engine.experiments.study import Study, UnsuitedError
from zoom_engine.experiments.style import (
    INK,
    MUTED,
    STYLES,
    axes_of,
    figure,
    legend_of_all,
    pages,
    show_tiles,
)
from zoom_engine.statistics.table import signed

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

WEIGHTS = (-30.0, -15.0, 0.0, 15.0, 30.0)
IMAGES = 24
SHOWN = 3
A_PAGE = 8  # attributes


def run(study: Study, folder: Folder) -> dict[str, Any]:
    """Draw pictures of the first images, and measure text scores over all of them."""
    study.check_words()
    if not study.editing.attributes:
        raise UnsuitedError("it has no attributes of its own: give --attribute")
    attributes = study.editing.attributes
    seeds = study.seeds(study.count(IMAGES))
    results = []
    for which in study.progress(range(len(attributes)), f"Traversing {study.name}", unit="attribute"):
        results.append(folder.part(attributes[which], partial(_one, study, folder, which, seeds)))
    return {"weights": list(WEIGHTS), "images": len(seeds), "attributes": results}


def _one(study: Study, folder: Folder, which: int, seeds: Sequence[int]) -> dict[str, Any]:
    editing = study.editing
    attribute, count = editing.attributes[which], len(editing.attributes)
    styles = editing.styles(seeds)
    weights = torch.zeros(len(WEIGHTS), count)
    weights[:, which] = torch.tensor(WEIGHTS)
    rows, scores = [], []
    for place, style in enumerate(styles):
        images = editing.drawn(style.expand(len(WEIGHTS), -1), weights)
        scores.append(editing.scores(images))
        if place < SHOWN:
            pixels = to_pixels(images)
            rows.append([folder.picture(f"{attribute} {seeds[place]} {i}", one) for i, one in enumerate(pixels)])
    moved = torch.stack(scores) - torch.stack(scores)[:, WEIGHTS.index(0.0)][:, None]  # [I, W, N]
    rest = [place for place in range(count) if place != which]
    return {
        "attribute": attribute,
        "name": study.short(attribute),
        "calibrated": editing.calibrated.bounds[which].tolist(),
        "rows": rows,
        "moved": _rounded(moved[..., which].mean(0)),
        "others": _rounded(moved[..., rest].abs().mean((0, 2))) if rest else None,
        "rising": round(float((moved[..., which].diff(dim=1) > 0).all(dim=1).float().mean()), 4),
    }


def _rounded(values: Tensor) -> list[float]:
    return [round(float(value), 4) for value in values]


def rows(data: Data) -> list[dict[str, Any]]:
    """Return a row for each attribute and edit weight."""
    return [
        {
            "attribute": one["attribute"],
            "edit_weight": weight,
            "score_moved": one["moved"][i],
            "others_moved": one["others"][i] if one["others"] else "",
            "within_calibrated_range": one["calibrated"][0] <= weight <= one["calibrated"][1],
        }
        for one in data["attributes"]
        for i, weight in enumerate(data["weights"])
    ]


def draw(data: Data, folder: Folder) -> Iterator[tuple[str, Figure]]:
    """Draw two columns of attributes per page, and how their text scores move."""
    attributes = data["attributes"]
    for part in pages(attributes, A_PAGE):
        drawn = figure(2.3 * -(-len(part) // 2) * len(part[0]["rows"]) / SHOWN + 0.1)
        for axes, one in zip(axes_of(drawn, len(part), 2), part, strict=True):
            _sheet(axes, one, data["weights"], folder)
        yield "pictures", drawn
    yield "scores", _scores(data)


def _sheet(axes: Axes, one: dict[str, Any], weights: Sequence[float], folder: Folder) -> None:
    down, across = show_tiles(axes, [[folder.load(file) for file in row] for row in one["rows"]])
    axes.set_title(one["name"], pad=15)
    low, high = one["calibrated"]
    for column, weight in enumerate(weights):
        inside = low <= weight <= high
        label = signed(weight) if inside else f"({signed(weight)})"
        at = (column + 0.5) * across
        axes.text(at, -0.2 * down, label, ha="center", va="bottom", fontsize=6.5, color=INK if inside else MUTED)
    first, last = ((weights.index(0.0) + end / (weights[-1] - weights[-2]) + 0.5) * across for end in (low, high))
    axes.plot(
        [first, last], [-0.12 * down] * 2, color=STYLES[0].color, linewidth=2.2, clip_on=False, solid_capstyle="butt"
    )
    axes.set_ylim(down * len(one["rows"]), -0.16 * down)


def _scores(data: Data) -> Figure:
    """Draw the attribute's own text score and the others', over edit weights."""
    attributes = data["attributes"]
    drawn = figure(1.35 * -(-len(attributes) // 4) + 0.5)
    for axes, one in zip(
        axes_of(drawn, len(attributes), min(4, len(attributes)), sharex=True, sharey=True), attributes, strict=True
    ):
        axes.axvspan(*one["calibrated"], color="#e3e8e1", linewidth=0)
        axes.axhline(0, color=MUTED, linewidth=0.4)
        for style, key, label in zip(STYLES, ("moved", "others"), ("its own score", "others, mean size"), strict=False):
            if one[key]:
                axes.plot(
                    data["weights"],
                    one[key],
                    color=style.color,
                    marker=style.marker,
                    linestyle=style.dashes,
                    label=label,
                )
        axes.set_title(one["name"])
        axes.set_xticks(data["weights"])
    drawn.supxlabel("edit weight (standard deviations); shaded: the calibrated range", fontsize=8)
    drawn.supylabel("text score, in natural ranges", fontsize=8)
    legend_of_all(drawn)
    return drawn


def tell(data: Data) -> str:
    """Say what Fig. 9 and 10 claim, and whether it holds."""
    attributes = data["attributes"]
    rising = sum(one["rising"] >= 0.5 for one in attributes)
    inside = sum(one["calibrated"][0] <= -15 and one["calibrated"][1] >= 15 for one in attributes)
    moves = [(abs(one["moved"][0]) + abs(one["moved"][-1])) / 2 for one in attributes]
    paragraph = (
        "How to read it: a row is one image, a column one edit weight; a positive weight adds the attribute, a negative"
        " one takes it away. The bar above the pictures is the calibrated range, as far as an audit edits; columns"
        " outside it are in brackets, and pictures there may be unusable. In the last figure a text score of 1 is the"
        " distance between unedited images that lack the attribute and those that have it.\n\n"
        f"What came out ({data['images']} images): for {rising} of {len(attributes)} attributes the attribute's own"
        " score rises at every step in at least half of the images."
        f" At ±30 it moves by {min(moves):.1f} to {max(moves):.1f} natural ranges,"
    )
    rest = [(one["others"][0] + one["others"][-1]) / 2 for one in attributes if one["others"]]
    paragraph += f" the other attributes' by {min(rest):.1f} to {max(rest):.1f}." if rest else " there are no others."
    paragraph += f" ±15 lies within the calibrated range of {inside} of {len(attributes)} attributes."
    worse = [one["name"] for one, a, b in zip(attributes, moves, rest, strict=True) if b > a / 2] if rest else []
    if worse:
        paragraph += "\n\nThe paper says that only the attribute changes. At ±30 that does not hold for"
        paragraph += f" {', '.join(worse)}: there the others' scores move more than half as far."
    elif rest:
        paragraph += "\n\nThe paper says that only the attribute changes. That holds in text scores, roughly: nowhere"
        paragraph += " do the others' move more than half as far, even at ±30."
    return paragraph


EXPERIMENT = Experiment(run, rows, draw, tell, asks_target=False)
