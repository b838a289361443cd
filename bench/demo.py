"""``python bench/demo.py [--json OUT]``: the demo with the runtime that "auto" takes beside ``--backend torch``.

Each from cold caches. A decision is the target's answer for one picture. Compared are, for each unit (image ×
attribute), the one to the unedited picture, and whether an edit within the range flips it with the ground truth kept.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from zoom_engine.commands.demo import run_demo
from zoom_engine.common.files import atomic
from zoom_engine.common.machine import describe_environment
from zoom_engine.statistics.diagnosis import Diagnosis

BACKENDS = ("auto", "torch")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; returns the exit code."""
    parser = argparse.ArgumentParser(description="The demo with a runtime and with torch.")
    parser.add_argument("--images", type=int, default=64)
    parser.add_argument("--precision", default="auto", choices=("auto", "fp32", "bf16"), help="of the runtime")
    parser.add_argument("--json", type=Path, help="write the result there")
    options = parser.parse_args(arguments)
    runs = {name: timed(name, options.images, options.precision if name == "auto" else "fp32") for name in BACKENDS}
    result = {"images": options.images, **compare(*(diagnoses for diagnoses, _ in runs.values()))}
    for name, (diagnoses, seconds) in runs.items():
        result[name] = {"seconds": round(seconds, 1), **ran(next(iter(diagnoses.values())))}
    for key, value in result.items():
        print(f"{key:20} {value}")
    if options.json is not None:
        atomic.write_json(options.json, {"machine": describe_environment(), "result": result})
    return 0


def timed(backend: str, images: int, precision: str) -> tuple[dict[str, Diagnosis], float]:
    """The demo's audits and how many seconds they took, directions and ranges included."""
    with tempfile.TemporaryDirectory() as folder:
        start = time.perf_counter()
        diagnoses = run_demo(
            Path(folder, "out"), images=images, backend=backend, precision=precision, cache=Path(folder)
        )
        return diagnoses, time.perf_counter() - start


def ran(diagnosis: Diagnosis) -> dict[str, Any]:
    """What the manifest says made the pictures, and why."""
    manifest = diagnosis.manifest
    return {**manifest.config.content["synthesis"], **manifest.environment["synthesis"]}


def compare(diagnoses: dict[str, Diagnosis], wanted: dict[str, Diagnosis]) -> dict[str, Any]:
    """The shares of equal decisions over all units of all audits, and the most sensitive attribute of each audit."""
    unedited, flips = [], []
    for name, diagnosis in diagnoses.items():
        other = {(r.image, r.attribute): r for r in wanted[name].records}
        for record in diagnosis.records:
            beside = other[record.image, record.attribute]
            unedited.append((record.original_output[0] > 0.5) == (beside.original_output[0] > 0.5))
            flips.append((record.flipped, record.label_kept) == (beside.flipped, beside.label_kept))
    return {
        "units": len(flips),
        "unedited_equal": round(sum(unedited) / len(unedited), 4),
        "flips_equal": round(sum(flips) / len(flips), 4),
        "top_equal": all(
            d.sensitivity[0].attribute == wanted[n].sensitivity[0].attribute for n, d in diagnoses.items()
        ),
    }


if __name__ == "__main__":
    sys.exit(main())
