"""What importing the package does to the process: how torch's threads wait, if nobody said so."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

NAME = "OMP_WAIT_POLICY"


@pytest.mark.parametrize(
    ("imports", "said", "found"),
    [
        ("zoom_engine", None, "PASSIVE"),
        ("zoom_engine.errors", None, "PASSIVE"),
        ("zoom_engine", "ACTIVE", "ACTIVE"),
        ("torch, zoom_engine", None, "None"),  # it has been read by then
    ],
)
def test_torchs_threads_wait_asleep_unless_somebody_said_otherwise(
    imports: str, said: str | None, found: str, tmp_path: Path
) -> None:
    environment = {name: value for name, value in os.environ.items() if name != NAME}
    if said is not None:
        environment[NAME] = said
    done = subprocess.run(
        [sys.executable, "-c", f"import os, {imports}; print(os.environ.get('{NAME}'))"],
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        text=True,
        timeout=200,
    )
    assert done.stdout.strip() == found, done.stderr


def test_the_bench_loads_torch_first(tmp_path: Path) -> None:
    bench = Path(__file__).parents[1] / "bench"
    environment = {name: value for name, value in os.environ.items() if name != NAME}
    done = subprocess.run(
        [
            sys.executable,
            "-c",
            f"import os, sys; sys.path.insert(0, {str(bench)!r}); import throughput\nprint(os.environ.get('{NAME}'))",
        ],
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        text=True,
        timeout=200,
    )
    assert done.stdout.strip() == "None", done.stderr
