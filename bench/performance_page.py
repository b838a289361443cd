"""``python bench/performance_page.py [RESULTS.json] [--write]``: the tables of docs/explanation/performance.md.

They are made of the results of audit suites: one of steps and searches, and those of whole audits; without RESULTS each
of the file that the page names. Prints the Markdown of what was measured; ``--write`` puts it between the page's marks
instead, and draws the chart beside the page. Of several tables of one kind RESULTS makes the one that names it.
"""

from __future__ import annotations

import argparse
import json
import re
import statistics
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import audit_suite
import chart
import whole_audits

ROOT = Path(__file__).resolve().parent.parent
PAGE = ROOT / "docs" / "explanation" / "performance.md"
NAMES = {
    "step": "one gradient step",
    "single": "one image, one attribute",
    "multi": "one image, {} together",
}

Result = dict[str, Any]


class Table(NamedTuple):
    """One table of the page.

    ``begin`` (with the file of its results) and ``end`` are its marks, ``section`` makes it of a document of results,
    and whole audits alone or all others are in it.
    """

    begin: str
    end: str
    whole: bool
    section: Callable[[dict[str, Any]], str]

    def rows(self, document: dict[str, Any]) -> dict[tuple[str, str], Result]:
        """Return the results that are this table's, by case and variant."""
        return {
            (row["case"], row["variant"]): row
            for row in document["results"]
            if row["suite"] == audit_suite.SUITE and (whole_audits.parse(row["case"]) is not None) == self.whole
        }


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; returns the exit code."""
    parser = argparse.ArgumentParser(description="The performance page's tables.")
    parser.add_argument("results", type=Path, nargs="?", help="of an audit suite; else those that the page names")
    parser.add_argument("--write", action="store_true", help="into the page, and the chart beside it")
    options = parser.parse_args(arguments)
    text = PAGE.read_text(encoding="utf-8")
    try:
        blocks = [(table, *block) for table in (SEARCHES, AUDITS) for block in blocks_of(text, table)]
    except ValueError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    alone = {table.begin for table in (SEARCHES, AUDITS) if [block[0] for block in blocks].count(table) == 1}
    for table, named, before in blocks:
        results = ROOT / named if options.results is None else options.results.resolve()
        document = json.loads(results.read_text(encoding="utf-8"))
        if not table.rows(document) or not (table.begin in alone or results == ROOT / named):
            continue
        if not options.write:
            print(table.section(document), end="\n\n")
            continue
        text = text.replace(before, marked(results.relative_to(ROOT).as_posix(), document, table))
        if table is SEARCHES:
            chart_of(results).write_text(chart.chart(document["results"]), encoding="utf-8")
    if options.write:
        PAGE.write_text(text, encoding="utf-8")
    return 0


def blocks_of(text: str, table: Table) -> list[tuple[str, str]]:
    """Return the files of results that tables of a kind name, each with all from mark to mark.

    Raises ValueError without marks.
    """
    pattern = re.escape(table.begin).replace(re.escape("{}"), "(\\S+)") + ".*?" + re.escape(table.end)
    blocks = [(match[1], match[0]) for match in re.finditer(pattern, text, re.DOTALL)]
    if not blocks:
        raise ValueError(f"{PAGE.name} has no '{table.begin.format('FILE')}' … '{table.end}'")
    return blocks


def marked(name: str, document: dict[str, Any], table: Table) -> str:
    """Return the table of the results ``name`` between its marks, and the chart below that of searches."""
    picture = "" if table.whole else f"\n\n![Throughput of audits]({chart_of(Path(name)).name})"
    return f"{table.begin.format(name)}\n{table.section(document)}{picture}\n{table.end}"


def chart_of(results: Path) -> Path:
    """Return the path of the chart of a file of results, beside the page."""
    return PAGE.with_name(f"{results.stem}.svg")


def section(document: dict[str, Any]) -> str:
    """The table, and where it was measured; the smallest times, and how many of the reference's fit into them."""
    rows = SEARCHES.rows(document)
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
    note = ""
    if extrapolated:
        note = f"Of long searches {' or '.join(sorted(extrapolated))} were measured, the rest is extrapolated."
    return "\n".join([*lines, "", measured_on(document["machine"], "python bench/throughput.py --suite audit", note)])


def audits(document: dict[str, Any]) -> str:
    """Return the table of whole audits that were measured, and where; a sentence where none was."""
    rows = AUDITS.rows(document)
    command = "python bench/throughput.py --suite audit --cases '*audit-*'"
    done = [case for case, name in rows if name == whole_audits.COMMAND and rows[case, name]["seconds"] is not None]
    if not done:
        return f"No whole audit has been measured yet: `{command}`."
    lines = [
        "| images × attributes | seconds | steps | steps to the first record | pictures | evaluations | memory"
        " | the reference |",
        f"|{' --- |' * 8}",
    ]
    for case in sorted(done, key=audit_suite.parse):
        row, reference = rows[case, whole_audits.COMMAND], rows[case, audit_suite.BASELINE]
        cells = [
            audit_title(case),
            f"{row['seconds']:.0f}",
            f"**{row['steps']:.0f}**",
            f"{row['first_record_steps']:.0f}",
            f"{sum(row['pictures'].values()):,}",
            f"{row['evaluations']:,}",
            f"{row['peak_memory'] / 1e9:.1f} GB",
            f"{reference['seconds'] / 3600:.1f} h (**{row['ratio']:.0f}×**)",
        ]
        lines.append(f"| {' | '.join(cells)} |")
    commands = [(audit_suite.case_of(case).resolution, rows[case, whole_audits.COMMAND]) for case in done]
    steps = {
        size: statistics.median(row["reference"]["seconds"] for resolution, row in commands if resolution == size)
        for size, _ in sorted(commands, key=lambda pair: pair[0])
    }
    runs = sorted({len(row["rounds"]) for _, row in commands})
    step = " and ".join(f"{seconds:.2g} s at {size}²" for size, seconds in steps.items())
    repeats = "one run each" if runs == [1] else f"medians of {' or '.join(map(str, runs))} runs"
    note = f"A step took {step}; {repeats}."
    return "\n".join([*lines, "", measured_on(document["machine"], command, note)])


def measured_on(machine: Mapping[str, Any], command: str, note: str) -> str:
    """Return the sentences below a table."""
    about = f"{machine['processor']}, {machine['cores']} cores, {machine['instruction_set'].upper()}; `{command}`."
    remark = f"{machine['note'][0].upper()}{machine['note'][1:]}." if machine["note"] else ""
    return " ".join(filter(None, (about, note, remark)))


SEARCHES = Table("<!-- throughput: {} -->", "<!-- end of throughput -->", False, section)
AUDITS = Table("<!-- whole audits: {} -->", "<!-- end of whole audits -->", True, audits)


def audit_title(case: str) -> str:
    """Return what a whole audit does, in words."""
    whole = whole_audits.parse(case)
    assert whole is not None
    mode = ", multi mode" if whole.multi else ""
    return f"{whole.images} × {whole.attributes}{mode}, {'warm' if whole.warm else 'cold'}, {whole.resolution}²"


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
