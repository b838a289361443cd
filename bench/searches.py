"""``python bench/searches.py --json OUT``: the searches for several attributes side by side, on targets of the avatars.

The same images, edit directions and ranges for each: how many images flip (decisively), how similar the counterfactuals
are where both searches of a pair flip decisively, and what that took. ``sgd`` and ``pgd`` are the paper's 100 steps,
``sgd-early`` and ``pgd-early`` may stop sooner. ``seconds`` is processor time of all threads. Rates and differences
are means over images with a 95 % bootstrap interval; differences are of ``minimal`` less the other, image by image.
A part that OUT holds already, made with the same options, is not made again.

``python bench/searches.py --agree A.json B.json``: in how many of the parts' images that both files hold, made in two
precisions, they decide alike.
"""

from __future__ import annotations

import argparse
import itertools
import json
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from zoom_engine import Diagnoser
from zoom_engine.audit.intervals import bootstrap_means, column_means, interval
from zoom_engine.domains import find_domain
from zoom_engine.files import atomic
from zoom_engine.runtime import describe_environment
from zoom_engine.search import describe_search

VARIANTS: dict[str, tuple[str, dict[str, Any]]] = {
    "sgd": ("sgd", {"early_stop": False}),
    "pgd": ("pgd", {"early_stop": False}),
    "sgd-early": ("sgd", {}),
    "pgd-early": ("pgd", {}),
    "minimal": ("minimal", {}),
    "cmaes": ("cmaes", {}),
}
COMPARED = "minimal"
Array = NDArray[np.float64]


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; returns the exit code."""
    parser = argparse.ArgumentParser(description="The searches for several attributes side by side.")
    parser.add_argument("--images", type=int, default=25, help="of each seed")
    parser.add_argument("--seeds", default="0,1,2,3", help="of audits, separated by commas")
    parser.add_argument("--targets", help="of the avatars, separated by commas")
    parser.add_argument("--searches", default="minimal,sgd,pgd", help=f"of {', '.join(VARIANTS)}, separated by commas")
    parser.add_argument("--precision", default="auto", choices=("auto", "fp32", "bf16"))
    parser.add_argument("--threads", type=int, help="of torch")
    parser.add_argument("--json", type=Path, help="write the results there, and go on with what it holds")
    parser.add_argument("--agree", type=Path, nargs=2, metavar="JSON", help="measure nothing: compare two results")
    options = parser.parse_args(arguments)
    if options.agree:
        print("\n".join(agreement(*(json.loads(path.read_text()) for path in options.agree))))
        return 0
    if options.threads:
        torch.set_num_threads(options.threads)
    domain = find_domain("avatars")
    assert domain is not None
    targets = options.targets.split(",") if options.targets else list(domain.target_names())
    chosen = {"images": options.images, "precision": options.precision}
    document: dict[str, Any] = {**chosen, "machine": describe_environment(), "results": []}
    if options.json is not None and options.json.is_file():
        there = json.loads(options.json.read_text())
        if any(there[name] != value for name, value in chosen.items()):
            parser.error(f"{options.json} was measured with other images or another precision: choose another file")
        document["results"] = there["results"]
    seeds = [int(seed) for seed in options.seeds.split(",")]
    for seed, target, variant in itertools.product(seeds, targets, options.searches.split(",")):
        result = measured(target, variant, document["results"], seed=seed, **chosen)
        kept = [other for other in document["results"] if _part(other) != _part(result)]
        document["results"] = [*kept, result]
        document["summary"] = list(summaries(document["results"]))
        if options.json is not None:  # what is measured stays, whatever comes after
            atomic.write_json(options.json, document)
        print(f"seed {seed} {target} {variant}: {result['seconds']:.0f} s", file=sys.stderr, flush=True)
    print("\n".join(lines(document["summary"])))
    return 0


def measured(
    target: str, variant: str, there: Sequence[dict[str, Any]], *, images: int, seed: int, precision: str
) -> dict[str, Any]:
    """What a search finds on one target: from ``there``, else made now."""
    search, given = VARIANTS[variant]
    diagnoser = Diagnoser(
        generator="avatars",
        target=f"avatars:{target}",
        mode="multi",
        search=search,
        search_options=given,
        precision=precision,
    )
    options = describe_search(diagnoser.search)
    part: dict[str, Any] = {"seed": seed, "target": target, "search": variant, "options": options}
    for other in there:
        if _part(other) == _part(part) and other["options"] == part["options"]:
            return other
    diagnoser.calibrated_range(diagnoser.edit_directions())  # from here on they are read from the cache
    start = time.process_time()
    records = sorted(diagnoser.run(images=images, seed=seed).records, key=lambda record: record.image)
    return {
        **part,
        "synthesis": diagnoser.synthesizer.describe(),
        "seconds": round(time.process_time() - start, 1),
        "flipped": [int(record.flipped) for record in records],
        "decisive": [int(bool(record.decisive)) for record in records],
        "ssim": [record.ssim if record.flipped else None for record in records],
        "evaluations": [record.evaluations for record in records],
        "stops": [record.stop for record in records],
    }


def agreement(one: Mapping[str, Any], other: Mapping[str, Any]) -> Iterator[str]:
    """The table: for each search the share of images that flip, and that flip decisively, in both or in neither, and
    the mean difference of SSIM where both flip."""
    there = {_part(result): result for result in other["results"]}
    pairs = [(result, there[_part(result)]) for result in one["results"] if _part(result) in there]
    yield f"{one['precision']} beside {other['precision']}: {'images':>6} {'flips':>7} {'decisive':>9} {'SSIM':>8}"
    for search in dict.fromkeys(here["search"] for here, _ in pairs):
        columns = {
            name: [_column([pair[side] for pair in pairs if pair[0]["search"] == search], name) for side in (0, 1)]
            for name in ("flipped", "decisive", "ssim")
        }
        alike = [float(np.mean(columns[name][0] == columns[name][1])) for name in ("flipped", "decisive")]
        apart = np.abs(columns["ssim"][0] - columns["ssim"][1])
        moved = f"{float(apart[np.isfinite(apart)].mean()):8.4f}" if np.isfinite(apart).any() else f"{'–':>8}"
        yield f"{search:17} {len(columns['flipped'][0]):6} {alike[0]:7.2%} {alike[1]:9.2%} {moved}"


def _part(result: Mapping[str, Any]) -> tuple[int, str, str]:
    return result["seed"], result["target"], result["search"]


def summaries(results: Sequence[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    """One for each target and search, and for each search over all targets: of the parts that every search has."""
    found = {_part(result): result for result in results}
    searches = list(dict.fromkeys(result["search"] for result in results))
    parts = dict.fromkeys((result["seed"], result["target"]) for result in results)
    whole = [part for part in parts if all((*part, search) in found for search in searches)]
    targets = list(dict.fromkeys(target for _, target in whole))
    for target in [*targets, *(["all"] if len(targets) > 1 else [])]:
        rows = {s: [found[*part, s] for part in whole if target in (part[1], "all")] for s in searches}
        for search in searches:
            yield {"target": target, "search": search, **summary(rows[search], rows.get(COMPARED, []))}


def summary(results: Sequence[dict[str, Any]], compared: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """Rates and costs over the images of ``results``, and how ``compared`` (as many, or none) does on the same."""
    evaluations = _column(results, "evaluations")
    found: dict[str, Any] = {
        "images": len(evaluations),
        "flipped": mean(_column(results, "flipped")),
        "decisive": mean(_column(results, "decisive")),
        "evaluations": round(float(evaluations.mean()), 1),
        "seconds_per_image": round(sum(result["seconds"] for result in results) / len(evaluations), 3),
    }
    if compared and compared[0]["search"] != results[0]["search"]:
        ssim, other = (_column(part, "ssim", where="decisive") for part in (results, compared))
        both = np.isfinite(ssim) & np.isfinite(other)
        found["compared"] = {
            "flipped": mean(_column(compared, "flipped") - _column(results, "flipped")),
            "decisive": mean(_column(compared, "decisive") - _column(results, "decisive")),
            "both_decisive": int(both.sum()),
            "ssim_here": mean(ssim[both]),
            "ssim_compared": mean(other[both]),
            "ssim": mean(other[both] - ssim[both]),
        }
    return found


def _column(results: Sequence[dict[str, Any]], name: str, *, where: str | None = None) -> Array:
    """A value per image, NaN where there is none or ``where`` does not hold."""
    rows = np.concatenate([np.array(result[name], dtype=float) for result in results])
    return rows if where is None else np.where(_column(results, where) > 0, rows, np.nan)


def mean(values: Array) -> list[float] | None:
    """The mean of ``values [I]`` and its interval, None without values."""
    if not len(values):
        return None
    low, high = interval(bootstrap_means(values[:, None]))
    return [round(float(value[0]), 4) for value in (column_means(values[:, None]), low, high)]


def lines(summary: Sequence[dict[str, Any]]) -> Iterator[str]:
    """The table."""
    yield (
        f"{'target':26} {'search':10} {'flips':>19} {'decisive':>19} {'evaluations':>11} {'s/image':>8}"
        f"   {COMPARED} less it: {'decisive':>22} {'SSIM':>25} {'of':>4}"
    )
    for row in summary:
        line = (
            f"{row['target']:26} {row['search']:10} {_said(row['flipped']):>19} {_said(row['decisive']):>19}"
            f" {row['evaluations']:11.1f} {row['seconds_per_image']:8.2f}"
        )
        if "compared" in row:
            compared = row["compared"]
            line += f"   {'':17}{_said(compared['decisive'], '+.2f'):>22} {_said(compared['ssim'], '+.4f'):>25}"
            line += f" {compared['both_decisive']:4}"
        yield line


def _said(values: Sequence[float] | None, form: str = ".2f") -> str:
    return "–" if values is None else f"{values[0]:{form}} [{values[1]:{form}}, {values[2]:{form}}]"


if __name__ == "__main__":
    sys.exit(main())
