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
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch

from zoom_engine import Diagnoser
from zoom_engine.common.files import atomic
from zoom_engine.common.machine import describe_environment
from zoom_engine.diagnose.domain import find_domain
from zoom_engine.experiments.estimates import estimate
from zoom_engine.experiments.optimizer import VARIANTS, column, searched
from zoom_engine.search import describe_search

COMPARED = "minimal"


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
        stored = json.loads(options.json.read_text())
        if any(stored[name] != value for name, value in chosen.items()):
            parser.error(f"{options.json} was measured with other images or another precision: choose another file")
        document["results"] = stored["results"]
    seeds = [int(seed) for seed in options.seeds.split(",")]
    for seed, target, variant in itertools.product(seeds, targets, options.searches.split(",")):
        result = searched_part(target, variant, document["results"], seed=seed, **chosen)
        others = [other for other in document["results"] if part_of(other) != part_of(result)]
        document["results"] = [*others, result]
        document["summary"] = list(summaries(document["results"]))
        if options.json is not None:  # what is measured stays, whatever comes after
            atomic.write_json(options.json, document)
        print(f"seed {seed} {target} {variant}: {result['seconds']:.0f} s", file=sys.stderr, flush=True)
    print("\n".join(lines(document["summary"])))
    return 0


def searched_part(
    target: str, variant: str, results: Sequence[dict[str, Any]], *, images: int, seed: int, precision: str
) -> dict[str, Any]:
    """What a search finds on one target: from ``results``, else made now."""
    search, given = VARIANTS[variant]
    how: dict[str, Any] = {"search": search, "search_options": given, "precision": precision}
    diagnoser = Diagnoser(generator="avatars", target=f"avatars:{target}", mode="multi", **how)
    options = describe_search(diagnoser.models.search)
    part: dict[str, Any] = {"seed": seed, "target": target, "search": variant, "options": options}
    for other in results:
        if part_of(other) == part_of(part) and other["options"] == part["options"]:
            return other
    figures = searched(diagnoser, images=images, seed=seed)
    del figures["edit_weights"]  # no figure reads them, and they would be most of the file
    return {**part, **figures}


def part_of(result: Mapping[str, Any]) -> tuple[int, str, str]:
    """Return the seed, target and search of a result."""
    return result["seed"], result["target"], result["search"]


def summaries(results: Sequence[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    """Yield a summary for each target and search, and for each search over all targets.

    Only targets and seeds that every search has are counted.
    """
    by_part = {part_of(result): result for result in results}
    searches = list(dict.fromkeys(result["search"] for result in results))
    parts = dict.fromkeys((result["seed"], result["target"]) for result in results)
    whole = [part for part in parts if all((*part, search) in by_part for search in searches)]
    targets = list(dict.fromkeys(target for _, target in whole))
    for target in [*targets, *(["all"] if len(targets) > 1 else [])]:
        rows = {s: [by_part[*part, s] for part in whole if target in (part[1], "all")] for s in searches}
        for search in searches:
            yield {"target": target, "search": search, **summary(rows[search], rows.get(COMPARED, []))}


def summary(results: Sequence[dict[str, Any]], compared: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """Return rates and costs over the images of `results`, and the differences of `compared` on the same images.

    `compared` holds as many results, or none.
    """
    evaluations = column(results, "evaluations")
    figures: dict[str, Any] = {
        "images": len(evaluations),
        "flipped": estimate(column(results, "flipped")),
        "decisive": estimate(column(results, "decisive")),
        "evaluations": round(float(evaluations.mean()), 1),
        "seconds_per_image": round(sum(result["seconds"] for result in results) / len(evaluations), 3),
    }
    if compared and compared[0]["search"] != results[0]["search"]:
        ssim, other = (column(part, "ssim", where="decisive") for part in (results, compared))
        both = np.isfinite(ssim) & np.isfinite(other)
        figures["compared"] = {
            "flipped": estimate(column(compared, "flipped") - column(results, "flipped")),
            "decisive": estimate(column(compared, "decisive") - column(results, "decisive")),
            "both_decisive": int(both.sum()),
            "ssim_here": estimate(ssim[both]),
            "ssim_compared": estimate(other[both]),
            "ssim": estimate(other[both] - ssim[both]),
        }
    return figures


def agreement(one: Mapping[str, Any], other: Mapping[str, Any]) -> Iterator[str]:
    """The table: for each search the share of images that flip, and that flip decisively, in both or in neither, and
    the mean difference of SSIM where both flip."""
    others = {part_of(result): result for result in other["results"]}
    pairs = [(result, others[part_of(result)]) for result in one["results"] if part_of(result) in others]
    yield f"{one['precision']} beside {other['precision']}: {'images':>6} {'flips':>7} {'decisive':>9} {'SSIM':>8}"
    for search in dict.fromkeys(here["search"] for here, _ in pairs):
        columns = {
            name: [column([pair[side] for pair in pairs if pair[0]["search"] == search], name) for side in (0, 1)]
            for name in ("flipped", "decisive", "ssim")
        }
        alike = [float(np.mean(columns[name][0] == columns[name][1])) for name in ("flipped", "decisive")]
        apart = np.abs(columns["ssim"][0] - columns["ssim"][1])
        moved = f"{float(apart[np.isfinite(apart)].mean()):8.4f}" if np.isfinite(apart).any() else f"{'–':>8}"
        yield f"{search:17} {len(columns['flipped'][0]):6} {alike[0]:7.2%} {alike[1]:9.2%} {moved}"


def lines(summary: Sequence[dict[str, Any]]) -> Iterator[str]:
    """The table."""
    yield (
        f"{'target':26} {'search':10} {'flips':>19} {'decisive':>19} {'evaluations':>11} {'s/image':>8}"
        f"   {COMPARED} less it: {'decisive':>22} {'SSIM':>25} {'of':>4}"
    )
    for row in summary:
        line = (
            f"{row['target']:26} {row['search']:10} {_spread(row['flipped']):>19} {_spread(row['decisive']):>19}"
            f" {row['evaluations']:11.1f} {row['seconds_per_image']:8.2f}"
        )
        if "compared" in row:
            compared = row["compared"]
            line += f"   {'':17}{_spread(compared['decisive'], '+.2f'):>22} {_spread(compared['ssim'], '+.4f'):>25}"
            line += f" {compared['both_decisive']:4}"
        yield line


def _spread(values: Sequence[float] | None, form: str = ".2f") -> str:
    return "–" if values is None else f"{values[0]:{form}} [{values[1]:{form}}, {values[2]:{form}}]"


if __name__ == "__main__":
    sys.exit(main())
