"""The fixture `zoom_audit`: an audit fails a test where a rule does not hold."""

from __future__ import annotations

import os
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
from simulated import simulated

from zoom_engine.common.errors import ConfigError
from zoom_engine.integrations.pytest_plugin import Audited

ROOT = Path(__file__).parents[2]
STAND_IN = """
import sys; sys.path.insert(0, {tests!r})
import zoom_engine.diagnose.diagnoser
from simulated import simulated

class Diagnoser:
    def __init__(self, **settings):
        assert settings == {{"generator": "avatars", "target": "model.onnx"}}
    def run(self, *, images, seed, out):
        return simulated(images=images, seed=seed, path=out)

zoom_engine.diagnose.diagnoser.Diagnoser = Diagnoser
"""
TESTS = """
import pytest, sys

@pytest.fixture(scope="session")
def audited(zoom_audit):
    return zoom_audit(target="model.onnx", images=30)

def test_holds(audited):
    audited.assert_below("smiling", 0.3)

def test_broken(audited):
    audited.assert_below("eyeglasses", 0.1)

def test_small(zoom_audit):
    zoom_audit(target="model.onnx", images=5, out="audit").assert_all_below(0.3)
"""


@pytest.mark.slow(10)
def test_a_test_fails_by_the_gate_and_says_why(tmp_path: Path) -> None:
    (tmp_path / "conftest.py").write_text(STAND_IN.format(tests=str(ROOT / "tests")))
    (tmp_path / "test_model.py").write_text(TESTS)
    run = subprocess.run(
        [sys.executable, "-m", "pytest", "-p", "zoom_engine.integrations.pytest_plugin", "-p", "no:cacheprovider"],
        cwd=tmp_path,
        env={**os.environ, "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1", "PYTEST_ADDOPTS": ""},
        capture_output=True,
        text=True,
        timeout=200,
    )
    assert run.returncode == 1, run.stdout + run.stderr
    assert "2 failed, 1 passed" in run.stdout
    assert "fail  eyeglasses  sensitivity at most 0.1" in run.stdout
    assert "such an effect takes about " in run.stdout
    assert "Open audit/report.html" in run.stdout
    assert "def _hold" not in run.stdout, "the test's own line is enough"


def test_growth_is_over_a_baseline(tmp_path: Path) -> None:
    audited, before = Audited(simulated(images=40, planted={0: 0.3})), simulated(images=40, path=tmp_path / "before")
    audited.assert_below(["smiling", "pale skin"], 0.6)
    with pytest.raises(pytest.fail.Exception, match="FAIL"):
        audited.assert_not_grown(0.1, baseline=tmp_path / "before")
    Audited(before).assert_not_grown(0.1, baseline=audited.diagnosis)
    with pytest.raises(ConfigError, match="no attribute 'a hat'"):
        audited.assert_below("a hat", 0.6)


def test_pytest_finds_it_and_pays_nothing_for_it() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert project["entry-points"]["pytest11"] == {"zoom_engine": "zoom_engine.integrations.pytest_plugin"}
    script = (
        "import sys, zoom_engine.integrations.pytest_plugin; assert not {'torch', 'numpy', 'PIL'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", script], check=True, timeout=100)
