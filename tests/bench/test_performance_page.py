"""The performance page's table and chart are those of the results that it names."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]


def document(**machine: Any) -> dict[str, Any]:
    """Results of two cases, one of them also in a batch of its own."""
    import audit_suite

    rows = [
        {"suite": "audit", "case": case, "variant": variant, "seconds": seconds, "rounds": [seconds]}
        | {"extrapolated": extrapolated, "flip_rate": None}
        for case, variant, seconds, extrapolated in (
            ("256-step", "baseline", 2.0, None),
            ("256-step", "pgd", 0.25, None),
            ("256-step-b1", "pgd", 0.5, None),
            ("1024-multi8", "baseline", 770.0, "2 of 100 steps"),
            ("1024-multi8", "minimal", 7.0, None),
        )
    ]
    rows.append(audit_suite.skipped("1024-multi8", "scan", "no multi mode") | {"flip_rate": None})
    audit_suite.settle(rows)
    return {
        "machine": {"processor": "A Processor", "cores": 2, "instruction_set": "amx", "note": "", **machine},
        "results": rows,
    }


def test_the_table_says_seconds_and_ratios() -> None:
    from performance_page import section

    assert section(document(note="others ran beside it")).splitlines() == [
        "| seconds per | reference | `pgd` | `minimal` |",
        "| --- | --- | --- | --- |",
        "| one gradient step, 256² | 2.0 | 0.25 (**8.0×**) | – |",
        "| one image, 8 attributes together, 1024² | 770 | – | 7.0 (**110×**) |",
        "",
        "A Processor, 2 cores, AMX; `python bench/throughput.py --suite audit`. Of long searches 2 of 100 steps were"
        " measured, the rest is extrapolated. Others ran beside it.",
    ]


def test_written_between_the_marks_and_nowhere_else(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import performance_page

    results = tmp_path / "audit-amx.json"
    results.write_text(json.dumps(document()))
    page = tmp_path / "performance.md"
    monkeypatch.setattr(performance_page, "ROOT", tmp_path)
    monkeypatch.setattr(performance_page, "PAGE", page)
    page.write_text(f"before\n{performance_page.BEGIN.format('old.json')}\nold\n{performance_page.END}\nafter\n")
    assert performance_page.main([str(results), "--write"]) == 0
    text = page.read_text()
    assert text.startswith("before\n")
    assert text.endswith("\nafter\n")
    assert "old" not in text
    assert performance_page.results_named(text) == (
        "audit-amx.json",
        performance_page.marked("audit-amx.json", document()),
    )
    assert (tmp_path / "audit-amx.svg").read_text().startswith("<svg")


def test_the_page_is_what_its_results_give() -> None:
    from chart import chart
    from performance_page import PAGE, chart_of, marked, results_named

    name, result = results_named(PAGE.read_text(encoding="utf-8"))
    results = json.loads((ROOT / name).read_text(encoding="utf-8"))
    assert result == marked(name, results), f"run python bench/performance_page.py --write {name}"
    assert chart_of(ROOT / name).read_text(encoding="utf-8") == chart(results["results"])
