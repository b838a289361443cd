"""What stopping costs: verdicts of attributes that stop when they are settled, beside those of all images.

    python bench/calls.py --seeds 100 --images 200 --out FOLDER
    python bench/stopping.py FOLDER --json bench/results/stopping.json

FOLDER holds finished audits of a fixed number of images. An audit that chooses the number of images of each attribute
would have searched the first of these images, so its verdicts and its pictures follow from their records.
"""

from __future__ import annotations

import argparse
import json
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from zoom_engine import Diagnosis
from zoom_engine.audit.folder import SUMMARY
from zoom_engine.common.files import atomic
from zoom_engine.common.machine import describe_environment
from zoom_engine.gates.compare import judged_by_seed
from zoom_engine.settings.interim_analyses import planned_analyses
from zoom_engine.statistics.course import size_tests


def compared(diagnosis: Diagnosis) -> dict[str, Any]:
    """The verdicts of one audit in both ways, and the pictures of attributes that each takes."""
    changes = np.array([*judged_by_seed(diagnosis, diagnosis.attributes).values()])
    smallest, count = diagnosis.config.smallest_effect, len(changes)
    stopping = size_tests(changes, smallest, planned_analyses(count))
    whole = size_tests(changes, smallest, (count,))
    images = [stopped or count for stopped in stopping.stopped]
    limits = dict(zip((attribute.text for attribute in diagnosis.attributes), images, strict=True))
    pictures = [
        (record.evaluations or 0, record.image < limits[record.attribute or ""]) for record in diagnosis.records
    ]
    return {
        "target": diagnosis.config.target,
        "images": count,
        "attributes": len(images),
        "verdicts": dict(Counter(f"{a} / {b}" for a, b in zip(stopping.verdicts, whole.verdicts, strict=True))),
        "opposite": sum({a, b} == {"sensitive", "negligible"} for a, b in zip(*pair(stopping, whole), strict=True)),
        "alike": sum(a == b or "inconclusive" in (a, b) for a, b in zip(*pair(stopping, whole), strict=True)),
        "mean_images": round(float(np.mean(images)), 1),
        "pictures": {
            "stopping": sum(one for one, counts in pictures if counts),
            "all": sum(one for one, _ in pictures),
        },
    }


def pair(*results: Any) -> list[Sequence[str]]:
    """The verdicts of several results."""
    return [result.verdicts for result in results]


def finished(folders: Sequence[Path]) -> Iterator[Diagnosis]:
    """The finished audits in the folders."""
    for folder in folders:
        for summary in sorted(folder.rglob(SUMMARY)):
            yield Diagnosis.load(summary.parent)


def main(arguments: Sequence[str] | None = None) -> None:
    """Compare and write."""
    parser = argparse.ArgumentParser(prog="python bench/stopping.py", description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("folders", nargs="+", type=Path, help="folders of finished audits of a fixed number of images")
    parser.add_argument("--json", type=Path, help="write the figures here")
    given = parser.parse_args(arguments)
    rows = [compared(diagnosis) for diagnosis in finished(given.folders)]
    attributes = sum(row["attributes"] for row in rows)
    totals = {name: sum(row["pictures"][name] for row in rows) for name in ("stopping", "all")}
    figures = {
        "audits": len(rows),
        "attributes": attributes,
        "alike_or_inconclusive": round(sum(row["alike"] for row in rows) / max(1, attributes), 4),
        "opposite": sum(row["opposite"] for row in rows),
        "pictures": totals,
        "share_of_pictures": round(totals["stopping"] / max(1, totals["all"]), 3),
        "rows": rows,
        "environment": describe_environment(),
    }
    if given.json:
        atomic.write_json(given.json, figures)
    print(json.dumps({name: value for name, value in figures.items() if name != "environment"}, indent=1))


if __name__ == "__main__":
    main()
