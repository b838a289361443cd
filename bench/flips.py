"""``python bench/flips.py [--json OUT]``: do an audit's flips stay when the native operators run it instead of torch?

The same images, attributes, edit directions and search for every target of the avatars, once by each variant. ``same``
is the share of units (image × attribute) that flip, or do not, as with torch in float32. What audits cost is measured
by ``bench/throughput.py --suite audit``.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from zoom_engine import Diagnoser
from zoom_engine.common.files import atomic
from zoom_engine.common.machine import bf16_in_hardware, describe_environment
from zoom_engine.diagnose.domain import find_domain

BASELINE = "torch-fp32"
VARIANTS = (BASELINE, "native-fp32", "native-bf16")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; returns the exit code."""
    parser = argparse.ArgumentParser(description="Flips by torch and by the native operators.")
    parser.add_argument("--images", type=int, default=20)
    parser.add_argument("--search", default="sgd", choices=("scan", "sgd", "pgd"))
    parser.add_argument("--targets", help="of the avatars, separated by commas")
    parser.add_argument("--json", type=Path, help="write the results there")
    options = parser.parse_args(arguments)
    domain = find_domain("avatars")
    assert domain is not None
    targets = options.targets.split(",") if options.targets else list(domain.target_names())
    print(f"{'target':28} {'variant':12} {'units':>6} {'flips':>6} {'same':>7}")
    results = []
    for result in measure(targets, options.search, options.images):
        results.append(result)
        print(
            f"{result['target']:28} {result['variant']:12} {result['units']:6}"
            f" {result['flips']:6} {result['same']:7.2%}",
            flush=True,
        )
        if options.json is not None:  # what is measured stays, whatever comes after
            document = {"search": options.search, "images": options.images, "machine": describe_environment()}
            atomic.write_json(options.json, document | {"results": results})
    return 0


def measure(targets: Sequence[str], search: str, images: int) -> Iterator[dict[str, Any]]:
    """One result for each target and variant."""
    for target in targets:
        audited: dict[str, Any] = {"generator": "avatars", "target": f"avatars:{target}", "search": search}
        directions = Diagnoser(**audited).edit_directions()
        wanted: dict[tuple[int, str | None], bool] = {}
        for variant in VARIANTS:
            backend, precision = variant.split("-")
            if precision == "bf16" and not bf16_in_hardware():
                continue
            with tempfile.TemporaryDirectory() as cache:
                how: dict[str, Any] = {"backend": backend, "precision": precision, "random_directions": 0}
                diagnoser = Diagnoser(**audited, **how, directions=directions, cache=Path(cache))
                diagnosis = diagnoser.run(images=images)
            flips = {(r.image, r.attribute): bool(r.flipped) for r in diagnosis.records}
            wanted = wanted or flips
            yield {
                "target": target,
                "variant": variant,
                "units": len(flips),
                "flips": sum(flips.values()),
                "same": round(sum(flips[unit] == wanted[unit] for unit in wanted) / len(wanted), 5),
            }


if __name__ == "__main__":
    sys.exit(main())
