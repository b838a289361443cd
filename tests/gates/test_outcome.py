"""The outcome of a gate lies in the audit's folder, and report and index show it as long as it is of their records."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from simulated import simulated

from zoom_engine.audit.gate_file import read_gate
from zoom_engine.audit.manifest import Config
from zoom_engine.audit.records import Record
from zoom_engine.audit.summary import Summary
from zoom_engine.cli import main
from zoom_engine.report import write_index, write_report
from zoom_engine.statistics import diagnosis, summarise

BINARY = {"task": {"task": "binary", "classes": ["a", "b"]}}


@pytest.fixture(autouse=True)
def without_images_to_settle(monkeypatch: pytest.MonkeyPatch) -> None:
    """No gate asks how many images would settle an attribute, and it takes a second of an audit."""
    monkeypatch.setattr(summarise, "images_to_settle", lambda *given, **_: [None] * len(given[3]))


@pytest.fixture
def audit(tmp_path: Path) -> Path:
    """An audit of four attributes, with its report and an index above it."""
    simulated(images=40, path=tmp_path / "audit", target_details=BINARY)
    write_report(tmp_path / "audit")
    write_index(tmp_path, [tmp_path / "audit"])
    return tmp_path / "audit"


def test_a_gate_is_shown_by_the_report_and_the_index(audit: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["gate", str(audit), "--max-sensitivity", "0.1"]) == 1
    told = capsys.readouterr()
    assert told.err == ""
    result = read_gate(audit)
    assert result is not None
    assert result.is_current
    assert result.outcome == "fail"
    assert f"FAIL ({result.in_words})" in told.out
    for page in (audit / "report.html", audit.parent / "index.html"):
        text = page.read_text(encoding="utf-8")
        assert '<span class="tag fail">FAIL</span>' in text
        assert result.of("fail")[0].estimate in text


def test_a_gate_reads_its_audit_once(audit: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Verdict, report and index are of one reading: adding up the records takes seconds of a large audit."""
    added: list[int] = []

    def counted(config: Config, records: Sequence[Record], **options: Any) -> Summary:
        added.append(len(records))
        return summarise.summarise(config, records, **options)

    monkeypatch.setattr(diagnosis, "summarise", counted)
    assert main(["gate", str(audit), "--max-sensitivity", "0.1"]) == 1
    assert len(added) == 1
    assert '<span class="tag fail">FAIL</span>' in (audit.parent / "index.html").read_text(encoding="utf-8")


def test_an_audit_that_no_gate_judged_does_not_pass_for_one_that_passed(audit: Path, tmp_path: Path) -> None:
    """Beside one that has conditions the index says so, and it is silent where no audit has any."""
    simulated(images=40, path=tmp_path / "older", target_details=BINARY)
    write_report(tmp_path / "older")
    index = write_index(tmp_path, [audit, tmp_path / "older"])
    assert "JUDGED" not in (before := index.read_text(encoding="utf-8"))
    assert "held to any" not in before
    assert main(["gate", str(audit), "--max-sensitivity", "0.6"]) == 0
    after = index.read_text(encoding="utf-8")
    assert after.count('<span class="tag pass">PASS</span>') == 2
    assert after.count("NOT JUDGED") == after.count("this audit was not held to any") == 1


def test_the_baseline_is_named_without_a_folder_of_the_machine(audit: Path, tmp_path: Path) -> None:
    before = simulated(images=40, path=tmp_path / "secret" / "before", target_details=BINARY)
    assert main(["gate", str(audit), "--max-growth", "0.5", "--baseline", str(before.path)]) == 0
    text = (audit / "report.html").read_text(encoding="utf-8")
    assert f"beside avatars:mustache, audit {before.about.audit_id}" in text
    assert "secret" not in text


def test_another_gate_replaces_the_former_one(audit: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["gate", str(audit), "--max-sensitivity", "0.1"]) == 1
    assert main(["gate", str(audit), "--max-sensitivity", "0.6"]) == 0
    text = (audit / "report.html").read_text(encoding="utf-8")
    assert "sensitivity at most 0.6" in text
    assert "sensitivity at most 0.1" not in text
    capsys.readouterr()


def test_an_audit_that_went_on_since_is_not_shown_as_judged(audit: Path) -> None:
    assert main(["gate", str(audit), "--max-sensitivity", "0.1"]) == 1
    records = (audit / "records.jsonl").read_bytes().splitlines(keepends=True)
    (audit / "records.jsonl").write_bytes(b"".join(records[:-1]))
    result = read_gate(audit)
    assert result is not None
    assert not result.is_current
    assert main(["gate", str(audit), "--max-sensitivity", "0.1"]) == 2, "it is not finished any more"
    result = read_gate(audit)
    assert result is not None
    assert (result.is_current, result.outcome) == (True, "inconclusive")


def test_a_gate_of_a_folder_without_a_report_writes_none(tmp_path: Path) -> None:
    simulated(images=40, path=tmp_path / "audit")
    assert main(["gate", str(tmp_path / "audit"), "--max-sensitivity", "0.6"]) == 0
    assert not (tmp_path / "audit" / "report.html").exists()
    assert json.loads((tmp_path / "audit" / "gate.json").read_text())["conditions"][0]["outcome"] == "pass"


def test_a_folder_that_cannot_be_written_is_judged_all_the_same(
    audit: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (audit / "gate.json").mkdir()
    assert main(["gate", str(audit), "--max-sensitivity", "0.6"]) == 0
    told = capsys.readouterr()
    assert "PASS" in told.out
    assert "note: not every page shows this outcome: cannot write" in told.err
    assert told.err.count("\n") == 1
