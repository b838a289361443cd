"""``python bench/throughput.py --suite synthesis|edits [--json OUT]``: throughput here, as a table and as JSON.

Without options every case and variant runs, which takes long; ``--cases``, ``--variants`` and ``--repeats`` choose.
Threads are torch's: set OMP_NUM_THREADS for another number. A JSON file that is there already, of the same machine and
versions, keeps its other results: a long table can be measured piece by piece.
"""

from __future__ import annotations

import argparse
import fnmatch
import json
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import edits
import synthesis

from zoom_engine.files import atomic
from zoom_engine.runtime import describe_environment

SAME = ("processor", "cpu_features", "cores", "threads", "packages")  # of a machine whose results go together
SUITES = {synthesis.SUITE: synthesis, edits.SUITE: edits}


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; returns the exit code."""
    parser = argparse.ArgumentParser(description="Throughput on this machine.")
    parser.add_argument("--suite", choices=sorted(SUITES), required=True)
    parser.add_argument("--cases", help="names or patterns, separated by commas, such as '256-forward-*'")
    parser.add_argument("--variants", help="names or patterns, separated by commas")
    parser.add_argument("--repeats", type=int, default=5, help="timed rounds after one to warm up")
    parser.add_argument("--memory", type=float, help="GB that a case may take (default: 80 %% of what is free)")
    parser.add_argument("--json", type=Path, help="write the results there")
    parser.add_argument("--note", default="", help="kept beside the machine, such as what else ran on it")
    options = parser.parse_args(arguments)
    suite = SUITES[options.suite]
    if options.repeats < 1:
        parser.error("--repeats must be at least 1")
    try:
        cases = chosen(options.cases, suite.CASES)
        for case in cases:
            suite.parse(case)
        variants = chosen(options.variants, suite.VARIANTS)
        unknown = next((name for name in variants if name not in suite.VARIANTS), None)
        if unknown is not None:
            raise ValueError(f"'{unknown}' is no variant; choose from {', '.join(suite.VARIANTS)}")
    except ValueError as error:
        parser.error(str(error))
    memory = sys.maxsize if options.memory is None else options.memory * 1e9
    machine = {**describe_environment(), "processor": processor(), "load_before": os.getloadavg(), "note": options.note}
    try:
        earlier = earlier_results(options.json, machine)
    except ValueError as error:
        parser.error(str(error))
    measured = {(row["case"], row["variant"]): row for row in earlier}
    for result in suite.run(cases, variants, repeats=options.repeats, memory=int(memory)):
        measured[result["case"], result["variant"]] = result
        print(f"{result['case']} {result['variant']}", file=sys.stderr, flush=True)
        if options.json is not None:  # what is measured stays, whatever comes after
            document = {"machine": {**machine, "load_after": os.getloadavg()}, "results": table(suite, measured)}
            atomic.write_json(options.json, document)
    print(f"{'case':24} {'variant':18} {'s/image':>9} {'ratio':>7} {'of floor':>8} {'MB':>6} {'spread':>7}")
    for row in table(suite, measured):
        print(line(row))
    return 0


def table(suite: Any, measured: dict[tuple[str, str], dict[str, Any]]) -> list[dict[str, Any]]:
    """The rows in order, with what takes several of them."""
    results = sorted(
        measured.values(), key=lambda row: (suite.parse(row["case"]), suite.VARIANTS.index(row["variant"]))
    )
    suite.settle(results)
    return results


def earlier_results(path: Path | None, machine: dict[str, Any]) -> list[dict[str, Any]]:
    """The results in the file at ``path``, if there is one; ValueError where it is of another machine or versions."""
    if path is None or not path.exists():
        return []
    document = json.loads(path.read_text(encoding="utf-8"))
    differing = [key for key in SAME if document["machine"].get(key) != machine[key]]
    if differing:
        raise ValueError(f"{path} was measured with other {' and '.join(differing)}: choose another file")
    results: list[dict[str, Any]] = document["results"]
    return results


def chosen(patterns: str | None, known: Sequence[str]) -> list[str]:
    """The known names that match, in order; a pattern that matches none is kept as it is."""
    if patterns is None:
        return list(known)
    found: list[str] = []
    for pattern in patterns.split(","):
        found += fnmatch.filter(known, pattern.strip()) or [pattern.strip()]
    return list(dict.fromkeys(found))


def line(result: dict[str, Any]) -> str:
    """One row of the table."""
    head = f"{result['case']:24} {result['variant']:18}"
    if "skipped" in result:
        return f"{head} skipped: {result['skipped']}"
    ratio = "" if result["ratio"] is None else f"{result['ratio']:.2f}×"
    of_floor = "" if result["of_floor"] is None else f"{result['of_floor']:.0%}"
    memory = f"{result['peak_memory'] / 1e6:.0f}" if "peak_memory" in result else ""
    spread = f"{result['spread']:.2f}" if "spread" in result else ""
    return f"{head} {result['seconds']:9.4f} {ratio:>7} {of_floor:>8} {memory:>6} {spread:>7}"


def processor() -> str:
    """The processor's name, as Linux gives it."""
    try:
        text = Path("/proc/cpuinfo").read_text(encoding="ascii", errors="replace")
    except OSError:
        return "unknown"
    names = [row.split(":", 1)[1].strip() for row in text.splitlines() if row.startswith("model name")]
    return names[0] if names else "unknown"


if __name__ == "__main__":
    sys.exit(main())
