"""SGD against PGD, and this engine's searches beside them (Luo 2023, supplement C and Table 2)."""

from __future__ import annotations

import itertools
import time
from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from zoom_engine.diagnose.diagnoser import Diagnoser
from zoom_engine.experiments.estimates import columns, error_bars, estimate, in_words, percent, share
from zoom_engine.experiments.experiment import Data, Experiment
from zoom_engine.experiments.folder import Folder
from zoom_engine.experiments.study import Spec, Study, UnsuitedError
from zoom_engine.experiments.style import STYLES, figure, grouped_bars

if TYPE_CHECKING:
    from matplotlib.figure import Figure

VARIANTS: dict[str, tuple[str, dict[str, Any]]] = {
    "sgd": ("sgd", {"early_stop": False}),
    "pgd": ("pgd", {"early_stop": False}),
    "sgd-early": ("sgd", {}),
    "pgd-early": ("pgd", {}),
    "minimal": ("minimal", {}),
    "cmaes": ("cmaes", {}),
}
"""By name the search and its options; the first two are the paper's 100 steps."""
Array = NDArray[np.float64]
IMAGES = 8
TARGETS = 2
SEARCHES = ("sgd", "pgd", "minimal", *(("cmaes",) if find_spec("cmaes") else ()))
STEP_SIZES = (0.1, 0.3, 1.0)
STEP_SIZE = 0.1  # that of searches for several attributes
NAMES = {"sgd": "SGD", "pgd": "PGD", "minimal": "minimal", "cmaes": "CMA-ES"}
ON_GRID = 0.01  # of a step
LEAST = 6  # images: the sign of fewer differences is the same by chance in more than 5 %


def run(study: Study, folder: Folder) -> dict[str, object]:
    """Search several attributes together within ±30, as the paper's ablation does, sound targets first."""
    targets = sorted(study.targets_of("binary"), key=lambda target: study.planted(target) is not None)[:TARGETS]
    if not targets or not all(study.target(target).differentiable for target in targets):
        raise UnsuitedError("it takes targets of two classes that give gradients: give --target")
    images = study.count(IMAGES)
    steps = list(itertools.product(targets, SEARCHES))
    results = []
    for target, search in study.progress(steps, f"Searches of {study.name}", unit="search"):
        name = study.title(target)
        result = folder.part(f"{name} {search}", partial(_search, study, target, search, images))
        results.append({"target": name, "search": search, **result})
    flips = {study.title(t): sum(sum(r["flipped"]) for r in results if r["target"] == study.title(t)) for t in targets}
    swept = max(targets, key=lambda target: flips[study.title(target)])
    by_name = {f"{result['target']} {result['search']}": result for result in results}
    sweep = []
    for size in study.progress(STEP_SIZES, f"Step sizes of {study.name}", unit="step size"):
        make = partial(_search, study, swept, "pgd", images, learning_rate=size)
        result = by_name[f"{study.title(swept)} pgd"] if size == STEP_SIZE else folder.part(f"step {size}", make)
        sweep.append({"step_size": size, **_stepped(result, size)})
    return {
        "images": images,
        "results": [_summed(result) for result in results],
        "orderings": [_ordering(results, study.title(target)) for target in targets],
        "sweep": {"target": study.title(swept), "sizes": sweep},
    }


def searched(diagnoser: Diagnoser, *, images: int, seed: int) -> dict[str, Any]:
    """Return what the audit's search finds, image by image; `seconds` is the search's processor time of all threads."""
    diagnoser.calibrated_range(diagnoser.edit_directions())  # from here on they are read from the cache
    start = time.process_time()
    records = sorted(diagnoser.run(images=images, seed=seed).records, key=lambda record: record.image)
    return {
        "synthesis": diagnoser.models.synthesizer.describe(),
        "seconds": round(time.process_time() - start, 1),
        "flipped": [int(record.flipped) for record in records],
        "decisive": [int(bool(record.decisive)) for record in records],
        "ssim": [record.ssim if record.flipped else None for record in records],
        "edit_weights": [list(record.edit_weights) for record in records],
        "evaluations": [record.evaluations for record in records],
        "stops": [record.stop for record in records],
    }


def column(results: Sequence[dict[str, Any]], name: str, *, where: str | None = None) -> Array:
    """Return a value per image, NaN where there is none or `where` does not hold."""
    rows = np.concatenate([np.array(result[name], dtype=float) for result in results])
    return rows if where is None else np.where(column(results, where) > 0, rows, np.nan)


def _search(study: Study, target: Spec, search: str, images: int, **more: object) -> dict[str, object]:
    name, options = VARIANTS[search]
    options = {**options, **more}
    diagnoser = study.diagnoser(target, mode="multi", search=name, search_options=options, edit_range="paper")
    return searched(diagnoser, images=images, seed=study.seed)


def _stepped(result: dict[str, object], size: float) -> dict[str, object]:
    """Summarise PGD by steps of one size: flips, and whether its edit weights are multiples of the size."""
    weights = np.array(result["edit_weights"]) / size
    return {
        "flipped": share(column([result], "flipped")),
        "ssim": estimate(column([result], "ssim", where="flipped")),
        "on_grid": float((np.abs(weights - np.round(weights)) < ON_GRID).mean()),
    }


def _summed(result: dict[str, object]) -> dict[str, object]:
    """Return a row of Table 2; seconds are processor time of an evaluation, times evaluations."""
    evaluations = column([result], "evaluations")
    per_evaluation = result["seconds"] / max(evaluations.sum(), 1)
    return {
        "target": result["target"],
        "search": result["search"],
        "ssim": estimate(column([result], "ssim", where="flipped")),
        "flipped": share(column([result], "flipped")),
        "decisive": share(column([result], "decisive")),
        "evaluations": estimate(evaluations),
        "seconds": estimate(evaluations * per_evaluation),
    }


def _ordering(results: Sequence[dict[str, object]], target: str) -> dict[str, object]:
    """Compare PGD with SGD image by image (PGD less SGD): flips, and SSIM where both flip."""
    of = {result["search"]: [result] for result in results if result["target"] == target}
    ssim: list[Array] = [column(of[search], "ssim", where="flipped") for search in ("sgd", "pgd")]
    flipped = [column(of[search], "flipped") for search in ("sgd", "pgd")]
    differences = {"ssim": ssim[1] - ssim[0], "flipped": flipped[1] - flipped[0]}
    compared = {name: int(np.isfinite(one).sum()) for name, one in differences.items()}
    return {"target": target, **{name: estimate(one) for name, one in differences.items()}, "compared": compared}


def rows(data: Data) -> list[dict[str, object]]:
    """Return Table 2, then PGD by step size."""
    figures = ("ssim", "flipped", "decisive", "evaluations", "seconds")
    table = [
        {
            "target": result["target"],
            "search": NAMES[result["search"]],
            "step_size": "",
            **{key: value for name in figures for key, value in columns(name, result[name]).items()},
            "on_grid": "",
        }
        for result in data["results"]
    ]
    sizes = [
        {
            "target": data["sweep"]["target"],
            "search": "PGD",
            "step_size": row["step_size"],
            **{key: value for name in figures for key, value in columns(name, row.get(name)).items()},
            "on_grid": row["on_grid"],
        }
        for row in data["sweep"]["sizes"]
    ]
    return [*table, *sizes]


def draw(data: Data, folder: Folder) -> Iterator[tuple[str, Figure]]:
    """Draw Table 2 as two panels, and flips over the step size."""
    targets = list(dict.fromkeys(result["target"] for result in data["results"]))
    searches = list(dict.fromkeys(result["search"] for result in data["results"]))
    drawn = figure(2.6)
    ssim, flips, sizes = drawn.subplots(1, 3)
    for axes, key, title in ((ssim, "ssim", "SSIM of flips"), (flips, "flipped", "flip rate")):
        by_search = {s: [result[key] for result in data["results"] if result["search"] == s] for s in searches}
        grouped_bars(axes, {NAMES[search]: values for search, values in by_search.items()}, upright=True)
        axes.set_xticks(range(len(targets)), [name.replace("-biased-", "\n") for name in targets])
        axes.set_ylim(0, 1.02)
        axes.set_title(title)
        axes.grid(axis="y")
    sweep = data["sweep"]["sizes"]
    for style, key, label in ((STYLES[1], "flipped", "flip rate"), (STYLES[0], "ssim", "SSIM of flips")):
        means, ends = error_bars([row[key] for row in sweep])
        at = [row["step_size"] for row in sweep]
        sizes.errorbar(
            at, means, ends, color=style.color, marker=style.marker, linestyle=style.dashes, elinewidth=0.7, label=label
        )
    sizes.set_xscale("log")
    sizes.set_xticks([row["step_size"] for row in sweep], [f"{row['step_size']:g}" for row in sweep])
    sizes.minorticks_off()
    sizes.set_ylim(0, 1.02)
    sizes.set_xlabel("step size η")
    sizes.set_title(f"PGD on\n{data['sweep']['target']}")
    sizes.grid(axis="y")
    sizes.legend()
    drawn.legend(*ssim.get_legend_handles_labels(), loc="outside upper center", ncols=len(searches))
    yield "table-2", drawn


def tell(data: Data) -> str:
    """Say whether both orderings of Table 2 hold, and what the grid of the sign step does."""
    paragraph = (
        "How to read it: all attributes are edited together within ±30, as the paper's ablation has it; SGD and"
        " PGD take its 100 steps at η = 0.1. SSIM is that of the counterfactuals, where the prediction flips; bars are"
        " means over images with 95 % intervals. A missing bar: nothing flipped. `minimal` steps to the nearest"
        " decision boundary, CMA-ES needs no gradients. On the right, PGD's step size against its flip rate.\n\n"
        f"What came out ({data['images']} images; PGD less SGD on the same images):"
    )
    for ordering in data["orderings"]:
        paragraph += f" {ordering['target']}: SSIM {in_words(ordering['ssim'], '+.3f')}, flip rate"
        paragraph += f" {in_words(ordering['flipped'], '+.2f')};"
    paragraph = paragraph[:-1] + ". "
    evaluations = [row for row in data["results"] if row["search"] == "minimal"]
    if evaluations:
        of_minimal = [
            f"{row['target']} {percent(row['flipped'])} in {row['evaluations'][0]:.0f}" for row in evaluations
        ]
        paragraph += f"`minimal` flips {', '.join(of_minimal)} evaluations (PGD and SGD take 101). "
    sweep = data["sweep"]["sizes"]
    rates = [f"{row['step_size']:g}: {percent(row['flipped'])}" for row in sweep]
    grid = min(row["on_grid"] for row in sweep)
    paragraph += f"PGD by step size: {', '.join(rates)}; {percent(grid)}{'' if grid == 1 else ' or more'} of its"
    paragraph += " edit weights are multiples of the step: it walks a grid."
    orderings = data["orderings"]
    paragraph += "\n\nThe paper finds finer pictures by PGD and more flips by SGD. "
    paragraph += _verdict("Finer pictures by PGD", orderings, "ssim", sign=1)
    paragraph += _verdict("More flips by SGD", orderings, "flipped", sign=-1)
    first, last = sweep[0], sweep[-1]
    paragraph += "It suspects that the grid of the sign step costs flips; a coarser grid does"
    paragraph += ", here:" if last["flipped"][0] < first["flipped"][0] else " not, here:"
    paragraph += f" {percent(first['flipped'])} of the images flip at η = {first['step_size']:g},"
    paragraph += f" {percent(last['flipped'])} at {last['step_size']:g}. (100 steps of η reach 100 η of ±30.)"
    return paragraph


def _verdict(claim: str, orderings: Sequence[Mapping[str, Any]], key: str, *, sign: int) -> str:
    """Say in how many targets a claim is seen, of those with images enough; older data do not tell their number."""
    known = [one[key] for one in orderings if one[key] and one.get("compared", {}).get(key, LEAST) >= LEAST]
    for_it = sum(sign * value[0] > 0 and min(sign * value[1], sign * value[2]) > 0 for value in known)
    against = sum(sign * value[0] < 0 and max(sign * value[1], sign * value[2]) < 0 for value in known)
    if not known:
        return f"{claim}: not known, it takes {LEAST} images or more that can be compared. "
    rest = len(known) - for_it - against
    return f"{claim}: seen in {for_it} of {len(known)} targets, the contrary in {against}, neither in {rest}. "


EXPERIMENT = Experiment(run, rows, draw, tell)
