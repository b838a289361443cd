"""``python bench/scan_grid.py [--json OUT]``: what a scan loses by leaving out most of its grid where changes grow.

Each target is audited twice on the same images, by the scan as it is and by one that walks its whole grid
(``monotone=None``): pictures evaluated per unit, by how much the largest change came out lower (on average over the
images of the attribute where that is most, and in how many units by more than 0.01), units that flip in one only, and
attributes whose verdicts differ. ``seconds`` is processor time of all threads.
"""

from __future__ import annotations

import argparse
import itertools
import json
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from zoom_engine import Diagnoser
from zoom_engine.common.files import atomic
from zoom_engine.common.machine import describe_environment
from zoom_engine.statistics.diagnosis import Diagnosis

TARGETS = (
    "avatars:gender",
    "avatars:age-biased-beard",
    "avatars:eyeglasses-biased-smiling",
    "avatars:mustache-biased-pale-skin",
    "avatars:hair-color",
    "avatars:age-years",
    "avatars:keypoints-weak-eyeglasses",
    "avatars:segmentation-weak-long-hair",
    "pets:dog",
    "pets:dog-biased-collar",
)
LOWER_BY = 0.01


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; returns the exit code."""
    parser = argparse.ArgumentParser(description="The scan's half grid beside its whole one.")
    parser.add_argument("--images", type=int, default=24)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--targets", default=",".join(TARGETS), help="DOMAIN:TARGET, separated by commas")
    parser.add_argument("--ranges", default="calibrated,paper", help="of the edits, separated by commas")
    parser.add_argument("--json", type=Path, help="write the results there, and go on with what it holds of them")
    options = parser.parse_args(arguments)
    print(
        f"{'target':36} {'range':10} {'units':>5} {'pictures':>13} {'time':>5} {'mean':>7} {'>0.01':>6} flips verdicts"
    )
    document: dict[str, Any] = {"images": options.images, "seed": options.seed, "results": []}
    if options.json is not None and options.json.is_file():
        stored = json.loads(options.json.read_text(encoding="utf-8"))
        if any(stored[name] != document[name] for name in ("images", "seed")):
            parser.error(f"{options.json} was measured with other images: choose another file")
        document["results"] = stored["results"]
    done = {(result["target"], result["range"]): result for result in document["results"]}
    for case in itertools.product(options.targets.split(","), options.ranges.split(",")):
        if case not in done:
            done[case] = compared(*case, options.images, options.seed)
            document.update(results=list(done.values()), machine=describe_environment())
            if options.json is not None:  # what is measured stays, whatever comes after
                atomic.write_json(options.json, document)
        print(line(done[case]), flush=True)
    return 0


def compared(target: str, edit_range: str, images: int, seed: int) -> dict[str, Any]:
    """One target in one range."""
    audits: list[Diagnosis] = []
    seconds = []
    how: dict[str, Any] = {"generator": target.partition(":")[0], "target": target, "edit_range": edit_range}
    for options in ({}, {"monotone": None}):
        diagnoser = Diagnoser(**how, search_options=options)
        diagnoser.run(images=1, seed=seed + 1)  # what comes before the first unit
        begun = time.process_time()
        audits.append(diagnoser.run(images=images, seed=seed))
        seconds.append(time.process_time() - begun)
    half, whole = audits
    pairs = list(zip(half.records, whole.records, strict=True))
    lower: dict[str, list[float]] = {}
    for one, other in pairs:
        assert (one.image, one.attribute) == (other.image, other.attribute)
        lower.setdefault(str(other.attribute), []).append(other.change - one.change)
    differences = np.concatenate([np.array(values) for values in lower.values()])
    verdicts = [{row.attribute: row.verdict for row in audit.summary().sensitivity} for audit in audits]
    return {
        "target": target,
        "range": edit_range,
        "units": len(pairs),
        "pictures": [round(float(np.mean([record.evaluations for record in audit.records])), 2) for audit in audits],
        "seconds": [round(value, 1) for value in seconds],
        "mean_lower": round(max(float(np.mean(values)) for values in lower.values()), 5),
        "units_lower": round(float(np.mean(differences > LOWER_BY)), 5),
        "most_lower": round(float(differences.max()), 4),
        "flips_apart": sum(one.flipped != other.flipped for one, other in pairs),
        "verdicts_apart": sorted(str(name) for name in verdicts[0] if verdicts[0][name] != verdicts[1][name]),
    }


def line(result: dict[str, Any]) -> str:
    """One row of the table."""
    half, whole = result["pictures"]
    time_left = result["seconds"][0] / result["seconds"][1]
    return (
        f"{result['target']:36} {result['range']:10} {result['units']:5} {half:5.2f} of {whole:5.2f} {time_left:5.2f}"
        f" {result['mean_lower']:7.4f} {result['units_lower']:6.2%} {result['flips_apart']:5}"
        f" {result['verdicts_apart']}"
    )


if __name__ == "__main__":
    sys.exit(main())
