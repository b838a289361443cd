"""``python bench/performance_page.py RESULTS.json [--write]``: the table of docs/explanation/performance.md.

It is made of the results of an audit suite. Prints the Markdown; ``--write`` puts it between the page's marks instead,
and draws the chart beside the page.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import audit_suite
import chart

ROOT = Path(__file__).resolve().parent.parent
PAGE = ROOT / "docs" / "explanation" / "performance.md"
BEGIN, END = "<!-- throughput: {} -->", "<!-- end of throughput -->"
NAMES = {
    "step": "one gradient step",
    "single": "one image, one attribute",
    "multi": "one image, {} together",
}

Result = dict[str, Any]


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; returns the exit code."""
    parser = argparse.ArgumentParser(description="The performance page's table.")
    parser.add_argument("results", type=Path)
    parser.add_argument("--write", action="store_true", help="into the page, and the chart beside it")
    options = parser.parse_args(arguments)
    document = json.loads(options.results.read_text(encoding="utf-8"))
    if not options.write:
        print(section(document))
        return 0
    text = PAGE.read_text(encoding="utf-8")
    try:
        _, before = results_named(text)
    except ValueError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    name = options.results.resolve().relative_to(ROOT).as_posix()
    PAGE.write_text(text.replace(before, marked(name, document)), encoding="utf-8")
    chart_of(options.results).write_text(chart.chart(document["results"]), encoding="utf-8")
    return 0


def results_named(text: str) -> tuple[str, str]:
    """Return the file of results that the table names, and all from mark to mark. Raises ValueError without marks."""
    before, after = BEGIN.split("{}")
    if before not in text or END not in text:
        raise ValueError(f"{PAGE.name} has no '{BEGIN.format('FILE')}' … '{END}'")
    begun = text.index(before)
    name = text[begun + len(before) : text.index(after, begun)]
    return name, text[begun : text.index(END) + len(END)]


def marked(name: str, document: dict[str, Any]) -> str:
    """Return the section of the results ``name`` between its marks."""
    return f"{BEGIN.format(name)}\n{section(document)}\n\n![Throughput of audits]({chart_of(Path(name)).name})\n{END}"


def chart_of(results: Path) -> Path:
    """Return the path of the chart of a file of results, beside the page."""
    return PAGE.with_name(f"{results.stem}.svg")


def section(document: dict[str, Any]) -> str:
    """The table, and where it was measured; the smallest times, and how many of the reference's fit into them."""
    machine = document["machine"]
    rows = {(row["case"], row["variant"]): row for row in document["results"] if row["suite"] == audit_suite.SUITE}
    variants = [
        name for name in audit_suite.VARIANTS[1:] if any(rows[key]["seconds"] for key in rows if key[1] == name)
    ]
    lines = [
        f"| seconds per | reference | {' | '.join(f'`{name}`' for name in variants)} |",
        f"| --- | {' | '.join('---' for _ in range(len(variants) + 1))} |",
    ]
    for case in sorted({case for case, _ in rows if in_table(case)}, key=audit_suite.parse):
        cells = [cell(rows.get((case, name))) for name in (audit_suite.BASELINE, *variants)]
        lines.append(f"| {title(case)} | {' | '.join(cells)} |")
    extrapolated = {row["extrapolated"] for row in rows.values() if row.get("extrapolated")}
    note = (
        f"{machine['processor']}, {machine['cores']} cores, {machine['instruction_set'].upper()};"
        f" `python bench/throughput.py --suite audit`."
    )
    if extrapolated:
        note += f" Of long searches {' or '.join(sorted(extrapolated))} were measured, the rest is extrapolated."
    if machine["note"]:
        note += f" {machine['note'][0].upper()}{machine['note'][1:]}."
    return "\n".join([*lines, "", note])


def in_table(case: str) -> bool:
    """Sizes that people have, in usual batches; the chart has the others."""
    return "-b" not in case and audit_suite.case_of(case).resolution in (audit_suite.AVATARS, 256, 1024)


def title(case: str) -> str:
    """What a case does, in words."""
    resolution, work, attributes, _ = audit_suite.case_of(case)
    together = "1 attribute" if attributes == 1 else f"{attributes} attributes"
    return f"{NAMES[work].format(together)}, {f'{resolution}²' if resolution else 'the avatars'}"


def cell(row: Result | None) -> str:
    """Seconds, the ratio, and the flip rate where it means something; a dash for what there is not."""
    if row is None or row["seconds"] is None:
        return "–"
    seconds = row["seconds"]
    text = f"{seconds:.0f}" if seconds >= 100 else f"{seconds:.2g}" if seconds < 1 else f"{seconds:.1f}"
    if row["variant"] != audit_suite.BASELINE and row["ratio"] is not None:
        text += f" (**{row['ratio']:.0f}×**)" if row["ratio"] >= 10 else f" (**{row['ratio']:.1f}×**)"
    if row["flip_rate"] is not None:
        text += f", {row['flip_rate']:.0%} flip"
    return text


if __name__ == "__main__":
    sys.exit(main())
