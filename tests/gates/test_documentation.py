"""What docs/how-to/gate.md shows is read by what it is for."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest
from simulated import simulated

from zoom_engine.cli import build_app, main
from zoom_engine.gates.bounds import images_for
from zoom_engine.gates.rules import read_rules

PAGE = (Path(__file__).parents[2] / "docs" / "how-to" / "gate.md").read_text(encoding="utf-8")


def block(language: str) -> str:
    result = re.search(rf"```{language}\n(.*?)```", PAGE, re.DOTALL)
    assert result is not None
    return result[1]


def test_its_rules_are_rules(tmp_path: Path) -> None:
    (tmp_path / "gate.toml").write_text(block("toml"))
    texts = [rule.text for rule in read_rules(tmp_path / "gate.toml")]
    assert texts == [
        "sensitivity at most 0.1",
        "sensitivity at most 0.05",
        "grown by at most 0.03 over the baseline",
        "power at 0.1 at least 0.9",
    ]


def test_its_commands_are_commands() -> None:
    shell = "".join(re.findall(r"```sh\n(.*?)```", PAGE, re.DOTALL))
    lines = [*shell.splitlines(), *re.findall(r"run: (zoom-engine .*)", block("yaml"))]
    assert len(lines) == 6
    for line in lines:
        build_app().parse_args(shlex.split(line, comments=True)[1:], print_error=False, exit_on_error=False)


def test_an_audit_that_a_job_did_not_end_is_kept_for_the_next_one() -> None:
    """`actions/cache` saves nothing where a job is stopped or fails, and never writes over a key."""
    steps = block("yaml").split("      - ")
    restored, audited, saved = (
        next(step for step in steps if what in step)
        for what in ("cache/restore@", "zoom-engine diagnose", "cache/save@")
    )
    assert steps.index(restored) < steps.index(audited) < steps.index(saved)
    assert saved.startswith("if: always()\n")
    (key,), (saved_key,) = (re.findall(r"^ +key: (.*)$", step, re.M) for step in (restored, saved))
    (beginning,) = re.findall(r"restore-keys: (.*)$", restored, re.M)
    assert key == saved_key
    assert key.startswith(beginning)
    assert "github.run_id" in key.removeprefix(beginning)
    assert "--precision fp32" in audited, "on another processor it would not go on"


def test_its_numbers_of_images_are_those_of_the_bound() -> None:
    assert [images_for(limit) for limit in (0.1, 0.05, 0.03)] == [40, 83, 139]
    assert [images_for(limit, attributes=8) for limit in (0.1, 0.05)] == [61, 125]


def test_a_baseline_is_two_files(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    audit = simulated(images=150, means=(0.001,) * 4, path=tmp_path / "audit")
    (tmp_path / "baseline").mkdir()
    for name in ("manifest.json", "records.jsonl"):
        (tmp_path / "baseline" / name).write_bytes((tmp_path / "audit" / name).read_bytes())
    assert not audit.missing
    limits = ["--max-growth", "0.03", "--baseline", str(tmp_path / "baseline")]
    assert main(["gate", str(tmp_path / "audit"), *limits]) == 0
    assert "PASS (4 pass)" in capsys.readouterr().out
