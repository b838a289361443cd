"""Two attributes on a grid, and whether their edits add up (Luo 2023, supplement A.1 and Fig. 8; Equation 3)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from numpy.typing import NDArray

from zoom_engine.common.files.png import to_pixels
from zoom_engine.experiments.estimates import Estimate, columns, error_bars, estimate, percent
from zoom_engine.experiments.experiment import Data, Experiment
from zoom_engine.experiments.folder import Folder
from zoom_engine.experiments.study import Study, UnsuitedError
from zoom_engine.experiments.style import INK, bare, figure, grouped_bars, show_tiles
from zoom_engine.statistics.table import signed
from zoom_engine.targets import Target

if TYPE_CHECKING:
    from matplotlib.figure import Figure

IMAGES = 16
SHOWN = 2  # pairs
TARGETS = 3
HOLDS = 0.25  # of the move: off by less, edits are said to add up
SHARES = (-1.0, -0.5, 0.0, 0.5, 1.0)  # of the calibrated range, on the side of their sign
Array = NDArray[np.float64]


def run(study: Study, folder: Folder) -> dict[str, Any]:
    """Measure grids of the attributes two by two, in the order in which they are named."""
    study.check_words()
    attributes = study.editing.attributes
    pairs = [(first, first + 1) for first in range(0, len(attributes) - 1, 2)]
    if not pairs:
        raise UnsuitedError("it takes two attributes: give --attribute twice or more")
    specs = study.targets_of("binary")[:TARGETS] if study.given or study.domain else []
    targets = {study.title(spec): study.target(spec, generator=study.editing.generator) for spec in specs}
    seeds = study.seeds(study.count(IMAGES))
    results = []
    for number, pair in enumerate(study.progress(pairs, f"Combining edits of {study.name}", unit="pair")):
        name = " + ".join(attributes[which] for which in pair)

        make = partial(_grid, study, folder, pair, seeds, targets, shown=number < SHOWN)
        results.append(folder.part(name, make))
    return {"images": len(seeds), "shares": list(SHARES), "targets": list(targets), "pairs": results}


@torch.no_grad()
def _grid(
    study: Study,
    folder: Folder,
    pair: tuple[int, int],
    seeds: Sequence[int],
    targets: dict[str, Target],
    *,
    shown: bool,
) -> dict[str, Any]:
    """Measure one pair: the scores of both attributes and the targets' outputs at every point of the grid, over images.

    Each is compared with the sum of what the two edits do alone.
    """
    editing, side = study.editing, len(SHARES)
    bounds = editing.calibrated.bounds[list(pair)].tolist()
    steps = [[abs(fraction) * (low if fraction < 0 else high) for fraction in SHARES] for low, high in bounds]
    weights = torch.zeros(side * side, len(editing.attributes))
    weights[:, pair[0]] = torch.tensor(steps[0]).repeat_interleave(side)
    weights[:, pair[1]] = torch.tensor(steps[1]).repeat(side)
    scores: list[Array] = []
    outputs: dict[str, list[Array]] = {name: [] for name in targets}
    pictures = None
    for place, style in enumerate(editing.styles(seeds)):
        images = editing.drawn(style.expand(side * side, -1), weights)
        scores.append(editing.scores(images)[:, list(pair)].T.double().numpy().reshape(2, side, side))
        for name, target in targets.items():
            answers = target(images)
            numbers = target.task.recorded(answers, answers)[:, 0]
            outputs[name].append(numbers.cpu().double().numpy().reshape(side, side))
        if shown and place == 0:
            pixels = to_pixels(images).reshape(side, side, *images.shape[-2:], 3)
            pictures = [[folder.picture(f"{pair} {i} {j}", pixels[i, j]) for j in range(side)] for i in range(side)]
    one, other = (np.stack(scores)[:, which] for which in (0, 1))
    names = [editing.attributes[which] for which in pair]
    return {
        "attributes": names,
        "names": [study.short(name) for name in names],
        "weights": [[round(step, 3) for step in row] for row in steps],
        "pictures": pictures,
        "scores": {name: _additive(values) for name, values in zip(("first", "second"), (one, other), strict=True)},
        "outputs": {name: _additive(np.stack(values)) for name, values in outputs.items()},
    }


def _additive(values: Array) -> dict[str, Any]:
    """Compare the joint change of two edits with the sum of the single ones, for `values [I, side, side]`.

    Returns the mean over images at each point (`mean`); and over the points where both edits act, the mean size of the
    joint change (`moved`) and of its difference from the sum of the single changes (`error`).
    """
    middle = SHARES.index(0.0)
    moved = values - values[:, middle, middle][:, None, None]
    summed = moved[:, :, middle][:, :, None] + moved[:, middle, :][:, None, :]
    both = [place for place in range(len(SHARES)) if place != middle]
    inner = np.ix_(range(len(values)), both, both)
    error: Estimate | None = estimate(np.abs(moved - summed)[inner].mean(axis=(1, 2)))
    return {
        "mean": np.round(moved.mean(axis=0), 4).tolist(),
        "moved": estimate(np.abs(moved)[inner].mean(axis=(1, 2))),
        "error": error,
    }


def _series(data: Data) -> dict[str, list[dict[str, Any]]]:
    """Return what is compared with the sum, by its name in figures: the moves and errors of each pair."""
    series = {
        "text score, first attribute": [pair["scores"]["first"] for pair in data["pairs"]],
        "text score, second attribute": [pair["scores"]["second"] for pair in data["pairs"]],
    }
    return series | {f"output of {name}": [pair["outputs"][name] for pair in data["pairs"]] for name in data["targets"]}


def rows(data: Data) -> list[dict[str, Any]]:
    """Return a row for each pair and each quantity that was measured of it."""
    return [
        {
            "first": pair["attributes"][0],
            "second": pair["attributes"][1],
            "measured": name,
            **columns("moved", values[place]["moved"]),
            **columns("error", values[place]["error"]),
        }
        for place, pair in enumerate(data["pairs"])
        for name, values in _series(data).items()
    ]


def draw(data: Data, folder: Folder) -> Iterator[tuple[str, Figure]]:
    """Draw Fig. 8, and the errors beside the changes that they belong to."""
    shown = [pair for pair in data["pairs"] if pair["pictures"]]
    drawn = figure(3.4)
    for axes, pair in zip(drawn.subplots(1, len(shown), squeeze=False).flat, shown, strict=True):
        tiles = [[folder.load(file) for file in row] for row in pair["pictures"]]
        down, across = show_tiles(axes, tiles)
        bare(axes)
        side = len(tiles)
        axes.set_xticks([(i + 0.5) * across for i in range(side)], [signed(w) for w in pair["weights"][1]])
        axes.set_yticks([(i + 0.5) * down for i in range(side)], [signed(w) for w in pair["weights"][0]])
        axes.tick_params(length=0)
        axes.set_xlabel(f"edit weight of “{pair['names'][1]}”")
        axes.set_ylabel(f"edit weight of “{pair['names'][0]}”")
    yield "grid", drawn
    yield "errors", _errors(data)


def _errors(data: Data) -> Figure:
    names = [" + ".join(pair["names"]) for pair in data["pairs"]]
    series = _series(data)
    drawn = figure(0.42 * len(names) + 1.5)
    parts = [("text score, in natural ranges", [n for n in series if n.startswith("text")])]
    if data["targets"]:
        parts.append(("output (probability)", [n for n in series if n.startswith("output")]))
    grid = drawn.subplots(1, len(parts), squeeze=False, sharey=True)
    for axes, (label, chosen) in zip(grid.flat, parts, strict=True):
        errors = {name: [value["error"] for value in series[name]] for name in chosen}
        positions = grouped_bars(axes, errors, caps=1.5)
        for name, at in positions.items():
            moved, _ = error_bars([value["moved"] for value in series[name]])
            axes.plot(moved, at, linestyle="none", marker="|", color=INK, markersize=7, markeredgewidth=1.6)
        axes.set_xlabel(f"off the sum: {label}")
        axes.legend(loc="lower left", bbox_to_anchor=(0, 1), ncols=1)
        axes.grid(axis="x")
    grid.flat[0].set_yticks(range(len(names)), names)
    grid.flat[0].invert_yaxis()
    return drawn


def tell(data: Data) -> str:
    """Say whether the sum of two edits does what each of them does."""
    series = _series(data)

    def shares(of: str) -> list[tuple[float, str]]:
        return [
            (value["error"][0] / max(value["moved"][0], 1e-9), " + ".join(pair["names"]))
            for name, values in series.items()
            if name.startswith(of)
            for pair, value in zip(data["pairs"], values, strict=True)
            if value["moved"][0] >= 0.02
        ]

    text, output = shares("text"), shares("output")
    usual = [percent(float(np.median([error for error, _ in errors]))) for errors in (text, output) if errors]
    worst = [
        f"{percent(error)} at worst ({name})" for error, name in (max(errors) for errors in (text, output) if errors)
    ]
    paragraph = (
        "How to read it: pictures of one image; down the weight of one attribute, across that of the other, from end to"
        " end of their calibrated ranges. If edits add up (Equation 3), what both do together is the sum of what each"
        " does alone. Bars: how far off that sum the attribute's text score, or a target's output, is on average where"
        " both edits act; the upright mark is how far the score or the output moves at all. A bar that is short beside"
        " its mark means that the edits add up; outputs are probabilities, which cannot add beyond 0 and 1.\n\n"
        f"What came out ({data['images']} images, {len(data['pairs'])} pairs): "
    )
    if not text:
        return f"{paragraph}the edits move nothing, so there is nothing to add."
    paragraph += f"text scores are off the sum by {usual[0]} of their move in the median pair, by {worst[0]}"
    if output:
        paragraph += f"; outputs by {usual[1]}, {worst[1]}"
    holds = float(np.median([error for error, _ in text])) < HOLDS
    return f"{paragraph}.\n\nThe paper edits several attributes by adding directions. " + (
        "That holds: in text scores two edits nearly add up in the median pair, within the calibrated range."
        if holds
        else "That does not hold: two edits do not add up in text scores, even within the calibrated range."
    )


EXPERIMENT = Experiment(run, rows, draw, tell)
