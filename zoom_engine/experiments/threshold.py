"""What the threshold λ does to edit directions, with and without normalisation (Luo 2023, supplement A.1, Fig. 7)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from zoom_engine.common.files.png import to_pixels
from zoom_engine.evaluation.objectives import ssim
from zoom_engine.experiments.estimates import columns, error_bars, estimate, percent, share
from zoom_engine.experiments.experiment import Data, Experiment
from zoom_engine.experiments.folder import Folder
from zoom_engine.experiments.study import Study, UnsuitedError
from zoom_engine.experiments.style import STYLES, figure, legend_of_all, show_tiles

if TYPE_CHECKING:
    from matplotlib.figure import Figure

THRESHOLDS = (0.0, 0.05, 0.1, 0.2, 0.3, 0.5, 0.7, 0.9)
IMAGES = 24
SHOWN = 2  # attributes
KINDS = ("normalised", "not normalised")


def run(study: Study, folder: Folder) -> dict[str, Any]:
    """Add every attribute at every λ, each at the upper end of the calibrated range of λ = 0.1."""
    study.check_words()
    editing = study.editing
    if not editing.attributes:
        raise UnsuitedError("it has no attributes of its own: give --attribute")
    if not editing.has_threshold:
        raise UnsuitedError("directions by the generator have no threshold: give --directions regression")
    seeds = study.seeds(study.count(IMAGES))
    whole = editing.find(threshold=0.0).matrix
    results = []
    for threshold in study.progress(THRESHOLDS, f"Thresholds of {study.name}", unit="threshold"):
        matrix = editing.find(threshold=threshold).matrix

        kinds = dict(zip(KINDS, (matrix, torch.where(matrix != 0, whole, 0)), strict=True))
        measure = partial(_measure_at, study, folder, kinds, seeds, threshold)
        channels = (matrix != 0).sum(dim=1).tolist()
        results.append({"threshold": threshold, "channels": channels, **folder.part(f"{threshold}", measure)})
    return {
        "images": len(seeds),
        "attributes": [study.short(attribute) for attribute in editing.attributes],
        "weights": [round(high, 2) for _, high in editing.calibrated.bounds.tolist()],
        "channels": int(editing.directions.matrix.shape[1]),
        "thresholds": results,
    }


def _measure_at(
    study: Study, folder: Folder, kinds: Mapping[str, Tensor], seeds: Sequence[int], threshold: float
) -> dict[str, Any]:
    """Measure `_added` along the directions of each kind."""
    return {name: _added(study, folder, matrix, seeds, f"{name} {threshold}") for name, matrix in kinds.items()}


@torch.no_grad()
def _added(study: Study, folder: Folder, matrix: Tensor, seeds: Sequence[int], name: str) -> dict[str, Any]:
    """Measure what adding each attribute along `matrix` does.

    It returns the fraction of images that have it then, of those whose score says that they lack it; how far the other
    attributes' scores move, in natural ranges; and SSIM to the unedited image.
    """
    editing, count = study.editing, len(study.editing.attributes)
    styles = editing.styles(seeds)
    unedited = editing.drawn(styles, torch.zeros(len(styles), count))
    before = editing.scores(unedited)
    splits = editing.calibrated.splits / editing.natural_ranges
    result: dict[str, Any] = {"success": [], "others": [], "ssim": [], "pictures": []}
    for which, high in enumerate(editing.calibrated.bounds[:, 1].tolist()):
        weights = torch.zeros(len(styles), count)
        weights[:, which] = high
        images = editing.drawn(styles, weights, matrix)
        after = editing.scores(images)
        lacks = before[:, which] < splits[which]
        rest = [place for place in range(count) if place != which]
        result["success"].append(share((after[:, which] >= splits[which])[lacks].float().numpy()))
        moved = (after - before)[:, rest].abs().mean(dim=1) if rest else torch.full((len(styles),), torch.nan)
        result["others"].append(estimate(moved.numpy()))
        result["ssim"].append(estimate(ssim(images, unedited).cpu().numpy()))
        if which < SHOWN:
            result["pictures"].append(folder.picture(f"{name} {which}", to_pixels(images[:1])[0]))
    return result


def rows(data: Data) -> list[dict[str, Any]]:
    """Return a row for each λ, normalisation and attribute."""
    return [
        {
            "threshold": step["threshold"],
            "normalised": kind == KINDS[0],
            "attribute": attribute,
            "edit_weight": data["weights"][place],
            "channels": step["channels"][place],
            **columns("success", step[kind]["success"][place]),
            **columns("others_moved", step[kind]["others"][place]),
            **columns("ssim", step[kind]["ssim"][place]),
        }
        for step in data["thresholds"]
        for kind in KINDS
        for place, attribute in enumerate(data["attributes"])
    ]


def draw(data: Data, folder: Folder) -> Iterator[tuple[str, Figure]]:
    """Draw Fig. 7, and channels, success and side effects over λ."""
    steps = data["thresholds"]
    shown = range(len(steps[0][KINDS[0]]["pictures"]))
    drawn = figure(2.1 * len(shown))
    for axes, which in zip(drawn.subplots(len(shown), 1, squeeze=False).flat, shown, strict=True):
        tiles = [[folder.load(step[kind]["pictures"][which]) for step in steps] for kind in KINDS]
        down, across = show_tiles(axes, tiles)
        axes.set_title(f"{data['attributes'][which]}, edit weight {data['weights'][which]:.0f}", pad=13)
        for column, step in enumerate(steps):
            label = f"λ = {step['threshold']:g}" if column == 0 else f"{step['threshold']:g}"
            axes.text((column + 0.5) * across, -0.04 * down, label, ha="center", va="bottom", fontsize=7)
        axes.set_yticks([0.5 * down, 1.5 * down], KINDS)
        axes.tick_params(length=0)
    yield "pictures", drawn
    yield "curves", _curves(data)


def _means(data: Data, kind: str, key: str) -> list[list[float] | None]:
    """Return the means over attributes, at each λ."""
    return [estimate([value[0] for value in step[kind][key] if value]) for step in data["thresholds"]]


def _curves(data: Data) -> Figure:
    drawn = figure(2.2)
    first, *rest = drawn.subplots(1, 4)
    at = [step["threshold"] for step in data["thresholds"]]
    left = [[count / data["channels"] for count in step["channels"]] for step in data["thresholds"]]
    first.fill_between(at, [min(row) for row in left], [max(row) for row in left], color=STYLES[3].color, linewidth=0)
    first.plot(at, [sum(row) / len(row) for row in left], color=STYLES[0].color, marker="o")
    first.set_yscale("log")
    first.yaxis.set_major_formatter("{x:g}")
    first.yaxis.set_minor_formatter(lambda value, _: f"{value:g}" if f"{value:e}"[0] in "25" else "")
    first.set_title("channels left")
    first.set_ylabel("share; band: all attributes")
    for axes, (key, title) in zip(
        rest, {"success": "success", "others": "others move", "ssim": "SSIM"}.items(), strict=True
    ):
        for style, kind in zip(STYLES, KINDS, strict=False):
            means, ends = error_bars(_means(data, kind, key))
            axes.errorbar(
                at,
                means,
                ends,
                color=style.color,
                marker=style.marker,
                linestyle=style.dashes,
                elinewidth=0.7,
                label=kind,
            )
        axes.set_title(title)
        axes.set_ylim(bottom=0)
    for axes in (first, *rest):
        axes.set_xlabel("λ")
        axes.grid(axis="y")
    rest[0].set_ylabel("share of images")
    rest[1].set_ylabel("natural ranges")
    legend_of_all(drawn)
    return drawn


def tell(data: Data) -> str:
    """Say whether normalisation makes up for λ."""
    steps = data["thresholds"]
    spans = {
        (kind, key): [value[0] for value in _means(data, kind, key) if value]
        for kind in KINDS
        for key in ("success", "others", "ssim")
    }

    def steps_of(kind: str, key: str) -> str:
        values = spans[kind, key]
        return f"from {values[0]:.2f} to {values[-1]:.2f}" if values else "not measured"

    def swing(kind: str) -> float:
        return max(spans[kind, "success"]) - min(spans[kind, "success"])

    left = [sum(step["channels"]) / len(step["channels"]) / data["channels"] for step in steps]
    if not all(spans[kind, "success"] for kind in KINDS):
        holds = "Success tells, which is not measured here: each of the images has the attributes already."
    elif not any(map(swing, KINDS)):
        holds = "That cannot be told: success is the same at each λ, so there is nothing to lessen."
    elif swing(KINDS[0]) < swing(KINDS[1]):
        holds = "That holds: success varies less over λ with normalisation than without."
    else:
        holds = "That does not hold: success varies no less over λ with normalisation than without."
    return (
        "How to read it: each attribute is added at the upper end of its calibrated range (found at λ = 0.1); λ is a"
        " share of the largest relevance, and channels below it are left alone. Normalised directions have the same"
        " length at every λ; those that are not keep of the whole direction what is left. Success: of images without"
        " the attribute, by its text score, the share that have it afterwards. Others: how far the other attributes'"
        " text scores move. Means over attributes; bars are intervals over them.\n\n"
        f"What came out ({data['images']} images, {len(data['attributes'])} attributes): from λ ="
        f" {steps[0]['threshold']:g} to {steps[-1]['threshold']:g} the"
        f" channels left fall from {percent(left[0])} to {percent(left[-1])}."
        f" Normalised, success goes {steps_of(KINDS[0], 'success')}, the others' move {steps_of(KINDS[0], 'others')}"
        f" and SSIM {steps_of(KINDS[0], 'ssim')}; not normalised, {steps_of(KINDS[1], 'success')},"
        f" {steps_of(KINDS[1], 'others')} and {steps_of(KINDS[1], 'ssim')}.\n\nThe paper says that normalisation"
        f" lessens what λ does. {holds}"
    )


EXPERIMENT = Experiment(run, rows, draw, tell, asks_target=False)
