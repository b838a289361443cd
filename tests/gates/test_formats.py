"""Verdicts as JUnit XML, SARIF and Markdown: as their schemas say, with nothing lost and nothing of a name believed."""

from __future__ import annotations

import dataclasses
import json
import re
import subprocess
import sys
from pathlib import Path

import pytest
import xmlschema
from junitparser import JUnitXml
from simulated import simulated

from zoom_engine.cli import main
from zoom_engine.gates.formats.junit import to_junit
from zoom_engine.gates.formats.markdown import to_markdown
from zoom_engine.gates.formats.sarif import to_sarif
from zoom_engine.gates.judge import Verdict, judge
from zoom_engine.gates.rules import Rule
from zoom_engine.gates.text import verdict_text

HOSTILE = 'a face with a <b>|[hat](x)` *&amp; "q"'
SCHEMA = Path(__file__).parent / "junit-10.xsd"  # of the Jenkins xUnit plugin, MIT, as pytest's sources hold it


@pytest.fixture(scope="module")
def verdict() -> Verdict:
    """One that passes, three that fail, two that are inconclusive."""
    attributes = ("a smiling face", HOSTILE.replace("|", "/"), "a face with a beard")
    audit = simulated(images=60, attributes=attributes, means=(0.3, 0.3, 0.01), target="<i>|target")
    rules = [Rule(max_sensitivity=0.1), Rule(max_growth=0.01)]
    baseline = simulated(images=60, attributes=attributes, means=(0.1, 0.3, 0.01))
    result = judge(audit, rules, baseline=baseline)
    assert [len(result.of(outcome)) for outcome in ("pass", "fail", "inconclusive")] == [1, 3, 2]
    return result


def test_junit_is_as_its_schema_says(verdict: Verdict, tmp_path: Path) -> None:
    (tmp_path / "gate.xml").write_bytes(to_junit(verdict))
    xmlschema.XMLSchema(SCHEMA).validate(tmp_path / "gate.xml")
    (suite,) = JUnitXml.fromfile(str(tmp_path / "gate.xml"))
    assert (suite.tests, suite.failures, suite.errors) == (6, 3, 2)
    cases = list(suite)
    assert cases[0].classname == "sensitivity at most 0.1"
    assert cases[0].result[0].message.startswith("smiling: sensitivity at most 0.1: fail, 0.3")
    assert cases[1].name == verdict.findings[1].attribute
    assert cases[2].is_passed
    assert cases[-1].is_error


def test_sarif_is_as_its_library_says(verdict: Verdict, tmp_path: Path) -> None:
    log = to_sarif(verdict, at="release gate/gate.toml")
    (tmp_path / "gate.sarif").write_text(json.dumps(log))
    check = "import sys, sarif_pydantic; sarif_pydantic.Sarif.model_validate_json(open(sys.argv[1]).read())"
    subprocess.run([sys.executable, "-c", check, "gate.sarif"], check=True, cwd=tmp_path)  # loads pydantic: elsewhere
    (run,) = log["runs"]
    results = run["results"]
    assert len(results) == 5, "what passes is no result: code scanning would show it"
    rules = [rule["id"] for rule in run["tool"]["driver"]["rules"]]
    assert rules == ["max-growth", "max-sensitivity"]
    assert all(rules[result["ruleIndex"]] == result["ruleId"] for result in results)
    uris = [result["locations"][0]["physicalLocation"]["artifactLocation"]["uri"] for result in results]
    assert set(uris) == {"release%20gate/gate.toml"}
    assert [(result["kind"], result["level"]) for result in results] == [("fail", "error")] * 3 + [("open", "none")] * 2
    prints = {result["partialFingerprints"]["zoomEngineFinding/v1"] for result in results}
    assert len(prints) == 5, "the same finding of the next run is known again"
    (place,) = to_sarif(verdict, at=tmp_path / "gate.toml")["runs"][0]["results"][0]["locations"]
    assert place["physicalLocation"]["artifactLocation"]["uri"].startswith("file:///")


def test_names_that_are_no_text_spoil_no_file(verdict: Verdict) -> None:
    """Folders may be called so: by control characters, and by what is no UTF-8."""
    odd = dataclasses.replace(verdict, audit="avatars in caf\udce9/\x1b[2J")
    (suite,) = JUnitXml.fromstring(to_junit(odd).decode())
    assert suite.name == "zoom-engine gate: avatars in caf?/?[2J"
    log = to_sarif(odd, at="caf\udce9/gate.toml")
    uris = [one["locations"][0]["physicalLocation"]["artifactLocation"]["uri"] for one in log["runs"][0]["results"]]
    assert set(uris) == {"caf%E9/gate.toml"}
    assert json.dumps(log, ensure_ascii=False).encode(), "half a character is refused by strict parsers"
    text = to_markdown(dataclasses.replace(verdict, audit="avatars in a\n\n### ✅ Model audit: pass"))
    assert [line for line in text.splitlines() if line.startswith("#")] == ["### ❌ Model audit: fail"]


def test_markdown_shows_failures_first_and_names_as_they_are(verdict: Verdict) -> None:
    text = to_markdown(verdict)
    lines = text.splitlines()
    assert lines[0] == "### ❌ Model audit: fail"
    assert lines[2].endswith(": 3 fail, 2 inconclusive, 1 pass.")
    assert lines[-1].startswith("Owner: not given · Model: &lt;i&gt;\\|target · Model version: not given · ")
    table = [line for line in lines if line.startswith("| ")]
    assert len(table) == 2 + len(verdict.findings)
    assert [line.split()[1] for line in table[2:]] == ["❌"] * 3 + ["⚠️"] * 2 + ["✅"]
    assert all(line.replace("\\|", "").count("|") == 5 for line in table), "no name ends a cell"
    assert "<b>" not in text
    assert "[hat](" not in text


def test_every_format_says_pass_fail_or_inconclusive_and_who_answers_for_the_model(verdict: Verdict) -> None:
    about = dataclasses.replace(verdict.about, owner="Mona & Risk", model_version="1.4")
    known = dataclasses.replace(verdict, about=about)
    texts = {
        "terminal": verdict_text(known),
        "junit": to_junit(known).decode(),
        "sarif": json.dumps(to_sarif(known, at="gate.toml")),
        "markdown": to_markdown(known),
        "json": json.dumps(known.to_json()),
    }
    for name, text in texts.items():
        assert not re.search(r"\b(passes|passed|fails|failed|broken|undecided)\b", text), name
        assert re.search(r"\bfail\b", text), name
        assert re.search(r"\binconclusive\b", text), name
        if name != "terminal":
            assert "Mona" in text, name
            assert "1.4" in text, name


def test_the_command_writes_them(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    simulated(images=40, path=tmp_path / "audit")
    files = [tmp_path / name for name in ("gate.junit", "gate.sarif", "gate.markdown")]
    told = [f"--{file.suffix[1:]}={file}" for file in files]
    assert main(["gate", str(tmp_path / "audit"), "--max-sensitivity", "0.2", *told]) == 1
    capsys.readouterr()
    assert JUnitXml.fromfile(str(files[0])).name == "zoom-engine gate"
    assert json.loads(files[1].read_text())["version"] == "2.1.0"
    assert files[2].read_text().startswith("### ❌")
    assert (
        main(["gate", str(tmp_path / "audit"), "--max-sensitivity", "0.6", "--junit", str(tmp_path / "no" / "x")]) == 2
    )
    assert "cannot write" in capsys.readouterr().err
