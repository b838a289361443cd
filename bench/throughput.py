"""``python bench/throughput.py --suite NAME [--json OUT]``: throughput here, as a table and as JSON.

``synthesis`` and ``edits`` measure the generator, ``audit`` gradient steps, whole searches (`audit_suite.py`) and whole
default audits, from the command to the report (`whole_audits.py`), beside the reference's,
``full`` all of them. ``quick`` is a part of ``audit``, meant for three minutes. With ``--compare BASELINE.json`` the
exit code is 1 where a ratio fell below ``--fail-below`` times the committed one, 3 where that one is of another kind of
processor, 2 where it cannot be read.

Without options every case and variant runs, which takes long; ``--cases``, ``--variants`` and ``--repeats`` choose.
Threads are torch's: set OMP_NUM_THREADS for another number. Torch is loaded before the engine, which would have its
threads wait asleep: the reference's loop, all of it torch's, would be slower so. A JSON file that is there already, of
the same machine and versions, keeps its other results: a long table can be measured piece by piece.
"""

from __future__ import annotations

import argparse
import fnmatch
import functools
import json
import os
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import audit_suite
import chart
import edits
import gate
import synthesis

from zoom_engine import ops
from zoom_engine.common.errors import ConfigError
from zoom_engine.common.files import atomic
from zoom_engine.common.machine import describe_environment, find_device

SAME = ("processor", "cpu_features", "cores", "threads", "packages")  # of a machine whose results go together
MODULES = {module.SUITE: module for module in (synthesis, edits, audit_suite)}
QUICK = (("128-step-b4", "pgd"), ("128-single-b4", "scan"), ("128-multi8-b4", "minimal"))

Key = tuple[str, str, str]  # suite, case, variant
Result = dict[str, Any]


class Part(NamedTuple):
    """Cases and variants of one suite's module."""

    module: Any
    cases: Sequence[str]
    variants: Sequence[str]


WHOLE = {name: (Part(module, module.CASES, module.VARIANTS),) for name, module in MODULES.items()}
SUITES: dict[str, tuple[Part, ...]] = {
    **WHOLE,
    "full": tuple(part for parts in WHOLE.values() for part in parts),
    "quick": tuple(Part(audit_suite, (case,), (audit_suite.BASELINE, variant)) for case, variant in QUICK),
}


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; returns the exit code."""
    parser = argparse.ArgumentParser(description="Throughput on this machine.")
    parser.add_argument("--suite", choices=sorted(SUITES), required=True)
    parser.add_argument("--cases", help="of one suite: names or patterns, by commas, such as '256-forward-*'")
    parser.add_argument("--variants", help="of one suite: names or patterns, separated by commas")
    parser.add_argument("--repeats", type=int, help="timed rounds after one to warm up (5; of audits 3)")
    parser.add_argument("--memory", type=float, help="GB that a case may take (default: 80 %% of what is free)")
    parser.add_argument("--device", default="cpu", help="cpu or cuda, for audits")
    parser.add_argument("--json", type=Path, help="write the results there")
    parser.add_argument("--plot", type=Path, help="draw the audits' throughput there, as SVG")
    parser.add_argument("--compare", type=Path, metavar="BASELINE", help="results to hold the ratios against")
    parser.add_argument("--fail-below", type=float, default=0.9, help="of a committed ratio (%(default)s)")
    parser.add_argument("--note", default="", help="kept beside the machine, such as what else ran on it")
    options = parser.parse_args(arguments)
    if options.repeats is not None and options.repeats < 1:
        parser.error("--repeats must be at least 1")
    machine = {
        **describe_environment(),
        "processor": processor("model name"),
        "processor_model": "-".join(processor(field) for field in ("vendor_id", "cpu family", "model")),
        "instruction_set": instruction_set(),
        "device": options.device,
        "load_before": os.getloadavg(),
        "note": options.note,
    }
    try:
        committed = gate.committed_ratios(options.compare, machine) if options.compare else {}
    except ValueError as error:
        print(f"error: {error}", file=sys.stderr)
        return 3 if isinstance(error, gate.OtherMachineError) else 2
    try:
        parts = chosen_parts(options.suite, options.cases, options.variants)
        check_device(options.device, parts)
        earlier = earlier_results(options.json, machine)
    except (ValueError, ConfigError) as error:
        parser.error(str(error))
    timings: dict[Key, Result] = {key_of(row): row for row in earlier}
    measure = functools.partial(
        results_of,
        memory=sys.maxsize if options.memory is None else int(options.memory * 1e9),
        device=options.device,
    )

    def keep(result: Result) -> None:
        timings[key_of(result)] = result
        print(f"{result['case']} {result['variant']}", file=sys.stderr, flush=True)
        if options.json is not None:  # what is measured stays, whatever comes after
            document = {"machine": {**machine, "load_after": os.getloadavg()}, "results": table(timings)}
            atomic.write_json(options.json, document)

    asked: set[Key] = set()
    for part in parts:
        for result in measure(part, repeats=options.repeats or repeats_of(part)):
            asked.add(key_of(result))
            keep(result)
    verdicts: list[gate.Verdict] = []
    if options.compare:
        verdicts = compared(timings, asked, committed)
        for part in fallen(parts, verdicts, options.fail_below):  # noise passes, a regression stays
            for result in measure(part, repeats=2 * (options.repeats or repeats_of(part))):
                keep(gate.joined(timings[key_of(result)], result))
        verdicts = compared(timings, asked, committed)
    print(f"{'case':24} {'variant':18} {'s/image':>9} {'ratio':>8} {'of floor':>8} {'MB':>6} {'spread':>7}")
    rows = table(timings)
    for row in rows:
        print(line(row))
    if options.plot is not None:
        options.plot.write_text(chart.chart(rows), encoding="utf-8")
    return verdict_of(verdicts, options.fail_below) if options.compare else 0


def chosen_parts(suite: str, cases: str | None, variants: str | None) -> list[Part]:
    """The parts of a suite, or what is asked for of its only one; ValueError for what is none of it."""
    parts = list(SUITES[suite])
    if cases is None and variants is None:
        return parts
    if len(parts) > 1:
        raise ValueError(f"--cases and --variants choose within one suite, '{suite}' has several parts")
    (part,) = parts
    part = Part(part.module, chosen(cases, part.cases), chosen(variants, part.variants))
    for case in part.cases:
        part.module.parse(case)
    known = part.module.VARIANTS
    unknown = next((name for name in part.variants if name not in known), None)
    if unknown is not None:
        raise ValueError(f"'{unknown}' is no variant; choose from {', '.join(known)}")
    return [part]


def check_device(device: str, parts: Sequence[Part]) -> None:
    """Only audits are measured elsewhere than on the CPU. Raises ValueError, and ConfigError for no device."""
    if find_device(device).type != "cpu" and any(part.module is not audit_suite for part in parts):
        raise ValueError(
            f"on {device} audits are measured (--suite audit or quick); bench/gpu.py measures the synthesis"
        )


def repeats_of(part: Part) -> int:
    """Timed rounds, where nobody says how many."""
    return 3 if part.module is audit_suite else 5


def results_of(part: Part, *, repeats: int, memory: int, device: str) -> Iterator[Result]:
    """The part's results as they come."""
    options = {"device": device} if part.module is audit_suite else {}
    yield from part.module.run(part.cases, part.variants, repeats=repeats, memory=memory, **options)


def compared(
    timings: dict[Key, Result], asked: set[Key], committed: dict[tuple[str, str, str], float]
) -> list[gate.Verdict]:
    """A verdict on each committed ratio that was asked for."""
    return gate.compare([row for row in table(timings) if key_of(row) in asked], committed)


def fallen(parts: Sequence[Part], verdicts: Sequence[gate.Verdict], bar: float) -> list[Part]:
    """Of the parts the cases with a ratio below the bar, with its variants and the baseline."""
    failed = {
        (verdict.case, verdict.variant) for verdict in verdicts if verdict.now is not None and verdict.moved < bar
    }
    slower = []
    for module, cases, variants in parts:
        for case in cases:
            again = [name for name in variants if (case, name) in failed]
            if again:
                slower.append(Part(module, (case,), (module.BASELINE, *again)))
    return slower


def verdict_of(verdicts: Sequence[gate.Verdict], bar: float) -> int:
    """Print what moved; the exit code."""
    if not verdicts:
        print("nothing that was measured has a committed ratio", file=sys.stderr)
        return 2
    failed = [verdict for verdict in verdicts if verdict.moved < bar]
    print(f"\n{gate.HEADER}")
    for verdict in sorted(verdicts, key=lambda verdict: verdict.moved):
        print(f"{verdict}{'  FAILED' if verdict in failed else ''}")
    print(f"{len(failed)} of {len(verdicts)} ratios fell below {bar:g} of the committed ones")
    return 1 if failed else 0


def key_of(row: Result) -> Key:
    return row["suite"], row["case"], row["variant"]


def table(timings: dict[Key, Result]) -> list[Result]:
    """The rows in order, with what takes several of them."""
    rows = []
    for suite, module in MODULES.items():
        results = sorted(
            (row for row in timings.values() if row["suite"] == suite),
            key=lambda row: (module.parse(row["case"]), module.VARIANTS.index(row["variant"])),
        )
        module.settle(results)
        rows += results
    return rows


def earlier_results(path: Path | None, machine: dict[str, Any]) -> list[Result]:
    """The results in the file at ``path``, if there is one; ValueError where it is of another machine or versions."""
    if path is None or not path.exists():
        return []
    document = json.loads(path.read_text(encoding="utf-8"))
    differing = [key for key in SAME if document["machine"].get(key) != machine[key]]
    if differing:
        raise ValueError(f"{path} was measured with other {' and '.join(differing)}: choose another file")
    results: list[Result] = document["results"]
    return results


def chosen(patterns: str | None, known: Sequence[str]) -> list[str]:
    """The known names that match, in order; a pattern that matches none is kept as it is."""
    if patterns is None:
        return list(known)
    cases: list[str] = []
    for pattern in patterns.split(","):
        cases += fnmatch.filter(known, pattern.strip()) or [pattern.strip()]
    return list(dict.fromkeys(cases))


def line(result: Result) -> str:
    """One row of the table."""
    head = f"{result['case']:24} {result['variant']:18}"
    if "skipped" in result:
        return f"{head} skipped: {result['skipped']}"
    ratio = "" if result["ratio"] is None else f"{result['ratio']:.2f}×"
    of_floor = "" if result["of_floor"] is None else f"{result['of_floor']:.0%}"
    memory = f"{result['peak_memory'] / 1e6:.0f}" if "peak_memory" in result else ""
    spread = f"{result['spread']:.2f}" if "spread" in result else ""
    flips = "" if result.get("flip_rate") is None else f"  flip rate {result['flip_rate']:.2f}"
    steps = ""
    if "steps" in result:
        steps = f"  {result['steps']:.1f} steps, the first record after {result['first_record_steps']:.1f}"
    return f"{head} {result['seconds']:9.4f} {ratio:>8} {of_floor:>8} {memory:>6} {spread:>7}{flips}{steps}"


def instruction_set() -> str:
    """Of the native operators; ratios of different ones do not compare."""
    return ops.isa() if ops.native_available()[0] else "none"


def processor(field: str) -> str:
    """What Linux says of the processor, such as its "model name"."""
    try:
        text = Path("/proc/cpuinfo").read_text(encoding="ascii", errors="replace")
    except OSError:
        return "unknown"
    rows = (row.partition(":") for row in text.splitlines())
    return next((value.strip() for name, _, value in rows if name.strip() == field), "unknown")


if __name__ == "__main__":
    sys.exit(main())
