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


def whole_audits(**machine: Any) -> dict[str, Any]:
    """Results of three whole audits, of which one was skipped."""
    import audit_suite

    rows: list[dict[str, Any]] = []
    for case, step, searches, seconds in (
        ("audit-8x8-cold", 2.8, 64, 340.0),
        ("1024-audit-50x8-multi-warm", 9.0, 50, 1800.0),
    ):
        about = {"suite": "audit", "case": case, "unit": "audit", "flip_rate": None}
        original = searches * 100 * step
        rows.append({**about, "variant": "baseline", "seconds": original, "rounds": [original] * 3})
        command: dict[str, Any] = {"seconds": seconds, "rounds": [seconds] * 3, "steps": seconds / step}
        command |= {"first_record_steps": 50.4, "evaluations": 1234, "pictures": {"directions": 2000, "search": 500}}
        command |= {"peak_memory": 2_460_000_000, "reference": {"seconds": step}}
        rows.append({**about, "variant": "command", **command})
    rows += [audit_suite.skipped("audit-2x8-cold", variant, "it failed") for variant in ("baseline", "command")]
    audit_suite.settle(rows)
    return {**document(**machine), "results": rows}


def test_whole_audits_have_a_table_of_what_was_measured() -> None:
    from performance_page import audits

    assert audits(whole_audits(note="nobody else was there")).splitlines() == [
        "| images × attributes | seconds | steps | steps to the first record | pictures | evaluations | memory"
        " | the reference |",
        "| --- | --- | --- | --- | --- | --- | --- | --- |",
        "| 8 × 8, cold, 256² | 340 | **121** | 50 | 2,500 | 1,234 | 2.5 GB | 5.0 h (**53×**) |",
        "| 50 × 8, multi mode, warm, 1024² | 1800 | **200** | 50 | 2,500 | 1,234 | 2.5 GB | 12.5 h (**25×**) |",
        "",
        "A Processor, 2 cores, AMX; `python bench/throughput.py --suite audit --cases '*audit-*'`. A step took 2.8 s at"
        " 256² and 9 s at 1024²; medians of 3 runs. Nobody else was there.",
    ]
    assert "No whole audit has been measured" in audits(document())


@pytest.fixture
def page(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A page with the marks of both tables and other text around."""
    import performance_page
    from performance_page import AUDITS, SEARCHES

    monkeypatch.setattr(performance_page, "ROOT", tmp_path)
    monkeypatch.setattr(performance_page, "PAGE", tmp_path / "performance.md")
    marks = (f"{table.begin.format('old.json')}\nold {table.whole}\n{table.end}\n" for table in (SEARCHES, AUDITS))
    (tmp_path / "performance.md").write_text("before\n" + "between\n".join(marks) + "after\n")
    (tmp_path / "old.json").write_text(json.dumps(document()))
    return tmp_path / "performance.md"


def test_written_between_the_marks_and_nowhere_else(page: Path) -> None:
    from performance_page import AUDITS, SEARCHES, blocks_of, main, marked

    results = page.with_name("audit-amx.json")
    results.write_text(json.dumps(document()))
    assert main([str(results), "--write"]) == 0
    text = page.read_text()
    assert text.startswith("before\n")
    assert text.endswith("\nafter\n")
    assert "old False" not in text
    assert "old True" in text, "no whole audit is in those results"
    assert blocks_of(text, SEARCHES) == [("audit-amx.json", marked("audit-amx.json", document(), SEARCHES))]
    assert (page.parent / "audit-amx.svg").read_text().startswith("<svg")
    audits = page.with_name("audits-amx.json")
    audits.write_text(json.dumps(whole_audits()))
    assert main([str(audits), "--write"]) == 0
    text = page.read_text()
    assert blocks_of(text, SEARCHES)[0][0] == "audit-amx.json", "what is of searches stays"
    assert blocks_of(text, AUDITS) == [("audits-amx.json", marked("audits-amx.json", whole_audits(), AUDITS))]
    assert "between" in text
    assert not (page.parent / "audits-amx.svg").exists()


def test_of_several_tables_of_a_kind_the_one_that_names_the_results_is_written(page: Path) -> None:
    from performance_page import AUDITS, blocks_of, main, marked

    more = f"{AUDITS.begin.format('other.json')}\nold too\n{AUDITS.end}\n"
    page.write_text(page.read_text() + more)
    page.with_name("other.json").write_text(json.dumps(whole_audits()))
    assert main([str(page.with_name("other.json")), "--write"]) == 0
    text = page.read_text()
    assert blocks_of(text, AUDITS)[1] == ("other.json", marked("other.json", whole_audits(), AUDITS))
    assert blocks_of(text, AUDITS)[0][0] == "old.json"
    assert "old True" in text
    assert "old too" not in text


def test_without_results_it_says_what_the_named_ones_give(page: Path, capsys: pytest.CaptureFixture[str]) -> None:
    from performance_page import main, section

    before = page.read_text()
    assert main([]) == 0
    assert capsys.readouterr().out.strip() == section(document())
    assert page.read_text() == before


def test_the_page_is_what_its_results_give() -> None:
    from chart import chart
    from performance_page import AUDITS, PAGE, SEARCHES, blocks_of, chart_of, marked

    text = PAGE.read_text(encoding="utf-8")
    blocks = [(kind, *block) for kind in (SEARCHES, AUDITS) for block in blocks_of(text, kind)]
    assert len(blocks) > 2
    for table, name, result in blocks:
        results = json.loads((ROOT / name).read_text(encoding="utf-8"))
        assert result == marked(name, results, table), f"run python bench/performance_page.py --write {name}"
        if table is SEARCHES:
            assert chart_of(ROOT / name).read_text(encoding="utf-8") == chart(results["results"])
