"""The package's face: its public names, its version, and how torch's threads wait where nobody said so."""

from __future__ import annotations

import ast
import os
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

import zoom_engine

ROOT = Path(__file__).parents[1]
NAME = "OMP_WAIT_POLICY"


def test_type_checkers_read_the_public_names_from_where_they_load() -> None:
    stub = ast.parse((ROOT / "zoom_engine" / "__init__.pyi").read_text(encoding="utf-8"))
    read = {name.name: f.module for f in stub.body if isinstance(f, ast.ImportFrom) for name in f.names}
    assert read == zoom_engine._HOMES


def test_no_module_lies_loose_at_the_top_of_the_package() -> None:
    assert {path.name for path in (ROOT / "zoom_engine").glob("*.py")} == {"__init__.py", "__main__.py"}


def test_the_version_is_the_projects() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    assert zoom_engine.__version__ == project["version"]


@pytest.mark.parametrize(
    ("imports", "setting", "expected"),
    [
        ("zoom_engine", None, "PASSIVE"),
        ("zoom_engine.common.errors", None, "PASSIVE"),
        ("zoom_engine", "ACTIVE", "ACTIVE"),
        ("torch, zoom_engine", None, "None"),  # it has been read by then
    ],
)
def test_torchs_threads_wait_asleep_unless_somebody_said_otherwise(
    imports: str, setting: str | None, expected: str, tmp_path: Path
) -> None:
    assert policy_after(f"import {imports}", tmp_path, setting) == expected


@pytest.mark.parametrize(
    ("module", "first"),
    [("throughput", "torch"), ("watched", "zoom_engine")],  # a command that is watched waits as commands do
)
def test_the_bench_loads_torch_or_the_engine_first(module: str, first: str, tmp_path: Path) -> None:
    statements = f"""
import os, sys
class First:
    def find_spec(self, name, *_):
        if name in ("torch", "zoom_engine"):
            print(name, flush=True)
            os._exit(0)
sys.meta_path.insert(0, First())
sys.path.insert(0, {str(ROOT / "bench")!r})
import {module}"""
    assert policy_after(statements, tmp_path) == first


def policy_after(statements: str, folder: Path, setting: str | None = None) -> str:
    """How OpenMP is told to wait after ``statements`` in a process that begins with what was ``setting``."""
    environment = {name: value for name, value in os.environ.items() if name != NAME}
    done = subprocess.run(
        [sys.executable, "-c", f"{statements}\nimport os; print(os.environ.get('{NAME}'))"],
        cwd=folder,
        env=environment if setting is None else {**environment, NAME: setting},
        capture_output=True,
        text=True,
        timeout=200,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()
