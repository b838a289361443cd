"""``python -m lab.DOMAIN.evaluate``: the command line that measures a domain's parts."""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from lab.evaluation import SAMPLES
from zoom_engine.common.files import atomic
from zoom_engine.common.machine import describe_environment


def measure_parts(domain: str, parts: Mapping[str, Callable[..., Any]], sheet: Callable[[Path], None]) -> None:
    """Read the command line, measure and print ``parts``. "edits" is called for each kind of direction, "tasks" with
    the names of targets; ``sheet`` writes a contact sheet."""
    parser = argparse.ArgumentParser(
        prog=f"python -m lab.{domain}.evaluate",
        description="Measure every quality figure of the shipped weights.",
    )
    parser.add_argument("parts", nargs="*", choices=[[], *parts], help="what to measure; all by default")
    methods = tuple(SAMPLES)
    parser.add_argument("--directions", nargs="+", choices=methods, default=methods, help="kinds for the edits")
    if "tasks" in parts:
        parser.add_argument("--targets", nargs="+", default=(), help="those of other tasks to measure; all by default")
    parser.add_argument("--json", type=Path, help="write the figures here; other parts of a file that is there stay")
    parser.add_argument("--sheet", type=Path, help="write a contact sheet of renders and samples here (.webp)")
    options = parser.parse_args()
    figures: dict[str, Any] = {}
    for name in options.parts or parts:
        if name == "edits":
            figures[name] = {method: parts[name](method) for method in options.directions}
        else:
            figures[name] = parts[name](options.targets) if name == "tasks" else parts[name]()
    if options.json:
        before = json.loads(options.json.read_text(encoding="utf-8")) if options.json.is_file() else {}
        figures["environments"] = dict.fromkeys(figures, describe_environment())
        merged = {
            part: {**before.get(part, {}), **figures.get(part, {})} for part in ("edits", "tasks", "environments")
        }
        atomic.write_json(options.json, {**before, **figures, **{part: rows for part, rows in merged.items() if rows}})
    if options.sheet:
        sheet(options.sheet)
    print(json.dumps(figures, indent=1))
